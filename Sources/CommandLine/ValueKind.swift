/// What the value of an option or of a positional is: how it is checked, and how a shell completes it.
public enum ValueKind: Hashable, Sendable {
    case text
    /// A file that is there; completion offers those whose names end in one of `suffixes` (`yaml`), or all.
    case file(suffixes: [String] = [])
    case directory
    /// A file or a directory, as `check` and `test` take both.
    case path
    case integer(ClosedRange<Int>)
    /// As rule files write it: `500ms`, `45s`, `2m`, `1h`, `7d`. At least 1 ms.
    case duration
    /// One word of a list.
    case choice([String])

    /// What is wrong with `text` as a value of this kind: what it must be, as the rest of a sentence after "must be".
    /// Files are not looked at: whoever opens them says what is wrong.
    func requirement(unmetBy text: String) -> String? {
        switch self {
        case .text: return nil
        case .file, .directory, .path: return text.isEmpty ? "a path" : nil
        case .integer(let range):
            if let number = Int(text), range.contains(number) { return nil }
            if range.lowerBound == .min && range.upperBound == .max { return "a whole number" }
            if range.upperBound == .max { return "a whole number of at least \(range.lowerBound)" }
            return "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .duration: return DurationText.parse(text) == nil ? "a duration such as 500ms, 45s, 2m, 1h or 7d" : nil
        case .choice(let words): return words.contains(text) ? nil : "one of: " + words.joined(separator: ", ")
        }
    }
}

/// Durations as rule files and command lines write them.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    private static let longest: Int64 = 10_000 * 366 * 86_400_000

    /// Reads `500ms`, `45s`, `2m`, `1h`, `7d`: digits and a unit, nothing between. Nil for anything else, for zero and
    /// for more than ten thousand years: sums with the time of day must fit into 64 bits.
    public static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number > 0 else { return nil }
        let suffix = text[digits.endIndex...]
        guard let unit = units.first(where: { $0.suffix == suffix }) else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow || milliseconds > longest ? nil : .milliseconds(milliseconds)
    }
}
