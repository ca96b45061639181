import Foundation
import Rules
import Testing
import YAML

/// Wrong files, each with all that is printed for it: `Golden/wrong.cases`.
@Suite struct CheckWrongTests {
    struct Case: CustomTestStringConvertible {
        var name: String
        var text: String
        var prints: String
        var testDescription: String { name }
    }

    /// A case is `%%% name`, the file, `%%% prints`, what is printed.
    static let cases: [Case] = {
        let parts = ((try? Golden.text("wrong.cases")) ?? "").components(separatedBy: "%%% ").dropFirst()
        var cases: [Case] = []
        for part in parts {
            let lines = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            let rest = lines.count > 1 ? String(lines[1]) : ""
            if lines[0] == "prints", !cases.isEmpty {
                cases[cases.count - 1].prints = rest
            } else {
                cases.append(Case(name: String(lines[0]), text: rest, prints: ""))
            }
        }
        return cases
    }()

    @Test func thereAreManyCases() { #expect(Self.cases.count >= 60) }

    @Test(arguments: cases)
    func prints(wrong: Case) {
        #expect(!wrong.prints.isEmpty)
        #expect(printed(wrong.text) == wrong.prints)
    }
}
