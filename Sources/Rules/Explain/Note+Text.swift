import Lane

extension Note.Kind {
    /// One phrase, without the rule, its key and the time.
    public func text(_ times: ExplainedTimes) -> String {
        switch self {
        case .waits(let until): return "waits for an answer until \(times.moment(until))"
        case .waitsAlready(let until):
            return "it waits already, until \(times.moment(until)); another one changes nothing"
        case .answered(let waited, let left):
            return "answered after \(times.duration(waited)), \(Self.left(left, times))"
        case .otherWaits(let names): return "is no answer: what waits is of another \(Words.list(names, "and"))"
        case .holds(let until): return "the wait begins; raises at \(times.moment(until)) if nothing changes"
        case .restarted(_, _, let until): return "the wait begins again; raises at \(times.moment(until))"
        case .ended(let waited, let left):
            return "its state ended after \(times.duration(waited)), \(Self.left(left, times))"
        case .goesOn(let until): return "the wait goes on from its old start; raises at \(times.moment(until))"
        case .unknown: return "nobody knows its state after the gap: waits for a signal that tells"
        case .counted(let count): return count.text(times)
        case .emptied(let count): return "the count of \(count) begins again at 0"
        case .guardClosed(let terms): return "does not count: " + Self.list(terms)
        case .guardOpened: return "its \"while\" holds: signals count from here on"
        case .guardShut(let terms): return "signals do not count from here on: " + Self.list(terms)
        case .noKey(let names): return "does not count: it has no \(Words.list(names, "and")) (\"same\")"
        case .mismatch(let role, let failed): return role.refusal + ": " + failed.map(\.text).joined(separator: "; ")
        case .raised(let severity, let late): return "RAISED: \(severity.name)" + Self.late(late, times)
        case .repeated(let times): return "raised already; came again \(Words.times(times))"
        case .inCooldown(let until): return "would have raised, but is in its cooldown until \(times.moment(until))"
        case .silenced(let until): return "would have raised, but is silenced until \(until.rfc3339)"
        case .outsideHours(let span, let minute):
            return "would have raised, but its hours are \(span.text), and it was \(DaySpan.clock(minute))"
        case .muted(let rules, let waits):
            return "would have raised, but is muted by \(Words.list(rules, "and"))"
                + (waits ? "; raises when that has cleared, if nothing changes" : "")
        case .tooManyActive:
            return "would have raised, but \(RuleEngine.maximumActive) interventions are active already"
        case .escalated(let step, let steps, let severity, let late):
            return "ESCALATED: \(severity.name)" + (steps > 1 ? ", step \(step) of \(steps)" : "")
                + Self.late(late, times)
        case .cleared(let reason, let active): return "CLEARED after \(times.duration(active)): \(reason.text)"
        case .dropped(let loss, let progress): return loss.text + "; " + progress.text(times)
        }
    }

    private static func left(_ left: Int64, _ times: ExplainedTimes) -> String {
        left == 0 ? "in the very last moment" : "\(times.duration(left)) before it would have raised"
    }

    private static func late(_ late: Int64?, _ times: ExplainedTimes) -> String {
        late.map { ", \(times.duration($0)) late" } ?? ""
    }

    private static func list(_ terms: [Note.StateTerm]) -> String { Words.list(terms.map(\.text), "and") }
}

extension Note.Count {
    func text(_ times: ExplainedTimes) -> String {
        let rule = "\(count) of \(wanted) within \(times.duration(within))"
        if count >= wanted { return rule }
        let by = times.moment(oldest.advanced(byMilliseconds: within))
        let missing = wanted - count
        let rest =
            missing == 1 ? "the \(Words.ordinal(wanted)) by \(by) raises it" : "\(missing) more by \(by) raise it"
        guard let tooSlow else { return "\(rule); \(rest)" }
        return "\(wanted) came, but in \(times.duration(tooSlow)): \(rule); \(rest)"
    }
}

extension Note.Role {
    fileprivate var refusal: String {
        switch self {
        case .on: return "does not count"
        case .unless: return "is no answer"
        case .clearWhen: return "does not clear it"
        }
    }
}

extension Note.Loss {
    fileprivate var text: String {
        switch self {
        case .keyLimit: return "given up: \(RuleEngine.maximumKeys) newer ones wait"
        case .gap: return "given up: in so long a gap an answer may have come unseen"
        case .guardShut: return "given up: its \"while\" ended"
        case .ruleChanged: return "given up: the rule is another one now"
        case .ruleRemoved: return "given up: the rule is gone"
        }
    }
}

extension Note.Progress {
    fileprivate func text(_ times: ExplainedTimes) -> String {
        switch self {
        case .waited(let waited, let left):
            return "it had waited \(times.duration(waited)) of \(times.duration(waited + left))"
        case .counted(let count, let wanted): return "it had \(count) of \(wanted)"
        }
    }
}

extension Intervention.ClearReason {
    /// Why something cleared, after a colon.
    var text: String {
        switch self {
        case .clearWhen: return "clear_when"
        case .clearAfter: return "clear_after"
        case .answered: return "its \"unless\" came"
        case .stateEnded: return "its state ended"
        case .resync: return "after the gap its state was found to be another"
        case .ruleChanged: return "the rule is another one now"
        case .ruleRemoved: return "the rule is gone"
        }
    }
}

extension StampedSignal {
    /// `payment.started pay=P1`, with those of its attributes that are in `names`.
    func text(showing names: Set<AttributeName>) -> String {
        let shown = signal.attributes.filter { names.contains($0.name) }
        return
            ([signal.type.name]
            + shown.map { "\($0.name.name)=\(ResultLine.quoted($0.value.description.cut(toBytes: 80)))" })
            .joined(separator: " ")
    }
}

extension Rule {
    /// The attributes that it looks at, its states' included.
    func attributes(in states: [StateDeclaration]) -> Set<AttributeName> {
        var matches = onMatches + unlessMatches + clearWhen
        var terms = whileCondition?.terms ?? []
        if case .lasts(let when, _, _) = shape { terms += when.terms }
        for term in terms where states.indices.contains(term.state) {
            matches += states[term.state].values.flatMap(\.setBy)
        }
        return Set(matches.flatMap { $0.tests.map(\.attribute) } + same)
    }
}
