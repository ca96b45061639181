import Lane
import Rules
import YAML

/// An `explain` answer of the control socket, for people.
public enum ExplainText {
    /// Lines of at most a rule's keys; `zone` is the store's.
    public static func text(_ answer: JSONValue, zone: any LocalTime) -> String {
        guard let explain = answer["explain"], let now = instant(answer["now"]) else { return "" }
        return Text(time: PeopleTime(now: now, zone: zone), rule: explain).whole(answer)
    }

    static func instant(_ value: JSONValue?) -> WallInstant? { value?.text.flatMap { WallInstant(rfc3339: $0) } }
}

private struct Text {
    let time: PeopleTime
    let rule: JSONValue

    func whole(_ answer: JSONValue) -> String {
        var lines: [String] = []
        let title = rule["title"]?.text ?? ""
        let id = rule["rule"]?.text ?? ""
        lines.append(title.isEmpty || title == id ? id : "\(id): \(title)")
        lines.append("  \(rule["severity"]?.text ?? ""); \(rule["waitsFor"]?.text ?? "")")
        lines.append(
            "  lane \(answer["store"]?.text ?? "")/\(answer["lane"]?.text ?? ""), \(time.clock(time.now)), rules \(Self.short(answer["digest"]?.text))"
        )
        lines.append("")
        switch rule["mode"]?.text {
        case "disabled": lines.append("It is disabled: \"enabled: false\" stands in its file.")
        case "elsewhere": lines.append("It is not for this lane: its \"lanes\" name others.")
        default:
            lines += active + waits + counts + lasting + hindrances
            if rule["mode"]?.text == "shadow" { lines.append("It is in shadow: it counts, and calls nobody.") }
        }
        lines += history
        return lines.map { $0 + "\n" }.joined()
    }

    private var active: [String] {
        let found = rule["active"]?.elements ?? []
        guard !found.isEmpty else { return ["Nothing is raised."] }
        var lines = ["Raised: \(total("activeCount"))"]
        for one in found {
            var text = key(one) + (one["severity"]?.text ?? "")
            if let at = ExplainText.instant(one["raisedAt"]) {
                text += " since \(time.clock(at)) (\(time.relative(at)))"
            }
            if let repeats = one["repeats"]?.int, repeats > 0 {
                text += ", fired again \(Self.times(repeats))"
            }
            if let at = ExplainText.instant(one["escalates"]) {
                text += "; escalates to \(one["escalatesTo"]?.text ?? "") at \(due(at))"
            }
            if let at = ExplainText.instant(one["clears"]) { text += "; clears at the latest at \(due(at))" }
            lines.append("  " + text)
        }
        return lines + more("activeCount", found.count)
    }

    private var waits: [String] {
        let found = rule["waits"]?.elements ?? []
        guard !found.isEmpty else { return rule["shape"]?.text == "B" ? ["Nothing waits for an answer."] : [] }
        var lines = ["Waiting for an answer: \(total("waitCount"))"]
        for one in found {
            guard let since = ExplainText.instant(one["since"]), let at = ExplainText.instant(one["due"]) else {
                continue
            }
            lines.append("  \(key(one))since \(time.clock(since)); fires at \(due(at))")
        }
        return lines + more("waitCount", found.count)
    }

    private var counts: [String] {
        let found = rule["counts"]?.elements ?? []
        guard !found.isEmpty else { return rule["shape"]?.text == "C" ? ["Nothing is counted yet."] : [] }
        var lines = ["Counted: \(total("countCount"))"]
        for one in found {
            guard let oldest = ExplainText.instant(one["oldest"]), let until = ExplainText.instant(one["until"]) else {
                continue
            }
            let (count, of) = (one["count"]?.int ?? 0, one["of"]?.int ?? 0)
            let within = DurationScalar.text(one["withinMs"]?.int ?? 0)
            lines.append(
                "  \(key(one))\(count) of \(of) within \(within), the oldest at \(time.clock(oldest)), which counts until \(due(until))"
            )
        }
        return lines + more("countCount", found.count)
    }

