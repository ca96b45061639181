/// A value of a YAML file, and where it stands.
public struct YAMLNode: Sendable {
    public enum Content: Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        /// In the order of the file; no key stands twice.
        case mapping([YAMLPair])
        /// Something a file may not hold (an alias), already reported: readers say nothing more about it.
        case refused
    }

    public var content: Content
    /// Quotes and brackets included. Of a block collection from its first to the end of its last element.
    public var range: SourceRange

    public init(_ content: Content, at range: SourceRange) {
        self.content = content
        self.range = range
    }

    public var scalar: YAMLScalar? { if case .scalar(let scalar) = content { scalar } else { nil } }

    /// Nothing was written, or `null`.
    public var isNull: Bool { scalar?.isNull ?? false }

    public var isMapping: Bool { if case .mapping = content { true } else { false } }

    public var isRefused: Bool { if case .refused = content { true } else { false } }

    /// What messages call it: `text "45"`, `a list`, `a mapping`, `nothing`. Text is quoted alone, as `"45"`.
    public var described: String {
        switch content {
        case .scalar(let scalar): return scalar.isNull ? "nothing" : Shown.quoted(scalar.text)
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        case .refused: return "an alias"
        }
    }

    /// Where the bytes `part` of the scalar's text stand. The whole scalar where its text is not written in the file as it
    /// is: over several lines, or with escapes.
    public func range(ofBytes part: Range<Int>) -> SourceRange {
        guard case .scalar(let scalar) = content, let lead = scalar.lead else { return range }
        let text = Array(scalar.text.utf8)
        guard part.lowerBound >= 0, part.upperBound <= text.count else { return range }
        func place(_ byte: Int) -> SourcePosition {
            let column = range.start.column + lead + SourceText.scalars(in: text[0..<byte])
            return SourcePosition(line: range.start.line, column: column, offset: range.start.offset + lead + byte)
        }
        return SourceRange(start: place(part.lowerBound), end: place(part.upperBound))
    }
}

/// A key and its value.
public struct YAMLPair: Sendable {
    /// A key is always text here; `keyRange` is where it stands.
    public var key: String
    public var keyRange: SourceRange
    public var value: YAMLNode

    public init(key: String, keyRange: SourceRange, value: YAMLNode) {
        self.key = key
        self.keyRange = keyRange
        self.value = value
    }
}

/// Text, quoted or plain, and what YAML 1.2's core schema makes of it.
/// Source: YAML 1.2.2, 10.3.2 <https://yaml.org/spec/1.2.2/#1032-tag-resolution>
public struct YAMLScalar: Hashable, Sendable {
    public var text: String
    /// Neither quoted nor a block scalar: only then it can be null, a truth value or a number.
    public var isPlain: Bool
    /// Characters (bytes too) between the scalar's place and its text: 0 for plain, 1 for quoted text. Nil where the file does
    /// not hold the text as it is.
    var lead: Int?

    public init(_ text: String, isPlain: Bool) {
        self.text = text
        self.isPlain = isPlain
    }

    public var isNull: Bool {
        guard isPlain else { return false }
        switch text {
        case "", "~", "null", "Null", "NULL": return true
        default: return false
        }
    }

    public var bool: Bool? {
        guard isPlain else { return nil }
        switch text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: return nil
        }
    }

    /// A whole number: decimal with a sign or none, `0o17`, `0x1F`. Nil for anything else, and past 64 bits.
    public var int: Int64? {
        guard isPlain else { return nil }
        if text.hasPrefix("0o") { return Self.number(text.utf8.dropFirst(2), radix: 8) }
        if text.hasPrefix("0x") { return Self.number(text.utf8.dropFirst(2), radix: 16) }
        let digits = text.utf8.first == 0x2B || text.utf8.first == 0x2D ? text.utf8.dropFirst() : text.utf8[...]
        guard Self.number(digits, radix: 10) != nil || text == "-9223372036854775808" else { return nil }
        return Int64(text)
    }

    private static func number(_ digits: Substring.UTF8View, radix: Int) -> Int64? {
        guard let first = digits.first, first != 0x2B, first != 0x2D else { return nil }
        return Int64(Substring(digits), radix: radix)
    }
}
