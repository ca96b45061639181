import Agent
import CommandLine
import Delivery
import Lane
import Loop
import YAML

/// `lanewatch doctor`: what keeps this lane from working, a line a check.
enum DoctorCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let isJSON = arguments.has(Table.json)
        guard let named = NamedConfiguration(arguments[Table.config] ?? "", for: "doctor") else { return 2 }
        let isWrong = show(named.diagnostics, arguments[Table.config] ?? "", isJSON)
        guard let configuration = named.configuration else { return 1 }
        let patience = arguments.duration(Table.doctorPatience) ?? .seconds(10)
        let milliseconds = patience.components.seconds * 1000 + patience.components.attoseconds / 1_000_000_000_000_000
        // Attendants' answers are written by others.
        let topics = named.rules.map { rules in
            configuration.topicSettings.needed(configuration.topics, rules.set)
                .filter { $0.purpose != .attendant }.map(\.name)
        }
        let verdict = Blocking.value {
            var doctor = Doctor(configuration, topics: topics, patience: Int32(clamping: milliseconds)) { finding in
                Terminal.out(isJSON ? line(finding) : text(finding))
                Terminal.flush()
            }
            await doctor.examine()
            return doctor.verdict
        }
        return isWrong || verdict == .fail ? 1 : 0
    }

    /// The configuration and its rules as findings.
    /// - Returns: whether there is an error.
    private static func show(_ diagnostics: [Diagnostic], _ path: String, _ isJSON: Bool) -> Bool {
        let errors = diagnostics.filter { $0.severity == .error }.count
        var findings = diagnostics.map { diagnostic in
            Doctor.Finding(
                check: "configuration", verdict: diagnostic.severity == .error ? .fail : .warn,
                sentence: diagnostic.headline, remedy: diagnostic.help ?? "")
        }
        if findings.isEmpty {
            findings = [
                Doctor.Finding(
                    check: "configuration", verdict: .ok, sentence: "\(path) and its rules are right", remedy: "")
            ]
        }
        for finding in findings { Terminal.out(isJSON ? line(finding) : text(finding)) }
        return errors > 0
    }

    /// `fail  broker kafka-1:9092: Connection refused`, and the way out below it.
    private static func text(_ finding: Doctor.Finding) -> String {
        let word = finding.verdict.rawValue
        let colour = finding.verdict == .ok ? "32" : finding.verdict == .warn ? "33" : "31"
        let padded = Terminal.coloured(word, colour) + String(repeating: " ", count: 6 - word.count)
        let remedy = finding.remedy.isEmpty ? "" : "      = \(finding.remedy)\n"
        return "\(padded)\(finding.check): \(finding.sentence)\n\(remedy)"
    }

    private static func line(_ finding: Doctor.Finding) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("check", finding.check)
            json.member("verdict", finding.verdict.rawValue)
            json.member("found", finding.sentence)
            if !finding.remedy.isEmpty { json.member("remedy", finding.remedy) }
        }
        return json.text + "\n"
    }
}
