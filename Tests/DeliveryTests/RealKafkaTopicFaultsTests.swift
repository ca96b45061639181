import Foundation
import Kafka
import KafkaBed
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// What happens to topics on a real cluster while a lane publishes: too few replicas, restarts, a topic that comes late, partitions
/// that are added. After each, everything is there, once, in order.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(15))) @LoopActor
struct RealKafkaTopicFaultsTests {
    /// A lane that goes on publishing until it is told to stop.
    @LoopActor private final class Publisher {
        let outbox: Outbox
        let pump: Pump
        let topics: [String]
        private(set) var sent = 0
        private var isEnding = false
        private var work: Task<Void, any Error>?

        init(_ folder: Folder, _ bootstrap: String, topics: [String]) throws {
            outbox = try folder.outbox()
            self.topics = topics
            var configuration = PumpConfiguration(
                producer: ProducerDefaults.configuration(
                    clientID: "lane-agent-0042-07",
                    overrides: [
                        .init("bootstrap.servers", bootstrap),
                        // Changes of a topic are to be seen in the time of a test.
                        .init("topic.metadata.refresh.interval.ms", "1000"),
                    ]))
            configuration.heldFor = 1000
            pump = Pump(configuration, outbox: outbox) { _ in }
        }

        func start() async throws {
            try await pump.start()
            work = Task {
                while !isEnding {
                    sent += 1
                    pump.wake(try await outbox.commit(Commit(events: topics.map { event($0, sent) })).heads)
                    await RealKafkaTopicFaultsTests.pause(10)
                }
            }
        }

        /// How many wait.
        func rows(_ topic: String) async -> Int {
            (try? await outbox.depths().first { $0.topic == topic }?.rows) ?? 0
        }

        /// Waits until of each of `topics` everything so far and `count` more messages are delivered.
        func passes(_ count: Int, on topics: [String]) async -> Bool {
            let goal = sent + count
            return await RealKafkaTopicFaultsTests.until { [self] in
                for topic in topics {
                    let (begun, waiting) = (sent, await rows(topic))
                    guard begun - waiting >= goal else { return false }
                }
                return true
            }
        }

        func stop() async throws {
            isEnding = true
            try await work?.value
            _ = await RealKafkaTopicFaultsTests.until { [self] in
                (try? await outbox.depths().allSatisfy { $0.rows == 0 }) ?? false
            }
            await pump.stop()
        }
    }

    private static func pause(_ milliseconds: Int64) async {
        await withCheckedContinuation { done in
            EventLoop.shared.schedule(inMilliseconds: milliseconds) { done.resume() }
        }
    }

    private static func until(_ isMet: @LoopActor () async -> Bool) async -> Bool {
        for _ in 0..<1200 {
            if await isMet() { return true }
            await pause(100)
        }
        return false
    }

    @Test func everythingArrivesInOrderWhateverHappensToTheTopics() async throws {
        let folder = try Folder()
        let cluster = try await KafkaBed(nodes: 3)
        do {
            let admin = try Admin(ClientConfiguration(["bootstrap.servers": cluster.bootstrap]))
            let settings: [ClientConfiguration.Setting] = [.init("min.insync.replicas", "2")]
            let made = try await admin.create(
                [
                    NewTopic("t", partitions: 1, replicas: 3, settings: settings),
                    // Loses one, and has too few.
                    NewTopic("pair", partitions: 1, replicas: 2, settings: settings),
                    NewTopic("grow", partitions: 1, replicas: 3, settings: settings),
                ], within: 60_000)
            #expect(made == [:])
            let lane = try Publisher(folder, cluster.bootstrap, topics: ["t", "pair", "grow", "late"])
            try await lane.start()
            #expect(await lane.passes(50, on: ["t", "pair", "grow"]))
            try await tooFewReplicas(cluster, admin, lane)
            try await partitionsAdded(admin, lane)
            try await rollingRestart(cluster, lane)
            try await twoOfThreeKilled(cluster, lane)
            // Unknown all the time, and held back alone.
            #expect(await Self.until { lane.pump.heldTopics.map(\.topic) == ["late"] })
            let begun = lane.sent
            #expect(await lane.rows("late") >= begun - 1)
            #expect(try await admin.create([NewTopic("late", partitions: 3, replicas: 3)], within: 60_000) == [:])
            #expect(await lane.passes(20, on: ["late"]))
            try await lane.stop()
            for topic in lane.topics { try await expectWhole(topic, lane, cluster) }
            await lane.outbox.close()
            await admin.close()
        } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    /// NOT_ENOUGH_REPLICAS: of the pair one is down. Its messages wait, the other topics go on.
    private func tooFewReplicas(_ cluster: KafkaBed, _ admin: Admin, _ lane: Publisher) async throws {
        guard case .there(let partitions)? = try await admin.records(of: ["pair"])["pair"] else {
            throw KafkaError(code: 3)
        }
        let down = String(try #require(partitions.first?.replicas.last))
        try await cluster.call("kill", down)
        // Once the cluster has seen it, nothing of the pair is taken any more.
        #expect(
            await Self.until {
                guard case .there(let now)? = try? await admin.records(of: ["pair"])["pair"] else { return false }
                return now.first?.inSync.count == 1
            })
        let waiting = await lane.rows("pair")
        #expect(await lane.passes(100, on: ["t", "grow"]))
        #expect(await lane.rows("pair") >= waiting + 100)
        try await cluster.call("up", down)
        #expect(await lane.passes(50, on: ["pair"]))
    }

    private func partitionsAdded(_ admin: Admin, _ lane: Publisher) async throws {
        try await admin.addPartitions(to: "grow", count: 8, within: 60_000)
        #expect(await lane.passes(200, on: ["grow"]))
    }

    private func rollingRestart(_ cluster: KafkaBed, _ lane: Publisher) async throws {
        for node in 1...3 {
            try await cluster.call("restart", "\(node)")
            #expect(await lane.passes(50, on: ["t", "pair", "grow"]))
        }
    }

    private func twoOfThreeKilled(_ cluster: KafkaBed, _ lane: Publisher) async throws {
        try await cluster.call("kill", "1")
        try await cluster.call("kill", "2")
        let waiting = await lane.rows("t")
        #expect(await Self.until { await lane.rows("t") > waiting + 100 })
        for node in ["1", "2"] { try await cluster.call("up", node) }
        #expect(await lane.passes(50, on: ["t", "pair", "grow"]))
    }

    /// All of it, in order, in one partition, and once but for what a new producer sends again.
    private func expectWhole(_ topic: String, _ lane: Publisher, _ cluster: KafkaBed) async throws {
        let lines = try await run([
            "timeout", "60", "kcat", "-C", "-b", cluster.bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-f",
            "%h,partition=%p|%s\\n",
        ]).split(separator: "\n").map(String.init)
        let ledger = Ledger(lines)
        #expect(ledger.numbers == Array(1...lane.sent), "\(topic): \(ledger.numbers.count) of \(lane.sent)")
        #expect(ledger.duplicates <= lane.pump.counts.recreations * 2000)
        let partitions = Set(lines.compactMap { $0.split(separator: "|").first?.split(separator: "=").last })
        #expect(partitions.count == 1, "\(topic) in partitions \(partitions)")
        print(
            "\(topic): \(ledger.numbers.count), \(ledger.duplicates) doubled, \(lane.pump.counts.recreations) new producers"
        )
    }
}
