import Lane
import Testing

@testable import Rules

/// Other rules between two signals (docs/reference/rules.md, "Reload"), each row of the table.
@Suite struct EngineAdoptTests {
    let states: [StateDeclaration]
    let slow: Rule
    let help: Rule

    init() throws {
        states = [try Notation.state("screen", ["frozen": ["screen.frozen"], "alive": ["screen.alive"]])]
        slow = try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        help = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared")
    }

    private func frozen(_ time: String) throws -> Rule {
        try .d("frozen", when: "screen is frozen", states, for: time)
    }

    private func set(_ rules: Rule...) -> RuleSet {
        var set = RuleSet(rules, states: states)
        set.digest = "\(rules.hashValue)"
        return set
    }

    /// Signals under `old`, a reload at `seconds`, then idling; the lines of each part.
    private func reload(
        _ old: RuleSet, _ new: RuleSet, _ given: [String], at seconds: Int64, then: [String] = [], until: Int64 = 300
    ) throws -> (before: [String], at: [Change], after: [String]) {
        let timeline = TestTimeline(given: [])
        var engine = RuleEngine(table: old.table())
        func text(_ changes: [Change]) -> [String] {
            changes.compactMap { ResultLine.text(of: $0, from: timeline.zero) }
        }
        var before: [Change] = []
        for (place, line) in given.enumerated() {
            before += engine.step(timeline.stamped(try GivenLine(parsing: line), number: Int64(place + 1))).changes
        }
        let at = timeline.zero.advanced(byMilliseconds: seconds * 1000)
        before += engine.idle(until: at).changes
        let wall = WallInstant(milliseconds: at.milliseconds)
        // The same through a snapshot that was taken under the old rules.
        var restored = try RuleEngine(restoring: engine.snapshot(), table: new.table())
        #expect(restored.needsAdoption == (old.digest != new.digest))
        let changes = engine.adopt(new.table(), at: at, wall: wall).changes
        #expect(restored.adopt(new.table(), at: at, wall: wall).changes == changes)
        #expect(!restored.needsAdoption)
        #expect(restored.snapshot() == engine.snapshot())
        var after: [Change] = []
        for (place, line) in then.enumerated() {
            after += engine.step(timeline.stamped(try GivenLine(parsing: line), number: Int64(100 + place))).changes
        }
        after += engine.idle(until: timeline.zero.advanced(byMilliseconds: until * 1000)).changes
        return (text(before), changes, text(after))
    }

