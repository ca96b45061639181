import Lane

/// What the signals of one lane did to one rule, told from an engine's notes.
public struct Explanation: Sendable {
    /// A signal, or a moment at which a timer ran, and what it did to the rule.
    struct Entry {
        var at: LaneInstant
        var cause: StampedSignal?
        var notes: [Note]
    }

    private let rule: Rule
    private let states: [StateDeclaration]
    private let notes: [Note]
    private let isForLane: Bool
    private let times: ExplainedTimes

    /// - Parameter notes: of any rules; those of `rule` are told.
    public init(_ rule: Rule, in set: RuleSet, lane: String, notes: [Note], times: ExplainedTimes) {
        self.rule = rule
        isForLane = rule.isFor(lane)
        self.states = set.states
        self.notes = notes.filter { $0.rule == rule.id }
        self.times = times
    }

    // MARK: Lines

    /// A line: when, and what.
    public struct Line: Hashable, Sendable {
        /// Milliseconds after 0.
        public var after: Int64
        /// Empty where it is that of the line before.
        public var time: String
        public var text: String
        /// Something was raised, escalated or cleared.
        public var isResult: Bool
    }

    /// One line a signal and what it did, in order.
    ///
    /// - Parameter folded: of a long run of signals, or of pairs of them, that all did the same, the first and the last; and
    ///   nothing of guards that opened and closed while nothing came.
    public func lines(folded: Bool = true) -> [Line] {
        let shown = rule.attributes(in: states)
        let entries = entries(withIdle: !folded)
        guard folded else { return entries.flatMap { self.lines(of: $0, shown) } }
        var lines: [Line] = []
        var place = 0
        while place < entries.count {
            let (period, repeats) = Self.run(entries, at: place)
            let end = place + period * repeats
            guard repeats > (period == 1 ? 4 : 6) else {
                lines += self.lines(of: entries[place], shown)
                place += 1
                continue
            }
            for entry in entries[place..<place + period] { lines += self.lines(of: entry, shown) }
            let what = period == 1 ? "more that did the same" : "more pairs that did the same"
            lines.append(
                Line(
                    after: entries[place].at.milliseconds(since: times.zero), time: "",
                    text: "… \(repeats - 2) \(what)",
                    isResult: false))
            for entry in entries[end - period..<end] { lines += self.lines(of: entry, shown) }
            place = end
        }
        return lines
    }

    /// How often the entry at `place`, or it and the next, is repeated from there on; itself included.
    private static func run(_ entries: [Entry], at place: Int) -> (period: Int, repeats: Int) {
        func repeats(_ period: Int) -> Int {
            guard place + period <= entries.count else { return 1 }
            let sorts = entries[place..<place + period].map(\.sort)
            if sorts.contains(nil) { return 1 }
            var end = place + period
            while end + period <= entries.count, entries[end..<end + period].map(\.sort) == sorts { end += period }
            return (end - place) / period
        }
        let single = repeats(1)
        return single > 4 ? (1, single) : (2, repeats(2))
    }

    private func entries(withIdle: Bool) -> [Entry] {
        var entries: [Entry] = []
        for note in notes where withIdle || !note.kind.isIdle {
            if let last = entries.last, last.at == note.at, last.cause?.number == note.cause?.number {
                entries[entries.count - 1].notes.append(note)
            } else {
                entries.append(Entry(at: note.at, cause: note.cause, notes: [note]))
            }
        }
        return entries
    }

    private func lines(of entry: Entry, _ shown: Set<AttributeName>) -> [Line] {
        let head: String
        if let cause = entry.cause {
            head = cause.text(showing: shown)
        } else {
            head = entry.notes.map(\.kind).first { $0.withoutSignal != nil }?.withoutSignal ?? "(other rules)"
        }
        var lines: [Line] = []
        for note in entry.notes {
            let isNamed = entry.cause.map { cause in
                note.key.allSatisfy { part in
                    cause.signal.attributes.contains { $0.name.name == part.name && $0.value.keyValue == part.value }
                }
            }
            let key = isNamed == true || note.key.isEmpty ? "" : note.key.text + ": "
            let isFirst = lines.isEmpty
            lines.append(
                Line(
                    after: note.at.milliseconds(since: times.zero), time: isFirst ? times.moment(note.at) : "",
                    text: (isFirst ? head : "") + (isFirst ? " → " : "    → ") + key + note.kind.text(times),
                    isResult: note.kind.isResult))
        }
        return lines
    }

