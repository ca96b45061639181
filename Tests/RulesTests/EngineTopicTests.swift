import Lane
import Testing

@testable import Rules

/// Every topic that saw an intervention raised sees it cleared (docs/decisions/0005-every-topic-that-was-told.md).
@Suite struct EngineTopicTests {
    let waiting: Rule

    init() throws {
        waiting = try Rule.a("waiting", on: "help.requested").clearWhen("staff.cleared")
            .escalate("10s", .warning, topic: "sco.floor").escalate("20s", .critical)
            .escalate("30s", .critical, topic: "sco.manager")
    }

    private let given = ["0s help.requested", "95s help.requested", "99s staff.cleared"]

    private func told(_ change: Change) -> [String] {
        change.intervention.earlierTopics + [change.intervention.ownTopic]
    }

    @Test func laterMessagesGoToEveryTopicThatWasTold() throws {
        let changes = try RuleSet([waiting]).changes(given)
        #expect(changes.map(\.kind) == [.raise, .escalate, .escalate, .escalate, .update, .clear])
        #expect(
            changes.map(told) == [
                ["sco.interventions"],
                ["sco.interventions", "sco.floor"],
                ["sco.floor", "sco.interventions"],
                ["sco.floor", "sco.interventions", "sco.manager"],
                ["sco.floor", "sco.interventions", "sco.manager"],
                ["sco.floor", "sco.interventions", "sco.manager"],
            ])
    }

    @Test func aShadowRuleIsToldOnItsOneTopic() throws {
        let changes = try RuleSet([waiting.shadow]).changes(given)
        #expect(Set(changes.map(told)) == [["sco.rules.shadow"]])
    }

    @Test func eachInterventionKnowsItsOwnTopics() throws {
        let rule = try Rule.a("age", on: "item.accepted").same("txn").clearWhen("staff.cleared")
            .escalate("10s", .critical, topic: "sco.floor")
        let changes = try RuleSet([rule]).changes([
            "0s item.accepted txn=A", "5s item.accepted txn=B", "12s staff.cleared",
        ])
        #expect(changes.map(\.kind) == [.raise, .raise, .escalate, .clear, .clear])
        #expect(changes.suffix(2).map(told) == [["sco.interventions", "sco.floor"], ["sco.interventions"]])
    }

    // MARK: Kept

    private func escalated() throws -> RuleEngine {
        let timeline = TestTimeline(given: [])
        var engine = RuleEngine(table: RuleSet([waiting]).table())
        _ = engine.step(timeline.stamped(try GivenLine(parsing: given[0]), number: 1))
        _ = engine.idle(until: timeline.zero.advanced(byMilliseconds: 15_000))
        return engine
    }

    private func cleared(_ engine: RuleEngine) throws -> Change {
        var engine = engine
        let step = engine.step(TestTimeline(given: []).stamped(try GivenLine(parsing: given[2]), number: 9))
        return try #require(step.changes.last)
    }

    @Test func aSnapshotKnowsTheTopics() throws {
        let engine = try escalated()
        let restored = try RuleEngine(restoring: engine.snapshot(), table: engine.table)
        #expect(try cleared(restored) == cleared(engine))
        #expect(told(try cleared(restored)).contains("sco.floor"))
    }

    /// Written by a version that told one topic alone.
    @Test func aSnapshotWithoutTopicsIsRead() throws {
        let engine = try escalated()
        let text = String(decoding: engine.snapshot(), as: UTF8.self)
        let member = "\"topics\":[\"sco.interventions\"],"
        #expect(text.contains(member))
        let old = Array(text.split(separator: member).joined().utf8)
        let restored = try RuleEngine(restoring: old, table: engine.table)
        #expect(restored.active.map(\.earlierTopics) == [[]])
        #expect(try cleared(restored).intervention.topic == "sco.manager")
    }

    // MARK: Reload

    private func adopted(_ new: Rule) throws -> [Change] {
        var engine = try escalated()
        let at = TestTimeline(given: []).zero.advanced(byMilliseconds: 16_000)
        var set = RuleSet([new])
        set.digest = "new"
        let changes = engine.adopt(
            set.table(), at: at, wall: WallInstant(milliseconds: at.milliseconds)
        ).changes
        return try changes + [cleared(engine)]
    }

    @Test func aTopicThatAnEditChangesIsToldBesideTheOldOnes() throws {
        var rule = waiting
        rule.escalations[0].topic = "sco.ground"
        let changes = try adopted(rule)
        #expect(changes.first?.kind == .update)
        #expect(changes.first.map(told) == ["sco.interventions", "sco.floor", "sco.ground"])
        #expect(changes.last?.intervention.reason == .clearWhen)
        #expect(
            changes.last.map(told) == ["sco.floor", "sco.ground", "sco.interventions", "sco.manager"])
    }

    /// Those who were called are told of the end: the rule calls nobody any more, and what it has raised is over.
    @Test func aRuleThatBecomesAShadowTellsTheEndToThoseItHasCalled() throws {
        var engine = try escalated()
        let at = TestTimeline(given: []).zero.advanced(byMilliseconds: 16_000)
        let changes = engine.adopt(
            RuleSet([waiting.shadow]).table(), at: at, wall: WallInstant(milliseconds: at.milliseconds)
        ).changes
        #expect(changes.map(\.intervention.reason) == [.ruleChanged])
        #expect(changes.map(told) == [["sco.interventions", "sco.floor"]])
        #expect(changes.map(\.intervention.shadow) == [false] && engine.activeCount == 0)
    }

    @Test func aRuleThatIsTakenAwayClearsEverywhere() throws {
        var engine = try escalated()
        let at = TestTimeline(given: []).zero.advanced(byMilliseconds: 16_000)
        let changes = engine.adopt(
            RuleSet([]).table(), at: at, wall: WallInstant(milliseconds: at.milliseconds)
        ).changes
        #expect(changes.map(\.intervention.reason) == [.ruleRemoved])
        #expect(changes.map(told) == [["sco.interventions", "sco.floor"]])
    }
}
