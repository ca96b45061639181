import Lane
import Rules
import Testing
import YAML

/// Warnings, and the bounds of a set that are told by errors.
@Suite struct CheckWarningTests {
    func rules(_ lines: String..., before: String = "") -> String {
        "format: 1\n\(before)rules:\n" + lines.map { "  - {\($0), severity: info, clear_after: 1m}\n" }.joined()
    }

    // MARK: Patterns

    @Test func aPatternOnABusySignalIsWarnedOf() {
        #expect(
            printed(rules("id: a, on: screen.changed where screen matches /^pay/")) == """
                x.yaml:3:38: warning: this pattern is tried on every "screen.changed", up to 30 a second on a busy lane
                    3 |   - {id: a, on: screen.changed where screen matches /^pay/, severity: info, clear_after: 1m}
                      |                                      ^^^^^^^^^^^^^^^^^^^^^
                      = help: name the values (screen = A|B), or add a test with "=", so that it is tried on those alone

                """)
    }

    /// States are set by every signal that matches, too.
    @Test func aPatternThatSetsAStateIsNoCheaper() {
        let states = "states: {s: {on: screen.changed where screen matches /x/}}\n"
        #expect(
            printed(rules("id: a, on: touch, while: s is on", before: states)).hasPrefix(
                "x.yaml:2:39: warning: this pattern is tried on every"))
    }

    @Test(arguments: [
        // Ten a second and fewer.
        "log.match where rule matches /^pos_error/", "scan.read where code matches /^20/",
        // Beside a test with "=" it is tried on few.
        "screen.changed where screen = pay and screen matches /x/", "screen.changed where screen = pay|idle",
        "screen.changed",
    ])
    func otherMatchesAreNot(_ match: String) { #expect(printed(rules("id: a, on: \(match)")) == "") }

    @Test func theCatalogueSaysWhatIsBusy() throws {
        let catalogue = SignalCatalogue.shipped
        #expect(catalogue[.screenChanged].rate == 30)
        #expect(catalogue[.logMatch].rate == 10)
        #expect(catalogue[.printerPaper].rate == 0)
    }

    // MARK: "or"

    /// Legal, and never what is meant: the value is all of it.
    @Test(arguments: [
        ("pos.state where state = idle or state = void", "x.yaml:3:41: warning: \"or\" is a part of this value"),
        ("pos.state where state != idle or void", "x.yaml:3:42: warning: \"or\" is a part of this value"),
        (
            "log.match where rule matches /a/ or line matches /b/",
            "x.yaml:3:46: warning: \"or\" is a part of this pattern"
        ),
    ])
    func orInAValueIsWarnedOf(_ match: String, _ beginning: String) {
        let text = printed(rules("id: a, on: \(match)"))
        #expect(text.hasPrefix(beginning), "\(text)")
        #expect(text.contains("alternatives are written A|B"))
    }

    @Test(arguments: ["item.accepted where category = order", "log.match where rule matches /a or b/"])
    func otherValuesMayHoldTheLetters(_ match: String) { #expect(printed(rules("id: a, on: \(match)")) == "") }

    // MARK: Topics

    @Test func noMoreThanFourThousandTopics() {
        func text(_ count: Int) -> String {
            var text = "format: 1\nrules:\n"
            for i in 0..<count {
                text += "  - {id: a\(i), on: touch, severity: info, clear_after: \(i + 1)s, topic: t\(i * 2), "
                text += "escalate: {after: 1s, topic: t\(i * 2 + 1)}}\n"
            }
            return text
        }
        #expect(printed(text(2000)) == "")
        #expect(
            printed(text(2002)).hasPrefix(
                "x.yaml:2003:10: error: more than 4000 topics in one set\n 2003 |   - {id: a2000, on: touch"))
        #expect(printed(text(2002)).split(separator: "\n").filter { $0.contains("error:") }.count == 1)
    }

    // MARK: Silences

    @Test func aSilenceSaysWhy() {
        let text = rules(
            "id: a, on: touch", before: "silences: [{rules: a, until: \"2026-12-01T06:00:00Z\", why: \"\"}]\n")
        #expect(
            printed(text) == """
                x.yaml:2:59: error: "why" is empty; say what the silence is for
                    2 | silences: [{rules: a, until: "2026-12-01T06:00:00Z", why: ""}]
                      |                                                           ^^
                      = help: whoever finds it later has to know whether it may go

                """)
    }

    @Test func aMisspeltRuleOfASilenceHasASuggestion() {
        let text = rules(
            "id: payment-timeout, on: touch",
            before: "silences: [{rules: payment-timeoot, until: \"2026-12-01T06:00:00Z\", why: x}]\n")
        #expect(
            printed(text).hasPrefix(
                "x.yaml:2:20: error: no rule \"payment-timeoot\"; did you mean \"payment-timeout\"?\n"))
    }
}