    private var lasting: [String] {
        guard let lasting = rule["lasting"] else { return [] }
        let since = ExplainText.instant(lasting["since"]).map { time.clock($0) } ?? "?"
        switch lasting["phase"]?.text {
        case "idle": return ["Its state does not hold."]
        case "waiting":
            guard let at = ExplainText.instant(lasting["due"]) else { return [] }
            return ["Its state holds, counted since \(since); fires at \(due(at))."]
        case "muted": return ["Its time is over since it began at \(since); it is held back by a mute."]
        case "over": return ["Its state holds, counted since \(since), and it has fired."]
        case "unknown": return ["Whether its state still holds is not known: nothing was seen for a while."]
        default: return []
        }
    }

    /// What stands in its way, guards first.
    private var hindrances: [String] {
        var lines: [String] = []
        for guardTerm in rule["guards"]?.elements ?? [] {
            let needs = guardTerm["needs"]?.text ?? ""
            let state = String(needs.prefix { $0 != " " })
            if let value = guardTerm["value"]?.text {
                let holds = guardTerm["holds"]?.bool == true
                lines.append(holds ? "Guard open: \(needs)." : "Guard closed: \(needs), but \(state) is \(value).")
            } else {
                lines.append("Guard closed: \(needs), but \(state) is not known yet.")
            }
        }
        if let span = rule["at"]?["span"]?.text {
            let isInside = rule["at"]?["inside"]?.bool == true
            lines.append(isInside ? "In its time: at \(span)." : "Outside its time: at \(span).")
        }
        if let until = ExplainText.instant(rule["silencedUntil"]) {
            lines.append("Silenced until \(due(until)).")
        }
        for muter in rule["mutedBy"]?.elements ?? [] where muter["active"]?.bool == true {
            let name = muter["rule"]?.text ?? ""
            lines.append(
                muter["ignored"]?.bool == true
                    ? "\(name) is raised in shadow, and mutes only shadow rules." : "Muted by \(name), which is raised."
            )
        }
        let cooldowns = rule["cooldowns"]?.elements ?? []
        for one in cooldowns {
            if let until = ExplainText.instant(one["until"]) {
                lines.append("In cooldown: \(key(one))until \(due(until))")
            }
        }
        return lines + more("cooldownCount", cooldowns.count)
    }

    private var history: [String] {
        let fired = rule["fired"]?.int ?? 0
        guard fired > 0 else { return ["", "It has never fired here." + suppressed] }
        var text = "Fired \(Self.times(fired))"
        if let last = ExplainText.instant(rule["lastFired"]) {
            text += ", last at \(time.clock(last)) (\(time.relative(last)))"
        }
        text += "." + suppressed
        let judged = rule["judged"]?.int ?? 0
        guard judged > 0 else { return ["", text, "Nobody has judged it yet."] }
        return [
            "", text,
            "Judged \(Self.times(judged)), a false alarm \(Self.times(rule["false"]?.int ?? 0)): precision \(RulesText.percent(rule)).",
        ]
    }

    private var suppressed: String {
        let count = rule["suppressed"]?.int ?? 0
        return count > 0 ? " Held back \(Self.times(count))." : ""
    }

    // MARK: Pieces

    private func due(_ at: WallInstant) -> String { "\(time.clock(at)) (\(time.relative(at)))" }

    /// `pay=P1 `; empty without a key.
    private func key(_ value: JSONValue) -> String {
        (value["key"]?.members ?? []).map { "\($0.name)=\(ResultLine.quoted($0.value.text ?? "")) " }.joined()
    }

    private func total(_ name: String) -> Int64 { rule[name]?.int ?? 0 }

    private func more(_ name: String, _ shown: Int) -> [String] {
        let left = total(name) - Int64(shown)
        return left > 0 ? ["  … and \(left) more"] : []
    }

    private static func times(_ count: Int64) -> String { count == 1 ? "once" : "\(count) times" }

    private static func short(_ digest: String?) -> String { String((digest ?? "").prefix(19)) }
}