    // MARK: The end

    /// What it came to: how often it raised, what kept it back, and the nearest miss.
    public var summary: [String] {
        guard isForLane else { return [rule.isEnabled ? "is not for this lane" : "is switched off (enabled: false)"] }
        guard notes.contains(where: { !$0.kind.isIdle }) else {
            return ["nothing touched this rule: \(absent)"]
        }
        var lines = [tally]
        let raised = notes.contains { if case .raised = $0.kind { true } else { false } }
        // A signal that the rule is not about is news only where nothing else is.
        var isAtOnce = false
        if case .atOnce = rule.shape { isAtOnce = true }
        if let miss = NearMiss.nearest(of: notes, isAtOnce: isAtOnce, times), !raised || miss.rank >= 1 {
            lines.append("nearest miss: \(miss.text)")
        }
        return lines
    }

    private var tally: String {
        func count(_ test: (Note.Kind) -> Bool) -> Int { notes.count { test($0.kind) } }
        let raised = count { if case .raised = $0 { true } else { false } }
        let escalated = count { if case .escalated = $0 { true } else { false } }
        let cleared = count { if case .cleared = $0 { true } else { false } }
        var told = [raised == 0 ? "never raised" : "raised \(Words.times(raised))"]
        if escalated > 0 { told.append("escalated \(Words.times(escalated))") }
        if cleared > 0 { told.append("cleared \(Words.times(cleared))") }
        var kept: [String] = []
        for (name, number) in [
            ("in its cooldown", count { if case .inCooldown = $0 { true } else { false } }),
            ("silenced", count { if case .silenced = $0 { true } else { false } }),
            ("outside its hours", count { if case .outsideHours = $0 { true } else { false } }),
            ("muted", count { if case .muted = $0 { true } else { false } }),
            ("by the limit of active ones", count { $0 == .tooManyActive }),
        ] where number > 0 {
            kept.append("\(name) \(Words.times(number))")
        }
        let text = told.joined(separator: ", ")
        return kept.isEmpty ? text : text + "; kept back: " + kept.joined(separator: ", ")
    }

    /// What would have had to come.
    private var absent: String {
        if case .lasts(let when, _, _) = rule.shape {
            let terms = when.terms.filter { states.indices.contains($0.state) }.map { term in
                let values = states[term.state].values
                return Note.StateTerm(
                    state: states[term.state].name,
                    value: values.indices.contains(term.value) ? values[term.value].name : "",
                    isNegated: term.isNegated, current: nil
                ).condition
            }
            return "\"\(terms.joined(separator: " and "))\" never was so"
        }
        var names: [String] = []
        for match in rule.onMatches where !names.contains(match.type.name) { names.append(match.type.name) }
        return "no \(Words.list(names, "or")) came"
    }
}

extension Explanation.Entry {
    /// What a run of entries has in common; nil for those that are never folded.
    fileprivate var sort: String? {
        guard notes.count == 1, let note = notes.first else { return nil }
        switch note.kind {
        case .restarted: return "restarted"
        case .waitsAlready: return "waits already"
        case .waits: return "waits"
        case .answered: return "answered"
        case .otherWaits: return "other waits"
        case .counted(let count): return count.count == 1 ? "first" : nil
        case .emptied(let count): return count == 1 ? "emptied" : nil
        case .guardClosed(let terms): return "guard " + terms.map(\.text).joined()
        case .noKey: return "no key"
        case .mismatch(let role, let failed): return "mismatch \(role) " + failed.map(\.test.attribute.name).joined()
        case .repeated: return "repeated"
        default: return nil
        }
    }
}

extension Note.Kind {
    /// A guard that opened or closed, which alone does nothing.
    var isIdle: Bool {
        switch self {
        case .guardOpened, .guardShut: return true
        default: return false
        }
    }

    fileprivate var isResult: Bool {
        switch self {
        case .raised, .escalated, .cleared: return true
        default: return false
        }
    }

    /// What it was, where no signal did it.
    fileprivate var withoutSignal: String? {
        switch self {
        case .raised, .repeated, .inCooldown, .silenced, .outsideHours, .muted, .tooManyActive, .escalated,
            .cleared(.clearAfter, _):
            return "(time is up)"
        case .dropped(.gap, _), .unknown: return "(after a gap)"
        default: return nil
        }
    }
}
