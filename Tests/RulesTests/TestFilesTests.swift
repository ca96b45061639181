import Foundation
import Lane
import Testing
import YAML

@testable import Rules

/// Every `rules/*.test.yaml`, and the six of the format's example, run as `lanewatch test` runs them.
@Suite struct TestFilesTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let files: [URL] = {
        let rules = root.appendingPathComponent("rules")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: rules.path)) ?? []
        return names.filter { $0.hasSuffix(".test.yaml") }.sorted().map { rules.appendingPathComponent($0) }
            + [root.appendingPathComponent("Tests/RulesTests/Golden/example.test.yaml")]
    }()

    private static func bytes(_ url: URL) throws -> [UInt8] { [UInt8](try Data(contentsOf: url)) }

    private static func ruleSet(_ url: URL) throws -> RuleSet {
        let (set, diagnostics) = RuleFile.load(files: [(name: url.lastPathComponent, bytes: try bytes(url))])
        for diagnostic in diagnostics { Issue.record("\(diagnostic.rendered())") }
        return try #require(set)
    }

    @Test func thereAreFiles() { #expect(Self.files.count >= 2) }

    @Test(arguments: files) func everyTestPasses(_ file: URL) throws {
        let name = file.lastPathComponent
        let (tests, diagnostics) = RuleTestFile.load(name: name, bytes: try Self.bytes(file))
        for diagnostic in diagnostics { Issue.record("\(diagnostic.rendered())") }
        let read = try #require(tests)
        #expect(read.tests.count >= 6)
        let beside = try #require(RuleTestFile.rulesBeside(name))
        let set = try Self.ruleSet(file.deletingLastPathComponent().appendingPathComponent(beside))
        for test in read.tests {
            let outcome = test.run(set)
            #expect(outcome.passed, "\(test.name):\n\(outcome.diff.joined(separator: "\n"))")
        }
    }

    /// A rule without a test that raises and clears it is a rule that nobody has seen at work.
    @Test func everyShippedRuleIsSeenToRaiseAndClear() throws {
        let rules = Self.root.appendingPathComponent("rules")
        let set = try Self.ruleSet(rules.appendingPathComponent("lane.yaml"))
        let tests = try #require(
            RuleTestFile.load(
                name: "lane.test.yaml", bytes: try Self.bytes(rules.appendingPathComponent("lane.test.yaml"))
            ).file)
        let words = tests.tests.flatMap(\.expected).map { $0.split(separator: " ") }
        #expect(set.rules.count == 15)
        for rule in set.rules {
            for verb in ["raise", "clear"] {
                #expect(words.contains { $0[1] == verb && $0[2] == rule.id }, "\(verb) \(rule.id)")
            }
        }
    }

    /// The shipped rules are those of the example: the same fingerprints, and the same numbers on every kind of lane.
    @Test(arguments: ["L07", "fuel-3", "express-1"]) func theShippedRulesAreTheExamples(_ lane: String) throws {
        let identity = LaneIdentity(store: "1", lane: lane)
        let shipped = RuleTable(
            try Self.ruleSet(Self.root.appendingPathComponent("rules/lane.yaml")), lane: identity)
        let example = RuleTable(
            try Self.ruleSet(Self.root.appendingPathComponent("Tests/RulesTests/Golden/example.yaml")), lane: identity)
        #expect(shipped.ruleCount == example.ruleCount)
        for rule in example.rules {
            let place = try #require(shipped.place(of: rule.id))
            let other = shipped.rules[place]
            #expect(other.fingerprint == rule.fingerprint)
            #expect(other.wait == rule.wait && other.count == rule.count && other.clearAfter == rule.clearAfter)
            #expect(other.cooldown == rule.cooldown && other.escalations == rule.escalations)
            #expect(other.severity == rule.severity && other.topic == rule.topic && other.at == rule.at)
        }
    }
}
