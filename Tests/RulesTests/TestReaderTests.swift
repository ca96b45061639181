import Lane
import Testing
import YAML

@testable import Rules

/// Test files: what is read, and what is said about wrong ones.
@Suite struct TestReaderTests {
    private func load(_ text: String) -> (file: RuleTestFile?, lines: [String]) {
        let (file, diagnostics) = RuleTestFile.load(name: "x.test.yaml", bytes: Array(text.utf8))
        return (file, diagnostics.map(\.headline))
    }

    private func given(_ line: String) -> [String] {
        load("tests:\n  - name: n\n    given:\n      - \(line)\n    expect: []\n").lines
    }

    private func expect(_ line: String) -> [String] {
        load("tests:\n  - name: n\n    given: []\n    expect:\n      - \(line)\n").lines
    }

    @Test func aFileIsRead() throws {
        let file = try #require(
            load(
                """
                rules: [a.yaml, b.yaml]
                tests:
                  - name: first
                    lane: fuel-3
                    at: 2026-01-05T22:00:00Z
                    until: 5m
                    given:
                      - 0s scan.read code="a b" sym=ean13
                      - 1500ms item.accepted age=18
                      - 2s ! restart 20s
                      - 22s ! reload c.yaml
                      - 1m ! clock -1h
                    expect:
                      - 1m raise r code="a b" warning
                      - 1500ms clear r code="ab"
                """
            ).file)
        #expect(file.rules == ["a.yaml", "b.yaml"])
        #expect(file.reloads == ["c.yaml"])
        let test = try #require(file.tests.first)
        #expect(test.name == "first" && test.lane == "fuel-3")
        #expect(test.timeline.length == 300_000)
        #expect(test.timeline.start == WallInstant(rfc3339: "2026-01-05T22:00:00Z"))
        #expect(test.expected == ["60s raise r code=\"a b\" warning", "1500ms clear r code=ab"])
        #expect(test.timeline.steps.map(\.after) == [0, 1500, 2000, 22_000, 60_000])
        guard case .signal(let line) = test.timeline.steps[0] else {
            Issue.record("the first is a signal")
            return
        }
        #expect(line.attributes.map(\.value) == [.text("a b"), .text("ean13")])
    }

    @Test(arguments: ["2026-01-05T22:00:00Z", "2026-01-05 22:00:00", "2026-01-05 22:00", "\"22:00\"", "22:00:00"])
    func atHasSeveralForms(_ text: String) throws {
        let file = load("tests:\n  - {name: n, at: \(text), given: [], expect: []}").file
        #expect(file?.tests.first?.timeline.start == WallInstant(rfc3339: "2026-01-05T22:00:00Z"))
    }

    @Test func defaultsAreThoseOfTheFormat() throws {
        let test = try #require(load("tests:\n  - {name: n, given: [], expect: []}").file?.tests.first)
        #expect(test.lane == "L07")
        #expect(test.timeline.length == 600_000)
        #expect(test.timeline.start.rfc3339 == "2026-01-05T10:00:00.000Z")
    }

    @Test(arguments: [
        ("0s payment.strted pay=P1", "4:12: error: no signal \"payment.strted\"; did you mean \"payment.started\"?"),
        (
            "0s payment.started pya=P1",
            "4:28: error: signal \"payment.started\" has no attribute \"pya\"; did you mean \"pay\"?"
        ),
        ("0 payment.started", "4:9: error: a line begins with its time (45s, 500ms, 2m), not \"0\""),
        ("1.5s payment.started", "4:9: error: a line begins with its time (45s, 500ms, 2m), not \"1.5s\""),
        ("0s", "4:9: error: a signal is missing after \"0s\""),
        ("0s touch x=1 x=2", "4:22: error: \"x\" stands twice"),
        ("0s touch x=left", "4:18: error: \"x\" is a whole number, not \"left\""),
        ("0s touch x=\"1\"", "4:18: error: \"x\" is a whole number, not \"1\""),
        ("0s payment.started pay", "4:28: error: expected an attribute: name=value, not \"pay\""),
        ("0s payment.started pay=\"P1", "4:32: error: the string has no end"),
        ("0s payment.started pay=\"P1\"x", "4:28: error: a blank is missing after the closing quote"),
        ("0s ! restart", "4:12: error: an event is \"!\", its name and one word"),
        ("0s ! restart soon", "4:22: error: \"restart\" needs a duration (20s, 5m), not \"soon\""),
        ("0s ! clock 1h", "4:20: error: \"clock\" needs + or - before its duration (+1h, -5m), not \"1h\""),
        ("0s ! reboot 1h", "4:14: error: no event \"reboot\""),
        ("0s ! relaod b.yaml", "4:14: error: no event \"relaod\"; did you mean \"reload\"?"),
        ("0s ! gap scanner", "4:12: error: \"gap\" needs what is blind, and for how long: ! gap scanner 3s"),
        ("0s ! gap", "4:12: error: \"gap\" needs what is blind, and for how long: ! gap scanner 3s"),
        ("0s ! gap scaner 3s", "4:18: error: nothing is called \"scaner\"; did you mean \"scanner\"?"),
        ("0s ! gap scanner soon", "4:26: error: \"gap\" needs a duration (20s, 5m), not \"soon\""),
        ("0s ! crash 0s", "4:20: error: \"crash\" needs a duration (20s, 5m), not \"0s\""),
    ]) func wrongGivenLines(_ line: String, _ message: String) {
        #expect(given(line) == ["x.test.yaml:" + message])
    }

    @Test(arguments: [
        ("45s raise", "5:9: error: expected a result line: 45s raise payment-timeout pay=P1 warning"),
        (
            "45s rase r warning",
            "5:13: error: a result is raise, escalate or clear, not \"rase\"; did you mean \"raise\"?"
        ),
        ("45s raise r pay=P1", "5:21: error: \"raise\" ends with a severity: info, warning or critical"),
        ("45s clear r warning", "5:21: error: expected a key, name=value, not \"warning\""),
        ("45 clear r", "5:9: error: a line begins with its time (45s, 500ms, 2m), not \"45\""),
    ]) func wrongExpectLines(_ line: String, _ message: String) {
        #expect(expect(line) == ["x.test.yaml:" + message])
    }

    /// Found by fuzzing: a terminal would have obeyed them, and one message was several lines.
    @Test func controlCharactersOfALineAreNotShown() {
        let escape = #"\e[31m\n"#
        let found =
            [#""0s a\#(escape)""#, #""\#(escape)""#, #""0s touch x=\#(escape)""#, #""0s touch \#(escape)=1""#]
            .flatMap(given)
            + [#""1s a\#(escape) b""#, #""1s raise a b\#(escape)=""#, #""1s raise a b\#(escape) warning""#].flatMap(
                expect)
            + [#""0s ! a\#(escape) 1s""#, #""0s ! restart a\#(escape)""#, #""0s ! clock a\#(escape)""#].flatMap(given)
        #expect(found.count == 10)
        for line in found { #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "\(line.debugDescription)") }
        #expect(found.first?.hasSuffix("no signal \"a\u{FFFD}[31m\\n\"") == true)
    }

    @Test func orderAndAbsence() {
        #expect(
            load("tests:\n  - name: n\n    given: [5s touch, 4s touch]\n    expect: []").lines
                == ["x.test.yaml:3:23: error: lines stand in order of time: this one is before 5s"])
        #expect(
            load("tests:\n  - name: n\n    given: [5s ! suspend 5m, 60s touch]\n    expect: []").lines
                == ["x.test.yaml:3:30: error: nothing is received before 305s, while the lane is away"])
    }

    @Test func whatASourceCouldSayIsNotReceivedWhileItIsBlind() {
        #expect(
            load("tests:\n  - name: n\n    given: [5s ! gap scanner 3s, 6s touch, 7s scan.read code=1]\n    expect: []")
                .lines
                == ["x.test.yaml:3:44: error: \"scan.read\" is not received before 8s, while scanner is blind"])
        #expect(
            load("tests:\n  - name: n\n    given: [5s ! gap scanner 3s, 8s scan.read code=1]\n    expect: []").lines
                == [])
    }

    @Test func keysAreStrict() {
        #expect(load("tests:\n  - {name: n, givn: [], expect: []}").lines.count == 1)
        #expect(load("test: []").lines.count == 1)
        #expect(load("tests: [{name: n, given: [], expect: [], at: noon}]").lines.count == 1)
        #expect(load("[").file == nil)
        #expect(load("").file == nil)
    }

    @Test func aDiffShowsBothSides() throws {
        #expect(
            LineDiff.of(expected: ["a", "b", "c", "e"], found: ["a", "c", "d", "e"])
                == ["  a", "- b", "  c", "+ d", "  e"])
        #expect(LineDiff.of(expected: [], found: ["x"]) == ["+ x"])
        #expect(LineDiff.of(expected: ["x"], found: []) == ["- x"])
        let many = (0..<3000).map(String.init)
        #expect(LineDiff.of(expected: many, found: many.reversed()).count == 6000)
    }

    @Test func aFailingTestFails() throws {
        let file = try #require(
            load("tests:\n  - {name: n, given: [0s help.requested], expect: [0s raise other warning]}").file)
        let set = RuleSet([try Rule.a("help", on: "help.requested").clearAfter("1h")])
        let outcome = try #require(file.tests.first).run(set)
        #expect(!outcome.passed)
        #expect(outcome.diff == ["- 0s raise other warning", "+ 0s raise help warning"])
    }

    @Test func aReloadStepChangesTheRules() throws {
        let file = try #require(
            load("tests:\n  - {name: n, given: [0s help.requested, 5s ! reload b.yaml], expect: []}").file)
        let set = RuleSet([try Rule.a("help", on: "help.requested").clearAfter("1h")])
        let outcome = try #require(file.tests.first).run(set, reloads: ["b.yaml": RuleSet([])])
        #expect(outcome.found == ["0s raise help warning", "5s clear help"])
    }

    @Test func aLongRestartForgetsWhatMayHaveBeenAnswered() throws {
        let file = try #require(
            load(
                "tests:\n  - {name: n, given: [0s payment.started, 5s ! restart 20s], expect: []}\n"
                    + "  - {name: m, given: [0s payment.started, 5s ! restart 10s], expect: [45s raise slow warning]}"
            ).file)
        let set = RuleSet([try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s")])
        for test in file.tests { #expect(test.run(set).passed) }
    }

    /// Each event, and what it does to rules of the four shapes.
    @Test(arguments: [
        // A restart keeps what waits, a crash too; over ten seconds they drop it.
        (["0s payment.started", "5s ! restart 10s"], ["45s raise slow warning"]),
        (["0s payment.started", "5s ! crash 10s"], ["45s raise slow warning"]),
        (["0s payment.started", "5s ! suspend 10s"], ["45s raise slow warning"]),
        (["0s payment.started", "5s ! restart 11s"], []),
        (["0s payment.started", "5s ! crash 11s"], []),
        (["0s payment.started", "5s ! suspend 11s"], []),
        // What is raised stays raised, and is raised once.
        (
            ["0s payment.started", "50s ! crash 1m", "2m payment.approved"],
            ["45s raise slow warning", "120s clear slow"]
        ),
        (
            ["0s payment.started", "50s ! restart 1m", "2m payment.approved"],
            ["45s raise slow warning", "120s clear slow"]
        ),
        (["0s screen.frozen", "1s ! crash 5s", "6s screen.frozen"], ["20s raise frozen warning"]),
        (["0s screen.frozen", "1s ! crash 1m", "61s screen.frozen"], ["61s raise frozen warning"]),
        (["0s screen.frozen", "1s ! crash 1m", "61s screen.alive"], []),
        (
            ["0s screen.frozen", "30s ! crash 1m", "91s screen.alive"],
            ["20s raise frozen warning", "91s clear frozen"]
        ),
        // One source is blind: only what it could have answered is dropped, and only over ten seconds.
        (["0s bag.unexpected grams=60", "1s ! gap scanner 3s"], ["30s raise bag warning"]),
        (["0s bag.unexpected grams=60", "1s ! gap scanner 11s"], []),
        (["0s bag.unexpected grams=60", "1s ! gap touch 11s"], ["30s raise bag warning"]),
        (["0s payment.started", "1s ! gap scanner 11s", "5s touch"], ["45s raise slow warning"]),
        // The gap is told at its end: what came due before it was due.
        (["0s bag.unexpected grams=60", "25s ! gap scanner 11s"], ["30s raise bag warning"]),
        (["0s bag.unexpected grams=60", "1s ! gap evdev 11s", "5s ! restart 5s"], []),
        (["0s bag.unexpected grams=60", "1s ! gap evdev 11s", "5s ! restart 7s"], []),
    ]) func events(_ given: [String], _ expected: [String]) throws {
        let list = given.map { "      - \($0)\n" }.joined()
        let file = try #require(load("tests:\n  - name: n\n    given:\n\(list)    expect: []\n").file)
        let states = try EngineGapTests.states()
        let set = RuleSet(
            [
                try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s"),
                try .b("bag", on: "bag.unexpected", unless: "scan.read", within: "30s"),
                try .d("frozen", when: "screen is frozen", states, for: "20s"),
            ], states: states)
        #expect(try #require(file.tests.first).run(set).found == expected)
    }

    @Test func aClockStepMovesNoTimerButTheTimeOfDay() throws {
        let file = try #require(
            load(
                "tests:\n  - {name: n, at: \"21:59\", given: [0s payment.started, 10s ! clock +1h, 50s help.requested],"
                    + " expect: []}"
            ).file)
        let night = try Rule.a("night", on: "help.requested").at(22 * 60, 6 * 60).clearAfter("1h")
        let slow = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s")
        #expect(
            try #require(file.tests.first).run(RuleSet([slow, night])).found
                == ["45s raise slow warning", "50s raise night warning"])
    }
}
