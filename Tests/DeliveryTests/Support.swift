import Foundation
import Kafka
import KafkaBed
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// A fresh folder, removed with the value.
final class Folder: Sendable {
    let path: String
    init() throws {
        var template = Array("/tmp/lanewatch-delivery-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func outbox() throws -> Outbox { try Outbox(OutboxConfiguration(folder: path + "/state")) }
}

func event(_ topic: String, _ number: Int, chained: Bool = false, size: Int = 0) -> OutboxEvent {
    OutboxEvent(
        CloudEvent(
            topic: topic, key: "0042/07", id: nil,
            headers: [
                .init("content-type", "application/json"), .init("ce_specversion", "1.0"),
                .init("ce_source", "/stores/0042/lanes/07"), .init("ce_type", "sco.test.v1"),
                .init("ce_subject", "test"), .init("ce_time", "2026-11-21T08:14:03.120Z"),
                .init("ce_recordedtime", "2026-11-21T08:14:03.120Z"), .init("ce_partitionkey", "0042/07"),
            ],
            value: Array(
                "{\"n\":\(number)\(size > 0 ? ",\"x\":\"\(String(repeating: "y", count: size))\"" : "")}".utf8),
            isChained: chained))
}

/// A lane's outbox and pump before a mock cluster.
@LoopActor final class Bench {
    let folder: Folder
    let cluster: MockCluster
    private(set) var outbox: Outbox
    private(set) var pump: Pump
    private(set) var notices: [Notice] = []
    private var sent: [String: Int] = [:]
    private let adjust: (inout PumpConfiguration) -> Void

    init(
        brokers: Int = 1, topics: [String] = ["t"], settings: [ClientConfiguration.Setting] = [],
        _ adjust: @escaping (inout PumpConfiguration) -> Void = { _ in }
    ) throws {
        folder = try Folder()
        cluster = try MockCluster(brokers: brokers)
        for topic in topics { try cluster.createTopic(topic, partitions: 1, replicas: brokers) }
        outbox = try folder.outbox()
        let bootstrap = cluster.bootstrap
        self.adjust = { configuration in
            configuration.firstBackoff = 20
            configuration.longestBackoff = 100
            configuration.producer.settings += [
                .init("retry.backoff.ms", "20"), .init("reconnect.backoff.ms", "20"),
                .init("reconnect.backoff.max.ms", "100"),
            ]
            configuration.producer.settings += settings
            adjust(&configuration)
        }
        pump = Self.make(outbox, bootstrap, self.adjust, { _ in })
        remake()
    }

    private static func make(
        _ outbox: Outbox, _ bootstrap: String, _ adjust: (inout PumpConfiguration) -> Void,
        _ note: @escaping @LoopActor (Notice) -> Void
    ) -> Pump {
        var configuration = PumpConfiguration(
            producer: ProducerDefaults.configuration(
                clientID: "lane-agent-0042-07", overrides: [.init("bootstrap.servers", bootstrap)]))
        adjust(&configuration)
        return Pump(configuration, outbox: outbox, note: note)
    }

    private func remake() {
        pump = Self.make(outbox, cluster.bootstrap, adjust) { [weak self] in self?.notices.append($0) }
    }

    /// As after a new start of the agent: the file opened again, a new pump.
    func restart() async throws {
        await outbox.close()
        outbox = try folder.outbox()
        remake()
    }

    /// Commits `count` numbered events on each of `topics`, in groups, and wakes the pump.
    func commit(
        _ count: Int, to topics: [String] = ["t"], group: Int = 50, wake: Bool = true, fresh: Bool = false,
        chained: Bool = false
    ) async throws {
        var left = count
        while left > 0 {
            let now = min(group, left)
            var events: [OutboxEvent] = []
            for _ in 0..<now {
                for topic in topics {
                    events.append(event(topic, sent[topic, default: 0] + 1, chained: chained))
                    sent[topic, default: 0] += 1
                }
            }
            let done = try await outbox.commit(Commit(events: events))
            // As the agent tells it, or so that everything has to be read.
            if fresh { pump.wake(done) } else if wake { pump.wake(done.heads) }
            left -= now
        }
    }

    /// Waits until everything is settled and nothing in flight.
    func drained(within seconds: Int64 = 40) async -> Bool {
        await until(within: seconds) { [self] in
            guard pump.counts.inFlight == 0 else { return false }
            return (try? await outbox.depths().allSatisfy { $0.rows == 0 }) ?? false
        }
    }

    /// The numbers on `topic` as kcat finds them, with their sequence.
    func log(_ topic: String) async throws -> [(number: Int, sequence: String)] {
        try await kcat(cluster.bootstrap, topic).map { line in
            let parts = line.split(separator: "|", maxSplits: 1)
            let number = parts[1].firstRange(of: "\"n\":").flatMap {
                Int(parts[1][$0.upperBound...].prefix { $0.isNumber })
            }
            let sequence = parts[0].split(separator: ",").first { $0.hasPrefix("ce_sequence=") }
            return (number ?? -1, sequence.map { String($0.dropFirst(12)) } ?? "")
        }
    }

    /// Everything sent on `topic` is there; first appearances are in order, their sequences contiguous from 1.
    func expectWhole(_ topic: String = "t", duplicates: ClosedRange<Int> = 0...0) async throws {
        let log = try await log(topic)
        var seen: Set<String> = []
        let first = log.filter { seen.insert($0.sequence).inserted }
        #expect(first.map(\.number) == Array(1...sent[topic, default: 0]))
        #expect(
            first.map(\.sequence)
                == (1...sent[topic, default: 0]).map { CloudEvent.sequence(epoch: outbox.epoch, seq: Int64($0)) })
        #expect(duplicates.contains(log.count - first.count), "\(log.count - first.count) duplicates on \(topic)")
    }

    /// At any time: handed over = acknowledged + returned + in flight.
    func expectConserved() {
        let counts = pump.counts
        #expect(counts.handedOver == counts.acknowledged + counts.returned + counts.inFlight)
        #expect(counts.acknowledgeLatency.total == counts.acknowledged)
        #expect(counts.deliveryLatency.total == counts.acknowledged)
    }
}

/// Asks again every few milliseconds until `isMet`; false when the time is over.
@LoopActor func until(within seconds: Int64 = 20, _ isMet: @LoopActor () async -> Bool) async -> Bool {
    let end = Boottime.milliseconds() + seconds * 1000
    while Boottime.milliseconds() < end {
        if await isMet() { return true }
        await withCheckedContinuation { done in
            EventLoop.shared.schedule(inMilliseconds: 5) { done.resume() }
        }
    }
    return false
}

/// Each message of `topic` from the beginning as `headers|value`, read by another implementation. Those that the product
/// itself has made are kept for the public validators.
func kcat(_ bootstrap: String, _ topic: String) async throws -> [String] {
    let text = try await run([
        "timeout", "30", "kcat", "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-f",
        "%k|%h|%s\\n",
    ])
    return text.split(separator: "\n").map { line in
        let parts = line.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else { return String(line) }
        let headers = parts[1].split(separator: ",").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return (name: sides[0], value: sides.count > 1 ? sides[1] : "")
        }
        // Tests' own messages have no schema.
        if headers.contains(where: { $0.name == "ce_dataschema" }) {
            RecordShelf.keep(topic: topic, key: parts[0], headers: headers, value: parts[2])
        }
        return "\(parts[1])|\(parts[2])"
    }
}
