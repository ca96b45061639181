import YAML

/// Reads conditions on states: `basket is open and network is not down`.
struct ConditionReader {
    let findings: Findings
    let vocabulary: Vocabulary

    init(_ findings: Findings, _ vocabulary: Vocabulary) {
        self.findings = findings
        self.vocabulary = vocabulary
    }

    /// The condition under `key`, or nil where it is absent or faulty.
    func condition(_ key: String, of mapping: YAMLMapping) -> Condition? {
        guard let text = mapping.text(key), let node = mapping[key] else { return nil }
        let before = findings.errorCount
        let terms = TextCut(text, node).split(by: "and").compactMap { term($0, key) }
        return findings.errorCount == before ? Condition(terms: terms) : nil
    }

    private func term(_ cut: TextCut, _ key: String) -> Condition.Term? {
        let words = cut.words()
        let isNegated = words.count == 4 && words[2].text == "not"
        guard words.count == 3 || isNegated, words[1].text == "is", let valueCut = words.last else {
            let isOr = words.contains { $0.text == "or" || $0.text == "||" || $0.text == "&&" }
            findings.error(
                "\"\(key)\" cannot read \(Shown.quoted(cut.text)); a condition is STATE is VALUE or STATE is not VALUE",
                at: cut.place,
                help: isOr
                    ? "conditions are joined with \"and\" alone; for an \"or\" write two rules, or one more state" : nil
            )
            return nil
        }
        let (state, value) = (words[0].text, valueCut.text)
        guard let declared = vocabulary.states.use(state) else {
            guard !vocabulary.isIncomplete else { return nil }
            findings.unknown(
                "no state \(Shown.quoted(state))", state, at: words[0].place, among: vocabulary.states.names,
                fixed: "declare it under states: at the top of the file")
            return nil
        }
        guard let values = declared.values else { return nil }
        guard let place = values.firstIndex(of: value) else {
            findings.unknown(
                "state \(Shown.quoted(state)) is never \(Shown.quoted(value))", value, at: valueCut.place,
                among: values,
                listing: "it is one of:", isAlwaysListed: true)
            return nil
        }
        return Condition.Term(state: declared.place, value: place, isNegated: isNegated)
    }
}
