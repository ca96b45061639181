import Lane
import YAML

/// Reads one `where` test of a match: `age >= 16`, `state = idle|void`, `rule matches /^pos_/`.
struct TestReader {
    private let findings: Findings
    private let vocabulary: Vocabulary
    private let type: SignalType
    /// All tests of the match.
    private let whole: TextCut

    init(_ findings: Findings, _ vocabulary: Vocabulary, type: SignalType, whole: TextCut) {
        self.findings = findings
        self.vocabulary = vocabulary
        self.type = type
        self.whole = whole
    }

    func test(_ part: TextCut) -> AttributeTest? {
        guard !part.isEmpty else {
            findings.error("a test is missing beside \"and\"", at: whole.place)
            return nil
        }
        let nameEnd = part.end { isNameByte($0) || $0 == UInt8(ascii: ".") }
        let name = part.cut(part.range.lowerBound, nameEnd)
        let rest = part.cut(nameEnd, part.range.upperBound)
        guard !name.isEmpty, let (sign, length) = Self.sign(of: rest) else {
            refuse(part, name, rest)
            return nil
        }
        let value = rest.cut(rest.range.lowerBound + length, rest.range.upperBound)
        let declared = attribute(name)
        guard !value.isEmpty else {
            findings.error("a value is missing after \"\(sign)\"", at: part.place)
            return nil
        }
        if sign == "matches" { return pattern(value, declared) }
        if let first = value.first, value.range.count > 1, first == value.last,
            first == UInt8(ascii: "\"") || first == UInt8(ascii: "'")
        {
            let bare = value.cut(value.range.lowerBound + 1, value.range.upperBound - 1).text
            findings.error("values are written without quotes; write \(bare)", at: value.place)
            return nil
        }
        guard sign == "=" else { return comparison(sign, value, declared) }
        return oneOf(value, declared)
    }

    // MARK: The parts of a test

    private func attribute(_ name: TextCut) -> SignalCatalogue.Declared? {
        let entry = SignalCatalogue.shipped[type]
        if let attribute = AttributeName(name.text), let declared = entry.declared(attribute) { return declared }
        Self.noAttribute("signal", name.text, of: entry, at: name.place, findings)
        return nil
    }

    /// Reports that `entry` has no attribute `name`. The sentence begins with `subject`, and goes on with the signal's name.
    static func noAttribute(
        _ subject: String, _ name: String, of entry: SignalCatalogue.Entry, at range: SourceRange, _ findings: Findings
    ) {
        let sentence = "\(subject) \"\(entry.name)\" has no attribute \(Shown.quoted(name))"
        if entry.attributes.isEmpty {
            findings.error(sentence, at: range, help: "it has no attributes")
        } else {
            findings.unknown(
                sentence, name, at: range, among: entry.attributes.map(\.name.name), listing: "it has:",
                isAlwaysListed: true)
        }
    }

    /// What "or" between tests is written as.
    private static let orHelp =
        "alternatives are written A|B after \"=\" and in a pattern; for other tests write a list of matches"

    private static func sign(of rest: TextCut) -> (String, Int)? {
        for sign in ["!=", "<=", ">=", "=", "<", ">"] as [StaticString] where rest.has(prefix: sign) {
            // "==", "=~" and "<>" of other languages are no signs here.
            let next = rest.range.lowerBound + sign.utf8CodeUnitCount
            if next < rest.range.upperBound,
                [UInt8(ascii: "="), UInt8(ascii: "~"), UInt8(ascii: ">")].contains(rest.bytes[next])
            {
                return nil
            }
            return (sign.description, sign.utf8CodeUnitCount)
        }
        guard rest.has(prefix: "matches") else { return nil }
        let after = rest.range.lowerBound + 7
        let isWord =
            after == rest.range.upperBound || TextCut.isBlank(rest.bytes[after])
            || rest.bytes[after] == UInt8(ascii: "/")
        return isWord ? ("matches", 7) : nil
    }

