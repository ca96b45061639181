import Lane

/// Times as people read them at a till: the store's clock, and how long until or since.
struct PeopleTime {
    var now: WallInstant
    var zone: any LocalTime

    /// `14:03:12` on the day that is now, else `2026-11-20 14:03:12`.
    func clock(_ at: WallInstant) -> String {
        let (day, time) = parts(at)
        return day == parts(now).day ? String(time) : "\(day) \(time)"
    }

    /// `14:03` or `2026-11-20 14:03`.
    func minute(_ at: WallInstant) -> String { String(clock(at).dropLast(3)) }

    private func parts(_ at: WallInstant) -> (day: Substring, time: Substring) {
        let offset = Int64(zone.offsetSeconds(at: at)) * 1000
        let (moved, overflow) = at.milliseconds.addingReportingOverflow(offset)
        let text = WallInstant(milliseconds: overflow ? at.milliseconds : moved).rfc3339
        return (text.prefix(10), text.dropFirst(11).prefix(8))
    }

    /// `in 31s`, `now`, `31s ago`.
    func relative(_ at: WallInstant) -> String {
        let (difference, overflow) = at.milliseconds.subtractingReportingOverflow(now.milliseconds)
        if overflow { return "" }
        // A deadline is never told too early, an age never too old.
        let seconds = difference > 0 ? (difference + 999) / 1000 : difference / 1000
        return seconds == 0 ? "now" : seconds > 0 ? "in \(Self.length(seconds))" : "\(Self.length(-seconds)) ago"
    }

    /// The two largest units: `31s`, `1m53s`, `2h5m`, `3d4h`.
    static func length(_ seconds: Int64) -> String {
        let units: [(Int64, String)] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]
        for (place, (factor, name)) in units.enumerated() where seconds >= factor {
            let first = "\(seconds / factor)\(name)"
            guard place + 1 < units.count else { return first }
            let (next, unit) = units[place + 1]
            let rest = seconds % factor / next
            return rest > 0 ? "\(first)\(rest)\(unit)" : first
        }
        return "0s"
    }
}
