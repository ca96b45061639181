import Lane
import YAML

/// Reads one rule of a file. It reports what is wrong and goes on; a rule comes out only where nothing was.
struct RuleReader {
    /// In the order in which help texts list them.
    static let keys = [
        "id", "title", "on", "unless", "count", "within", "when", "for", "same", "while", "at", "lanes", "severity",
        "category",
        "topic", "clear_when", "clear_after", "cooldown", "escalate", "muted_by", "mode", "remote", "enabled",
    ]
    static let escalationKeys = ["after", "severity", "topic"]
    static let defaultTopic = "sco.interventions"

    let findings: Findings
    let vocabulary: Vocabulary
    let mapping: YAMLMapping
    let matches: MatchReader
    let conditions: ConditionReader
    let terms: TermReader

    /// Nil where the element is no mapping. Unknown keys are reported.
    init?(_ node: YAMLNode, _ findings: Findings, _ vocabulary: Vocabulary) {
        guard let mapping = YAMLMapping(node, "a rule", keys: Self.keys, findings) else { return nil }
        self.findings = findings
        self.vocabulary = vocabulary
        self.mapping = mapping
        matches = MatchReader(findings, vocabulary)
        conditions = ConditionReader(findings, vocabulary)
        terms = TermReader(findings, vocabulary)
    }

    /// What messages call the rule.
    var name: String { id.map { "rule \(Shown.quoted($0))" } ?? "this rule" }
    var id: String? { mapping["id"]?.scalar.flatMap { $0.isNull ? nil : $0.text } }
    /// Where faults of the rule as a whole are shown: its id, or its first key.
    var place: SourceRange { id == nil ? mapping.beginning : mapping.range(of: "id") }

    func rule() -> Rule? {
        let before = findings.errorCount
        if !mapping.hasOrMeans("id") {
            findings.error(
                "a rule needs \"id\"", at: mapping.beginning, help: "the name by which it is told, muted and silenced")
        } else {
            _ = mapping.text("id")
        }
        let parts = self.parts()
        let shape = self.shape(parts)
        let same = self.same(parts)
        let severity = self.severity(of: mapping)
        if !mapping.hasOrMeans("severity") {
            findings.error("\(name) needs \"severity\"", at: place, help: Self.severities)
        }
        let topic = self.topic(of: mapping) ?? Self.defaultTopic
        let escalations = self.escalations(severity: severity ?? .info, topic: topic)
        let clearWhen = matches.matches("clear_when", of: mapping)
        let mutedBy = self.mutedBy()
        let isShadow = mapping.choice("mode", of: ["shadow"]) != nil
        let rule = Rule(
            id: id ?? "", title: mapping.text("title") ?? id ?? "", severity: severity ?? .info,
            category: mapping.text("category") ?? "", topic: topic,
            shape: shape ?? .atOnce(on: []), same: same, whileCondition: conditions.condition("while", of: mapping),
            at: DaySpanReader(findings).span("at", of: mapping), lanes: lanePatterns("lanes", of: mapping),
            clearWhen: clearWhen,
            clearAfter: terms.duration("clear_after", of: mapping), cooldown: terms.duration("cooldown", of: mapping),
            escalations: escalations, mutedBy: mutedBy, isShadow: isShadow, isRemote: mapping.bool("remote") ?? false,
            isEnabled: mapping.bool("enabled") ?? true)
        return findings.errorCount == before && shape != nil ? rule : nil
    }

    // MARK: What it says

    private static let severities = "one of: " + Severity.allCases.map(\.name).joined(separator: ", ")

    private func severity(of mapping: YAMLMapping) -> Severity? {
        guard let text = mapping.text("severity") else { return nil }
        if let severity = Severity(name: text) { return severity }
        findings.unknown(
            "no severity \(Shown.quoted(text))", text, at: mapping.range(of: "severity"),
            among: Severity.allCases.map(\.name), listing: "one of:", isAlwaysListed: true)
        return nil
    }

    /// Source: Kafka's org.apache.kafka.common.internals.Topic.validate.
    private func topic(of mapping: YAMLMapping) -> String? {
        guard let text = mapping.text("topic") else { return nil }
        let isWord = text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") }
        if isWord, (1...249).contains(text.utf8.count), text != ".", text != ".." { return text }
        findings.error(
            "\(Shown.quoted(text)) cannot be the name of a topic", at: mapping.range(of: "topic"),
            help:
                "a topic's name is 1 to 249 letters a-z and A-Z, digits, \".\", \"_\" and \"-\", and not \".\" or \"..\""
        )
        return nil
    }

    private func escalations(severity: Severity, topic: String) -> [Escalation] {
        guard let node = mapping["escalate"], !node.isRefused else { return [] }
        var elements = [node]
        if case .sequence(let list) = node.content {
            if list.isEmpty {
                findings.error("\"escalate\" is an empty list; leave the key out, or name at least one", at: node.range)
            }
            elements = list
        }
        return elements.compactMap { element in
            if let text = element.scalar?.text, DurationScalar.milliseconds(text) != nil {
                findings.error(
                    "\"escalate\" must say what changes, not only when; write {after: \(Shown.plain(text)), severity: critical}",
                    at: element.range)
                return nil
            }
            guard let one = YAMLMapping(element, "\"escalate\"", keys: Self.escalationKeys, findings) else {
                return nil
            }
            one.require("after")
            let after = terms.duration("after", of: one)
            let (ownSeverity, ownTopic) = (self.severity(of: one), self.topic(of: one))
            return after.map { Escalation(after: $0, severity: ownSeverity ?? severity, topic: ownTopic ?? topic) }
        }
    }

    private func mutedBy() -> [String] {
        mapping.texts("muted_by").compactMap { text, node in
            if vocabulary.rules.use(text) != nil { return text }
            if !vocabulary.isIncomplete { Self.unknownRule(text, at: node.range, vocabulary, findings) }
            return nil
        }
    }

    static func unknownRule(_ text: String, at range: SourceRange, _ vocabulary: Vocabulary, _ findings: Findings) {
        guard !vocabulary.rules.entries.isEmpty else {
            return findings.error(
                "no rule \(Shown.quoted(text))", at: range,
                help: "these files declare no rules; check all files of a set together")
        }
        findings.unknown(
            "no rule \(Shown.quoted(text))", text, at: range, among: vocabulary.rules.names, listing: "rules:")
    }

    func lanePatterns(_ key: String, of mapping: YAMLMapping, isListOnly: Bool = false) -> [LanePattern] {
        Self.lanePatterns(key, of: mapping, isListOnly: isListOnly, findings)
    }

    static func lanePatterns(
        _ key: String, of mapping: YAMLMapping, isListOnly: Bool = false, _ findings: Findings
    ) -> [LanePattern] {
        mapping.texts(key, isListOnly: isListOnly).compactMap { text, node in
            if text.isEmpty {
                findings.error("a lane's name is missing", at: node.range)
                return nil
            }
            let isPossible = text.utf8.allSatisfy {
                isNameByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "*")
            }
            if !isPossible {
                findings.warning(
                    "\(Shown.quoted(text)) is no lane: names are of letters, digits, \".\", \"_\" and \"-\"",
                    at: node.range,
                    help: "in a pattern \"*\" stands for any characters, and no other sign means anything")
            }
            return LanePattern(text)
        }
    }
}
