import Foundation
import Kafka
import KafkaBed
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// Only where `KAFKA_HOME` names an Apache Kafka: three brokers check sequences, replicate, and lose a leader, which the
/// mock does not.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(10))) @LoopActor struct RealKafkaTests {
    private func pump(_ outbox: Outbox, _ bootstrap: String) -> Pump {
        var configuration = PumpConfiguration(
            producer: ProducerDefaults.configuration(
                clientID: "lane-agent-0042-07", overrides: [.init("bootstrap.servers", bootstrap)]))
        configuration.heldFor = 1000
        return Pump(configuration, outbox: outbox) { notice in print("notice:", notice.message, notice.fields) }
    }

    @Test func throughALostLeaderAndKilledAgentsNothingIsLostAndOrderHolds() async throws {
        let folder = try Folder()
        let cluster = try await KafkaBed(nodes: 3)
        do {
            try await cluster.create("t")
            try await loseTheLeader(cluster, folder)
            try await killTheAgent(cluster, folder)
        } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    /// 2000 messages; in the middle the leader of their partition dies, and comes back later. One topic does not exist
    /// before the end.
    private func loseTheLeader(_ cluster: KafkaBed, _ folder: Folder) async throws {
        let outbox = try folder.outbox()
        let pump = pump(outbox, cluster.bootstrap)
        try await pump.start()
        let leader = String(try await cluster.leader(of: "t"))
        for group in 0..<400 {
            let events = (1...5).map { event("t", group * 5 + $0) }
            let late = group < 10 ? [event("late", group + 1)] : []
            pump.wake(try await outbox.commit(Commit(events: events + late)).heads)
            if group == 150 { try await cluster.call("kill", leader) }
            await withCheckedContinuation { done in
                EventLoop.shared.schedule(inMilliseconds: 10) { done.resume() }
            }
        }
        try await cluster.call("up", leader)
        #expect(await until(within: 90) { (try? await outbox.depths().first { $0.topic == "t" }?.rows) == 0 })
        #expect(pump.heldTopics.map(\.topic) == ["late"])
        try await cluster.create("late")
        #expect(await until(within: 90) { (try? await outbox.depths().allSatisfy { $0.rows == 0 }) ?? false })
        await pump.stop()
        let counts = pump.counts
        #expect(counts.handedOver == counts.acknowledged + counts.returned && counts.inFlight == 0)
        #expect(counts.lostWakeUps == 0)
        for (topic, count) in [("t", 2000), ("late", 10)] {
            let ledger = Ledger(try await kcat(cluster.bootstrap, topic))
            #expect(ledger.numbers == Array(1...count))
            #expect(
                ledger.sequences == (1...count).map { CloudEvent.sequence(epoch: outbox.epoch, seq: Int64($0)) })
            // One instance never doubles; a new one may, what was in flight.
            #expect(ledger.duplicates <= counts.recreations * 2000)
            print(
                "\(topic): \(ledger.numbers.count), \(ledger.duplicates) doubled, \(counts.recreations) new producers")
        }
        await outbox.close()
    }

    /// Eight agents killed at any instant while they publish, then one that sends the rest.
    private func killTheAgent(_ cluster: KafkaBed, _ folder: Folder) async throws {
        try await cluster.create("probe")
        let state = folder.path + "/probe"
        var told = 0
        for _ in 0..<8 {
            let lines = try await probe(
                ["deliver", state, cluster.bootstrap, "100000", "probe"], killAfter: Int.random(in: 20...800))
            told = max(told, lines.compactMap { Int($0) }.max() ?? 0)
        }
        let last = try await probe(["deliver", state, cluster.bootstrap, String(told + 1), "probe"])
        #expect(last.last == "done")
        let ledger = Ledger(try await kcat(cluster.bootstrap, "probe"))
        #expect(ledger.numbers.count >= told && ledger.numbers == Array(1...max(1, ledger.numbers.count)))
        #expect(ledger.duplicates <= 8 * 2000)
        print("probe: \(ledger.numbers.count), \(ledger.duplicates) doubled by 8 kills")
    }
}
