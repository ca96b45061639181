import CommandLine
import Glibc
import Lane
import Rules
import YAML

/// `lanewatch test`: the tests of rule files, in virtual time.
struct TestCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        var command = TestCommand(arguments)
        return command.run()
    }

    private let files: [String]
    private let filters: [String]
    private let isListing: Bool
    private let isJSON: Bool
    private let explains: Bool
    private let failUnder: Int?
    private var coverage: RuleCoverage?

    private var passed = 0
    private var failed = 0
    private var worst: Int32 = 0
    /// Lane time of the tests that ran, in milliseconds.
    private var laneTime: Int64 = 0
    /// By the names of their files: several test files may name one set.
    private var sets: [[String]: RuleSet] = [:]

    private init(_ arguments: Arguments) {
        files = arguments.all(Table.testFiles)
        filters = arguments.all(Table.testFilter)
        isListing = arguments.has(Table.testList)
        isJSON = arguments.has(Table.json)
        explains = arguments.has(Table.testExplain)
        failUnder = arguments.integer(Table.failUnder)
        if arguments.has(Table.testCoverage) || failUnder != nil { coverage = RuleCoverage() }
    }

    private mutating func run() -> Int32 {
        let begin = Self.milliseconds
        for path in files { run(path) }
        if isListing { return worst }
        if passed + failed == 0, !filters.isEmpty, worst == 0 {
            Terminal.error("lanewatch test: no test has \(Self.quoted(filters)) in its name; --list shows the names\n")
            return 2
        }
        conclude(Self.milliseconds - begin)
        if failed > 0 { worst = max(worst, 1) }
        if let failUnder, let coverage, coverage.percent < failUnder { worst = max(worst, 1) }
        return worst
    }

    private mutating func run(_ path: String) {
        guard let bytes = Files.read(path, for: "test") else {
            worst = 2
            return
        }
        let (file, diagnostics) = RuleTestFile.load(name: path, bytes: bytes)
        CheckCommand.show(diagnostics, asJSON: isJSON)
        guard let file else {
            worst = max(worst, 1)
            return
        }
        let tests = file.tests.filter { test in filters.isEmpty || filters.contains { test.name.contains($0) } }
        if isListing {
            for test in tests { Terminal.out("\(Self.place(of: test, path)): \(test.name)\n") }
            return
        }
        guard !tests.isEmpty, let set = rules(of: file, at: path), let reloads = reloads(of: file, at: path) else {
            return
        }
        var tables: [String: (table: RuleTable, reloads: [String: RuleTable])] = [:]
        for test in tests {
            let (table, others) = tables[test.lane] ?? (test.table(set), reloads.mapValues { test.table($0) })
            tables[test.lane] = (table, others)
            let outcome = test.run(
                table, reloads: others, noting: coverage == nil ? nil : Noting(wantsMismatches: false))
            coverage?.add(set, notes: outcome.notes)
            laneTime += test.timeline.end
            if outcome.passed { passed += 1 } else { failed += 1 }
            if outcome.passed { continue }
            if isJSON {
                showJSON(outcome, path)
            } else {
                show(outcome, path, set: set, notes: explains ? notes(of: test, table, others) : nil)
            }
        }
    }

    private func notes(of test: RuleTest, _ table: RuleTable, _ reloads: [String: RuleTable]) -> [Note] {
        test.run(table, reloads: reloads, noting: Noting()).notes
    }

    // MARK: Rules

    /// The set that the file tests: what it names, else the file beside it.
    private mutating func rules(of file: RuleTestFile, at path: String) -> RuleSet? {
        var names = file.rules.map { Self.beside(path, $0) }
        if names.isEmpty {
            guard let name = RuleTestFile.rulesBeside(path) else {
                Terminal.error(
                    "lanewatch test: \(path) does not end in .test.yaml and names no rules; write \"rules: FILE\" into it\n"
                )
                worst = 2
                return nil
            }
            names = [name]
            guard let set = load(names) else {
                Terminal.error(
                    "lanewatch test: \(path) tests \(name) alone; where that needs other files of its folder, write \"rules: .\" into the tests\n"
                )
                return nil
            }
            return set
        }
        return load(names)
    }

    private mutating func reloads(of file: RuleTestFile, at path: String) -> [String: RuleSet]? {
        var sets: [String: RuleSet] = [:]
        for name in file.reloads {
            guard let set = load([Self.beside(path, name)]) else { return nil }
            sets[name] = set
        }
        return sets
    }

    private mutating func load(_ names: [String]) -> RuleSet? {
        if let known = sets[names] { return known }
        let named = NamedRules(names)
        CheckCommand.show(named.diagnostics.filter { $0.severity == .error }, asJSON: isJSON)
        worst = max(worst, named.code)
        sets[names] = named.rules?.set
        return named.rules?.set
    }

    private static func beside(_ path: String, _ name: String) -> String {
        guard !name.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return name }
        return String(path[...slash]) + name
    }

    // MARK: Telling

    private static func place(of test: RuleTest, _ path: String) -> String {
        path + (test.range.map { ":\($0.start.line)" } ?? "")
    }

    /// A failed test; `notes` where it is to be explained.
    private func show(_ outcome: RuleTest.Outcome, _ path: String, set: RuleSet, notes: [Note]?) {
        let test = outcome.test
        Terminal.out(
            "\(Self.place(of: test, path)): \(Terminal.coloured("FAILED", "31;1")): \(test.name)\n"
                + "    - expected, did not come   + came, was not expected   = both"
                + (notes == nil ? "   (--explain says why)\n" : "\n"))
        for line in TestTranscript(outcome, notes: notes ?? []).lines {
            let colour: String
            switch line.mark {
            case .expected: colour = "31"
            case .found: colour = "32"
            case .both: colour = "0"
            case .given, .folded: colour = "2"
            case .note: colour = "36"
            }
            Terminal.out("    \(Terminal.coloured(line.shown, colour))\n")
        }
        guard let notes else { return }
        let times = ExplainedTimes(zero: test.timeline.zero, style: .lines)
        for id in outcome.differingRules {
            guard let rule = set.rules.first(where: { $0.id == id }) else {
                Terminal.out("    \(id): there is no such rule\n")
                continue
            }
            for text in Explanation(rule, in: set, lane: test.lane, notes: notes, times: times).summary {
                Terminal.out("    \(id): \(text)\n")
            }
        }
    }

    /// As a diagnostic, with two more members: what was expected and what was found.
    private func showJSON(_ outcome: RuleTest.Outcome, _ path: String) {
        let diagnostic = Diagnostic(
            file: path, range: outcome.test.range, message: "test \(Shown.quoted(outcome.test.name)) failed")
        var json = JSONWriter()
        json.object { json in
            diagnostic.writeMembers(to: &json)
            for (name, lines) in [("expected", outcome.test.expected), ("found", outcome.found)] {
                json.name(name)
                json.array { json in for line in lines { json.value(line) } }
            }
        }
        Terminal.out(json.text + "\n")
    }

    private func conclude(_ milliseconds: Int64) {
        let summary = "\(passed) passed, \(failed) failed in \(milliseconds) ms of \(ExplainedTimes.text(laneTime))\n"
        if isJSON {
            if let coverage {
                var json = JSONWriter()
                json.object { json in
                    json.name("coverage")
                    coverage.write(to: &json)
                }
                Terminal.out(json.text + "\n")
            }
            Terminal.error(summary)
        } else {
            for line in coverage?.lines ?? [] { Terminal.out(line + "\n") }
            Terminal.out(summary)
        }
        if let failUnder, let coverage, coverage.percent < failUnder {
            Terminal.error(
                "lanewatch test: \(coverage.percent) % of branches touched, at least \(failUnder) % wanted\n")
        }
    }

    private static func quoted(_ words: [String]) -> String {
        words.map { "\"\($0)\"" }.joined(separator: " or ")
    }

    private static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
