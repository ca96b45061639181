import Lane

/// One thing that happened, as every sink gets it.
public struct LogRecord: Hashable, Sendable {
    public enum Level: Int, Hashable, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error, critical

        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

        public var name: String {
            switch self {
            case .debug: return "debug"
            case .info: return "info"
            case .warning: return "warning"
            case .error: return "error"
            case .critical: return "critical"
            }
        }

        /// Source: syslog(3).
        var priority: Int {
            switch self {
            case .debug: return 7
            case .info: return 6
            case .warning: return 4
            case .error: return 3
            case .critical: return 2
            }
        }

        public init(_ level: Notice.Level) {
            switch level {
            case .debug: self = .debug
            case .info: self = .info
            case .warning: self = .warning
            case .error: self = .error
            }
        }
    }

    public struct Field: Hashable, Sendable {
        public var key: String
        public var value: LogValue
        public init(_ key: String, _ value: LogValue) {
            self.key = key
            self.value = value
        }
    }

    public let at: WallInstant
    public let level: Level
    /// A constant phrase: what varies stands in the fields.
    public let message: String
    public let fields: [Field]

    /// The last line of defence: whatever looks like card data is masked here, before any sink sees it. Texts are cut at
    /// 1024 bytes.
    init(at: WallInstant, level: Level, message: String, fields: [Field]) {
        self.at = at
        self.level = level
        self.message = CardText.masked(message) ?? message
        self.fields = fields.map { Field(Self.name($0.key), Self.masked($0.value)) }
    }

    private static func masked(_ value: LogValue) -> LogValue {
        switch value {
        case .int(let number): return CardText.isSuspect(number) ? .text("[masked]") : value
        case .text(let text):
            // Cut after masking: a number cut in two would no longer be known for one.
            return .text(cut(CardText.masked(text) ?? text))
        }
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > 1024 else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: 1024)
        while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
            end = text.utf8.index(before: end)
        }
        return text[..<end] + "…"
    }

    /// Keys of notices come from elsewhere: what is no letter, digit, dot or underscore is left out.
    private static func name(_ key: String) -> String {
        if LogKey(rawValue: key) != nil { return key }
        let kept = key.unicodeScalars.filter {
            $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "." || $0 == "_")
        }
        let name = String(String.UnicodeScalarView(kept).prefix(48))
        return name.isEmpty || CardText.isSuspect(name) ? "field" : name
    }
}
