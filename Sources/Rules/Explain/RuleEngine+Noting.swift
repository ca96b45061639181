import Lane

/// Making notes. None of this runs unless `noting` is set: each call in the engine stands behind `if noting != nil`.
extension RuleEngine {
    @inline(never)
    mutating func note(_ place: Int, _ key: InstanceKey, _ kind: Note.Kind) {
        let rule = table.rules[place]
        addNote(rule.id, parts(of: key, rule), kind)
    }

    // MARK: Signals that do not count

    @inline(never)
    mutating func noteNoKey(_ place: Int, _ signal: Signal) {
        let missing = table.rules[place].same.filter { name in
            guard let value = signal[name], let kind = SignalCatalogue.shipped[signal.type].declared(name)?.kind else {
                return true
            }
            if case .int = value { return kind != .int }
            return kind == .int
        }
        note(place, .lane, .noKey(missing.map(\.name)))
    }

    @inline(never)
    mutating func noteGuardClosed(_ place: Int) {
        note(place, .lane, .guardClosed(terms(place).filter { !$0.holds }))
    }

    /// The terms of the rule's condition with what the lane knows.
    func terms(_ place: Int) -> [Note.StateTerm] {
        table.rules[place].condition.map { term in
            let names = table.states[term.state]
            let current = Int(states[term.state].value)
            return Note.StateTerm(
                state: names.name, value: names.values.indices.contains(term.value) ? names.values[term.value] : "",
                isNegated: term.isNegated, current: names.values.indices.contains(current) ? names.values[current] : nil
            )
        }
    }

    /// The signals whose type a rule names but whose `where` is not met: by walking the rules' own matches.
    @inline(never)
    mutating func noteMisses(_ stamped: StampedSignal) {
        guard noting?.wantsMismatches == true else { return }
        let signal = stamped.signal
        for place in table.rules.indices where noting?.covers(table.rules[place].id) == true {
            let rule = table.written[place]
            // What it did says more than what it did not do.
            if noting?.notes.dropFirst(noting?.first ?? 0).contains(where: { $0.rule == rule.id }) ?? false { continue }
            if let failed = signal.mismatch(rule.onMatches) ?? signal.missedState(rule, table.declared) {
                note(place, .lane, .mismatch(.on, failed))
            }
            if wantsAnswer(place), let failed = signal.mismatch(rule.unlessMatches) {
                note(place, .lane, .mismatch(.unless, failed))
            }
            if !memory[place].active.isEmpty, let failed = signal.mismatch(rule.clearWhen) {
                note(place, .lane, .mismatch(.clearWhen, failed))
            }
        }
    }

    private func wantsAnswer(_ place: Int) -> Bool {
        if table.rules[place].form == .lasts { return memory[place].holds && memory[place].lasting.phase != .idle }
        return !memory[place].waits.isEmpty || !memory[place].active.isEmpty
    }

    // MARK: Waits and counts

    @inline(never)
    mutating func noteAnswered(_ place: Int, _ wait: Int) {
        guard let found = memory[place].waits[wait] else { return }
        let key = memory[place].waits.key(at: wait)
        if table.rules[place].form == .noAnswer {
            let (waited, left) = progress(place, since: found.since)
            note(place, key, .answered(waited: waited, left: left))
        } else {
            let count = liveCount(place, found)
            if count > 0 { note(place, key, .emptied(count: count)) }
        }
    }

    /// The same for every wait or count of the rule.
    @inline(never)
    mutating func noteAllAnswered(_ place: Int) {
        for wait in waitPlaces(place) { noteAnswered(place, wait) }
    }

    @inline(never)
    mutating func noteDropped(_ place: Int, _ wait: Int, _ loss: Note.Loss) {
        guard let found = memory[place].waits[wait] else { return }
        guard let progress = progress(of: found, place) else { return }
        note(place, memory[place].waits.key(at: wait), .dropped(loss, progress: progress))
    }

    @inline(never)
    mutating func noteAllDropped(_ place: Int, _ loss: Note.Loss) {
        for wait in waitPlaces(place) { noteDropped(place, wait, loss) }
    }

