import Kafka
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// What a commit brings goes straight to the producer, in groups while others are on their way.
@Suite(.timeLimit(.minutes(3))) @LoopActor struct GatheringTests {
    private func begun(
        _ topics: [String] = ["t"], _ change: @escaping (inout PumpConfiguration) -> Void = { _ in }
    ) async throws -> Bench {
        let bench = try Bench(topics: topics, change)
        try await bench.pump.start()
        try await bench.commit(1, to: topics)
        #expect(await bench.drained())
        return bench
    }

    @Test func withTwoGroupsOnTheirWayWhatComesIsGathered() async throws {
        let bench = try await begun(["t", "u"])
        try bench.cluster.setRoundTrip(1, milliseconds: 2000)
        try await bench.commit(40, group: 1, fresh: true)
        // Each of the first two went at once, the others wait for the first; another topic does not.
        #expect(bench.channel().groups.count == 2 && bench.channel().window.count == 2)
        #expect(bench.channel().gathered.count == 38)
        try await bench.commit(1, to: ["u"], fresh: true)
        #expect(bench.channel("u").window.count == 1)
        #expect(await until { bench.pump.counts.acknowledged >= 5 })
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        #expect(bench.channel().gathered.isEmpty && bench.channel().groups.isEmpty)
        try await bench.expectWhole("t")
        try await bench.expectWhole("u")
        bench.expectConserved()
        await bench.pump.stop()
    }

    /// librdkafka would keep a second request to itself, and its thread would spin: what comes or lies behind waits with us.
    @Test func withFiveMessagesOnTheirWayOneGroupIsEnough() async throws {
        let bench = try await begun { $0.leaseRows = 10 }
        try bench.cluster.setRoundTrip(1, milliseconds: 2000)
        try await bench.commit(10, group: 10, fresh: true)
        try await bench.commit(5, group: 5, fresh: true)
        #expect(bench.channel().groups.count == 1 && bench.channel().window.count == 10)
        #expect(bench.channel().gathered.count == 5)
        // Nothing of these came with its commit: with the first group answered, all of it is read, a group ahead.
        try await bench.commit(60, group: 60, wake: true)
        #expect(await until { bench.pump.counts.acknowledged >= 16 })
        #expect(await until { bench.channel().window.count == 10 && bench.channel().gathered.count == 10 })
        #expect(bench.channel().groups.count == 1)
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        #expect(bench.pump.gatheredCount == 0 && bench.pump.gatheredBytes == 0)
        try await bench.expectWhole()
        bench.expectConserved()
        await bench.pump.stop()
    }

    /// More than there is room for, in commits of any size: some of it is handed over, some gathered, some read again.
    @Test func nothingIsLostBetweenGatheringAndReading() async throws {
        let bench = try await begun(["t", "u", "v"]) {
            $0.windowPerTopic = 30
            $0.leaseRows = 20
        }
        for round in 1...60 {
            try await bench.commit(round, to: ["t", "u", "v"], group: 1 + round % 17, fresh: round % 5 != 0)
        }
        #expect(await bench.drained())
        for topic in ["t", "u", "v"] { try await bench.expectWhole(topic) }
        bench.expectConserved()
        #expect(bench.pump.counts.recreations == 0 && bench.pump.counts.leaseFailures == 0)
        await bench.pump.stop()
    }

    /// A damaged row is a hole: one message in its place tells consumers so, and what is behind it goes on.
    @Test func whatCannotBeReadAnyMoreIsCountedAndTold() async throws {
        let bench = try Bench()
        for _ in 0..<3 { try await bench.commit(4, group: 4, wake: false) }
        await bench.outbox.close()
        let damage =
            "UPDATE run SET messages = x'00' WHERE place = (SELECT place FROM run ORDER BY place LIMIT 1 OFFSET 1)"
        #expect(try await run(["/usr/bin/sqlite3", bench.folder.path + "/state/outbox.sqlite", damage]).isEmpty)
        try await bench.restart()
        try await bench.pump.start()
        #expect(await until { bench.pump.counts.acknowledged == 9 })
        #expect(await bench.drained())
        #expect(bench.outbox.state.dropped == [Drop(topic: "t", reason: .damaged): 4])
        // A hole that is told is none to the pump.
        #expect(bench.pump.counts.unreadable == 0 && bench.pump.undelivered == 0)
        let words = try await bench.outbox.upkeep().filter { $0.level == .error }
        #expect(
            words.count == 1 && words.first?.fields.contains { $0.key == "count" && $0.value == "4" } == true,
            "\(words)")
        await bench.pump.stop()
    }

    /// The window is one for all topics: what is gathered in an outage does not grow with their number.
    @Test func whatIsGatheredOfAllTopicsFitsTheWindow() async throws {
        let topics = ["t", "u", "v", "w"]
        let bench = try await begun(topics) { $0.window = 40 }
        try bench.cluster.setRoundTrip(1, milliseconds: 3000)
        for _ in 0..<30 { try await bench.commit(1, to: topics, group: 1, fresh: true) }
        let gathered = topics.map { bench.channel($0).gathered.count }.reduce(0, +)
        #expect(bench.pump.counts.inFlight == 8 && gathered == 32 && bench.pump.gatheredCount == 32)
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        #expect(bench.pump.gatheredCount == 0 && bench.pump.gatheredBytes == 0)
        for topic in topics { try await bench.expectWhole(topic) }
        bench.expectConserved()
        await bench.pump.stop()
    }

    @Test func whatWasGatheredSurvivesARecovery() async throws {
        let bench = try await begun()
        try bench.cluster.setRoundTrip(1, milliseconds: 2000)
        // For both that are on their way: the mock would take the second, which a real broker refuses by its sequence.
        bench.cluster.answer(.produce, with: [45, 45])
        try await bench.commit(30, group: 1, fresh: true)
        #expect(bench.channel().gathered.count == 28)
        #expect(await until { bench.pump.counts.recreations >= 1 })
        #expect(bench.channel().gathered.isEmpty || bench.channel().window.count > 0)
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        try await bench.expectWhole(duplicates: 0...31)
        bench.expectConserved()
        await bench.pump.stop()
    }

    @Test func aStopSendsWhatWasGathered() async throws {
        let bench = try await begun()
        try bench.cluster.setRoundTrip(1, milliseconds: 600)
        try await bench.commit(20, group: 1, fresh: true)
        #expect(bench.channel().gathered.count == 18)
        await bench.pump.stop()
        bench.expectConserved()
        #expect(try await bench.outbox.depths().map(\.rows) == [0])
        try await bench.expectWhole()
    }

    @Test func ticketsOfAGroupFollowEachOther() {
        let first = Opaque.pack(instance: 0x1_FFFF, channel: 0xABC, ticket: 0xF_FFFF_FFFE)
        for (count, ticket) in [(0, 0xF_FFFF_FFFE), (1, 0xF_FFFF_FFFF), (2, 0), (3, 1)] as [(Int, UInt64)] {
            let found = Opaque.unpack(Opaque.advance(first, by: count))
            #expect(found.instance == 0xFFFF && found.channel == 0xABC && found.ticket == ticket)
        }
    }
}

extension Bench {
    @LoopActor fileprivate func channel(_ topic: String = "t") -> Channel {
        pump.channels[pump.places[topic] ?? 0]
    }
}