    /// Says why `part` is no test, with the way out where what was meant is clear.
    private func refuse(_ part: TextCut, _ name: TextCut, _ rest: TextCut) {
        let wordEnd = rest.end { !TextCut.isBlank($0) }
        let word = rest.cut(rest.range.lowerBound, wordEnd).text
        let value = rest.cut(wordEnd, rest.range.upperBound).text
        var meant: String?
        switch word {
        case "==", "is", "equals": meant = "= \(value)"
        case "<>": meant = "!= \(value)"
        case "=~", "~": meant = "matches \(value.hasPrefix("/") ? value : "/\(value)/")"
        case "in":
            let alternatives = value.split { "[]()|, ".contains($0) }
            meant = alternatives.isEmpty ? nil : "= " + alternatives.joined(separator: "|")
        default: break
        }
        let isClear = !name.isEmpty && !value.isEmpty && meant != nil
        let fix = isClear ? "; write " + Shown.quoted(name.text + " " + (meant ?? "")) : ""
        findings.error(
            "cannot read the test \(Shown.quoted(part.text))\(fix)", at: part.place,
            help: fix.isEmpty
                ? "a test is an attribute, one of = != < <= > >= and a value, or ATTRIBUTE matches /PATTERN/" : nil)
    }

    private func pattern(_ value: TextCut, _ declared: SignalCatalogue.Declared?) -> AttributeTest? {
        let slash = UInt8(ascii: "/")
        guard value.first == slash, value.last == slash, value.range.count >= 2 else {
            let isSplit = value.first == slash && whole.last == slash && value.range.upperBound < whole.range.upperBound
            let inner = value.text.split(separator: "/").joined(separator: "/")
            if value.first == slash, value.split(by: "or").count > 1 {
                findings.error(
                    "tests are joined with \"and\" alone", at: value.place, help: Self.orHelp)
                return nil
            }
            findings.error(
                "a pattern stands between slashes" + (isSplit ? "" : "; write \(Shown.plain("/\(inner)/"))"),
                at: value.place,
                help: isSplit
                    ? "\"and\" between blanks always separates two tests; in a pattern write \\s for the blank" : nil)
            return nil
        }
        let source = String(
            decoding: value.bytes[value.range.lowerBound + 1..<value.range.upperBound - 1], as: UTF8.self)
        if source.isEmpty {
            findings.error("the pattern is empty: it would match every value", at: value.place)
            return nil
        }
        if let declared, declared.kind == .int {
            findings.error(
                "\"matches\" reads text, and attribute \"\(declared.name.name)\" is a number", at: value.place,
                help: "compare it with = != < <= > or >=")
        }
        do throws(PatternFault) {
            let pattern = try Pattern(source)
            if value.text.contains("/ or ") {
                findings.warning("\"or\" is a part of this pattern", at: value.place, help: Self.orHelp)
            }
            return declared.map { AttributeTest(attribute: $0.name, comparison: .matches(pattern)) }
        } catch {
            findings.error(
                "the pattern is wrong: \(error.message) (at its character \(error.character))", at: value.place)
            return nil
        }
    }

    /// Whether `part` is the beginning of a pattern that the word "and" cuts in two.
    func isCutPattern(_ part: TextCut) -> Bool {
        guard part.range.upperBound < whole.range.upperBound, whole.last == UInt8(ascii: "/") else { return false }
        let nameEnd = part.end { isNameByte($0) || $0 == UInt8(ascii: ".") }
        let rest = part.cut(nameEnd, part.range.upperBound)
        guard rest.has(prefix: "matches") else { return false }
        let value = rest.cut(rest.range.lowerBound + 7, rest.range.upperBound)
        return value.first == UInt8(ascii: "/") && (value.last != UInt8(ascii: "/") || value.range.count == 1)
    }

    private func comparison(
        _ sign: String, _ value: TextCut, _ declared: SignalCatalogue.Declared?
    ) -> AttributeTest? {
        if value.bytes[value.range].contains(UInt8(ascii: "|")) {
            findings.error("\"|\" goes with \"=\" only, not with \"\(sign)\"", at: value.place)
            return nil
        }
        if value.first == UInt8(ascii: "$") {
            findings.error(
                "\(Shown.quoted(value.text)) cannot stand after \"\(sign)\"", at: value.place,
                help: "a list goes with \"=\" only, and a parameter stands for a duration or a count only")
            return nil
        }
        guard let declared else { return nil }
        if sign == "!=" {
            return self.value(value, declared).map { AttributeTest(attribute: declared.name, comparison: .isNot($0)) }
        }
        guard declared.kind == .int else {
            findings.error(
                "\"\(sign)\" compares numbers, and attribute \"\(declared.name.name)\" is text", at: value.place,
                help: "text goes with = != or matches")
            return nil
        }
        guard case .int(let number)? = self.value(value, declared) else { return nil }
        switch sign {
        case "<": return AttributeTest(attribute: declared.name, comparison: .less(number))
        case "<=": return AttributeTest(attribute: declared.name, comparison: .lessOrEqual(number))
        case ">": return AttributeTest(attribute: declared.name, comparison: .greater(number))
        default: return AttributeTest(attribute: declared.name, comparison: .greaterOrEqual(number))
        }
    }

