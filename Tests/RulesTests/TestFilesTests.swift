import Foundation
import Testing
import YAML

@testable import Rules

/// The six tests of the format's example, run as `lanewatch test` runs them. `ShippedRulesTests` has those of `rules/`.
@Suite struct TestFilesTests {
    @Test func everyTestOfTheExamplePasses() throws {
        let (rules, findings) = RuleFile.load(files: [(name: "example.yaml", bytes: try Golden.bytes("example.yaml"))])
        for finding in findings { Issue.record("\(finding.rendered())") }
        let (tests, diagnostics) = RuleTestFile.load(
            name: "example.test.yaml", bytes: try Golden.bytes("example.test.yaml"))
        for diagnostic in diagnostics { Issue.record("\(diagnostic.rendered())") }
        let read = try #require(tests)
        #expect(read.tests.count == 6)
        #expect(RuleTestFile.rulesBeside("example.test.yaml") == "example.yaml")
        for test in read.tests {
            let outcome = test.run(try #require(rules))
            #expect(outcome.passed, "\(test.name):\n\(outcome.diff.joined(separator: "\n"))")
        }
    }
}
