import Lane
import YAML

/// Reads matches: `payment.started`, `item.accepted where age >= 16 and category = $restricted`.
struct MatchReader {
    let findings: Findings
    let vocabulary: Vocabulary
    private let catalogue = SignalCatalogue.shipped

    init(_ findings: Findings, _ vocabulary: Vocabulary) {
        self.findings = findings
        self.vocabulary = vocabulary
    }

    /// The matches under `key`, one or a list; faulty ones are reported and left out.
    func matches(_ key: String, of mapping: YAMLMapping) -> [Match] {
        mapping.texts(key).compactMap { match($0.text, $0.node) }
    }

    func match(_ text: String, _ node: YAMLNode) -> Match? {
        let whole = TextCut(text, node)
        let typeEnd = whole.end { !TextCut.isBlank($0) }
        let typeCut = whole.cut(whole.range.lowerBound, typeEnd)
        let rest = whole.cut(typeEnd, whole.range.upperBound)
        guard isWhole(typeCut, rest, whole), let type = type(typeCut) else { return nil }
        guard !rest.isEmpty else { return Match(type: type, tests: []) }
        let condition = rest.cut(rest.range.lowerBound + "where".utf8.count, rest.range.upperBound)
        let reader = TestReader(findings, vocabulary, type: type, whole: condition)
        let before = findings.errorCount
        var tests: [AttributeTest] = []
        for part in condition.split(by: "and") {
            if let test = reader.test(part) { tests.append(test) }
            // What follows is the rest of the pattern, no test.
            if reader.isCutPattern(part) { break }
        }
        guard findings.errorCount == before else { return nil }
        let match = Match(type: type, tests: tests)
        warnOfBusyPattern(match, condition)
        return match
    }

    /// Signals a second; of rarer ones a pattern costs nothing worth telling.
    static let busyRate = 10

    /// A pattern that is tried on every signal of a busy type. Beside a test with `=` it is tried on few.
    private func warnOfBusyPattern(_ match: Match, _ condition: TextCut) {
        let entry = catalogue[match.type]
        guard entry.rate > Self.busyRate else { return }
        let isNarrow = match.tests.contains { if case .isOneOf = $0.comparison { true } else { false } }
        let pattern = match.tests.first { if case .matches = $0.comparison { true } else { false } }
        guard !isNarrow, let pattern else { return }
        let name = pattern.attribute.name
        findings.warning(
            "this pattern is tried on every \"\(entry.name)\", up to \(entry.rate) a second on a busy lane",
            at: condition.place,
            help: "name the values (\(name) = A|B), or add a test with \"=\", so that it is tried on those alone")
    }

    /// Whether the text has the outer form of a match: a word, and perhaps `where` and something.
    private func isWhole(_ type: TextCut, _ rest: TextCut, _ whole: TextCut) -> Bool {
        if whole.isEmpty {
            findings.error("a signal is missing here", at: whole.place)
            return false
        }
        if type.last == UInt8(ascii: ",") || rest.first == UInt8(ascii: ",") || rest.has(prefix: "or ") {
            let names = whole.text.split { $0 == "," || $0 == " " }.filter { $0 != "or" && $0 != "and" }
            let isList = names.allSatisfy { catalogue.type(named: String($0)) != nil }
            let fix = isList ? "; write [\(names.joined(separator: ", "))]" : ""
            findings.error(
                "several signals are written as a list\(fix)", at: whole.place,
                help: isList ? nil : "as [A, B where C = D]")
            return false
        }
        guard !rest.isEmpty else { return true }
        guard
            rest.has(prefix: "where")
                && (rest.range.count == 5 || TextCut.isBlank(rest.bytes[rest.range.lowerBound + 5]))
        else {
            if catalogue.type(named: type.text) == nil {
                _ = self.type(type)
            } else {
                findings.error(
                    "after signal \"\(type.text)\" only \"where\" can stand, not \(Shown.quoted(rest.text))",
                    at: rest.place,
                    help: "a match is written SIGNAL or SIGNAL where ATTRIBUTE = VALUE")
            }
            return false
        }
        guard rest.range.count > 5 else {
            findings.error(
                "\"where\" needs a test", at: rest.place, help: "for example: \(type.text) where ATTRIBUTE = VALUE")
            return false
        }
        return true
    }

    private func type(_ cut: TextCut) -> SignalType? {
        let name = cut.text
        if let type = catalogue.type(named: name) { return type }
        let known = catalogue.entries.map(\.name)
        let family = name.prefix { $0 != "." } + "."
        let relatives = known.filter { $0.hasPrefix(family) }
        findings.unknown(
            "no signal \(Shown.quoted(name))", name, at: cut.place, among: known, related: relatives,
            listing: "signals:")
        return nil
    }
}
