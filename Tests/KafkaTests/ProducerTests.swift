import Foundation
import Loop
import Testing

@testable import Kafka

@Suite(.timeLimit(.minutes(2))) @LoopActor struct ProducerTests {
    private func send(_ count: Int, to topic: String, with producer: Producer, from first: Int = 0) throws {
        for number in first..<first + count {
            try producer.send(
                Message(
                    topic: topic, key: "0042/07", value: Array("{\"n\":\(number)}".utf8),
                    named: ["content-type": "application/json", "ce_id": "id-\(number)"]), opaque: UInt64(number))
        }
    }

    @Test func messagesArriveInOrderWithKeysAndHeaders() async throws {
        let cluster = try MockCluster(brokers: 3)
        try cluster.createTopic("t", partitions: 1, replicas: 3)
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap)) { listener.take($0) }
        try send(500, to: "t", with: producer)
        #expect(producer.outstanding == 500)
        #expect(await producer.flush(within: 20_000))
        #expect(listener.delivered == Array(0..<500))
        #expect(listener.reports.map(\.offset) == Array(0..<500))
        #expect(producer.isConnected)
        producer.close()
        await producer.ended()
        let lines = try await kcat(cluster.bootstrap, "t", format: "%o|%k|%s|%h\\n")
        #expect(
            lines
                == (0..<500).map {
                    "\($0)|0042/07|{\"n\":\($0)}|content-type=application/json,ce_id=id-\($0)"
                })
    }

    /// With a minute of linger: without the push nothing would come within it. Each push is for all that waits, and one that finds
    /// the sending thread asleep for too long has no effect, so there are several.
    @Test func whatIsHandedOverDoesNotLinger() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t", partitions: 1)
        let listener = Listener()
        let settings: KeyValuePairs = ["linger.ms": "60000", "batch.num.messages": "500"]
        let producer = try Producer(safe(cluster.bootstrap, settings)) { listener.take($0) }
        var sent = 0
        let end = Boottime.milliseconds() + 30_000
        while listener.delivered.isEmpty, Boottime.milliseconds() < end {
            let messages = (sent..<sent + 20).map { _ in Message(topic: "t", key: "k", value: [65], headers: []) }
            let first = sent
            sent += producer.send(messages) { UInt64(first + $0) }.sent
            await withCheckedContinuation { done in
                EventLoop.shared.schedule(inMilliseconds: 100) { done.resume() }
            }
        }
        #expect(listener.delivered == Array(0..<UInt64(listener.delivered.count)) && !listener.delivered.isEmpty)
        producer.purge()
        #expect(await producer.flush(within: 20_000))
        #expect(listener.reports.count == sent)
        producer.close()
        #expect(await producer.ended())
    }

    @Test func aTombstoneIsNotAnEmptyValue() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t", partitions: 1)
        let producer = try Producer(safe(cluster.bootstrap)) { _ in }
        try producer.send(Message(topic: "t", key: "k", value: nil), opaque: 1)
        try producer.send(Message(topic: "t", key: "k", value: []), opaque: 2)
        try producer.send(Message(topic: "t", key: "k", value: [65], headers: [0, 9, 9]), opaque: 3)
        #expect(await producer.flush(within: 20_000))
        producer.close()
        // kcat's %S is the length: -1 for none.
        #expect(try await kcat(cluster.bootstrap, "t", format: "%S\\n") == ["-1", "0", "1"])
    }

    /// Java's `Utils.toPositive(Utils.murmur2(key)) % partitions`, hashes from Apache Kafka's UtilsTest.
    @Test(arguments: [("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)])
    func keysGoToThePartitionThatJavaChooses(key: String, hash: Int) async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("p", partitions: 7)
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap)) { listener.take($0) }
        try producer.send(Message(topic: "p", key: key, value: [1]), opaque: 1)
        #expect(await producer.flush(within: 20_000))
        producer.close()
        #expect(listener.reports.first?.partition == Int32((hash & 0x7FFF_FFFF) % 7))
    }

    /// REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, NOT_LEADER: tried again by librdkafka, nothing to be seen.
    @Test(arguments: [7, 19, 20, 6, 56])
    func passingErrorsAreTriedAgain(code: Int32) async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap)) { listener.take($0) }
        cluster.answer(.produce, with: [code, code])
        try send(200, to: "t", with: producer)
        #expect(await producer.flush(within: 20_000))
        #expect(listener.delivered == Array(0..<200))
        #expect(producer.fatal == nil)
        producer.close()
    }

    /// OUT_OF_ORDER_SEQUENCE ends the instance; with the gapless guarantee so does a message that is refused.
    @Test(arguments: [45, 10])
    func aFatalErrorEndsTheInstanceAndGivesEverythingBack(code: Int32) async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap, ["batch.num.messages": "1"])) { listener.take($0) }
        cluster.answer(.produce, with: [code])
        // The refusal takes its time, so that all are handed over before it.
        try cluster.setRoundTrip(1, milliseconds: 300)
        try send(50, to: "t", with: producer)
        #expect(await listener.until { $0.errors.contains { $0.isFatal } })
        try cluster.setRoundTrip(1, milliseconds: 0)
        producer.purge()
        #expect(await producer.flush(within: 20_000))
        #expect(listener.reports.count == 50 && producer.outstanding == 0)
        // What was in flight with the refused one: a real broker would refuse these too, out of order.
        #expect(listener.delivered.allSatisfy { (1...4).contains($0) })
        #expect(producer.fatal != nil)
        #expect {
            try producer.send(Message(topic: "t", key: "k", value: nil), opaque: 9)
        } throws: { ($0 as? KafkaError)?.isFatal == true }
        producer.close()
        let other = Listener()
        let second = try Producer(safe(cluster.bootstrap)) { other.take($0) }
        try send(50, to: "t", with: second)
        #expect(await second.flush(within: 20_000))
        #expect(other.delivered == Array(0..<50))
        second.close()
    }

    @Test func whatWasSentWhileTheBrokerWasDownArrivesAfterIt() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap)) { listener.take($0) }
        try send(10, to: "t", with: producer)
        #expect(await producer.flush(within: 20_000))
        try cluster.setDown(1, true)
        try send(100, to: "t", with: producer, from: 10)
        #expect(await listener.until { $0.errors.contains(where: \.isAllBrokersDown) })
        #expect(!producer.isConnected)
        #expect(await !producer.flush(within: 300))
        try cluster.setDown(1, false)
        #expect(await producer.flush(within: 20_000))
        #expect(listener.delivered == Array(0..<110))
        #expect(producer.isConnected)
        producer.close()
    }

    @Test func aFullQueueIsNoErrorOfTheMessage() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        try cluster.setDown(1, true)
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap, ["queue.buffering.max.messages": "20"])) {
            listener.take($0)
        }
        try send(20, to: "t", with: producer)
        #expect {
            try send(1, to: "t", with: producer)
        } throws: { ($0 as? KafkaError)?.isQueueFull == true }
        #expect(producer.outstanding == 20)
        producer.purge()
        #expect(await producer.flush(within: 10_000))
        #expect(listener.reports.allSatisfy { $0.error?.isPurge == true })
        producer.close()
        #expect(throws: KafkaError.self) { try send(1, to: "t", with: producer) }
    }

    @Test func topicsAreAskedFor() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("there", partitions: 3)
        cluster.setError(of: "missing", 3)
        cluster.setError(of: "closed", 29)
        let producer = try Producer(safe(cluster.bootstrap)) { _ in }
        #expect(await producer.state(of: "there") == .ready(partitions: 3))
        #expect(await producer.state(of: "missing") == .unknown)
        #expect(await producer.state(of: "closed") == .notAuthorised)
        // Once it is no error any more, the mock makes the topic itself.
        cluster.setError(of: "missing", 0)
        #expect(await producer.state(of: "missing") == .ready(partitions: 4))
        try cluster.setDown(1, true)
        let state = await producer.state(of: "there", within: 300)
        guard case .unreachable = state else {
            Issue.record("a cluster that is down says \(state)")
            return
        }
        producer.close()
        await producer.ended()
        guard case .unreachable = await producer.state(of: "there") else {
            Issue.record("a closed producer answers")
            return
        }
    }

    @Test func aForgottenProducerEndsByItself() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        weak var forgotten: Producer?
        for _ in 0..<5 {
            let producer = try Producer(safe(cluster.bootstrap)) { _ in }
            try send(10, to: "t", with: producer)
            forgotten = producer
        }
        #expect(forgotten == nil)
        // Descriptors of theirs may be this one's now: nothing of theirs arrives on it.
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap)) { listener.take($0) }
        try send(10, to: "t", with: producer, from: 100)
        #expect(await producer.flush(within: 20_000))
        #expect(listener.delivered == Array(100..<110))
        producer.close()
    }

    @Test func statisticsAndLogsComeAsValues() async throws {
        let cluster = try MockCluster(brokers: 3)
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap, ["statistics.interval.ms": "100", "debug": "broker"])) {
            listener.take($0)
        }
        #expect(await producer.state(of: "t") != .unknown)
        #expect(await listener.until { _ in producer.brokers.known == 3 && producer.brokers.up > 0 })
        #expect(await listener.until { !$0.logs.isEmpty })
        let json = try JSONSerialization.jsonObject(with: Data(try #require(listener.statistics.last)))
        #expect((json as? [String: Any])?["type"] as? String == "producer")
        producer.close()
    }
}
