import Foundation
import KafkaBed
import Loop
import Testing

@testable import Kafka

/// Sends `messages` in order and waits for the reports.
@LoopActor func produce(_ messages: [Message], to bootstrap: String) async throws -> [DeliveryReport] {
    let listener = Listener()
    let producer = try Producer(safe(bootstrap)) { listener.take($0) }
    for start in stride(from: 0, to: messages.count, by: 5000) {
        let part = Array(messages[start..<min(start + 5000, messages.count)])
        let (sent, fault) = producer.send(part) { UInt64(start + $0) }
        #expect(sent == part.count && fault == nil)
        #expect(await producer.flush(within: 30_000))
    }
    producer.close()
    await producer.ended()
    #expect(listener.reports.allSatisfy { $0.error == nil })
    return listener.reports
}

@Suite(.timeLimit(.minutes(2))) struct ConsumerTests {
    private func message(_ number: Int, _ topic: String = "t", key: String = "0042/07") -> Message {
        Message(
            topic: topic, key: key, value: Array("{\"n\":\(number)}".utf8),
            named: ["content-type": "application/json", "ce_id": "id-\(number)"])
    }

    @Test func recordsComeAsTheyWereSent() async throws {
        let cluster = try MockCluster(brokers: 3)
        try cluster.createTopic("t", partitions: 1, replicas: 3)
        _ = try await produce((0..<2500).map { message($0) }, to: cluster.bootstrap)
        let records = try await Consumer.records(of: ["t"], safe(cluster.bootstrap))
        #expect(records.map(\.offset) == Array(0..<2500))
        #expect(records.map { $0["ce_id"] } == (0..<2500).map { "id-\($0)" })
        #expect(records.map { $0.value } == (0..<2500).map { Array("{\"n\":\($0)}".utf8) })
        #expect(records.allSatisfy { $0.key == Array("0042/07".utf8) && $0.topic == "t" && $0.headers.count == 2 })
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        #expect(records.allSatisfy { abs(($0.timestamp ?? 0) - now) < 600_000 })
    }

    @Test func whatIsMissingIsNotEmpty() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        _ = try await produce(
            [
                Message(topic: "t", key: "k", value: nil), Message(topic: "t", key: "k", value: []),
                Message(topic: "t", key: "k", value: [0, 255], headers: [0, 1, 97, 0, 0, 0, 0]),
            ], to: cluster.bootstrap)
        let records = try await Consumer.records(of: ["t"], safe(cluster.bootstrap))
        #expect(records.map(\.value) == [nil, [], [0, 255]])
        #expect(records.map(\.headers.count) == [0, 0, 1] && records.last?["a"] == "")
    }

    /// More partitions than are fetched at once, most of them empty, and two topics.
    @Test func everyPartitionOfEveryTopicIsRead() async throws {
        let cluster = try MockCluster(brokers: 3)
        try cluster.createTopic("many", partitions: 40)
        try cluster.createTopic("one")
        let messages = (0..<3000).map { message($0, $0 % 3 == 0 ? "one" : "many", key: "0042/\($0 % 30)") }
        _ = try await produce(messages, to: cluster.bootstrap)
        let records = try await Consumer.records(of: ["many", "one"], safe(cluster.bootstrap))
        #expect(Set(records.compactMap { $0["ce_id"] }) == Set((0..<3000).map { "id-\($0)" }))
        #expect(records.count == 3000)
        // Of one partition in order.
        for (_, part) in Dictionary(grouping: records, by: { "\($0.topic) \($0.partition)" }) {
            #expect(part.map(\.offset) == Array(0..<Int64(part.count)))
        }
    }

    @Test func aSpanIsReadAndNothingBeside() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        _ = try await produce((0..<500).map { message($0) }, to: cluster.bootstrap)
        let bootstrap = cluster.bootstrap
        let (middle, few) = try await onAThread {
            let consumer = try Consumer(safe(bootstrap))
            defer { consumer.close() }
            var middle: [Int64] = []
            try consumer.read([.init(topic: "t", partition: 0, begin: 100, end: 200)]) { record in
                middle.append(record.offset)
                return true
            }
            // Told to stop, and read again from the same consumer.
            var few: [Int64] = []
            try consumer.read(try consumer.spans(of: "t")) { record in
                few.append(record.offset)
                return few.count < 7
            }
            return (middle, few)
        }
        #expect(middle == Array(100..<200))
        #expect(few == Array(0..<7))
    }

    @Test func limitsAndAbsencesAreErrors() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        _ = try await produce((0..<20).map { message($0) }, to: cluster.bootstrap)
        await #expect(throws: KafkaError.self) {
            try await Consumer.records(of: ["t"], safe(cluster.bootstrap), limit: 10)
        }
        cluster.setError(of: "t", 29)
        await #expect {
            try await Consumer.records(of: ["t"], safe(cluster.bootstrap))
        } throws: { ($0 as? KafkaError)?.isOfAuthority == true }
        let nobody = ClientConfiguration(["bootstrap.servers": "127.0.0.1:1", "reconnect.backoff.ms": "50"])
        let said = try await onAThread { () -> String in
            let consumer = try Consumer(nobody)
            defer { consumer.close() }
            guard case .unreachable(let error) = consumer.state(of: "t", within: 500) else { return "reached" }
            return error.description
        }
        #expect(said.contains("127.0.0.1:1"), "\(said)")
        #expect(throws: KafkaError.self) { try Consumer(ClientConfiguration(["no.such.key": "1"])) }
    }
}

