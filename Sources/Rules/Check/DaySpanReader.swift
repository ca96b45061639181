import YAML

/// Reads `at`: `22:00-06:00`, `Mon-Fri 22:00-06:00`, `Sat,Sun 08:00-20:00`.
struct DaySpanReader {
    static let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let form = "\"at\" is written 22:00-06:00, Mon-Fri 22:00-06:00 or Sat,Sun 08:00-20:00"

    private let findings: Findings

    init(_ findings: Findings) { self.findings = findings }

    /// The span under `key`, or nil where it is absent or faulty.
    func span(_ key: String, of mapping: YAMLMapping) -> DaySpan? {
        guard let text = mapping.text(key), let node = mapping[key] else { return nil }
        let words = TextCut(text, node).words()
        guard let times = words.last, words.count <= 2 else {
            return refuse("\"\(key)\" cannot be \(Shown.quoted(text))", node.range)
        }
        guard let days = words.count == 2 ? self.days(words[0]) : 0x7F else { return nil }
        let ends = times.split(at: UInt8(ascii: "-"))
        guard ends.count == 2 else {
            return refuse("\(Shown.quoted(times.text)) is no span of time", times.place)
        }
        guard let begin = minutes(ends[0], isEnd: false), let end = minutes(ends[1], isEnd: true) else { return nil }
        if begin == end % 1440, begin != 0 || end != 1440 {
            return refuse(
                "\"\(key)\" begins and ends at the same time", times.place,
                help: "for the whole day leave \"\(key)\" out")
        }
        // The end is not included, so that 00:00 as an end is 24:00 of the day before.
        return DaySpan(days: days, begin: begin, end: end == 0 ? 1440 : end)
    }

    private func refuse<T>(_ message: String, _ place: SourceRange, help: String = form) -> T? {
        findings.error(message, at: place, help: help)
        return nil
    }

    private func days(_ cut: TextCut) -> UInt8? {
        var days: UInt8 = 0
        for part in cut.split(at: UInt8(ascii: ",")) {
            let ends = part.split(at: UInt8(ascii: "-"))
            guard ends.count <= 2, let from = day(ends[0]), let to = ends.count == 2 ? day(ends[1]) : from else {
                if ends.count > 2 { return refuse("\(Shown.quoted(part.text)) is no span of days", part.place) }
                return nil
            }
            var day = from
            days |= 1 << UInt8(day)
            while day != to {
                day = (day + 1) % 7
                days |= 1 << UInt8(day)
            }
        }
        return days
    }

    private func day(_ cut: TextCut) -> Int? {
        if let day = Self.days.firstIndex(of: cut.text) { return day }
        let short = cut.text.prefix(3).lowercased()
        let meant = Self.days.first { $0.lowercased() == short }
        let fix = meant.map { "; write \"\($0)\"" } ?? ""
        return refuse(
            "no day \(Shown.quoted(cut.text))\(fix)", cut.place,
            help: "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun")
    }

    /// Minutes from midnight, 0 to 1440.
    private func minutes(_ cut: TextCut, isEnd: Bool) -> Int? {
        let parts = cut.text.split(separator: ":", omittingEmptySubsequences: false)
        func number(_ text: Substring, _ length: ClosedRange<Int>) -> Int? {
            length.contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 48 && $0 <= 57 } ? Int(text) : nil
        }
        guard parts.count == 2, let hour = number(parts[0], 1...2), let minute = number(parts[1], 2...2), minute < 60,
            hour < 24 || hour == 24 && minute == 0
        else {
            return refuse(
                "no time of day \(Shown.quoted(cut.text))", cut.place,
                help: "times are 00:00 to 23:59, and 24:00 as an end")
        }
        guard parts[0].utf8.count == 2 else {
            return refuse("no time of day \(Shown.quoted(cut.text)); write \"0\(cut.text)\"", cut.place)
        }
        guard isEnd || hour < 24 else {
            return refuse("a span cannot begin at 24:00; write \"00:00\"", cut.place)
        }
        return hour * 60 + minute
    }
}