    @Test func theSameRulesChangeNothing() throws {
        let rules = set(slow, try frozen("60s"), help)
        let result = try reload(
            rules, rules, ["0s payment.started pay=A", "1s screen.frozen", "2s help.requested"], at: 20,
            then: ["30s staff.cleared"])
        #expect(result.at == [])
        #expect(
            result.after == ["30s clear help", "45s raise slow pay=A warning", "61s raise frozen warning"])
    }

    @Test func aNewDurationCountsFromTheOldStart() throws {
        let given = ["0s payment.started pay=A", "1s screen.frozen"]
        let longer = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "90s").same("pay")
        let shorter = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "10s").same("pay")
        #expect(
            try reload(set(slow, try frozen("60s")), set(longer, try frozen("80s")), given, at: 20).after
                == ["81s raise frozen warning", "90s raise slow pay=A warning"])
        let result = try reload(set(slow, try frozen("60s")), set(shorter, try frozen("5s")), given, at: 20)
        #expect(result.after == ["20s raise slow pay=A warning", "20s raise frozen warning"])
    }

    @Test func aRaisedFactIsNotUnraisedByALongerWait() throws {
        let longer = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "90s").same("pay")
        let result = try reload(
            set(slow), set(longer), ["0s payment.started pay=A"], at: 50, then: ["60s payment.approved pay=A"])
        #expect(result.before == ["45s raise slow pay=A warning"])
        #expect(result.at == [])
        #expect(result.after == ["60s clear slow pay=A"])
    }

    @Test func escalationsAndClearAfterCountFromTheRaise() throws {
        let old = try help.escalate("10s", .critical).escalate("100s", .critical).clearAfter("200s")
        let new = try help.escalate("10s", .critical).escalate("30s", .critical).clearAfter("40s")
        let result = try reload(set(old), set(new), ["0s help.requested"], at: 35)
        #expect(result.before == ["0s raise help warning", "10s escalate help critical"])
        #expect(result.after == ["35s escalate help critical", "40s clear help"])
    }

    @Test func aSmallerCountFiresAtTheNextMatch() throws {
        func many(_ count: Int) throws -> Rule {
            try .c("many", on: "touch", count: count, within: "10m").clearAfter("1h")
        }
        let given = ["0s touch", "1s touch", "2s touch"]
        #expect(
            try reload(set(try many(5)), set(try many(3)), given, at: 5, then: ["6s touch"]).after
                == ["6s raise many warning"])
        #expect(
            try reload(set(try many(4)), set(try many(5)), given, at: 5, then: ["6s touch", "7s touch"]).after
                == ["7s raise many warning"])
    }

    @Test func newTextsAreTold() throws {
        var new = help
        new.title = "Somebody waits"
        new.severity = .critical
        new.topic = "sco.urgent"
        let result = try reload(set(help), set(new), ["0s help.requested"], at: 5)
        #expect(result.at.map(\.kind) == [.update])
        #expect(result.at.first?.intervention.title == "Somebody waits")
        #expect(result.at.first?.intervention.severity == .critical)
        #expect(result.at.first?.intervention.topic == "sco.urgent")
        #expect(result.at.first?.intervention.revision == 2)
    }

    @Test func anEscalatedSeverityIsNotTakenBack() throws {
        let escalating = try help.escalate("10s", .critical)
        var new = escalating
        new.severity = .info
        #expect(try reload(set(escalating), set(new), ["0s help.requested"], at: 20).at == [])
    }

    @Test func anotherRuleOfTheSameNameStartsAnew() throws {
        let other = try Rule.b("slow", on: "payment.started", unless: "payment.booked", within: "45s").same("pay")
        let result = try reload(
            set(slow), set(other), ["0s payment.started pay=A", "20s payment.started pay=B"], at: 50)
        #expect(result.before == ["45s raise slow pay=A warning"])
        #expect(result.at.map(\.intervention.reason) == [.ruleChanged])
        #expect(result.at.map(\.number) == [2])
        #expect(result.after == [])
    }

    @Test func aRuleThatIsGoneClears() throws {
        for gone in [set(help), set(slow.disabled, help), set(slow.lanes("fuel-*"), help)] {
            let result = try reload(
                set(slow, help), gone, ["0s payment.started pay=A", "1s help.requested"], at: 50)
            #expect(result.at.map(\.intervention.reason) == [.ruleRemoved])
            #expect(result.at.map(\.kind) == [.clear])
            #expect(result.after == [])
        }
    }

    @Test func aNewDBeginsWhereItsStateDid() throws {
        let given = ["10s screen.frozen"]
        #expect(
            try reload(set(help), set(help, try frozen("60s")), given, at: 30).after == ["70s raise frozen warning"])
        let overdue = try reload(set(help), set(help, try frozen("5s")), given, at: 30)
        #expect(overdue.at == [])
        #expect(overdue.after == ["30s raise frozen warning"])
        let another = try Rule.d("frozen", when: "screen is frozen", states, for: "60s", unless: "touch")
        let changed = try reload(set(try frozen("5s")), set(another), given, at: 30)
        #expect(changed.at.map(\.intervention.reason) == [.ruleChanged])
        #expect(changed.after == ["70s raise frozen warning"])
    }

    @Test func aMuterThatIsGoneLetsAWaitingDFire() throws {
        let muted = try frozen("5s").mutedBy("help")
        let result = try reload(set(help, muted), set(muted), ["0s help.requested", "1s screen.frozen"], at: 30)
        #expect(result.at.map(\.kind) == [.clear, .raise])
    }

    @Test func fingerprintsLeaveOutDurationsNumbersAndTexts() throws {
        let base = try Rule.c("c", on: "touch", count: 2, within: "10s", unless: "keypad").while(
            "screen is alive", states)
        func print(_ rule: Rule, _ states: [StateDeclaration]? = nil) -> LaneUUID {
            rule.fingerprint(in: RuleSet([rule], states: states ?? self.states))
        }
        let same: [Rule] = [
            base, try .c("x", on: "touch", count: 9, within: "1h", unless: "keypad").while("screen is alive", states),
            try base.clearAfter("1m").cooldown("1h").escalate("1m", .critical), base.mutedBy("y").at(1, 2),
        ]
        for rule in same { #expect(print(rule) == print(base)) }
        let others: [Rule] = [
            base.same("x"), base.shadow, base.with { $0.whileCondition = nil },
            try base.while("screen is not alive", states),
            try .c("c", on: "touch where x = 1", count: 2, within: "10s", unless: "keypad").while(
                "screen is alive", states),
            try .c("c", on: "touch", count: 2, within: "10s").while("screen is alive", states),
            try .b("c", on: "touch", unless: "keypad", within: "10s").while("screen is alive", states),
        ]
        for rule in others { #expect(print(rule) != print(base)) }
        let changed = [try Notation.state("screen", ["frozen": ["screen.frozen"], "alive": ["screen.changed"]])]
        #expect(print(base, changed) != print(base))
    }
}