    private func oneOf(_ value: TextCut, _ declared: SignalCatalogue.Declared?) -> AttributeTest? {
        if value.first == UInt8(ascii: "$"), !value.bytes[value.range].contains(UInt8(ascii: "|")) {
            return list(value, declared)
        }
        let parts = value.split(at: UInt8(ascii: "|"))
        guard hasRoom(for: parts.count, at: value.place) else { return nil }
        var values: [AttributeValue] = []
        var seen: Set<AttributeValue> = []
        for part in parts {
            if part.isEmpty {
                findings.error("an alternative is empty in \(Shown.quoted(value.text))", at: value.place)
                return nil
            }
            if part.first == UInt8(ascii: "$") {
                findings.error("a list stands alone after \"=\", without \"|\"", at: part.place)
                return nil
            }
            guard let declared, let one = self.value(part, declared) else { return nil }
            if seen.insert(one).inserted { values.append(one) }
        }
        return declared.map { AttributeTest(attribute: $0.name, comparison: .isOneOf(values)) }
    }

    /// Whether the set may name `count` values more; told once where it may not.
    private func hasRoom(for count: Int, at place: SourceRange) -> Bool {
        let before = vocabulary.values
        vocabulary.values += count
        if vocabulary.values <= Vocabulary.maximumValues { return true }
        if before <= Vocabulary.maximumValues {
            findings.error(
                "from here on the matches name more than \(Vocabulary.maximumValues) values", at: place,
                help: "the values of a list count each time it is used")
        }
        return false
    }

    private func list(_ value: TextCut, _ declared: SignalCatalogue.Declared?) -> AttributeTest? {
        let name = String(value.text.dropFirst())
        guard let elements = vocabulary.lists.use(name) else {
            if vocabulary.params.contains(name) {
                findings.error(
                    "\(Shown.quoted(name)) is a parameter, and after \"=\" a list is wanted", at: value.place,
                    help: "a parameter stands for a duration or a count only")
            } else if !vocabulary.isIncomplete {
                findings.unknown(
                    "no list \(Shown.quoted(name))", name, at: value.place, among: vocabulary.lists.names,
                    fixed: "declare it under lists: at the top of the file")
            }
            return nil
        }
        guard let declared, hasRoom(for: elements.count, at: value.place) else { return nil }
        var values: [AttributeValue] = []
        var seen: Set<AttributeValue> = []
        for element in elements {
            guard let one = Self.value(element, declared.kind) else {
                findings.error(
                    "list \(Shown.quoted(name)) holds \(Shown.quoted(element)), and attribute \"\(declared.name.name)\" is a number",
                    at: value.place)
                return nil
            }
            if seen.insert(one).inserted { values.append(one) }
        }
        return values.isEmpty ? nil : AttributeTest(attribute: declared.name, comparison: .isOneOf(values))
    }

    private func value(_ cut: TextCut, _ declared: SignalCatalogue.Declared) -> AttributeValue? {
        let alternatives = cut.split(by: "or")
        if let value = Self.value(cut.text, declared.kind) {
            if alternatives.count > 1 {
                findings.warning(
                    "\"or\" is a part of this value: \(Shown.quoted(cut.text))", at: cut.place,
                    help: Self.orHelp)
            }
            return value
        }
        findings.error(
            "attribute \"\(declared.name.name)\" is a whole number, and \(Shown.quoted(cut.text)) is none",
            at: cut.place, help: alternatives.count > 1 ? Self.orHelp : nil)
        return nil
    }

    private static func value(_ text: String, _ kind: SignalCatalogue.Kind) -> AttributeValue? {
        kind == .text ? .text(text) : Int64(text).map { .int($0) }
    }
}
