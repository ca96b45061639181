import YAML

/// Reads conditions on states: `basket is open and network is not down`.
struct ConditionReader {
    let findings: Findings
    let vocabulary: Vocabulary
    /// Where a state is declared.
    let remedy: String

    init(
        _ findings: Findings, _ vocabulary: Vocabulary,
        remedy: String = "declare it under states: at the top of the file"
    ) {
        self.findings = findings
        self.vocabulary = vocabulary
        self.remedy = remedy
    }

    /// The condition under `key`, or nil where it is absent or faulty.
    func condition(_ key: String, of mapping: YAMLMapping) -> Condition? {
        guard let node = mapping[key] else { return nil }
        return condition(key, node)
    }

    /// The condition that `node` is, which messages call `key`; nil where it is faulty.
    func condition(_ key: String, _ node: YAMLNode) -> Condition? {
        guard let scalar = node.scalar, !scalar.isNull else {
            if !node.isRefused {
                findings.error("\(Shown.quoted(key)) needs text, not \(node.described)", at: node.range)
            }
            return nil
        }
        let text = scalar.text
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
                fixed: remedy)
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

/// Reads conditions on the states of a rule set where another file than its own names them, as the masks of the live view do.
public struct StateConditions {
    /// `basket is paying`, by name: it outlives the rule set.
    public struct Term: Hashable, Sendable {
        public var state: String
        public var value: String
        public var isNegated: Bool
    }

    private let set: RuleSet
    private let reader: ConditionReader

    /// - Parameter findings: of the file that is read.
    public init(_ set: RuleSet, _ findings: Findings) {
        self.set = set
        let vocabulary = Vocabulary()
        let nowhere = SourcePosition(line: 1, column: 1, offset: 0)
        for (place, state) in set.states.enumerated() {
            // Names of a set that was read without errors: none of them is taken, and none is faulty.
            vocabulary.states.declare(
                state.name, StateNames(place: place, values: state.values.map(\.name)),
                at: SourceRange(start: nowhere, end: nowhere), findings)
        }
        reader = ConditionReader(findings, vocabulary, remedy: "declare it under states: in a rule file")
    }

    /// The terms that `node` holds, all of which must be so; nil where it is faulty, which is reported: messages call it `key`.
    public func terms(_ key: String, _ node: YAMLNode) -> [Term]? {
        reader.condition(key, node)?.terms.map { term in
            let state = set.states[term.state]
            return Term(state: state.name, value: state.values[term.value].name, isNegated: term.isNegated)
        }
    }
}
