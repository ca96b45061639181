import Agent
import YAML

/// The configuration that a command names, with its keys and its rules, read and checked.
struct NamedConfiguration {
    /// Nil where it is wrong; nothing else was looked at then.
    let configuration: Configuration?
    let trust: RuleTrust
    /// Nil where they are wrong, or were not looked at.
    let rules: RuleFiles?
    let diagnostics: [Diagnostic]
    /// The configuration's text: what is found out about it later is shown in it.
    let source: SourceText
    /// As of `NamedRules`.
    let code: Int32

    /// - Parameter command: whose name stands before the word that the file cannot be read.
    init?(_ path: String, for command: String) {
        guard let bytes = Files.read(path, for: command) else { return nil }
        let file = ConfigurationFile(file: path, bytes: bytes)
        configuration = file.configuration
        source = file.source
        guard let configuration = file.configuration else {
            (trust, rules, diagnostics, code) = (.everybody, nil, file.diagnostics, 0)
            return
        }
        let (trust, faults) = RuleTrust.load(configuration, file.source)
        self.trust = trust
        // With a key missing, what is said of signatures would mislead.
        let named = faults.isEmpty ? NamedRules(configuration.ruleFiles, trust: trust, at: .now) : nil
        rules = named?.rules
        code = named?.code ?? 0
        let topics = rules.map {
            configuration.topicSettings.diagnostics(
                configuration.topicSettings.needed(configuration.topics, $0.set), file.source)
        }
        let masks = rules.flatMap { rules in configuration.view?.resolve(rules.set, file.source).diagnostics }
        diagnostics =
            file.diagnostics + (topics ?? []) + (masks ?? []) + KafkaSettings.diagnostics(configuration, file.source)
            + faults
            + (named?.diagnostics ?? [])
    }
}
