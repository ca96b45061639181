import Lane
import Testing

@testable import Rules

/// The bounds of one engine (docs/reference/rules.md, "Bounds"): what is given up at each, and the counter that says so.
@Suite struct EngineLimitTests {
    private func given(_ count: Int, _ line: (Int) -> String) -> [String] {
        (0..<count).map { "\($0)ms \(line($0))" }
    }

    private func run(_ set: RuleSet, _ given: [String], until: Int64 = 0) throws -> (RuleEngine, [Change]) {
        let timeline = TestTimeline(given: [])
        var engine = RuleEngine(table: set.table())
        var changes: [Change] = []
        for (place, line) in given.enumerated() {
            changes += engine.step(timeline.stamped(try GivenLine(parsing: line), number: Int64(place + 1))).changes
        }
        changes += engine.idle(until: timeline.zero.advanced(byMilliseconds: until)).changes
        return (engine, changes)
    }

    @Test func ofTooManyWaitsTheOldestIsDropped() throws {
        let rule = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        let (engine, changes) = try run(
            RuleSet([rule]), given(1002) { "payment.started pay=P\($0)" }, until: 100_000)
        #expect(engine.counts[.keys] == 2)
        #expect(changes.count == 1000)
        #expect(changes.first?.intervention.key.first?.value == "P2")
        #expect(changes.last?.intervention.key.first?.value == "P1001")
        #expect(engine.counts[.active] == 0)
    }

    @Test func ofTooManyCountsTheOldestIsDropped() throws {
        let rule = try Rule.c("often", on: "scan.read", count: 2, within: "1h").same("code").clearAfter("1m")
        let lines = given(1001) { "scan.read code=c\($0)" }
        let (engine, changes) = try run(
            RuleSet([rule]), lines + ["2s scan.read code=c1", "3s scan.read code=c0", "4s scan.read code=c1000"])
        // c0 was given up, and counts from one again; its coming back gave up c2, the oldest by then.
        #expect(changes.map { $0.intervention.key.first?.value } == ["c1", "c1000"])
        #expect(engine.counts[.keys] == 1)
    }

    /// A count that is too old to matter makes room first, and is no loss.
    @Test func whatIsTooOldIsNoLoss() throws {
        let rule = try Rule.c("often", on: "scan.read", count: 2, within: "500ms").same("code").clearAfter("1m")
        let (engine, _) = try run(RuleSet([rule]), given(3000) { "scan.read code=c\($0)" })
        #expect(engine.counts[.keys] == 0)
    }

    @Test func ofTooManyCooldownsTheOldestIsDropped() throws {
        let rule = try Rule.a("item", on: "item.refused").same("code").clearAfter("1ms").cooldown("1h")
        let (engine, changes) = try run(
            RuleSet([rule]),
            given(1001) { "item.refused code=c\($0)" } + ["2s item.refused code=c1", "2s item.refused code=c0"])
        #expect(changes.last { $0.kind == .raise }?.intervention.key.first?.value == "c0")
        #expect(engine.counts.suppressedByCooldown == 1)
        #expect(engine.counts[.keys] == 1)
    }

    @Test func noMoreThanAThousandInterventionsAreActive() throws {
        let rule = try Rule.a("item", on: "item.refused").same("code").clearWhen("staff.cleared")
        let other = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared")
        let (engine, changes) = try run(
            RuleSet([rule, other]),
            given(1003) { "item.refused code=c\($0)" } + [
                "2s help.requested", "3s item.refused code=c0", "4s staff.cleared", "5s help.requested",
            ])
        #expect(engine.counts[.active] == 4)
        #expect(changes.filter { $0.kind == .raise }.count == 1001)
        #expect(changes.filter { $0.kind == .clear }.count == 1000)
        #expect(engine.activeCount == 1)
        // What is active is still known: c0 came again.
        #expect(engine.counts.repeats == 1)
    }

    /// 256 bytes, and never half a character: of one that would pass it nothing is left.
    @Test(arguments: [
        (255, "a", 256, 0), (256, "", 256, 0), (256, "a", 256, 1), (255, "é", 255, 1), (254, "é", 256, 0),
        (253, "😀", 253, 1), (252, "😀", 256, 0),
    ])
    func keyValuesAreCut(_ length: Int, _ end: String, _ kept: Int, _ cut: Int) throws {
        let rule = try Rule.a("item", on: "item.refused").same("code").clearAfter("1m")
        let value = String(repeating: "x", count: length) + end
        let (engine, changes) = try run(RuleSet([rule]), ["0s item.refused code=\(value)"])
        let key = try #require(changes.first?.intervention.key.first?.value)
        #expect(key.utf8.count == kept && value.hasPrefix(key))
        #expect(engine.counts[.keyBytes] == cut)
    }

    @Test func patternsThatGiveUpAreCounted() throws {
        let code = try #require(AttributeName("code"))
        let match = Match(
            type: .itemRefused, tests: [AttributeTest(attribute: code, comparison: .matches(try Pattern("(a+)+$")))])
        let value = String(repeating: "a", count: 60) + "b"
        let (engine, changes) = try run(
            RuleSet([try Rule("bad", .atOnce(on: [match])).clearAfter("1m")]), ["0s item.refused code=\(value)"])
        #expect(changes.isEmpty && engine.counts[.pattern] == 1)
        #expect(engine.counts.limitsReached == 1)
    }

    /// N is at most 1000, which the checker holds; an engine made without it holds the same.
    @Test func aCountIsAtMostAThousand() throws {
        let rule = try Rule.c("often", on: "touch", count: 5000, within: "1h").clearAfter("1m")
        let (_, changes) = try run(RuleSet([rule]), given(1000) { _ in "touch" })
        #expect(changes.count == 1)
        #expect(
            printed(
                "format: 1\nrules: [{id: a, on: touch, count: 1001, within: 1h, clear_after: 2h, severity: info}]\n"
            )
            .hasPrefix("x.yaml:2:35: error: \"count\" must be 2 to 1000, not 1001\n"))
    }
}
