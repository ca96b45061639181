import Lane
import YAML

/// A test of a rule file: a timeline of signals, and the complete list of what must come out.
public struct RuleTest: Sendable {
    public var name: String
    /// Where its name stands.
    public var range: SourceRange?
    public var lane: String
    public var timeline: TestTimeline
    /// Result lines, in the form that `ResultLine` writes.
    public var expected: [String]

    /// What a test gave.
    public struct Outcome: Sendable {
        public var test: RuleTest
        public var found: [String]
        /// What happened to the rules, where it was noted.
        public var notes: [Note] = []
        public var passed: Bool { found == test.expected }

        /// Expected beside found: lines that both have begin with two blanks, one that only was expected with `- `, one
        /// that only was found with `+ `.
        public var diff: [String] { LineDiff.of(expected: test.expected, found: found) }
    }

    /// Runs the test on `set`, in UTC, on its own lane of store 0000.
    ///
    /// - Parameter reloads: the rule sets that `! reload` steps name.
    public func run(_ set: RuleSet, reloads: [String: RuleSet] = [:]) -> Outcome {
        run(table(set), reloads: reloads.mapValues { table($0) })
    }

    /// `set` as this test runs it. Tests of one lane can share it.
    public func table(_ set: RuleSet) -> RuleTable {
        RuleTable(set, lane: LaneIdentity(store: "0000", lane: lane))
    }

    /// - Parameter noting: which rules to make notes of; nil: none.
    public func run(_ table: RuleTable, reloads: [String: RuleTable] = [:], noting: Noting? = nil) -> Outcome {
        var noting = noting
        let changes = timeline.run(table, reloads: reloads, noting: &noting)
        let zero = timeline.zero
        return Outcome(
            test: self, found: changes.compactMap { ResultLine.text(of: $0, from: zero) }, notes: noting?.notes ?? [])
    }
}

/// A file of tests, `X.test.yaml`.
public struct RuleTestFile: Sendable {
    static let keys = ["format", "rules", "tests"]

    /// Under `rules:`, as written, relative to this file; empty: `X.yaml` beside it.
    public var rules: [String]
    public var tests: [RuleTest]

    /// The files that `! reload` steps name, as written, each once.
    public var reloads: [String] {
        var names: [String] = []
        for case .reload(_, let file) in tests.flatMap(\.timeline.steps) where !names.contains(file) {
            names.append(file)
        }
        return names
    }

    /// Reads the file called `name`. There are tests exactly where no diagnostic is an error.
    public static func load(name: String, bytes: [UInt8]) -> (file: RuleTestFile?, diagnostics: [Diagnostic]) {
        let document = YAMLDocument(file: name, bytes: bytes)
        let findings = Findings(document)
        var file = RuleTestFile(rules: [], tests: [])
        if let root = document.root,
            let top = YAMLMapping(root, "a test file", keys: keys, findings)
        {
            if top.has("format") { _ = top.int("format", in: 1...1) }
            top.require("tests")
            file.rules = top.texts("rules").map(\.text)
            for test in top.mappings("tests", "a test", keys: RuleTestReader.keys) {
                if let read = RuleTestReader(test).read() { file.tests.append(read) }
            }
        }
        return (findings.hasErrors ? nil : file, findings.inLineOrder)
    }

    /// The rule file that belongs to the test file `name` when it names none: `X.yaml` for `X.test.yaml`, else nil.
    public static func rulesBeside(_ name: String) -> String? {
        name.hasSuffix(".test.yaml") ? String(name.dropLast(".test.yaml".count)) + ".yaml" : nil
    }
}

/// Two lists of lines beside each other.
enum LineDiff {
    /// Longer lists are compared by their common beginning and end only: the table of the other way grows with the square.
    private static let longest = 1000

    static func of(expected: [String], found: [String]) -> [String] {
        var head = 0
        while head < min(expected.count, found.count), expected[head] == found[head] { head += 1 }
        var tail = 0
        while tail < min(expected.count, found.count) - head,
            expected[expected.count - 1 - tail] == found[found.count - 1 - tail]
        { tail += 1 }
        let old = Array(expected[head..<(expected.count - tail)])
        let new = Array(found[head..<(found.count - tail)])
        let same = { (lines: ArraySlice<String>) in lines.map { "  " + $0 } }
        return same(expected[..<head]) + middle(old, new) + same(expected[(expected.count - tail)...])
    }

    private static func middle(_ old: [String], _ new: [String]) -> [String] {
        guard old.count <= longest, new.count <= longest else {
            return old.map { "- " + $0 } + new.map { "+ " + $0 }
        }
        // common[i][j]: the longest common subsequence of old[i...] and new[j...].
        var common = [[Int]](repeating: [Int](repeating: 0, count: new.count + 1), count: old.count + 1)
        for i in old.indices.reversed() {
            for j in new.indices.reversed() {
                common[i][j] = old[i] == new[j] ? common[i + 1][j + 1] + 1 : max(common[i + 1][j], common[i][j + 1])
            }
        }
        var (i, j) = (0, 0)
        var lines: [String] = []
        while i < old.count || j < new.count {
            if i < old.count, j < new.count, old[i] == new[j] {
                lines.append("  " + old[i])
                i += 1
                j += 1
            } else if i < old.count, j == new.count || common[i + 1][j] >= common[i][j + 1] {
                lines.append("- " + old[i])
                i += 1
            } else {
                lines.append("+ " + new[j])
                j += 1
            }
        }
        return lines
    }
}
