import Foundation
import Lane
import Testing

@testable import Rules

/// What `lanewatch test --explain`, `--coverage` and `lanewatch explain` say, to the byte: each `Golden/why/*.test.yaml` beside
/// its `.expected`. LANEWATCH_GOLDEN=1 writes them, to be read before they are committed.
@Suite struct ExplainGoldenTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Golden/why")

    static let names: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".test.yaml") }.map { String($0.dropLast(10)) }.sorted()
    }()

    private static func set(_ name: String) throws -> RuleSet {
        let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
        let (set, diagnostics) = RuleFile.load(files: [(name, bytes)])
        for diagnostic in diagnostics where diagnostic.severity == .error { Issue.record("\(diagnostic.rendered())") }
        return try #require(set)
    }

    @Test func thereAreFiles() { #expect(Self.names.count >= 5) }

    @Test(arguments: names) func theListingsAreAsWritten(_ name: String) throws {
        let listing = try Self.listing(name)
        let file = Self.folder.appendingPathComponent(name + ".expected")
        if ProcessInfo.processInfo.environment["LANEWATCH_GOLDEN"] != nil {
            try listing.write(to: file, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        let (old, new) = (expected.split(separator: "\n"), listing.split(separator: "\n"))
        let diff = LineDiff.of(expected: old.map(String.init), found: new.map(String.init))
        #expect(listing == expected, "\(diff.filter { !$0.hasPrefix(" ") }.joined(separator: "\n"))")
    }

    /// Everything there is to say of the file's tests.
    private static func listing(_ name: String) throws -> String {
        let path = folder.appendingPathComponent(name + ".test.yaml")
        let (read, diagnostics) = RuleTestFile.load(name: name, bytes: [UInt8](try Data(contentsOf: path)))
        for diagnostic in diagnostics { Issue.record("\(diagnostic.rendered())") }
        let file = try #require(read)
        let set = try set(name + ".yaml")
        var coverage = RuleCoverage()
        var out: [String] = []
        for test in file.tests {
            var reloads: [String: RuleTable] = [:]
            for other in file.reloads { reloads[other] = test.table(try Self.set(other)) }
            let plain = test.run(test.table(set), reloads: reloads)
            let outcome = test.run(test.table(set), reloads: reloads, noting: Noting())
            // Looking on changes nothing.
            #expect(outcome.found == plain.found)
            #expect(plain.notes.isEmpty)
            coverage.add(set, notes: outcome.notes)
            out.append("== \(test.name): \(outcome.passed ? "passed" : "failed")")
            out += TestTranscript(outcome).lines.map(\.shown)
            if !outcome.passed {
                out.append("-- explained")
                out += TestTranscript(outcome, notes: outcome.notes).lines.map(\.shown)
            }
            let times = ExplainedTimes(zero: test.timeline.zero, style: .clock)
            for rule in set.rules {
                let story = Explanation(rule, in: set, lane: test.lane, notes: outcome.notes, times: times)
                out.append("-- \(rule.id)")
                out += story.lines(folded: false).map { ($0.time.isEmpty ? "" : $0.time + "  ") + $0.text }
                out += story.summary
            }
            out.append("")
        }
        return (out + coverage.lines).joined(separator: "\n") + "\n"
    }
}