/// Runs what blocks on a thread of its own.
func onAThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { done in
        Thread { done.resume(with: Result { try work() }) }.start()
    }
}

/// Where `KAFKA_HOME` names an Apache Kafka: what the mock does not do.
@Suite(.enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(5))) struct RealKafkaConsumerTests {
    @Test func itReadsSinceATimeAndOnlyWhatIsCommitted() async throws {
        let cluster = try await KafkaBed(nodes: 1)
        do { try await read(cluster) } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    private func read(_ cluster: KafkaBed) async throws {
        try await cluster.create("t", partitions: 3, "message.timestamp.type=LogAppendTime")
        let lanes = (0..<9).map { "0042/\($0)" }
        func messages(_ range: Range<Int>) -> [Message] {
            range.map { Message(topic: "t", key: lanes[$0 % 9], value: Array("\($0)".utf8)) }
        }
        _ = try await produce(messages(0..<900), to: cluster.bootstrap)
        let first = try await Consumer.records(of: ["t"], safe(cluster.bootstrap))
        #expect(first.count == 900)
        // The brokers' own time, so that no clock is compared with another.
        let last = try #require(first.compactMap(\.timestamp).max())
        try await Task.sleep(for: .milliseconds(20))
        _ = try await produce(messages(900..<1800), to: cluster.bootstrap)
        let bootstrap = cluster.bootstrap
        let (late, none, names) = try await onAThread { () -> (Set<String>, Int64, [String]) in
            let consumer = try Consumer(safe(bootstrap))
            defer { consumer.close() }
            var late: Set<String> = []
            try consumer.read(try consumer.spans(of: "t", since: last + 1)) { record in
                late.insert(String(decoding: record.value ?? .init(start: nil, count: 0), as: UTF8.self))
                return true
            }
            let none = try consumer.spans(of: "t", since: last + 86_400_000).reduce(0) { $0 + $1.count }
            return (late, none, try consumer.topicNames())
        }
        #expect(late == Set((900..<1800).map(String.init)))
        #expect(none == 0 && names == ["t"])
        // The mark that ends a transaction has an offset too, and no record: the end is reached all the same.
        try await cluster.create("x")
        try await cluster.tool(
            "org.apache.kafka.tools.ProducerPerformance", "--topic", "x", "--num-records", "500", "--record-size",
            "100",
            "--throughput", "-1", "--producer-props", "bootstrap.servers=\(cluster.bootstrap)", "--transactional-id",
            "perf",
            "--transaction-duration-ms", "50")
        let (transacted, end) = try await onAThread { () -> (Int, Int64) in
            let consumer = try Consumer(safe(bootstrap))
            defer { consumer.close() }
            let spans = try consumer.spans(of: "x")
            var count = 0
            try consumer.read(spans) { _ in
                count += 1
                return true
            }
            return (count, spans.reduce(0) { $0 + $1.end })
        }
        #expect(transacted == 500 && end > 500)
    }
}
