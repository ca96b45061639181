import Foundation
import Kafka
import Lane
import Testing

@testable import Delivery

@Suite(.timeLimit(.minutes(3))) struct CrashTests {
    /// Agent, outbox and producer are killed at any instant, ten times; a last run sends the rest.
    @Test func afterKill9NothingIsMissingAndOrderHolds() async throws {
        let folder = try Folder()
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("t", partitions: 1)
        var told = 0
        let kills = 10
        for _ in 0..<kills {
            let lines = try await probe(
                ["deliver", folder.path + "/state", cluster.bootstrap, "100000"], killAfter: Int.random(in: 5...300))
            told = max(told, lines.compactMap { Int($0) }.max() ?? 0)
        }
        let last = try await probe(["deliver", folder.path + "/state", cluster.bootstrap, String(told + 1)])
        #expect(last.last == "done")
        let ledger = Ledger(try await kcat(cluster.bootstrap, "t"))
        #expect(told > kills && ledger.numbers.count >= told)
        #expect(ledger.numbers == Array(1...max(1, ledger.numbers.count)))
        #expect(ledger.duplicates <= kills * 2000)
        let places = ledger.sequences.compactMap { CloudEvent.parseSequence($0) }
        #expect(places.map(\.seq) == (0..<places.count).map { Int64($0 + 1) })
        #expect(Set(places.map(\.epoch)).count == 1)
    }

    /// In a process of its own: with messages handed over to a cluster that has stopped to answer, and with one that was
    /// never there.
    @Test(arguments: [true, false]) func stoppingTakesLessThanFiveSeconds(wasThere: Bool) async throws {
        let folder = try Folder()
        let cluster = try MockCluster(brokers: 1)
        try cluster.createTopic("t", partitions: 1)
        if !wasThere { try cluster.setDown(1, true) }
        let lines = try await probe(["stop", folder.path + "/state", cluster.bootstrap]) { line in
            if line == 1 && wasThere { try? cluster.setDown(1, true) }
        }
        #expect(lines.count == 3 && lines.last == "kept 100")
        let taken = try #require(lines.dropFirst().first.flatMap { Int($0) })
        #expect(taken < 5000)
    }
}
