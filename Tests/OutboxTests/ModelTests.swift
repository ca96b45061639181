import Glibc
import Lane
import Testing

@testable import Outbox

/// A generator with a seed, so that a failure can be run again.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The outbox as plain arrays.
private struct Model {
    struct Message: Equatable {
        var position: Position
        var text: String
    }
    var waiting: [String: [Message]] = [:]
    var next: [String: Int64] = [:]
    var settled: [String: Position] = [:]
    var journal: [Int64] = []
    var lastSignal: Int64 = 0
    var lastChange: Int64 = 0
    var snapshot: Int64?
    var dead = 0
}

@Suite struct ModelTests {
    /// Random commits, settlements, leases, dead letters, snapshots and reopenings, beside plain arrays.
    @Test(arguments: 0..<12) func itAgreesWithAPlainModel(seed: UInt64) async throws {
        var random = Seeded(state: seed)
        let folder = try Folder()
        var outbox = try folder.open()
        var model = Model()
        let topics = ["a", "b", "c"]
        for step in 0..<250 {
            let topic = topics[Int.random(in: 0..<3, using: &random)]
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45: try await commit(outbox, &model, step, &random)
            case 45..<65:
                guard let message = model.waiting[topic]?.randomElement(using: &random) else { continue }
                try await outbox.settle([Mark(topic: topic, position: message.position)])
                model.waiting[topic]?.removeAll { $0.position <= message.position }
                model.settled[topic] = max(model.settled[topic] ?? .start, message.position)
            case 65..<80:
                let after =
                    model.waiting[topic]?.randomElement(using: &random)?.position ?? model.settled[topic] ?? .start
                let limit = Int.random(in: 1...20, using: &random)
                let found = try await outbox.lease(topic: topic, after: after, limit: limit)
                let expected = (model.waiting[topic] ?? []).filter { $0.position > after }.prefix(limit)
                #expect(found.map(\.position) == expected.map(\.position))
                #expect(found.map { String(decoding: $0.value ?? [], as: UTF8.self) } == expected.map(\.text))
            case 80..<85:
                guard let place = model.waiting[topic]?.indices.randomElement(using: &random),
                    let position = model.waiting[topic]?[place].position
                else { continue }
                try await outbox.moveToDeadLetters(
                    Mark(topic: topic, position: position), reason: "r",
                    substitute: Substitute(
                        id: LaneUUID(hashing: ["\(step)"]), headers: HeaderBlock(), value: Array("dead \(step)".utf8)))
                model.waiting[topic]?[place].text = "dead \(step)"
                model.dead += 1
            default:
                await outbox.close()
                outbox = try folder.open()
            }
        }
        await outbox.close()
        outbox = try folder.open()
        try await expect(outbox, is: model, topics)
    }

    private func commit(
        _ outbox: Outbox, _ model: inout Model, _ step: Int, _ random: inout Seeded
    ) async throws {
        var commit = Commit(durability: Bool.random(using: &random) ? .full : .relaxed)
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            model.lastSignal += 1
            model.journal.append(model.lastSignal)
            commit.journal.append(try signal(model.lastSignal))
        }
        let taken = model.lastChange
        for place in 0..<Int.random(in: 0..<6, using: &random) {
            let topic = ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
            let text = "{\"s\":\(step),\"p\":\(place)}"
            var change: Int64?
            if Bool.random(using: &random) {
                // Some are of a replay.
                change = max(1, model.lastChange + Int64.random(in: -2...1, using: &random))
            }
            commit.events.append(event(topic, text, change: change))
            if let change {
                guard change > taken else { continue }
                model.lastChange = max(model.lastChange, change)
            }
            model.next[topic, default: 1] += 1
            let position = Position(epoch: outbox.epoch, seq: (model.next[topic] ?? 1) - 1)
            model.waiting[topic, default: []].append(.init(position: position, text: text))
        }
        if Int.random(in: 0..<5, using: &random) == 0, model.lastSignal > 0 {
            let number = Int64.random(in: (model.snapshot ?? 1)...model.lastSignal, using: &random)
            commit.snapshot = Snapshot(number: number, engine: [UInt8(truncatingIfNeeded: number)])
            model.snapshot = number
            model.journal.removeAll { $0 <= number }
        }
        _ = try await outbox.commit(commit)
    }

    private func expect(_ outbox: Outbox, is model: Model, _ topics: [String]) async throws {
        let recovered = try await outbox.recover()
        #expect(recovered.journal.map(\.number) == model.journal)
        #expect(recovered.snapshot?.number == model.snapshot)
        #expect(recovered.lastSignal == model.lastSignal && recovered.lastChange == model.lastChange)
        for topic in topics {
            let found = try await outbox.all(topic)
            #expect(found.map(\.position) == (model.waiting[topic] ?? []).map(\.position))
            #expect(
                found.map { String(decoding: $0.value ?? [], as: UTF8.self) }
                    == (model.waiting[topic] ?? []).map(\.text))
        }
        for depth in try await outbox.depths() {
            #expect(depth.rows == model.waiting[depth.topic]?.count ?? 0)
            #expect(depth.head.seq == (model.next[depth.topic] ?? 1) - 1)
        }
        #expect(try await outbox.deadLetters(limit: 1000).count <= model.dead)
    }

    /// The same with a small limit and an age, drops by both causes at random, claims, and files taken away: of every sequence that
    /// was ever given it is known whether it was settled, is there with its content, or is told of; what was handed over stays.
    @Test(arguments: 0..<12) func everySequenceIsThereSettledOrToldOf(seed: UInt64) async throws {
        var random = Seeded(state: seed &+ 1000)
        let folder = try Folder()
        func open() throws -> Outbox {
            try folder.open(maximumBytes: 150 << 10, maximumAge: 1000, values: testValues)
        }
        var outbox = try open()
        let topics = ["health", "state", "own", "audit"]
        var texts: [String: [Int64: String]] = [:]
        var settled: [String: Int64] = [:]
        var handed: [String: Int64] = [:]
        var boottime: Int64 = 0
        var drops = 0
        for step in 0..<400 {
            let topic = topics[Int.random(in: 0..<4, using: &random)]
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<70:
                let text =
                    "{\"s\":\(step),\"x\":\"\(String(repeating: "x", count: Int.random(in: 0..<6000, using: &random)))\"}"
                let events = (0..<Int.random(in: 1...4, using: &random)).map { _ in event(topic, text) }
                let head = (texts[topic]?.keys.max() ?? 0)
                do {
                    let done = try await outbox.commit(Commit(events: events))
                    #expect(done.heads[topic]?.seq == head + Int64(events.count))
                    for place in events.indices { texts[topic, default: [:]][head + Int64(place) + 1] = text }
                } catch {
                    // Only where all that is left was handed over.
                    #expect(error.code == .full && !handed.isEmpty)
                }
            case 70..<78:
                let parcels = try await outbox.lease(
                    topic: topic, after: .start, limit: Int.random(in: 1...5, using: &random))
                if let last = parcels.last { handed[topic] = max(handed[topic] ?? 0, last.position.seq) }
            case 78..<88:
                guard let last = handed[topic], last > settled[topic] ?? 0 else { continue }
                try await outbox.settle([Mark(topic: topic, position: Position(epoch: outbox.epoch, seq: last))])
                settled[topic] = last
            case 88..<92:
                boottime += AgeClock.probation
                let wall = Int64.random(in: 0...3000, using: &random)
                let now = try await outbox.depths(withOldest: true).compactMap(\.oldest?.milliseconds).min() ?? 0
                try await outbox.giveUpOld(now: now + wall, boottime: boottime)
            case 92..<95:
                let suffix = ["", "-wal", "-shm"][Int.random(in: 0..<3, using: &random)]
                _ = unlink(folder.database + suffix)
            default:
                await outbox.close()
                outbox = try open()
                handed = [:]
            }
            guard step.isMultiple(of: 20) else { continue }
            for topic in topics { try await check(outbox, topic, texts[topic] ?? [:], settled[topic] ?? 0) }
            drops = max(drops, outbox.state.dropped.values.reduce(0, +))
        }
        await outbox.close()
        outbox = try open()
        for topic in topics { try await check(outbox, topic, texts[topic] ?? [:], settled[topic] ?? 0) }
        #expect(drops > 0 && outbox.notices.isEmpty)
    }

    private func check(_ outbox: Outbox, _ topic: String, _ texts: [Int64: String], _ settled: Int64) async throws {
        var next = settled + 1
        for parcel in try await outbox.all(topic, limit: 50) {
            let told = DroppedMessages(parcel)
            #expect((told?.first ?? parcel.position.seq) == next || (told?.first ?? .max) <= next)
            if told == nil {
                #expect(String(decoding: parcel.value ?? [], as: UTF8.self) == texts[parcel.position.seq])
            } else {
                #expect(told?.reasons.values.reduce(0, +) == told?.count)
            }
            next = parcel.position.seq + 1
        }
        #expect(next == (texts.keys.max() ?? 0) + 1)
        guard let depth = try await outbox.depths().first(where: { $0.topic == topic }) else { return }
        #expect(try await outbox.all(topic, limit: 50).count == depth.rows)
    }
}
