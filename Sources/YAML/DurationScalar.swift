/// Durations as our files write them: one whole number and one unit, `500ms` `45s` `2m` `1h`.
public enum DurationScalar {
    /// Ten years of 365 days: what is longer is a slip.
    public static let longest: Int64 = 87_600 * 3_600_000

    /// Milliseconds, 0 to `longest`; nil for anything else.
    public static func milliseconds(_ text: String) -> Int64? {
        let digits = text.utf8.prefix { $0 >= 48 && $0 <= 57 }
        guard !digits.isEmpty, let number = Int64(Substring(digits)) else { return nil }
        let factor: Int64
        switch text.dropFirst(digits.count) {
        case "ms": factor = 1
        case "s": factor = 1000
        case "m": factor = 60_000
        case "h": factor = 3_600_000
        default: return nil
        }
        guard number <= longest / factor else { return nil }
        return number * factor
    }

    /// `milliseconds` as people write it, in the largest unit that needs no fraction.
    public static func text(_ milliseconds: Int64) -> String {
        for (factor, unit) in [(3_600_000, "h"), (60_000, "m"), (1000, "s")] as [(Int64, String)]
        where milliseconds != 0 && milliseconds % factor == 0 {
            return "\(milliseconds / factor)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    /// What the writer of `text` meant, where only one thing can be meant: `45 sec` is `45s`, `1m30s` is `90s`, `1.5 h` is
    /// `90m`. A bare number is nothing: it has no unit.
    public static func meaning(of text: String) -> String? {
        var rest = Substring(text).lowercased()[...]
        var total = 0.0
        var parts = 0
        var unit = ""
        func skipBlanks() { rest = rest.drop { $0 == " " || $0 == "," } }
        skipBlanks()
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard digits.utf8.count <= 12, let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            skipBlanks()
            let word = rest.prefix { $0.isLetter }
            guard let (factor, name) = unitNames[String(word)] else { return nil }
            rest = rest.dropFirst(word.count)
            skipBlanks()
            total += number * factor
            parts += 1
            unit = parts == 1 && number == number.rounded() && name != "" ? "\(Int64(number))\(name)" : ""
        }
        guard parts >= 1, parts <= 4, total >= 1, total <= Double(longest), total == total.rounded() else { return nil }
        return unit.isEmpty ? self.text(Int64(total)) : unit
    }

    /// Milliseconds, and our own name of the unit where there is one.
    private static let unitNames: [String: (Double, String)] = {
        var names: [String: (Double, String)] = [:]
        for word in ["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"] { names[word] = (1, "ms") }
        for word in ["s", "sec", "secs", "second", "seconds"] { names[word] = (1000, "s") }
        for word in ["m", "min", "mins", "minute", "minutes"] { names[word] = (60_000, "m") }
        for word in ["h", "hr", "hrs", "hour", "hours"] { names[word] = (3_600_000, "h") }
        for word in ["d", "day", "days"] { names[word] = (86_400_000, "") }
        return names
    }()
}
