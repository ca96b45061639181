import Agent
import CommandLine
import Lane
import Loop
import Rules
import YAML

/// `lanewatch check`: every fault of rule files, or of the configuration and its rules, in one run.
enum CheckCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let files = arguments.all(Table.ruleFiles)
        var diagnostics: [Diagnostic] = []
        var code: Int32 = 0
        if let path = arguments[Table.checkConfig] {
            guard files.isEmpty else {
                Terminal.error("lanewatch check: give rule files or --config, not both\n")
                return 2
            }
            guard let named = NamedConfiguration(path, for: "check") else { return 2 }
            (diagnostics, code) = (named.diagnostics, named.code)
        } else {
            guard !files.isEmpty else {
                Terminal.error("lanewatch check: nothing to check; give rule files, or --config FILE\n")
                return 2
            }
            // `lanewatch check rules/*.yaml` names their tests, too.
            let tests = files.filter { RuleTestFile.rulesBeside($0) != nil }
            let rules = files.filter { RuleTestFile.rulesBeside($0) == nil }
            if !rules.isEmpty {
                let named = NamedRules(rules, at: .now)
                diagnostics = named.diagnostics
                code = named.code
            }
            for test in tests {
                guard let bytes = Files.read(test, for: "check") else { return 2 }
                diagnostics += RuleTestFile.load(name: test, bytes: bytes).diagnostics
            }
        }
        show(diagnostics, asJSON: arguments.has(Table.json))
        return max(code, diagnostics.contains { $0.severity == .error } ? 1 : 0)
    }

    /// Errors on standard output, warnings on standard error.
    static func show(_ diagnostics: [Diagnostic], asJSON: Bool = false) {
        for diagnostic in diagnostics {
            if asJSON {
                Terminal.out(diagnostic.json + "\n")
            } else if diagnostic.severity == .error {
                Terminal.out(diagnostic.rendered(coloured: Terminal.isColoured))
            } else {
                Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
            }
        }
    }
}

/// Files that a command line names.
enum Files {
    static let limit = 1 << 30

    /// The bytes of `path`; nil, and a word on standard error, when it cannot be read.
    static func read(_ path: String, for command: String) -> [UInt8]? {
        do throws(SystemError) { return try FileBytes.read(path, limit: limit) } catch {
            Terminal.error("lanewatch \(command): cannot read \(path): \(SystemError.text(of: error.code))\n")
            return nil
        }
    }
}
