import Lane
import Testing

@testable import Rules

@Suite struct EngineSnapshotTests {
    /// At every point of a random stream: restored and continued gives what the uninterrupted run gives, id for id.
    @Test(arguments: 0..<40) func restoredGoesOnAsIfNothingHadHappened(_ seed: Int) throws {
        var lane = RandomLane(seed: seed)
        let table = lane.set(rules: 12).table()
        let stream = lane.stream(150)
        let end = LaneInstant(milliseconds: (stream.last?.at.milliseconds ?? 0) + 120_000)
        var whole = RuleEngine(table: table)
        var broken = RuleEngine(table: table)
        for signal in stream {
            #expect(whole.step(signal).changes == broken.step(signal).changes)
            let bytes = broken.snapshot()
            broken = try RuleEngine(restoring: bytes, table: table)
            #expect(broken.snapshot() == bytes)
            #expect(broken.nextDeadline == whole.nextDeadline)
            #expect(!broken.needsAdoption)
        }
        #expect(whole.idle(until: end).changes == broken.idle(until: end).changes)
        #expect(whole.active == broken.active)
        #expect(whole.changeNumber == broken.changeNumber)
    }

    /// Any bytes give an engine or an error, and the engine meets any signal.
    @Test(arguments: 0..<25) func forgedSnapshotsNeverTrap(_ seed: Int) throws {
        var lane = RandomLane(seed: seed)
        let table = lane.set(rules: 10).table()
        var engine = RuleEngine(table: table)
        for signal in lane.stream(80) { _ = engine.step(signal) }
        let good = engine.snapshot()
        var readable = 0
        for _ in 0..<40 {
            var bytes = good
            for _ in 0...lane.dice.roll(4) {
                let place = lane.dice.roll(bytes.count)
                switch lane.dice.roll(8) {
                case 0...5:
                    // Other numbers: still JSON.
                    guard bytes[place] >= 48, bytes[place] <= 57 else { break }
                    bytes[place] = UInt8(49 + lane.dice.roll(9))
                case 6: bytes[place] = lane.dice.pick(Array("-0123456789\"{}[],:truefalsenull".utf8))
                default: bytes.removeSubrange(place..<min(bytes.count, place + 1 + lane.dice.roll(20)))
                }
            }
            guard var forged = try? RuleEngine(restoring: bytes, table: table) else { continue }
            readable += 1
            for signal in lane.stream(30) { _ = forged.step(signal) }
            _ = forged.resume(
                at: LaneInstant(milliseconds: .max), wall: WallInstant(milliseconds: .min), gapMilliseconds: 60_000)
            _ = forged.adopt(table, at: LaneInstant(milliseconds: .max), wall: WallInstant(milliseconds: .max))
            _ = try RuleEngine(restoring: forged.snapshot(), table: table)
        }
        #expect(readable > 0)
    }

    @Test(arguments: ["", "{}", "[]", "null", "{\"format\":2}", "{\"format\":1}", "{\"format\":1,\"source\":7}"])
    func whatIsNoSnapshotIsAnError(_ text: String) {
        #expect(throws: SnapshotFault.self) {
            try RuleEngine(restoring: Array(text.utf8), table: RuleSet([]).table())
        }
    }

    @Test func aSnapshotOfAnotherLaneIsAnError() {
        let bytes = RuleEngine(table: RuleSet([]).table("L07")).snapshot()
        #expect(throws: SnapshotFault("the snapshot is of /stores/0042/lanes/L07, not of /stores/0042/lanes/L08")) {
            try RuleEngine(restoring: bytes, table: RuleSet([]).table("L08"))
        }
    }

    /// Found by fuzzing: the name in a damaged snapshot went to the log as it was.
    @Test func controlCharactersOfASnapshotsLaneAreNotShown() {
        let bytes = RuleEngine(table: RuleSet([]).table("L\u{1B}[31m\n7")).snapshot()
        #expect {
            try RuleEngine(restoring: bytes, table: RuleSet([]).table("L08"))
        } throws: { error in
            "\(error)".unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        }
    }

    /// Signals in any order, moments anywhere, gaps and reloads between: never a trap, numbers without holes.
    @Test(arguments: 0..<60) func totalInAnyOrder(_ seed: Int) {
        var lane = RandomLane(seed: seed)
        var engine = RuleEngine(table: lane.set(rules: 15).table())
        var number: Int64 = 0
        func check(_ step: Step) {
            for change in step.changes {
                number += 1
                #expect(change.number == number)
            }
            #expect(step.nextDeadline == engine.nextDeadline)
        }
        var signals = lane.stream(200)
        signals.shuffle(using: &lane.dice)
        for (place, signal) in signals.enumerated() {
            var signal = signal
            if lane.dice.chance(50) { signal.at = LaneInstant(milliseconds: lane.dice.pick([.min, -1, 0])) }
            if lane.dice.chance(50) { signal.wall = WallInstant(milliseconds: lane.dice.pick([.min, .max, 0])) }
            if place > 190 { signal.at = LaneInstant(milliseconds: lane.dice.pick([.max, .max - 1000])) }
            check(engine.step(signal))
            switch lane.dice.roll(40) {
            case 0: check(engine.idle(until: signal.at.advanced(byMilliseconds: 5000), ranAt: signal.at))
            case 1:
                check(
                    engine.resume(
                        at: signal.at, wall: signal.wall, gapMilliseconds: lane.dice.pick([nil, 0, -5, 9000, .max])))
            case 2:
                check(engine.adopt(lane.set(rules: 15).table(), at: signal.at, wall: signal.wall))
            default: break
            }
        }
        check(engine.idle(until: LaneInstant(milliseconds: .max), inclusive: true))
        #expect(engine.activeCount == engine.active.count)
    }

    /// In bounds whatever comes: the oldest waits go, the 1001st intervention is not raised.
    @Test func boundsHold() throws {
        let slow = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        let many = try Rule.c("many", on: "payment.started", count: 2, within: "1h").same("pay").clearAfter("1h")
        let each = try Rule.a("each", on: "payment.started").same("pay").clearAfter("10m").cooldown("1h")
        var engine = RuleEngine(table: RuleSet([slow, many, each]).table())
        let type = try #require(SignalType("payment.started"))
        let pay = try #require(AttributeName("pay"))
        for number in 0..<3000 {
            let at = Int64(number)
            _ = engine.step(
                StampedSignal(
                    number: at + 1, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at),
                    signal: Signal(type, [Attribute(pay, .text("P\(number)"))], feed: .pos)))
        }
        #expect(engine.activeCount == 1000)
        #expect(engine.counts.suppressedByLimit == 2000)
        #expect(engine.counts.droppedKeys == 4000)
        let step = engine.idle(until: LaneInstant(milliseconds: 3_600_000))
        // The waits of the newest 1000 came due while all places were taken.
        #expect(step.changes.map(\.kind) == [Change.Kind](repeating: .clear, count: 1000))
        #expect(engine.activeCount == 0)
        #expect(engine.nextDeadline == nil)
        #expect(engine.counts.suppressedByLimit == 3000)
    }
}
