import Lane

/// One fault of a file that a person wrote: what, where, what was expected, the way out.
public struct Diagnostic: Sendable {
    public enum Severity: String, Hashable, Sendable {
        case error, warning
    }

    /// As it is shown to people.
    public var file: String
    /// Nil where the fault is the whole file's (it cannot be read).
    public var range: SourceRange?
    public var severity: Severity
    /// One sentence, without a full stop.
    public var message: String
    /// The way out, or what there is to choose from, where the message does not say it.
    public var help: String?
    /// Where the excerpt comes from; nil: none is shown.
    public var source: SourceText?

    public init(
        file: String, range: SourceRange? = nil, severity: Severity = .error, message: String, help: String? = nil,
        source: SourceText? = nil
    ) {
        self.file = file
        self.range = range
        self.severity = severity
        // Whoever made the sentence: what a file holds never steers a terminal or breaks a line of the log.
        self.message = Shown.whole(message)
        self.help = help.map(Shown.whole)
        self.source = source
    }

    /// `FILE:LINE:COLUMN: error: MESSAGE`, without excerpt and help.
    public var headline: String {
        let place = range.map { ":\($0.start.line):\($0.start.column)" } ?? ""
        return "\(file)\(place): \(severity.rawValue): \(message)"
    }

    /// As people read it: the headline, the line at fault with carets below, the help. Each line ends with LF.
    ///
    /// ```
    /// 08.yaml:7:21: error: state "basket" is never "opened"; did you mean "open"?
    ///     7 |     when: basket is opened
    ///       |                     ^^^^^^
    ///       = help: it is one of: open, closed
    /// ```
    public func rendered(coloured: Bool = false) -> String {
        let paint = Paint(isOn: coloured, severity: severity)
        let place = range.map { ":\($0.start.line):\($0.start.column)" } ?? ""
        var text = paint.strong(file + place + ":") + " " + paint.severity(severity.rawValue + ":")
        text += " " + paint.strong(message) + "\n"
        var gutter = "      "
        if let range, let source, let excerpt = Excerpt(of: range, in: source) {
            let number = String(range.start.line)
            let margin = String(repeating: " ", count: max(0, 5 - number.count)) + number
            gutter = String(repeating: " ", count: margin.count + 1)
            text += paint.faint(margin + " |") + " " + excerpt.line + "\n"
            text += paint.faint(gutter + "|") + " " + excerpt.blanks + paint.severity(excerpt.carets) + "\n"
        }
        if let help { text += paint.faint(gutter + "= help:") + " " + help + "\n" }
        return text
    }

    /// One JSON object: `file`, `line`, `column`, `endLine`, `endColumn` (null without a place), `severity`, `message`,
    /// `help` (null where there is none). Columns as in `SourcePosition`; the end is not included.
    public func write(to json: inout JSONWriter) { json.object { writeMembers(to: &$0) } }

    /// The members of that object, for one that has more.
    public func writeMembers(to json: inout JSONWriter) {
        json.member("file", file)
        json.member("line", orNull: range.map { Int64($0.start.line) })
        json.member("column", orNull: range.map { Int64($0.start.column) })
        json.member("endLine", orNull: range.map { Int64($0.end.line) })
        json.member("endColumn", orNull: range.map { Int64($0.end.column) })
        json.member("severity", severity.rawValue)
        json.member("message", message)
        json.member("help", orNull: help)
    }
}

extension Diagnostic: Hashable {
    public static func == (a: Diagnostic, b: Diagnostic) -> Bool {
        a.file == b.file && a.range == b.range && a.severity == b.severity && a.message == b.message && a.help == b.help
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(file)
        hasher.combine(range)
        hasher.combine(message)
    }
}

/// Colours for a terminal: ECMA-48 SGR sequences, or nothing.
private struct Paint {
    var isOn: Bool
    var severity: Diagnostic.Severity

    func strong(_ text: String) -> String { wrap("1", text) }
    func faint(_ text: String) -> String { wrap("34", text) }
    func severity(_ text: String) -> String { wrap(severity == .error ? "1;31" : "1;33", text) }

    private func wrap(_ code: String, _ text: String) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
}

/// The line at fault and the carets below it. A line of more than `width` characters is shown in part.
private struct Excerpt {
    static let width = 240
    static let before = 100

    var line = ""
    /// What stands before the carets: blanks, and tabs where the line has tabs.
    var blanks = ""
    var carets = ""

    /// Nil where the line is empty: there is nothing to show.
    init?(of range: SourceRange, in source: SourceText) {
        let whole = source.line(range.start.line)
        guard !whole.isEmpty else { return nil }
        let bytes = source.bytes
        let start = min(max(range.start.offset, whole.lowerBound), whole.upperBound)
        let end = range.end.line > range.start.line ? whole.upperBound : range.end.offset
        var (from, to) = (whole.lowerBound, whole.upperBound)
        if whole.count > Self.width {
            from = max(from, start - Self.before)
            to = min(to, from + Self.width)
            while from > whole.lowerBound, bytes[from] & 0xC0 == 0x80 { from -= 1 }
            while to < whole.upperBound, bytes[to] & 0xC0 == 0x80 { to += 1 }
        }
        if from > whole.lowerBound {
            line += "…"
            blanks += " "
        }
        for scalar in String(decoding: bytes[from..<max(from, min(start, to))], as: UTF8.self).unicodeScalars {
            blanks += scalar == "\t" ? "\t" : " "
        }
        line += Shown.line(String(decoding: bytes[from..<to], as: UTF8.self))
        if to < whole.upperBound { line += "…" }
        let marked = start..<max(start, min(end, to))
        carets = String(repeating: "^", count: max(1, SourceText.scalars(in: bytes[marked])))
    }
}

/// Text of a file made fit for a terminal and for one line.
public enum Shown {
    /// `text` in double quotes as messages show it: one line, without control characters, cut after 80 characters.
    public static func quoted(_ text: String) -> String { "\"" + plain(text) + "\"" }

    /// The same without quotes.
    public static func plain(_ text: String) -> String {
        var shown = ""
        var count = 0
        for scalar in text.unicodeScalars {
            if count == 80 {
                shown += "…"
                break
            }
            count += 1
            switch scalar {
            case "\n": shown += "\\n"
            case "\t": shown += "\\t"
            case "\r": shown += "\\r"
            default: shown.unicodeScalars.append(isControl(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return shown
    }

    /// All of `text` on one line and without control characters, not cut.
    public static func whole(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.map { plain(String($0)) }.joined()
    }

    /// A line of a file without control characters; tabs stay.
    static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isControl($0) && $0 != "\t" }) else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            shown.unicodeScalars.append(isControl(scalar) && scalar != "\t" ? "\u{FFFD}" : scalar)
        }
        return shown
    }

    /// C0 and C1 controls, and the marks that turn the direction of what follows.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: return true
        default: return false
        }
    }
}