    @inline(never)
    mutating func noteCount(_ place: Int, _ wait: Int) {
        guard let found = memory[place].waits[wait] else { return }
        let rule = table.rules[place]
        let times = found.ring.inOrder
        let recent = times.filter { Self.difference(now, $0) <= rule.wait }
        let isFull = times.count == rule.count
        let spread = times.first.map { Self.difference(now, $0) } ?? 0
        note(
            place, memory[place].waits.key(at: wait),
            .counted(
                Note.Count(
                    count: recent.count, wanted: rule.count, within: rule.wait,
                    oldest: LaneInstant(milliseconds: recent.first ?? now),
                    tooSlow: isFull && spread > rule.wait ? spread : nil)))
    }

    @inline(never)
    mutating func noteGuard(_ place: Int, opened: Bool) {
        if opened { return note(place, .lane, .guardOpened) }
        note(place, .lane, .guardShut(terms(place).filter { !$0.holds }))
        noteAllDropped(place, .guardShut)
    }

    @inline(never)
    mutating func noteHolds(_ place: Int) {
        let due = Self.sum(memory[place].lasting.start, table.rules[place].wait)
        note(place, .lane, .holds(until: LaneInstant(milliseconds: max(now, due))))
    }

    @inline(never)
    mutating func noteRestarted(_ place: Int) {
        let lasting = memory[place].lasting
        guard lasting.phase != .idle else { return }
        let until = LaneInstant(milliseconds: Self.sum(now, table.rules[place].wait))
        let (waited, left) = lasting.phase == .armed ? progress(place, since: lasting.start) : (0, 0)
        note(place, .lane, .restarted(waited: waited, left: left, until: until))
    }

    @inline(never)
    mutating func noteEnded(_ place: Int) {
        guard memory[place].lasting.phase == .armed else { return }
        let (waited, left) = progress(place, since: memory[place].lasting.start)
        note(place, .lane, .ended(waited: waited, left: left))
    }

    @inline(never)
    mutating func noteGoesOn(_ place: Int) {
        guard memory[place].lasting.phase == .armed else { return }
        let due = Self.sum(memory[place].lasting.start, table.rules[place].wait)
        note(place, .lane, .goesOn(until: LaneInstant(milliseconds: max(now, due))))
    }

    /// What other rules do to what the old ones remembered; called on the new engine.
    @inline(never)
    mutating func noteAdoption(of old: RuleEngine) {
        for (oldPlace, rule) in old.table.rules.enumerated() where noting?.covers(rule.id) == true {
            let place = table.place(of: rule.id)
            let isSame = place.map { table.rules[$0].fingerprint == rule.fingerprint } ?? false
            for wait in old.waitPlaces(oldPlace) {
                guard let found = old.memory[oldPlace].waits[wait] else { continue }
                let parts = old.parts(of: old.memory[oldPlace].waits.key(at: wait), rule)
                if let place, isSame {
                    guard rule.form == .noAnswer, table.rules[place].wait != rule.wait else { continue }
                    let due = LaneInstant(milliseconds: max(now, Self.sum(found.since, table.rules[place].wait)))
                    addNote(rule.id, parts, .goesOn(until: due))
                } else if let progress = old.progress(of: found, oldPlace) {
                    addNote(rule.id, parts, .dropped(place == nil ? .ruleRemoved : .ruleChanged, progress: progress))
                }
            }
            guard rule.form == .lasts, old.memory[oldPlace].lasting.phase == .armed else { continue }
            if let place, isSame {
                if table.rules[place].wait != rule.wait { noteGoesOn(place) }
            } else {
                let (waited, left) = old.progress(oldPlace, since: old.memory[oldPlace].lasting.start)
                let loss: Note.Loss = place == nil ? .ruleRemoved : .ruleChanged
                addNote(rule.id, [], .dropped(loss, progress: .waited(waited, left: left)))
            }
        }
    }

    // MARK: Firing and clearing

    @inline(never)
    mutating func noteOutsideHours(_ place: Int, _ key: InstanceKey, _ span: DaySpan) {
        let seconds = Int64(table.localTime.offsetSeconds(at: wallNow))
        let minutes = Self.sum(wallNow.milliseconds, seconds * 1000) / 60_000 % 1440
        note(place, key, .outsideHours(span, minute: Int((minutes + 1440) % 1440)))
    }

