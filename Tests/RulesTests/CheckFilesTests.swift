import Lane
import Rules
import Testing
import YAML

/// Several files as one set, warnings, and the digest.
@Suite struct CheckFilesTests {
    func load(_ files: [(String, String)]) -> (ruleSet: RuleSet?, printed: String) {
        let loaded = RuleFile.load(files: files.map { (name: $0.0, bytes: Array($0.1.utf8)) })
        return (loaded.ruleSet, loaded.diagnostics.map { $0.rendered() }.joined())
    }

    let rules = """
        format: 1
        rules:
          - {id: a, on: item.accepted where category = $some, severity: info, clear_after: $wait, while: basket is open, muted_by: b}

        """
    let names = """
        format: 1
        params: {wait: 3s}
        lists: {some: [x]}
        states: {basket: {open: touch}}
        rules:
          - {id: b, on: touch, severity: info, clear_after: $wait}

        """

    @Test(arguments: [false, true])
    func namesAreGlobalAndOrderFree(isTurned: Bool) {
        let files = [("10.yaml", rules), ("20.yaml", names)]
        let (set, printed) = load(isTurned ? files.reversed() : files)
        #expect(printed == "")
        #expect(set?.rules.map(\.id) == (isTurned ? ["b", "a"] : ["a", "b"]))
    }

