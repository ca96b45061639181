import Lane
import Testing
import YAML

@testable import Rules

/// The shipped rules: every test of every `rules/*.test.yaml`, and that these tests are whole.
@Suite struct ShippedRulesTests {
    /// These were there first; lanes' own files mute them by name and set their numbers.
    static let firstRules = [
        "payment-timeout", "three-declines", "abandoned-basket", "scanner-unplugged", "item-will-not-scan",
        "dead-touch", "age-check", "restricted-at-night", "network-down", "screen-frozen", "weight-mismatch",
        "unexpected-bag", "paper-out", "pos-error-burst", "many-voids",
    ]

    /// The rule that a test is about: the first word of its name, where that is one.
    static func subject(_ test: RuleTest) -> Substring {
        test.name.firstRange(of: " - ").map { test.name[..<$0.lowerBound] } ?? ""
    }

    /// Whether a result line is of `rule`, and `verb`.
    static func tells(_ line: String, _ verb: String, _ rule: String) -> Bool {
        let words = line.split(separator: " ")
        return words.count > 2 && words[1] == verb && words[2] == rule
    }

    @Test(arguments: ShippedRules.testFiles) func everyTestPasses(_ name: String) throws {
        let set = try ShippedRules.set()
        let file = try ShippedRules.tests(name)
        #expect(!file.tests.isEmpty)
        for test in file.tests {
            let outcome = test.run(set)
            #expect(outcome.passed, "\(test.name):\n\(outcome.diff.joined(separator: "\n"))")
        }
    }

    /// Rules are read as one set, and so tested.
    @Test(arguments: ShippedRules.testFiles) func everyTestFileNamesTheWholeSet(_ name: String) throws {
        #expect(try ShippedRules.tests(name).rules == ["."])
    }

    @Test func aFileHoldsTheRulesOfItsCategoryAndStandsBesideItsTests() throws {
        for name in ShippedRules.ruleFiles {
            let category = name.dropLast(".yaml".count)
            #expect(ShippedRules.testFiles.contains("\(category).test.yaml"))
            let document = YAMLDocument(file: name, bytes: try ShippedRules.bytes(name))
            let root = try #require(document.root)
            let top = try #require(
                YAMLMapping(
                    root, "a file", keys: ["format", "params", "lists", "states", "lanes", "rules"], Findings(document))
            )
            for rule in top.mappings("rules", "a rule", keys: RuleReader.keys) {
                #expect(rule.text("category") == String(category), "\(rule.text("id") ?? "?")")
                #expect(rule.has("title"))
            }
            #expect((category == "lane") != top.has("rules"), "\(name)")
        }
    }

    @Test func theFirstRulesAreAllThere() throws {
        let ids = Set(try ShippedRules.set().rules.map(\.id))
        #expect(ids.isSuperset(of: Self.firstRules))
    }

    /// A rule that nobody has seen raise, clear and keep still is a rule that nobody knows.
    @Test func everyRuleIsSeenToRaiseToClearAndToKeepStill() throws {
        let tests = try ShippedRules.tests()
        let set = try ShippedRules.set()
        for rule in set.rules {
            let own = tests.filter { Self.subject($0) == rule.id }
            #expect(own.contains { $0.expected.contains { Self.tells($0, "raise", rule.id) } }, "\(rule.id) raises")
            #expect(own.contains { $0.expected.contains { Self.tells($0, "clear", rule.id) } }, "\(rule.id) clears")
            let lines = tests.flatMap(\.expected)
            let escalated = lines.contains { Self.tells($0, "escalate", rule.id) }
            #expect(rule.escalations.isEmpty || escalated, "\(rule.id) escalates")
        }
        let ids = Set(set.rules.map(\.id))
        for test in tests where test.name.contains(" - ") {
            let subject = String(Self.subject(test))
            #expect(ids.contains(subject) || subject.hasPrefix("a"), "\(test.name) begins with no rule")
        }
    }

    /// Names are unique: the page of interventions and people name tests by them.
    @Test func namesAreUniqueAndPlain() throws {
        let names = try ShippedRules.tests().map(\.name)
        #expect(Set(names).count == names.count)
    }
}
