import Lane
import YAML

/// Reads durations and counts, and the parameters that stand for them.
struct TermReader {
    static let counts: ClosedRange<Int64> = 2...1000

    let findings: Findings
    let vocabulary: Vocabulary

    init(_ findings: Findings, _ vocabulary: Vocabulary) {
        self.findings = findings
        self.vocabulary = vocabulary
    }

    /// The duration under `key`, or nil where it is absent or faulty.
    func duration(_ key: String, of mapping: YAMLMapping) -> DurationTerm? {
        guard let node = mapping[key] else { return nil }
        if let (name, declared) = param(node) {
            guard let declared else { return nil }
            if case .count = declared.value {
                findings.error(
                    "\"\(key)\" needs a duration, and parameter \(Shown.quoted(name)) \(declared.phrase)",
                    at: node.range)
                return nil
            }
            return .param(name)
        }
        if let text = node.scalar?.text, vocabulary.params.contains(text) {
            findings.error(
                "\"\(key)\" needs a duration, not \(node.described); write \(Shown.quoted("$" + text))", at: node.range)
            return nil
        }
        return mapping.duration(key).map { .milliseconds($0) }
    }

    /// The count under `key`, or nil where it is absent or faulty.
    func count(_ key: String, of mapping: YAMLMapping) -> CountTerm? {
        guard let node = mapping[key] else { return nil }
        if let (name, declared) = param(node) {
            guard let declared else { return nil }
            if case .duration = declared.value {
                findings.error(
                    "\"\(key)\" needs a whole number, and parameter \(Shown.quoted(name)) \(declared.phrase)",
                    at: node.range)
                return nil
            }
            return .param(name)
        }
        if let text = node.scalar?.text, vocabulary.params.contains(text) {
            findings.error(
                "\"\(key)\" needs a whole number, not \(node.described); write \(Shown.quoted("$" + text))",
                at: node.range)
            return nil
        }
        guard let number = mapping.int(key) else { return nil }
        guard Self.counts.contains(number) else {
            findings.error(
                "\"\(key)\" must be 2 to 1000, not \(number)", at: node.range,
                help: number < 2 ? "for one signal leave \"\(key)\" out" : nil)
            return nil
        }
        return .number(Int(number))
    }

    /// The parameter that `node` names with `$`, in use from now on; its declaration is nil where there is none, or a faulty one.
    private func param(_ node: YAMLNode) -> (name: String, declared: ParamDeclaration?)? {
        guard let text = node.scalar?.text, text.hasPrefix("$") else { return nil }
        let name = String(text.dropFirst())
        if let declared = vocabulary.params.use(name) { return (name, declared.value == nil ? nil : declared) }
        if vocabulary.lists.contains(name) {
            findings.error("\(Shown.quoted(name)) is a list; a list stands only after \"=\" in a match", at: node.range)
        } else if !vocabulary.isIncomplete {
            findings.unknown(
                "no parameter \(Shown.quoted(name))", name, at: node.range, among: vocabulary.params.names,
                fixed: "declare it under params: at the top of the file")
        }
        return (name, nil)
    }
}
