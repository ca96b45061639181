import Agent
import Lane
import Loop
import YAML

/// Rule files, folders of them and bundles that a command line, a configuration or a test file names, read and checked.
struct NamedRules {
    /// Nil where `code` is not 0.
    var rules: RuleFiles?
    var diagnostics: [Diagnostic]
    /// The exit code of a command that needs them: 2 where one cannot be read, 1 where one is wrong.
    var code: Int32

    init(_ paths: [String], trust: RuleTrust = .everybody, at wall: WallInstant? = nil) {
        let read = RuleFiles.read(paths, trust: trust)
        guard read.faults.isEmpty else {
            (rules, diagnostics, code) = (nil, read.faults, read.isReadable ? 1 : 2)
            return
        }
        let checked = RuleFiles.check(read.files, at: wall)
        (rules, diagnostics, code) = (checked.rules, checked.diagnostics, checked.rules == nil ? 1 : 0)
    }
}

extension Diagnostic {
    /// One line of JSON, for editors and other tools.
    var json: String {
        var json = JSONWriter()
        write(to: &json)
        return json.text
    }
}

extension WallInstant {
    /// What the wall clock shows.
    static var now: WallInstant { WallInstant(milliseconds: Boottime.wallMilliseconds()) }
}
