import Lane
import Rules
import Testing
import YAML

/// What a file without faults becomes.
@Suite struct CheckSetTests {
    func set(_ text: String) throws -> RuleSet {
        let loaded = RuleFile.load(files: [(name: "x.yaml", bytes: Array(text.utf8))])
        #expect(loaded.diagnostics.map { $0.rendered() } == [])
        return try #require(loaded.ruleSet)
    }

    func rule(_ keys: String, before: String = "") throws -> Rule {
        let set = try set("format: 1\n\(before)rules:\n  - {id: a, severity: info, \(keys)}\n")
        return try #require(set.rules.first)
    }

    func match(_ text: String, before: String = "") throws -> Match {
        let found = try set(
            "format: 1\n\(before)rules:\n  - id: a\n    on: \(text)\n    severity: info\n    clear_after: 1m\n")
        guard case .atOnce(let on)? = found.rules.first?.shape else { throw Missing() }
        return try #require(on.first)
    }

    struct Missing: Error {}

    /// Found by fuzzing: each test of a match looked at all the others, which took minutes.
    @Test(.timeLimit(.minutes(3))) func aMatchWithThousandsOfTestsIsNoTrouble() throws {
        let tests = [String](repeating: "x != 1", count: 90_000).joined(separator: " and ")
        let set = try set("format: 1\nrules:\n  - {id: a, on: touch where \(tests), severity: info, clear_after: 1m}\n")
        #expect(RuleTable(set, lane: LaneIdentity(store: "1", lane: "2")).ruleCount == 1)
    }

    /// A small file may use a long list in many rules: what it costs in memory is bounded.
    @Test func theValuesOfASetAreCounted() throws {
        func diagnostics(_ rules: Int) -> [String] {
            let list = (0..<2000).map { "v\($0)" }.joined(separator: ", ")
            let text = (0..<rules).map {
                "  - {id: r\($0), on: item.accepted where category = $l and price > \($0), severity: info, clear_after: 1m}\n"
            }
            let file = "format: 1\nlists: {l: [\(list)]}\nrules:\n\(text.joined())"
            return RuleFile.load(files: [(name: "x.yaml", bytes: Array(file.utf8))]).diagnostics.map(\.message)
        }
        #expect(diagnostics(100) == [])
        #expect(diagnostics(103) == ["from here on the matches name more than 200000 values"])
        // Linear in their number.
        let many = (0..<60_000).map { "v\($0)" }.joined(separator: "|")
        guard
            case .isOneOf(let values)? = try match("item.accepted where category = \(many)|v1").tests.first?.comparison
        else { throw Missing() }
        #expect(values.count == 60_000)
    }

