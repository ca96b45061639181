/// Text in columns of a terminal, one character a column.
enum Columns {
    /// The words of `text` in lines of at most `width` columns; a word that is longer has a line of its own.
    static func lines(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }

    /// A list of terms and meanings; the meanings stand in a column of their own beside the terms, below a term that is
    /// too long for it.
    static func table(_ rows: [(term: String, meaning: String)], indent: Int = 2, width: Int) -> String {
        let widest = rows.map(\.term.count).max() ?? 0
        let column = min(indent + widest + 2, max(indent + 8, width * 2 / 5))
        var text = ""
        for (term, meaning) in rows {
            var lead = String(repeating: " ", count: indent) + term
            if lead.count + 2 > column {
                text += lead + "\n"
                lead = ""
            }
            for line in lines(meaning, width: max(20, width - column)) {
                text += lead + String(repeating: " ", count: column - lead.count) + line + "\n"
                lead = ""
            }
            if !lead.isEmpty { text += lead + "\n" }
        }
        return text
    }

    /// A paragraph, indented.
    static func paragraph(_ text: String, indent: Int = 0, width: Int) -> String {
        lines(text, width: max(20, width - indent))
            .map { String(repeating: " ", count: indent) + $0 + "\n" }.joined()
    }
}