    @Test func aLaterFileMayOnlyAdd() {
        let (set, printed) = load([("10.yaml", names), ("20.yaml", names)])
        #expect(set == nil)
        #expect(
            printed == """
                20.yaml:2:10: error: parameter "wait" is already declared in 10.yaml, line 2
                    2 | params: {wait: 3s}
                      |          ^^^^
                      = help: a later file may only add; other numbers for some lanes go under lanes:
                20.yaml:3:9: error: list "some" is already declared in 10.yaml, line 3
                    3 | lists: {some: [x]}
                      |         ^^^^
                      = help: a later file may only add; other numbers for some lanes go under lanes:
                20.yaml:4:10: error: state "basket" is already declared in 10.yaml, line 4
                    4 | states: {basket: {open: touch}}
                      |          ^^^^^^
                      = help: a later file may only add; other numbers for some lanes go under lanes:
                20.yaml:6:10: error: rule "b" is already declared in 10.yaml, line 6
                    6 |   - {id: b, on: touch, severity: info, clear_after: $wait}
                      |          ^
                      = help: a later file may only add; other numbers for some lanes go under lanes:

                """)
    }

    @Test func aLaterFileMayChangeParametersForLanes() {
        let later = "format: 1\nlanes: [{match: [x], set: {wait: 9s}}]\n"
        let (set, printed) = load([("10.yaml", names), ("20.yaml", later), ("30.yaml", rules)])
        #expect(printed == "")
        #expect(set?.overrides == [LaneOverride(match: [LanePattern("x")], set: ["wait": .duration(9000)])])
    }

    @Test func anUnreadableFileIsTheOnlyFault() {
        let (set, printed) = load([("10.yaml", rules), ("20.yaml", "format: 1\nparams: {wait: 3s\n")])
        #expect(set == nil)
        #expect(
            printed == """
                20.yaml:2:9: error: not readable as YAML: this mapping has no "}"
                    2 | params: {wait: 3s
                      |         ^

                """)
    }

    @Test func aCircleOfMutesThroughTwoFilesIsFound() {
        let one = "format: 1\nrules: [{id: a, on: touch, severity: info, clear_after: 1m, muted_by: b}]\n"
        let two = "format: 1\nrules: [{id: b, on: touch, severity: info, clear_after: 1m, muted_by: a}]\n"
        let (_, printed) = load([("1.yaml", one), ("2.yaml", two)])
        #expect(
            printed.hasPrefix(
                "2.yaml:2:71: error: rules \"b\" and \"a\" mute each other; neither could ever be raised\n"))
    }

    @Test func aCircleOfAThousandRulesIsFound() {
        var text = "format: 1\nrules:\n"
        for i in 0..<1000 {
            text += "  - {id: r\(i), on: touch, severity: info, clear_after: 1m, muted_by: r\((i + 1) % 1000)}\n"
        }
        let (set, printed) = load([("x.yaml", text)])
        #expect(set == nil)
        #expect(
            printed.hasPrefix(
                "x.yaml:1002:70: error: rules \"r999\", \"r0\", \"r1\", \"r2\", \"r3\", \"r4\", … and \"r998\" mute each other in a circle;"
            ))
    }

    @Test func noMoreThanFiveThousandRules() {
        func text(_ count: Int, _ prefix: String) -> String {
            var text = "format: 1\nrules:\n"
            for i in 0..<count {
                text += "  - {id: \(prefix)\(i), on: touch, severity: info, clear_after: \(i + 1)s}\n"
            }
            return text
        }
        #expect(load([("x.yaml", text(2500, "a")), ("y.yaml", text(2500, "b"))]).ruleSet != nil)
        let (set, printed) = load([("x.yaml", text(2500, "a")), ("y.yaml", text(2501, "b"))])
        #expect(set == nil)
        #expect(printed.hasPrefix("y.yaml:2503:10: error: more than 5000 rules in one set\n"))
    }

    @Test func warningsComeOnlyWithoutErrors() {
        let text = """
            format: 1
            params: {wait: 3s, used: 10m}
            lists: {some: [x]}
            states: {basket: {open: touch}}
            lanes: [{match: ["L0?"], set: {wait: 5s}}]
            rules:
              - {id: a, on: touch, count: 3, within: $used, severity: info, clear_after: 5m}
              - {id: b, on: touch, count: 3, within: $used, severity: critical, clear_after: 20m}
              - {id: c, on: touch, count: 3, within: $used, severity: critical, clear_after: 20m, mode: shadow}
              - {id: d, on: touch, count: 3, within: $used, severity: critical, clear_after: 20m, topic: other}

            """
        let (set, printed) = load([("x.yaml", text)])
        #expect(set != nil)
        #expect(
            printed == """
                x.yaml:2:10: warning: no rule uses parameter "wait"
                    2 | params: {wait: 3s, used: 10m}
                      |          ^^^^
                x.yaml:3:9: warning: no match uses list "some"
                    3 | lists: {some: [x]}
                      |         ^^^^
                x.yaml:4:10: warning: no rule asks for state "basket"
                    4 | states: {basket: {open: touch}}
                      |          ^^^^^^
                x.yaml:5:18: warning: "L0?" is no lane: names are of letters, digits, ".", "_" and "-"
                    5 | lanes: [{match: ["L0?"], set: {wait: 5s}}]
                      |                  ^^^^^
                      = help: in a pattern "*" stands for any characters, and no other sign means anything
                x.yaml:7:78: warning: rule "a": "within" (10m) is longer than "clear_after" (5m)
                    7 |   - {id: a, on: touch, count: 3, within: $used, severity: info, clear_after: 5m}
                      |                                                                              ^^
                x.yaml:8:10: warning: rule "b" fires exactly when rule "a" does, and tells the same topic
                    8 |   - {id: b, on: touch, count: 3, within: $used, severity: critical, clear_after: 20m}
                      |          ^

                """)
        let wrong = load([("x.yaml", text + "  - x\n")])
        #expect(wrong.ruleSet == nil)
        #expect(!wrong.printed.contains("warning"))
    }

    @Test func aShadowRulesTopicIsWarnedAbout() {
        let text = """
            format: 1
            rules:
              - {id: a, on: touch, severity: info, clear_after: 1m, mode: shadow, topic: sco.managers}
              - {id: b, on: keypad, severity: info, clear_after: 1m, mode: shadow, escalate: {after: 10s, topic: sco.managers}}
              - {id: c, on: touch, severity: info, clear_after: 2m, mode: shadow, escalate: {after: 10s, severity: critical}}
            """
        let loaded = RuleFile.load(files: [("x.yaml", Array(text.utf8))])
        #expect(
            loaded.diagnostics.map(\.headline) == [
                "x.yaml:3:78: warning: rule \"a\": \"topic\" counts for nothing while \"mode\" is shadow",
                "x.yaml:4:82: warning: rule \"b\": \"topic\" counts for nothing while \"mode\" is shadow",
            ])
    }

    @Test func theDigestKnowsNamesBytesAndOrderButNotFolders() {
        func digest(_ files: [(String, String)]) -> String { load(files).ruleSet?.digest ?? "" }
        let base = digest([("a/10.yaml", names), ("a/20.yaml", rules)])
        #expect(base.hasPrefix("sha256:") && base.utf8.count == 71)
        #expect(base == digest([("/b/c/10.yaml", names), ("20.yaml", rules)]))
        #expect(base != digest([("20.yaml", rules), ("10.yaml", names)]))
        #expect(base != digest([("11.yaml", names), ("20.yaml", rules)]))
        #expect(base != digest([("10.yaml", names + "\n"), ("20.yaml", rules)]))
    }

    @Test func noFilesAtAllAreAnEmptySet() {
        let (set, printed) = load([])
        #expect(set?.rules.isEmpty == true)
        #expect(printed == "")
    }
}
