import Foundation
import Testing
import YAML

@testable import Rules

/// The page of interventions is what the shipped rules, their comments and their tests say. `make generate` writes it.
@Suite struct GeneratedInterventionsTests {
    private static func comments(_ name: String) throws -> RuleComments {
        RuleComments(String(decoding: try ShippedRules.bytes(name), as: UTF8.self))
    }

    static func page() throws -> InterventionsPage {
        let set = try ShippedRules.set()
        let files = try ShippedRules.ruleFiles.filter { $0 != "lane.yaml" }.map { name in
            let category = name.dropLast(".yaml".count)
            return InterventionsPage.File(
                name: name, comments: try comments(name), rules: set.rules.filter { $0.category == category },
                tests: try ShippedRules.tests("\(category).test.yaml").tests)
        }
        return InterventionsPage(set: set, files: files, lanes: try comments("lane.yaml").lanes)
    }

    @Test func thePageIsTheFiles() throws {
        let url = ShippedRules.repository.appendingPathComponent("docs/reference/interventions.md")
        let text = try Self.page().text
        if ProcessInfo.processInfo.environment["LANEWATCH_GENERATE"] != nil {
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        let stands = try String(contentsOf: url, encoding: .utf8)
        #expect(stands == text, "docs/reference/interventions.md is not what rules/ says; run `make generate`")
    }

    @Test func everyNumberHasAReasonAndEveryRuleAMeaning() throws {
        let page = try Self.page()
        for file in page.files {
            for param in file.comments.params { #expect(!param.reason.isEmpty, "\(file.name): \(param.key)") }
            for rule in file.rules {
                #expect(file.comments.meanings[rule.id]?.hasSuffix(".") == true, "\(rule.id) says what it means")
                #expect(file.comments.bare[rule.id] == nil, "\(rule.id) has numbers without a reason")
            }
            let used = file.rules.reduce(into: Set<String>()) { $0.formUnion(InterventionsPage.params(of: $1)) }
            #expect(used.isSubset(of: page.files.flatMap(\.comments.params).map(\.key)))
        }
        for override in page.set.overrides {
            for (pattern, param) in override.match.flatMap({ pattern in override.set.keys.map { (pattern, $0) } }) {
                let reasons = page.lanes["[\"\(pattern.text)\"]"]
                #expect((reasons?[param] ?? reasons?[""])?.isEmpty == false, "\(pattern.text): \(param)")
            }
        }
    }

    /// Comments are read where they stand.
    @Test func commentsAreRead() {
        let comments = RuleComments(
            """
            # Payment: all of it.
            format: 1
            params:
              wait: 45s       # so long
            lanes:
              - match: ["fuel-*"]   # all
                set:
                  wait: 75s   # longer
            rules:
              # It means this,
              # and that.
              - id: one
                title: "a # that is none"
                on: x where grams > 50   # light
                within: $wait
                clear_after: 10m
                escalate:
                  - {after: 2m, severity: warning}   # others wait
                at: "22:00-06:00"
            """)
        #expect(comments.title == "Payment: all of it.")
        #expect(comments.params == [.init(key: "wait", value: "45s", reason: "so long")])
        #expect(comments.lanes == ["[\"fuel-*\"]": ["": "all", "wait": "longer"]])
        #expect(comments.meanings == ["one": "It means this, and that."])
        #expect(
            comments.notes == [
                "one": [
                    .init(key: "on", value: "x where grams > 50", reason: "light"),
                    .init(key: "escalate", value: "- {after: 2m, severity: warning}", reason: "others wait"),
                ]
            ])
        #expect(comments.bare == ["one": ["clear_after", "at"]])
    }
}
