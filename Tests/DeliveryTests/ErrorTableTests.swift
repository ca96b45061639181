import Kafka
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// What brokers answer, row by row of the table in docs/explanation/delivery.md: whatever it is, everything arrives, in
/// order, and at most the window comes twice.
@Suite(.timeLimit(.minutes(5))) @LoopActor struct ErrorTableTests {
    struct Row: Sendable, CustomTestStringConvertible {
        enum Effect: Sendable {
            /// The producer sends it again by itself.
            case retried
            /// The producer is of no more use and made anew.
            case madeAnew
            /// As `madeAnew` with librdkafka 2.0.2; newer ones may send it again.
            case either
            /// The producer is made anew and the topic asked for again, or held for a while.
            case topicHeld
        }
        var name: String
        var code: Int32
        var effect: Effect
        var testDescription: String { name }
        init(_ name: String, _ code: Int32, _ effect: Effect) {
            self.name = name
            self.code = code
            self.effect = effect
        }
    }

    nonisolated static let rows = [
        Row("REQUEST_TIMED_OUT", 7, .retried), Row("NOT_LEADER_FOR_PARTITION", 6, .retried),
        Row("NOT_ENOUGH_REPLICAS", 19, .retried), Row("NOT_ENOUGH_REPLICAS_AFTER_APPEND", 20, .retried),
        Row("KAFKA_STORAGE_ERROR", 56, .retried), Row("UNKNOWN_PRODUCER_ID", 59, .retried),
        Row("OUT_OF_ORDER_SEQUENCE_NUMBER", 45, .madeAnew), Row("INVALID_PRODUCER_EPOCH", 47, .either),
        Row("CORRUPT_MESSAGE", 2, .either), Row("MSG_SIZE_TOO_LARGE", 10, .madeAnew),
        Row("INVALID_RECORD", 87, .madeAnew), Row("TOPIC_AUTHORIZATION_FAILED", 29, .topicHeld),
        Row("CLUSTER_AUTHORIZATION_FAILED", 31, .either),
    ]

    @Test(arguments: rows) func everythingArrivesInOrder(row: Row) async throws {
        // One message of a topic at a time: the mock looks at no sequences and would take what is behind a refused one, which a
        // real broker does not (`RealKafkaPumpTests`). With `max.in.flight` 1 librdkafka still makes others ready
        // behind the one that is on its way, and sends them though it is refused.
        let bench = try Bench(topics: ["t", "u"]) {
            $0.windowPerTopic = 1
            $0.heldFor = 300
        }
        try await bench.pump.start()
        try await bench.commit(20, to: ["t", "u"])
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: [0, 0, row.code, 0, row.code])
        try await bench.commit(200, to: ["t", "u"], group: 10)
        #expect(await bench.drained())
        let counts = bench.pump.counts
        switch row.effect {
        case .retried: #expect(counts.recreations == 0 && counts.failed.isEmpty, "\(counts.failed)")
        case .madeAnew, .topicHeld: #expect(counts.recreations >= 1, "\(counts.failed)")
        case .either: break
        }
        // One refusal is no poison.
        #expect(counts.deadLetters == 0 && bench.pump.quarantine.messages == 0)
        for topic in ["t", "u"] { try await bench.expectWhole(topic, duplicates: 0...(counts.recreations * 2000)) }
        bench.expectConserved()
        await bench.pump.stop()
    }

    /// However often a client is refused, its messages are good.
    @Test(arguments: [Int32(29), 31]) func authorisationIsNeverPoison(code: Int32) async throws {
        let bench = try Bench(topics: ["t"]) {
            $0.heldFor = 20
            $0.refusals = 3
        }
        try await bench.pump.start()
        try await bench.commit(1)
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: [Int32](repeating: code, count: 8))
        try await bench.commit(1)
        #expect(await bench.drained())
        #expect(bench.pump.counts.deadLetters == 0 && bench.pump.counts.recreations >= 3)
        try await bench.expectWhole()
        await bench.pump.stop()
    }

    @Test func aLeaderThatMovesIsFollowed() async throws {
        let bench = try Bench(
            brokers: 3, settings: [.init("max.in.flight.requests.per.connection", "1")])
        try await bench.pump.start()
        for leader in [Int32(1), 2, 3, 1] {
            try bench.cluster.setLeader(of: "t", leader)
            try await bench.commit(100, group: 10)
        }
        #expect(await bench.drained())
        try await bench.expectWhole(duplicates: 0...0)
        #expect(bench.pump.counts.recreations == 0)
        await bench.pump.stop()
    }

    @Test func aSlowLineIsNoFault() async throws {
        let bench = try Bench()
        try bench.cluster.setRoundTrip(1, milliseconds: 500)
        try await bench.pump.start()
        try await bench.commit(200, group: 20)
        #expect(await bench.drained())
        try await bench.expectWhole()
        #expect(bench.pump.counts.recreations == 0)
        await bench.pump.stop()
    }

    /// What is on its way when a producer is made anew is no more than the window, so no more is sent twice.
    @Test func aWindowIsAllThatIsEverOnItsWay() async throws {
        let bench = try Bench(topics: ["t", "u", "v"]) {
            $0.window = 100
            $0.windowPerTopic = 60
        }
        try bench.cluster.setRoundTrip(1, milliseconds: 300)
        try await bench.commit(500, to: ["t", "u", "v"], wake: false)
        var most = (all: 0, one: 0)
        try await bench.pump.start()
        #expect(
            await until {
                let status = bench.pump.status()
                most.all = max(most.all, status.inFlight)
                most.one = max(most.one, status.topics.map(\.inFlight).max() ?? 0)
                return most.all == 100
            })
        #expect(most.one <= 60)
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        #expect(bench.pump.counts.inFlight == 0)
        for topic in ["t", "u", "v"] { try await bench.expectWhole(topic) }
        await bench.pump.stop()
    }
}