    @inline(never)
    mutating func noteMuted(_ place: Int, _ key: InstanceKey) {
        let muters = activeMuters(place).map { table.rules[$0].id }
        note(place, key, .muted(by: muters, waits: table.rules[place].form == .lasts))
    }

    func activeMuters(_ place: Int) -> [Int] {
        table.rules[place].muters.map(Int.init).filter { muter in
            !memory[muter].active.isEmpty && (!table.rules[muter].isShadow || table.rules[place].isShadow)
        }
    }

    @inline(never)
    mutating func noteCleared(_ gone: ActiveIntervention, _ reason: Intervention.ClearReason) {
        addNote(
            gone.intervention.rule, gone.intervention.key,
            .cleared(reason, active: Self.difference(now, gone.raisedAt)))
    }

    private mutating func addNote(_ rule: String, _ key: [KeyPart], _ kind: Note.Kind) {
        guard noting?.covers(rule) == true else { return }
        let (cause, at) = (noting?.cause, LaneInstant(milliseconds: noted))
        noting?.add(Note(rule: rule, key: key, at: at, cause: cause, kind: kind))
    }

    // MARK: Inside

    private var noted: Int64 { noting?.moment ?? now }

    func waitPlaces(_ place: Int) -> [Int] {
        var places: [Int] = []
        var next = memory[place].waits.first
        while let wait = next {
            places.append(wait)
            next = memory[place].waits.next(after: wait)
        }
        return places
    }

    private func progress(_ place: Int, since: Int64) -> (waited: Int64, left: Int64) {
        let waited = Self.difference(noted, since)
        return (waited, max(0, Self.difference(table.rules[place].wait, waited)))
    }

    /// Nil for a count that is too old to matter.
    private func progress(of wait: Wait, _ place: Int) -> Note.Progress? {
        if table.rules[place].form == .noAnswer {
            let (waited, left) = progress(place, since: wait.since)
            return .waited(waited, left: left)
        }
        let count = liveCount(place, wait)
        return count > 0 ? .counted(count, of: table.rules[place].count) : nil
    }

    /// How many of the ring came within the rule's time.
    func liveCount(_ place: Int, _ wait: Wait) -> Int {
        wait.ring.inOrder.count { Self.difference(noted, $0) <= table.rules[place].wait }
    }
}

extension Signal {
    /// The tests that `matches` of this signal's type fail, of the match that is nearest; nil where one of them holds, or none
    /// is of this type.
    func mismatch(_ matches: [Match]) -> [Note.FailedTest]? {
        var nearest: [Note.FailedTest]?
        for match in matches where match.type == type {
            var limits = 0
            let failed = match.tests.filter { !$0.holds(for: self, &limits) }
            if failed.isEmpty { return nil }
            if let known = nearest, known.count <= failed.count { continue }
            nearest = failed.map { Note.FailedTest(test: $0, value: self[$0.attribute]) }
        }
        return nearest
    }

    /// D: the tests by which the signal misses to begin the state; nil where it tells something of that state.
    fileprivate func missedState(_ rule: Rule, _ states: [StateDeclaration]) -> [Note.FailedTest]? {
        guard case .lasts(let when, _, _) = rule.shape else { return nil }
        var limits = 0
        for term in when.terms where states.indices.contains(term.state) {
            for match in states[term.state].values.flatMap(\.setBy) where match.type == type {
                if match.tests.allSatisfy({ $0.holds(for: self, &limits) }) { return nil }
            }
        }
        return mismatch(rule.starts(in: states))
    }
}

extension Rule {
    var onMatches: [Match] {
        switch shape {
        case .atOnce(let on), .noAnswer(let on, _, _), .tooMany(let on, _, _, _): return on
        case .lasts: return []
        }
    }

    /// D: what can make its state begin.
    func starts(in states: [StateDeclaration]) -> [Match] {
        guard case .lasts(let when, _, _) = shape else { return [] }
        return when.terms.filter { states.indices.contains($0.state) }.flatMap { term in
            states[term.state].values.enumerated().filter { ($0.offset == term.value) != term.isNegated }
                .flatMap(\.element.setBy)
        }
    }

    var unlessMatches: [Match] {
        switch shape {
        case .atOnce: return []
        case .noAnswer(_, let unless, _), .tooMany(_, _, _, let unless), .lasts(_, _, let unless): return unless
        }
    }
}
