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
}
