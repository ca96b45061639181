import Lane

extension RuleEngine {
    /// Where the rule called `id` stands at `at`, for people: what is raised, waits and counts, and what its guards say. Nil
    /// where it does not run on this lane. Timers up to `at` are to have run.
    public func standing(of id: String, at: LaneInstant, _ times: ExplainedTimes) -> [String]? {
        guard let place = table.place(of: id) else { return nil }
        var then = self
        then.now = max(now, at.milliseconds)
        return then.raisedLines(place, times) + then.waitLines(place, times) + then.guardLines(place, times)
    }

    private func raisedLines(_ place: Int, _ times: ExplainedTimes) -> [String] {
        let rule = table.rules[place]
        let due = timers.bySlot
        func moment(_ handle: TimerHeap.Handle) -> String? {
            guard due.indices.contains(Int(handle.slot)), let found = due[Int(handle.slot)] else { return nil }
            return times.moment(LaneInstant(milliseconds: found.deadline))
        }
        var lines: [String] = []
        memory[place].active.forEach { key, active in
            var parts = [
                "raised: \(subject(key, rule))since \(at(active.raisedAt, times)), \(active.intervention.severity.name)"
            ]
            for (number, handle) in active.escalations.enumerated() {
                if let when = moment(handle) {
                    parts.append("escalates to \(rule.escalations[number].severity.name) at \(when)")
                }
            }
            if let when = moment(active.clearAfter) { parts.append("clears by itself at \(when)") }
            lines.append(parts.joined(separator: "; "))
        }
        return lines.isEmpty ? ["not raised"] : lines
    }

    private func waitLines(_ place: Int, _ times: ExplainedTimes) -> [String] {
        let rule = table.rules[place]
        var lines: [String] = []
        switch rule.form {
        case .atOnce: return []
        case .noAnswer:
            memory[place].waits.forEach { key, wait in
                lines.append(
                    "waits: \(subject(key, rule))since \(at(wait.since, times))" + raises(wait.since, rule.wait, times))
            }
            return lines.isEmpty ? ["nothing waits"] : lines
        case .tooMany:
            memory[place].waits.forEach { key, wait in
                let recent = wait.ring.inOrder.filter { Self.difference(now, $0) <= rule.wait }
                guard let oldest = recent.first else { return }
                let count = Note.Count(
                    count: recent.count, wanted: rule.count, within: rule.wait,
                    oldest: LaneInstant(milliseconds: oldest), tooSlow: nil)
                lines.append("counts: \(subject(key, rule))\(count.text(times))")
            }
            return lines.isEmpty ? ["counts: 0 of \(rule.count) within \(times.duration(rule.wait))"] : lines
        case .lasts:
            let lasting = memory[place].lasting
            if lasting.isSuspended { return ["its state is unknown since a gap: waits for a signal that tells"] }
            switch lasting.phase {
            case .idle: return ["nothing waits: its state does not hold"]
            case .armed: return ["waits: since \(at(lasting.start, times))" + raises(lasting.start, rule.wait, times)]
            case .muted: return ["due, but muted: raises when that clears, if nothing changes"]
            case .spent: return ["its wait has run out: begins again when its state does, or with \"unless\""]
            }
        }
    }

    private func guardLines(_ place: Int, _ times: ExplainedTimes) -> [String] {
        let rule = table.rules[place]
        var lines: [String] = []
        if !rule.condition.isEmpty {
            let terms = terms(place)
            let word = rule.form == .lasts ? "when" : "while"
            let condition = terms.map(\.condition).joined(separator: " and ")
            let failing = terms.filter { !$0.holds }
            lines.append(
                failing.isEmpty
                    ? "\(word): \(condition): holds"
                    : "\(word): \(condition): does not hold; \(Words.list(failing.map(\.text), "and"))")
        }
        if let span = rule.at {
            let isInside = span.contains(wallNow, table.localTime)
            lines.append("at: \(span.text): \(isInside ? "now" : "not now")")
        }
        if !table.written[place].mutedBy.isEmpty {
            let muters = activeMuters(place).map { table.rules[$0].id }
            lines.append(
                muters.isEmpty
                    ? "not muted: \(Words.noneOf(table.written[place].mutedBy)) raised"
                    : "muted by \(Words.list(muters, "and"))")
        }
        if let end = rule.silencedUntil, wallNow < end { lines.append("silenced until \(end.rfc3339)") }
        memory[place].clears.forEach { key, cleared in
            let end = Self.sum(cleared, rule.cooldown)
            guard now < end else { return }
            lines.append("in its cooldown: \(subject(key, rule))until \(at(end, times))")
        }
        return lines
    }

    private func subject(_ key: InstanceKey, _ rule: CompiledRule) -> String {
        let text = parts(of: key, rule).text
        return text.isEmpty ? "" : text + " "
    }

    private func at(_ moment: Int64, _ times: ExplainedTimes) -> String {
        times.moment(LaneInstant(milliseconds: moment))
    }

    private func raises(_ since: Int64, _ wait: Int64, _ times: ExplainedTimes) -> String {
        let due = Self.sum(since, wait)
        return "; raises at \(at(due, times)), in \(times.duration(max(0, Self.difference(due, now))))"
    }
}
