import CommandLine
import Lane
import Rules
import YAML

/// `lanewatch test`: the tests of rule files, in virtual time.
enum TestCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let asJSON = arguments.has(Table.json)
        var passed = 0
        var failed = 0
        var worst: Int32 = 0
        for path in arguments.all(Table.testFiles) {
            guard let bytes = Files.read(path, for: "test") else {
                worst = 2
                continue
            }
            let (file, diagnostics) = RuleTestFile.load(name: path, bytes: bytes)
            CheckCommand.show(diagnostics, asJSON: asJSON)
            guard let file else {
                worst = max(worst, 1)
                continue
            }
            guard let set = rules(of: file, at: path, asJSON, &worst),
                let reloads = reloads(of: file, at: path, asJSON, &worst)
            else { continue }
            for test in file.tests {
                let outcome = test.run(set, reloads: reloads)
                if outcome.passed {
                    passed += 1
                } else {
                    failed += 1
                    if asJSON { showJSON(outcome, path) } else { show(outcome, path) }
                }
            }
        }
        let summary = "\(passed) passed, \(failed) failed\n"
        if asJSON { Terminal.error(summary) } else { Terminal.out(summary) }
        return failed > 0 ? max(worst, 1) : worst
    }

    /// The set that the file tests: what it names, else the file beside it.
    private static func rules(
        of file: RuleTestFile, at path: String, _ asJSON: Bool, _ worst: inout Int32
    ) -> RuleSet? {
        var names = file.rules.map { beside(path, $0) }
        if names.isEmpty {
            guard let name = RuleTestFile.rulesBeside(path) else {
                Terminal.error(
                    "lanewatch test: \(path) does not end in .test.yaml and names no rules; write \"rules: FILE\" into it\n"
                )
                worst = 2
                return nil
            }
            names = [name]
            guard let set = load(names, asJSON, &worst) else {
                Terminal.error(
                    "lanewatch test: \(path) tests \(name) alone; where that needs other files of its folder, write \"rules: .\" into the tests\n"
                )
                return nil
            }
            return set
        }
        return load(names, asJSON, &worst)
    }

    private static func reloads(
        of file: RuleTestFile, at path: String, _ asJSON: Bool, _ worst: inout Int32
    ) -> [String: RuleSet]? {
        var sets: [String: RuleSet] = [:]
        for name in file.reloads {
            guard let set = load([beside(path, name)], asJSON, &worst) else { return nil }
            sets[name] = set
        }
        return sets
    }

    private static func load(_ names: [String], _ asJSON: Bool, _ worst: inout Int32) -> RuleSet? {
        let named = NamedRules(names)
        CheckCommand.show(named.diagnostics.filter { $0.severity == .error }, asJSON: asJSON)
        worst = max(worst, named.code)
        return named.rules?.set
    }

    private static func beside(_ path: String, _ name: String) -> String {
        guard !name.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return name }
        return String(path[...slash]) + name
    }

    /// As a diagnostic, with two more members: what was expected and what was found.
    private static func showJSON(_ outcome: RuleTest.Outcome, _ path: String) {
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

    private static func show(_ outcome: RuleTest.Outcome, _ path: String) {
        let place = outcome.test.range.map { ":\($0.start.line)" } ?? ""
        Terminal.out("\(path)\(place): \(Terminal.coloured("FAILED", "31;1")): \(outcome.test.name)\n")
        Terminal.out("    - expected, + found\n")
        for line in outcome.diff {
            let colour = line.hasPrefix("-") ? "31" : line.hasPrefix("+") ? "32" : "0"
            Terminal.out("    \(Terminal.coloured(line, colour))\n")
        }
    }
}
