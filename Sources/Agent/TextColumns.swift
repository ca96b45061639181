/// Rows of cells as aligned text, two blanks between columns, without blanks at the ends of lines.
public enum TextColumns {
    /// - Parameter rightAligned: places of columns; the others stand to the left. All rows have as many cells.
    public static func text(_ rows: [[String]], rightAligned: Set<Int>) -> String {
        let rows = rows.map { $0.map(printable) }
        var widths: [Int] = []
        for row in rows {
            for (place, cell) in row.enumerated() {
                if place == widths.count { widths.append(0) }
                widths[place] = max(widths[place], cell.count)
            }
        }
        var text = ""
        for row in rows {
            var line = ""
            for (place, cell) in row.enumerated() {
                let blank = String(repeating: " ", count: widths[place] - cell.count)
                line += (place > 0 ? "  " : "") + (rightAligned.contains(place) ? blank + cell : cell + blank)
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }

    /// A cell may hold what others wrote, such as a broker's reason: what a terminal would obey is shown as U+FFFD.
    private static func printable(_ cell: String) -> String {
        let isControl = { (scalar: Unicode.Scalar) in scalar.properties.generalCategory == .control }
        guard cell.unicodeScalars.contains(where: isControl) else { return cell }
        var shown = String.UnicodeScalarView()
        for scalar in cell.unicodeScalars { shown.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
        return String(shown)
    }
}
