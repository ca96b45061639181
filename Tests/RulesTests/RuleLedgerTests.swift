import Lane
import Testing

@testable import Rules

/// How often each rule called, and what attendants said: counts that survive what the engine survives.
@Suite struct RuleLedgerTests {
    private func set(_ rules: Rule...) -> RuleSet {
        var set = RuleSet(rules)
        set.digest = "\(rules.map(\.id))"
        return set
    }

    private func signal(_ number: Int64, _ seconds: Int64, _ type: SignalType, _ texts: [(AttributeName, String)])
        -> StampedSignal
    {
        let at = TestTimeline.defaultStart.milliseconds + seconds * 1000
        return StampedSignal(
            number: number, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at),
            signal: Signal(type, texts.map { Attribute($0.0, .text($0.1)) }, feed: .pos))
    }

    private func resolved(_ number: Int64, _ seconds: Int64, _ id: LaneUUID, _ verdict: String) -> StampedSignal {
        signal(number, seconds, .attendantResolved, [(.intervention, id.description), (.verdict, verdict)])
    }

    private func refused(_ number: Int64, _ seconds: Int64, _ code: String) throws -> StampedSignal {
        signal(number, seconds, .itemRefused, [(try #require(AttributeName("code")), code)])
    }

    @Test func firedClearedSuppressedAndWhen() throws {
        let rule = try Rule.a("refused", on: "item.refused").same("code").clearAfter("10s").cooldown("1m")
        var engine = RuleEngine(table: set(rule).table())
        _ = engine.step(try refused(1, 0, "1"))
        _ = engine.step(try refused(2, 1, "1"))
        _ = engine.step(try refused(3, 2, "2"))
        _ = engine.step(try refused(4, 20, "1"))
        let tally = try #require(engine.tally(of: "refused"))
        #expect(tally.fired == 2 && tally.cleared == 2 && tally.suppressed == 1)
        #expect(tally.lastFired?.rfc3339 == "2026-01-05T10:00:02.000Z")
        #expect(tally.judged == 0 && tally.precisionPerMille == nil)
        #expect(engine.tally(of: "other") == nil)
    }

    /// What is fired and not cleared is active, whatever comes, over snapshots and other rules.
    @Test(arguments: 0..<30) func firedLessClearedIsActive(_ seed: Int) throws {
        var lane = RandomLane(seed: seed)
        let tables = (0..<3).map { _ in lane.set(rules: 12).table() }
        var engine = RuleEngine(table: tables[0])
        var restarted = engine
        for (place, signal) in lane.stream(200).enumerated() {
            _ = engine.step(signal)
            _ = restarted.step(signal)
            if lane.dice.chance(9) { restarted = try RuleEngine(restoring: restarted.snapshot(), table: engine.table) }
            if place % 70 == 69 {
                let next = tables[place / 70 % 3]
                _ = engine.adopt(next, at: signal.at, wall: signal.wall)
                _ = restarted.adopt(next, at: signal.at, wall: signal.wall)
            }
            var active: [String: Int] = [:]
            for intervention in engine.active { active[intervention.rule, default: 0] += 1 }
            for id in engine.table.ruleIDs {
                let tally = try #require(engine.tally(of: id))
                #expect(tally.fired - tally.cleared == active[id] ?? 0)
                #expect(restarted.tally(of: id) == tally)
            }
            #expect(engine.shadowCount == engine.active.count { $0.shadow })
        }
        #expect(engine.snapshot() == restarted.snapshot())
    }

    @Test func aVerdictAnHourLaterCountsAndTheLastOneStands() throws {
        let rule = try Rule.a("refused", on: "item.refused").same("code").clearAfter("10s")
        var engine = RuleEngine(table: set(rule).table())
        let first = try #require(engine.step(try refused(1, 0, "1")).changes.first?.intervention.id)
        let second = try #require(engine.step(try refused(2, 1, "2")).changes.first?.intervention.id)
        let third = try #require(engine.step(try refused(3, 2, "3")).changes.first?.intervention.id)
        _ = engine.step(resolved(4, 3600, first, "false alarm"))
        engine = try RuleEngine(restoring: engine.snapshot(), table: engine.table)
        _ = engine.step(resolved(5, 3601, second, "helped"))
        _ = engine.step(resolved(6, 3602, third, "false alarm"))
        // Said again, and corrected.
        _ = engine.step(resolved(7, 3603, third, "false alarm"))
        _ = engine.step(resolved(8, 3604, third, "self-corrected"))
        // Not ours, no such word, no id.
        _ = engine.step(resolved(9, 3605, LaneUUID(hashing: ["x"]), "helped"))
        _ = engine.step(resolved(10, 3606, first, "great"))
        _ = engine.step(signal(11, 3607, .attendantResolved, [(.verdict, "helped"), (.intervention, "no id")]))
        let tally = try #require(engine.tally(of: "refused"))
        #expect(tally.judged == 3 && tally.falseAlarms == 1)
        #expect(tally[.helped] == 1 && tally[.selfCorrected] == 1)
        #expect(tally.precisionPerMille == 667)
        #expect(engine.counts.strayVerdicts == 1)
    }

    /// Of very many, the newest are remembered; the counts go on.
    @Test func whatRaisedWhatIsBounded() throws {
        let rule = try Rule.a("refused", on: "item.refused").same("code").clearAfter("1s")
        var engine = RuleEngine(table: set(rule).table())
        var ids: [LaneUUID] = []
        for number in 1...3000 {
            let step = engine.step(try refused(Int64(number), Int64(number) * 2, "\(number)"))
            ids += step.changes.filter { $0.kind == .raise }.map(\.intervention.id)
        }
        #expect(ids.count == 3000)
        _ = engine.step(resolved(3001, 7000, ids[2999 - 1024], "helped"))
        #expect(engine.tally(of: "refused")?.judged == 0 && engine.counts.strayVerdicts == 1)
        let size = engine.snapshot().count
        engine = try RuleEngine(restoring: engine.snapshot(), table: engine.table)
        #expect(engine.snapshot().count == size && size < 100_000)
        _ = engine.step(resolved(3002, 7001, ids[3000 - 1024], "helped"))
        _ = engine.step(resolved(3003, 7002, ids[2999], "false alarm"))
        let tally = try #require(engine.tally(of: "refused"))
        #expect(tally.fired == 3000 && tally.judged == 2 && tally.precisionPerMille == 500)
    }

    @Test func aRuleThatIsTakenAwayAndComesBackGoesOnCounting() throws {
        let rule = try Rule.a("refused", on: "item.refused").same("code").clearAfter("1h")
        let help = try Rule.a("help", on: "help.requested").clearAfter("1m")
        var engine = RuleEngine(table: set(rule, help).table())
        let id = try #require(engine.step(try refused(1, 0, "1")).changes.first?.intervention.id)
        let at = LaneInstant(milliseconds: TestTimeline.defaultStart.milliseconds + 5000)
        let wall = WallInstant(milliseconds: at.milliseconds)
        _ = engine.adopt(set(help).table(), at: at, wall: wall)
        #expect(engine.tally(of: "refused")?.cleared == 1)
        _ = engine.step(resolved(2, 10, id, "false alarm"))
        engine = try RuleEngine(restoring: engine.snapshot(), table: engine.table)
        _ = engine.adopt(set(help, rule).table(), at: at, wall: wall)
        _ = engine.step(try refused(3, 20, "2"))
        let tally = try #require(engine.tally(of: "refused"))
        #expect(tally.fired == 2 && tally.cleared == 1 && tally.judged == 1 && tally.falseAlarms == 1)
        _ = engine.step(resolved(4, 30, id, "helped"))
        #expect(engine.tally(of: "refused")?.falseAlarms == 0)
    }

    @Test func aSnapshotWithoutLedgerIsReadable() throws {
        let rule = try Rule.a("refused", on: "item.refused").same("code").clearAfter("1h")
        var engine = RuleEngine(table: set(rule).table())
        _ = engine.step(try refused(1, 0, "1"))
        let text = String(decoding: engine.snapshot(), as: UTF8.self)
        let ledger = try #require(text.range(of: ",\"ledger\":"))
        let old = String(text[..<ledger.lowerBound]) + "}"
        let restored = try RuleEngine(restoring: Array(old.utf8), table: engine.table)
        #expect(restored.active == engine.active)
        #expect(restored.tally(of: "refused") == RuleTally())
    }

    /// Found by `make fuzz`: it was read as another than it was written after one more intervention.
    @Test func aCountBeyondAllReasonStaysWhereItIs() throws {
        let rule = try Rule.a("refused", on: "item.refused").same("code").clearAfter("1h")
        var engine = RuleEngine(table: set(rule).table())
        _ = engine.step(try refused(1, 0, "1"))
        let text = String(decoding: engine.snapshot(), as: UTF8.self)
        #expect(text.contains("\"fired\":1,"))
        let absurd = text.replacing("\"fired\":1,", with: "\"fired\":41111111111111111,")
        engine = try RuleEngine(restoring: Array(absurd.utf8), table: engine.table)
        _ = engine.step(try refused(2, 10, "2"))
        #expect(engine.active.count == 2)
        let kept = engine.snapshot()
        let again = try RuleEngine(restoring: kept, table: engine.table)
        #expect(again.snapshot() == kept)
        #expect(again.tally(of: "refused") == engine.tally(of: "refused"))
    }

    // MARK: Shadow

    /// From shadow to calling, or back: what was told on one side ends there.
    @Test(arguments: [false, true]) func aRuleThatChangesSidesIsAnother(_ fromShadow: Bool) throws {
        let calling = try Rule.a("refused", on: "item.refused").same("code").clearAfter("1h").cooldown("1h")
        let (old, new) = fromShadow ? (calling.shadow, calling) : (calling, calling.shadow)
        var oldSet = set(old)
        oldSet.digest = "old"
        var newSet = set(new)
        newSet.digest = "new"
        var engine = RuleEngine(table: oldSet.table())
        _ = engine.step(try refused(1, 0, "1"))
        let at = LaneInstant(milliseconds: TestTimeline.defaultStart.milliseconds + 5000)
        let changes = engine.adopt(newSet.table(), at: at, wall: WallInstant(milliseconds: at.milliseconds)).changes
        #expect(changes.map(\.kind) == [.clear])
        #expect(changes.first?.intervention.reason == .ruleChanged)
        #expect(changes.first?.intervention.shadow == fromShadow)
        #expect(engine.shadowCount == 0)
        // The other side begins anew: its first call is not held back by a cooldown of this one.
        let next = engine.step(try refused(2, 10, "1")).changes
        #expect(next.map(\.kind) == [.raise])
        #expect(next.first?.intervention.shadow == !fromShadow)
    }

    /// As many as may be active at once are those of shadow rules: a call is raised all the same.
    @Test func aShadowRuleNeverStandsInTheWayOfACall() throws {
        let shadow = try Rule.a("shadow", on: "item.refused").same("code").clearAfter("10h").shadow
        let real = try Rule.a("real", on: "item.refused").same("code").clearAfter("10h")
        var engine = RuleEngine(table: set(shadow, real).table())
        for number in 1...1500 { _ = engine.step(try refused(Int64(number), Int64(number), "\(number)")) }
        #expect(engine.activeCount == 2000 && engine.shadowCount == 1000)
        #expect(engine.counts.suppressedByLimit == 1000)
        engine = try RuleEngine(restoring: engine.snapshot(), table: engine.table)
        #expect(engine.activeCount == 2000 && engine.shadowCount == 1000)
    }
}
