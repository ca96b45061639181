/// Text for manual pages. Source: mdoc(7), mandoc_char(7); `mandoc -T lint` has nothing to say about the result.
struct Mdoc {
    private(set) var text = ""

    /// A macro line. Its arguments are words of ours, never parsed as macros or punctuation.
    mutating func macro(_ name: String, _ arguments: String...) {
        text += ".\(name)" + arguments.map { " " + Self.argument($0) }.joined() + "\n"
    }

    /// A macro line as it is: nested macros, written out by the caller.
    mutating func line(_ line: String) { text += line + "\n" }

    /// A paragraph: one sentence a line, each wrapped, as mdoc wants it.
    mutating func paragraph(_ paragraph: String) {
        for sentence in Self.sentences(paragraph) {
            for line in Columns.lines(sentence, width: 76) {
                let escaped = Self.escaped(line)
                text += (escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" : "") + escaped + "\n"
            }
        }
    }

    /// Lines that stay as they are.
    mutating func literal(_ lines: String) {
        line(".Dl " + Self.escaped(lines).split(separator: " ").map { Self.guarded(String($0)) }.joined(separator: " "))
    }

    static func sentences(_ paragraph: String) -> [String] {
        var sentences: [String] = []
        var sentence: [Substring] = []
        for word in paragraph.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            sentence.append(word)
            guard let last = word.last(where: { $0 != ")" && $0 != "\"" }), ".!?".contains(last) else { continue }
            sentences.append(sentence.joined(separator: " "))
            sentence = []
        }
        if !sentence.isEmpty { sentences.append(sentence.joined(separator: " ")) }
        return sentences
    }

    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "\\": out += "\\e"
            case "-": out += "\\-"
            case "\u{2026}": out += "..."
            default: out.append(character)
            }
        }
        return out
    }

    /// One argument of a macro line: quoted where it holds blanks, guarded where mdoc would take it for a macro.
    static func argument(_ text: String) -> String {
        let escaped = escaped(text).split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\(dq")
        return escaped.contains(" ") || escaped.isEmpty ? "\"\(escaped)\"" : guarded(escaped)
    }

    /// Two and three letters with a capital first are macros, lone punctuation is set apart: neither is meant.
    private static func guarded(_ word: String) -> String {
        let isMacro = (2...3).contains(word.count) && word.first?.isUppercase == true
        let isPunctuation = word.count == 1 && ".,:;()[]?!|".contains(word)
        return (isMacro || isPunctuation ? "\\&" : "")
            + word.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\\(dq")
    }
}
