import FaultParts
import Foundation

/// The words that a run and a series end with.
enum Table {
    static let head = column(
        [
            "row", "seed", "answered", "lost", "dup", "after", "order", "gaps", "epochs", "kills", "new", "drain s", "",
            "",
        ])

    static func line(_ entry: Entry) -> String {
        let verdict = entry.verdict
        return column(
            [
                entry.row, String(entry.seed), String(verdict.answered), String(verdict.lost),
                String(verdict.doubledBefore), String(verdict.doubledAfter), String(verdict.reordered),
                String(verdict.gaps), String(verdict.epochs), String(entry.kills), String(entry.recreations),
                String(format: "%.1f", entry.drainSeconds), entry.isGood ? "good" : "NOT GOOD", note(entry),
            ])
    }

    private static func note(_ entry: Entry) -> String {
        var words = [entry.remark]
        if entry.verdict.setAside > 0 { words.append("\(entry.verdict.setAside) with the damage") }
        if entry.verdict.told > 0 { words.append("\(entry.verdict.told) missing and told") }
        if entry.verdict.withheld > 0 { words.append("\(entry.verdict.withheld) withheld") }
        if entry.verdict.unexplained > 0 { words.append("\(entry.verdict.unexplained) doubled without a cause") }
        if let consumer = entry.consumer { words.append(consumer) }
        return words.filter { !$0.isEmpty }.joined(separator: "; ")
    }

    private static func column(_ words: [String]) -> String {
        let widths = [32, 11, 9, 6, 6, 6, 6, 6, 7, 6, 4, 8, 9, 0]
        return zip(words, widths).enumerated().map { place, pair in
            let (word, width) = pair
            let fill = String(repeating: " ", count: max(1, width - word.count))
            return place == 0 || place >= 12 ? word + fill : fill + word + " "
        }.joined()
    }

    /// A Markdown table, all runs of a row together.
    static func summary(_ entries: [Entry], rows: [Row]) -> String {
        var lines = [
            "| row | runs | signals answered | lost | doubled before / after deduplication | reordered | gaps | agents killed | producers made anew | longest drain |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in rows {
            let of = entries.filter { $0.row == row.name }
            guard !of.isEmpty else { continue }
            func sum(_ value: (Entry) -> Int) -> Int { of.reduce(0) { $0 + value($1) } }
            let cells = [
                row.title, String(of.count), String(sum { $0.verdict.answered }), String(sum { $0.verdict.lost }),
                "\(sum { $0.verdict.doubledBefore }) / \(sum { $0.verdict.doubledAfter })",
                String(sum { $0.verdict.reordered }), String(sum { $0.verdict.gaps }), String(sum { $0.kills }),
                String(sum { $0.recreations }), String(format: "%.1f s", of.map(\.drainSeconds).max() ?? 0),
            ]
            let bad = of.count { !$0.isGood }
            lines.append("| " + cells.joined(separator: " | ") + " |" + (bad > 0 ? " \(bad) NOT GOOD" : ""))
        }
        return lines.joined(separator: "\n")
    }
}

/// A line on standard output, at once: whoever watches a series sees each run as it ends.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
