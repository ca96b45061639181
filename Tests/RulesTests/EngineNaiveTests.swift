import Lane
import Testing

@testable import Rules

@Suite struct EngineNaiveTests {
    /// Random rules over random streams: the engine and the definition written plainly say the same, in the same order.
    @Test(arguments: 0..<120) func theEngineSaysWhatTheDefinitionSays(_ seed: Int) {
        var lane = RandomLane(seed: seed)
        let set = lane.set(rules: 3 + lane.dice.roll(14))
        let stream = lane.stream(150)
        var engine = RuleEngine(table: set.table())
        var naive = NaiveLane(set, lane: "L07")
        #expect(naive.rules.map(\.id) == set.table().ruleIDs)
        var changes = stream.flatMap { engine.step($0).changes }
        for signal in stream { naive.step(signal) }
        let end = (stream.last?.at.milliseconds ?? 0) + 30_000
        changes += engine.idle(until: LaneInstant(milliseconds: end), inclusive: true).changes
        naive.end(at: end)
        let lines = changes.map { change in
            NaiveLane.line(
                change.at.milliseconds, change.kind.rawValue, change.intervention.rule,
                change.intervention.key.map(\.value), change.intervention.severity, change.intervention.repeats,
                change.intervention.reason?.rawValue)
        }
        if lines != naive.told {
            let diff = LineDiff.of(expected: naive.told, found: lines).first { !$0.hasPrefix("  ") } ?? ""
            Issue.record("seed \(seed), first difference (- definition, + engine): \(diff)")
        }
        // Ids are of one intervention each, and numbers have no holes.
        #expect(changes.map(\.number) == changes.indices.map { Int64($0) + 1 })
        #expect(Set(changes.filter { $0.kind == .raise }.map(\.intervention.id)).count == engine.counts.raised)
    }

    /// What the dice bring is enough to mean something.
    @Test func theStreamsExerciseEveryRule() {
        var total = EngineCounts()
        for seed in 0..<60 {
            var lane = RandomLane(seed: seed)
            var engine = RuleEngine(table: lane.set(rules: 12).table())
            for signal in lane.stream(200) { _ = engine.step(signal) }
            total.raised += engine.counts.raised
            total.cleared += engine.counts.cleared
            total.escalated += engine.counts.escalated
            total.updated += engine.counts.updated
            total.suppressedByMute += engine.counts.suppressedByMute
            total.suppressedByCooldown += engine.counts.suppressedByCooldown
            total.suppressedBySilence += engine.counts.suppressedBySilence
            total.suppressedByTime += engine.counts.suppressedByTime
        }
        for count in [
            total.raised, total.cleared, total.escalated, total.updated, total.suppressedByMute,
            total.suppressedByCooldown, total.suppressedBySilence, total.suppressedByTime,
        ] { #expect(count > 20) }
    }
}