    @Test func theExampleBecomesWhatItSays() throws {
        let loaded = RuleFile.load(files: [(name: "example.yaml", bytes: try Golden.bytes("example.yaml"))])
        let set = try #require(loaded.ruleSet)
        #expect(set.params["payment_wait"] == .duration(45_000))
        #expect(set.params["declines"] == .count(3))
        #expect(set.states.map(\.name) == ["basket", "scanner", "network", "screen"])
        #expect(set.states[0].values.map(\.name) == ["open", "paying", "closed"])
        #expect(set.states[3].values[1].setBy.map(\.type.name) == ["screen.alive", "screen.changed"])
        #expect(
            set.overrides == [
                LaneOverride(match: [LanePattern("fuel-*")], set: ["payment_wait": .duration(75_000)]),
                LaneOverride(
                    match: [LanePattern("express-*")], set: ["idle_limit": .duration(30_000), "declines": .count(2)]),
            ])
        let timeout = try #require(set.rules.first)
        let started = try #require(SignalType("payment.started"))
        let approved = try #require(SignalType("payment.approved"))
        let declined = try #require(SignalType("payment.declined"))
        #expect(timeout.title == "Payment has no answer")
        #expect(timeout.topic == "sco.interventions.payment")
        #expect(timeout.category == "payment")
        #expect(timeout.mutedBy == ["network-down"])
        #expect(timeout.same.map(\.name) == ["pay"])
        #expect(
            timeout.escalations == [
                Escalation(after: .milliseconds(60_000), severity: .critical, topic: "sco.interventions.payment")
            ])
        #expect(
            timeout.shape
                == .noAnswer(
                    on: [Match(type: started, tests: [])],
                    unless: [Match(type: approved, tests: []), Match(type: declined, tests: [])],
                    within: .param("payment_wait")))
        let abandoned = set.rules[2]
        let basketIsOpen = Condition(terms: [.init(state: 0, value: 0, isNegated: false)])
        guard case .lasts(let when, let wait, let unless) = abandoned.shape else { throw Missing() }
        #expect(when == basketIsOpen)
        #expect(wait == .param("idle_limit"))
        #expect(unless.map(\.type.name) == ["touch", "scan.read", "item.accepted", "scale.stable"])
        #expect(abandoned.escalations.map(\.topic) == ["sco.interventions", "sco.interventions"])
        #expect(set.rules[7].at == DaySpan(days: 0x7F, begin: 1320, end: 360))
        #expect(set.rules[13].lanes == [LanePattern("L*")])
        #expect(set.rules[11].whileCondition == Condition(terms: [.init(state: 0, value: 2, isNegated: true)]))
    }

    @Test func defaultsAreTheDocumentedOnes() throws {
        let rule = try rule("on: touch, clear_after: 1m")
        #expect(rule.title == "a")
        #expect(rule.category == "")
        #expect(rule.topic == "sco.interventions")
        #expect(!rule.isShadow && !rule.isRemote && rule.isEnabled)
        #expect(
            rule.same == [] && rule.lanes == [] && rule.clearWhen == [] && rule.escalations == [] && rule.mutedBy == [])
        #expect(rule.whileCondition == nil && rule.at == nil && rule.cooldown == nil)
        let other = try self.rule(
            "on: touch, clear_after: 1m, mode: shadow, remote: true, enabled: False, cooldown: 500ms, title: 12")
        #expect(other.isShadow && other.isRemote && !other.isEnabled)
        #expect(other.cooldown == .milliseconds(500))
        #expect(other.title == "12")
    }

    @Test(
        arguments: [
            ("item.accepted where age >= 16", [.greaterOrEqual(16)]),
            ("item.accepted where age<16", [.less(16)]),
            ("item.accepted where age <= -1 and price > 0", [.lessOrEqual(-1), .greater(0)]),
            ("item.accepted where age = 007", [.isOneOf([.int(7)])]),
            ("item.accepted where age = 16| 18 |16", [.isOneOf([.int(16), .int(18)])]),
            ("item.accepted where age != 16", [.isNot(.int(16))]),
            ("pos.state where state = idle|void", [.isOneOf([.text("idle"), .text("void")])]),
            ("pos.state where state != idle", [.isNot(.text("idle"))]),
            ("pos.state where state =  two words ", [.isOneOf([.text("two words")])]),
            ("pos.state where state = brand and co and txn = 1", nil),
            (
                "pos.state where state = sand andy and txn = 1",
                [.isOneOf([.text("sand andy")]), .isOneOf([.text("1")])]
            ),
            ("item.accepted where category = $some", [.isOneOf([.text("16"), .text("x"), .text("null")])]),
            ("item.accepted where age = $numbers", [.isOneOf([.int(16), .int(18)])]),
            ("log.match where line matches /a|b = c/", nil),
        ] as [(String, [AttributeTest.Comparison]?)])
    func testsAreRead(text: String, comparisons: [AttributeTest.Comparison]?) throws {
        let lists = "lists: {some: [16, x, 16, 'null'], numbers: [16, '18', 016]}\n"
        let loaded = RuleFile.load(files: [
            (
                name: "x.yaml",
                bytes: Array(
                    "format: 1\n\(lists)rules:\n  - id: a\n    on: \(text)\n    severity: info\n    clear_after: 1m\n"
                        .utf8)
            )
        ])
        guard let comparisons else {
            if text.contains("matches") {
                guard case .atOnce(let on)? = loaded.ruleSet?.rules.first?.shape,
                    case .matches(let pattern)? = on.first?.tests.first?.comparison
                else { throw Missing() }
                #expect(pattern.source == "a|b = c")
            } else {
                #expect(loaded.ruleSet == nil)
            }
            return
        }
        guard case .atOnce(let on)? = loaded.ruleSet?.rules.first?.shape else { throw Missing() }
        #expect(on.first?.tests.map(\.comparison) == comparisons)
    }

    @Test func textOverSeveralLinesIsOneMatch() throws {
        let match = try match(">-\n      pos.state where state = idle\n      and txn = 1")
        #expect(match.tests.count == 2)
    }

    @Test(
        arguments: [
            ("22:00-06:00", 0x7F, 1320, 360), ("Mon-Fri 08:00-20:30", 0x1F, 480, 1230),
            ("Sat,Sun 00:00-24:00", 0x60, 0, 1440),
            ("Fri-Mon 20:00-00:00", 0x71, 1200, 1440), ("Sun 23:59-00:01", 0x40, 1439, 1),
            ("Mon,Wed-Thu 01:00-02:00", 0x0D, 60, 120),
        ] as [(String, UInt8, Int, Int)])
    func spansOfTheDay(text: String, days: UInt8, begin: Int, end: Int) throws {
        let rule = try rule("on: touch, clear_after: 1m, at: \"\(text)\"")
        #expect(rule.at == DaySpan(days: days, begin: begin, end: end))
    }

    @Test func conditionsNameStatesByTheirPlaces() throws {
        let states = "states: {one: {a: touch, b: keypad}, two: {c: touch, not: keypad}}\n"
        let rule = try rule("when: two is not c and one is b and two is not, for: 1h", before: states)
        let terms: [Condition.Term] = [
            .init(state: 1, value: 0, isNegated: true), .init(state: 0, value: 1, isNegated: false),
            .init(state: 1, value: 1, isNegated: false),
        ]
        #expect(rule.shape == .lasts(when: Condition(terms: terms), for: .milliseconds(3_600_000), unless: []))
    }

    @Test func silencesHaveAnEnd() throws {
        let set = try set(
            """
            format: 1
            silences:
              - {rules: [a], lanes: ["fuel-*"], until: "2026-12-01T06:00:00Z", why: "till is rebuilt"}
              - {rules: a, until: 2026-12-01T07:00:00+01:00, why: x}
            rules:
              - {id: a, on: touch, severity: info, clear_after: 1m}
            """)
        #expect(set.silences.map(\.until.rfc3339) == ["2026-12-01T06:00:00.000Z", "2026-12-01T06:00:00.000Z"])
        #expect(set.silences.map(\.lanes) == [[LanePattern("fuel-*")], []])
        #expect(set.silences.map(\.rules) == [["a"], ["a"]])
        #expect(set.silences.map(\.why) == ["till is rebuilt", "x"])
    }

    /// Wrong-rules/06 is about `on`, and about `unless` of shape B alone.
    @Test func sameNeedNotBeInTheUnlessOfACountNorInClearWhen() throws {
        let rule = try rule(
            "on: scan.read, same: code, count: 3, within: 10s, unless: item.accepted, clear_when: staff.cleared")
        #expect(rule.same.map(\.name) == ["code"])
    }

    @Test func aRuleMayBeMutedByADisabledOneAndARuleOfAnotherLane() throws {
        let set = try set(
            """
            format: 1
            rules:
              - {id: a, on: touch, severity: info, clear_after: 1m, muted_by: [b, c]}
              - {id: b, on: keypad, severity: info, clear_after: 1m, enabled: false}
              - {id: c, on: heartbeat, severity: info, clear_after: 1m, lanes: "x-*", muted_by: b}
            """)
        #expect(set.rules.map(\.mutedBy) == [["b", "c"], [], ["b"]])
    }
}
