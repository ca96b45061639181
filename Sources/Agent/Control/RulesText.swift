import Lane

/// A listing of rules for people: of a control socket's answer, or of files alone.
public enum RulesText {
    /// What a listing is sorted by.
    public enum Order: String, CaseIterable, Sendable {
        case id, fired, last, precision
    }

    /// Of equal ones the id decides. `fired` and `last`: the most and the newest first. `precision`: the worst first, those
    /// that nobody has judged last.
    public static func sorted(_ rules: [JSONValue], by order: Order) -> [JSONValue] {
        func id(_ rule: JSONValue) -> String { rule["rule"]?.text ?? "" }
        /// The smaller first.
        func rank(_ rule: JSONValue) -> Double {
            switch order {
            case .id: return 0
            case .fired: return -Double(rule["fired"]?.int ?? 0)
            case .last: return -Double(ExplainText.instant(rule["lastFired"])?.milliseconds ?? .min)
            case .precision: return precision(rule) ?? 2
            }
        }
        return rules.sorted { a, b in
            let (x, y) = (rank(a), rank(b))
            return x != y ? x < y : id(a).utf8.lexicographicallyPrecedes(id(b).utf8)
        }
    }

    /// A table of a running agent's rules. `now` and `zone` are the lane's.
    public static func live(_ rules: [JSONValue], now: WallInstant, zone: any LocalTime) -> String {
        let time = PeopleTime(now: now, zone: zone)
        let rows = rules.map { rule -> [String] in
            let last = ExplainText.instant(rule["lastFired"])
            return [
                rule["rule"]?.text ?? "", state(rule, time), "\(rule["fired"]?.int ?? 0)",
                last.map { time.minute($0) } ?? "-", "\(rule["judged"]?.int ?? 0)", "\(rule["false"]?.int ?? 0)",
                percent(rule),
            ]
        }
        return TextColumns.text(
            [["RULE", "STATE", "FIRED", "LAST FIRED", "JUDGED", "FALSE", "PRECISION"]] + rows,
            rightAligned: [2, 4, 5, 6])
    }

    /// Whether the rules in force are on trial, or stand in for a set that was rolled back; empty where neither.
    public static func rollout(_ answer: JSONValue, zone: any LocalTime) -> String {
        let now = answer["now"]?.text.flatMap { WallInstant(rfc3339: $0) } ?? WallInstant(milliseconds: 0)
        if answer["rolledBack"]?.bool == true {
            return
                "the rule files hold a set that raised far too much and was rolled back; the one before is in force\n"
        }
        guard let trial = answer["trial"], let raised = trial["raised"]?.int, let limit = trial["limit"]?.int,
            let ends = ExplainText.instant(trial["ends"])
        else { return "" }
        return
            "on trial until \(PeopleTime(now: now, zone: zone).minute(ends)): \(raised) raised, more than \(limit) roll it back\n"
    }

    /// A table of the rules of files.
    public static func files(_ rules: [JSONValue]) -> String {
        let rows = rules.map { rule -> [String] in
            let mode = rule["mode"]?.text == "elsewhere" ? "not for this lane" : rule["mode"]?.text ?? ""
            return [
                rule["rule"]?.text ?? "", rule["shape"]?.text ?? "", rule["severity"]?.text ?? "", mode,
                rule["waitsFor"]?.text ?? "",
            ]
        }
        return TextColumns.text([["RULE", "SHAPE", "SEVERITY", "MODE", "WAITS FOR"]] + rows, rightAligned: [])
    }

    /// `on`, `shadow, active 2`, `silenced until 2026-12-01 07:00`, …
    private static func state(_ rule: JSONValue, _ time: PeopleTime) -> String {
        let mode = rule["mode"]?.text ?? ""
        if mode == "disabled" { return "disabled" }
        if mode == "elsewhere" { return "not for this lane" }
        var parts: [String] = mode == "shadow" ? ["shadow"] : []
        if let until = ExplainText.instant(rule["silencedUntil"]) {
            parts.append("silenced until \(time.minute(until))")
        }
        let muters = (rule["mutedBy"]?.elements ?? []).compactMap(\.text)
        if !muters.isEmpty { parts.append("muted by \(muters.joined(separator: " and "))") }
        if let active = rule["active"]?.int, active > 0 { parts.append("active \(active)") }
        return parts.isEmpty ? mode : parts.joined(separator: ", ")
    }

    private static func precision(_ rule: JSONValue) -> Double? {
        switch rule["precision"] {
        case .double(let value): return value
        case .int(let value): return Double(value)
        default: return nil
        }
    }

    /// `92.3 %`, or `-` while nobody has judged it.
    static func percent(_ rule: JSONValue) -> String {
        guard let share = precision(rule) else { return "-" }
        let thousandths = Int((share * 1000).rounded())
        let rest = thousandths % 10
        return rest == 0 ? "\(thousandths / 10) %" : "\(thousandths / 10).\(rest) %"
    }
}
