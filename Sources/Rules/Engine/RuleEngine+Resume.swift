import Lane

/// After a hole in what the lane could see: a restart, a crash, suspend, a source that was blind (docs/reference/rules.md,
/// "After a gap").
extension RuleEngine {
    /// A gap up to this long is short unless the caller says otherwise.
    public static let defaultGapLimit: Int64 = 10_000
    /// So long after a gap a signal that gives a state its old value confirms it: sources look anew right after a gap. What
    /// comes later is news.
    public static let resyncMilliseconds: Int64 = 10_000

    /// Goes on at `at` after nothing was received for `gapMilliseconds`; nil is an unknown gap, which counts as long.
    ///
    /// First the timers that were due before the gap run as if nothing had happened (after a crash, call `idle(until:)`
    /// with the last moment known to be alive when the gap is unknown). Then
    /// - short (at most `gapLimitMilliseconds`): deadlines inside the gap run now, stamped with the deadline, with `lateBy`;
    ///   states keep their values, but what lasts (D) waits until a signal has settled its states;
    /// - long: waits of shape B and rings of C are dropped, as an answer may have come unseen. States are unknown until a
    ///   signal sets them.
    ///
    /// D goes on from its old start where all its states are confirmed within `resyncMilliseconds`, after a long gap with
    /// `Intervention.assumed`; else it begins with the signal that settles the last of them. After a short gap a signal of
    /// its `unless` begins it too. Interventions stay; one of a D that a long gap hid, and whose state is over, ends with
    /// the reason `resync`. Escalations and `clear_after` go on.
    ///
    /// A gap of 0 is no gap: it is how a step of the wall clock is told before the next signal. No timer moves, `at` and
    /// silences use the new wall time from then on.
    public mutating func resume(
        at: LaneInstant, wall: WallInstant, gapMilliseconds: Int64?, gapLimitMilliseconds: Int64 = defaultGapLimit
    ) -> Step {
        let at = at.milliseconds
        ranAt = nil
        let gap = gapMilliseconds.map { max(0, $0) }
        if let gap { runTimers(before: Self.difference(at, gap)) }
        if gap != 0 {
            if noting != nil { noting?.moment = at }
            let isLong = gap.map { $0 > gapLimitMilliseconds } ?? true
            doubt(isLong, since: gap.map { Self.difference(at, $0) } ?? now, at: at, nil)
            if noting != nil { noting?.moment = nil }
        }
        ranAt = at
        isResuming = gap != 0
        runTimers(before: at)
        isResuming = false
        ranAt = nil
        now = max(now, at)
        wallOffset = Self.difference(wall.milliseconds, now)
        return handOut()
    }

    /// Goes on at `at` after signals of `types` alone were not received for `gapMilliseconds`; nil is unknown, which counts
    /// as long. The lane was awake: its timers ran in time.
    ///
    /// Short: D waits for its states as in `resume`, where one of `types` sets one of them. Long: so too; the waits of B
    /// and the rings of C are dropped where one of `types` is in the rule's `unless`, or sets a state that its `while`
    /// names; states that one of `types` sets are unknown. Everything else goes on, and so does a state that `types` can set
    /// to no other value than it has.
    public mutating func miss(
        _ types: Set<SignalType>, at: LaneInstant, wall: WallInstant, gapMilliseconds: Int64?,
        gapLimitMilliseconds: Int64 = defaultGapLimit
    ) -> Step {
        let at = at.milliseconds
        ranAt = nil
        runTimers(before: at)
        now = max(now, at)
        wallOffset = Self.difference(wall.milliseconds, now)
        let gap = gapMilliseconds.map { max(0, $0) }
        let isLong = gap.map { $0 > gapLimitMilliseconds } ?? true
        if gap != 0 { doubt(isLong, since: gap.map { Self.difference(now, $0) } ?? now, at: now, types) }
        return handOut()
    }

    /// - Parameters:
    ///   - begin: When the gap began, as far as that is known.
    ///   - hidden: What was not seen; nil for everything.
    private mutating func doubt(_ isLong: Bool, since begin: Int64, at: Int64, _ hidden: Set<SignalType>?) {
        func isHidden(_ types: Set<SignalType>) -> Bool { hidden.map { !$0.isDisjoint(with: types) } ?? true }
        let isDoubted = zip(table.states, states).map { names, state in
            let isKnown = state.value >= 0 && !state.isDoubtful
            guard hidden != nil, isKnown else { return names.setBy.contains(where: isHidden) }
            // What could only say again what is known has hidden nothing: others that change the state were heard.
            return names.setBy.enumerated().contains { $0.offset != Int(state.value) && isHidden($0.element) }
        }
        for state in states.indices where isDoubted[state] {
            doubtState(state, isLong, since: begin, resyncUntil: Self.sum(at, Self.resyncMilliseconds))
        }
        for (place, rule) in table.rules.enumerated() {
            let isTouched = rule.condition.contains { isDoubted[$0.state] }
            if isLong, rule.form != .lasts, isTouched || isHidden(rule.answers) {
                counts.droppedByGap += memory[place].waits.count
                if noting != nil { noteAllDropped(place, .gap) }
                dropWaits(place)
            }
            guard isTouched else { continue }
            memory[place].holds = conditionHolds(place)
            let lasting = memory[place].lasting
            guard rule.form == .lasts else { continue }
            let isWaiting = lasting.phase == .armed || lasting.phase == .muted
            if isWaiting || (isLong && (lasting.phase != .idle || !memory[place].active.isEmpty)) { suspend(place) }
            if isWaiting && isLong { memory[place].lasting.isAssumed = true }
        }
    }

    private mutating func doubtState(_ state: Int, _ isLong: Bool, since begin: Int64, resyncUntil: Int64) {
        let old = states[state]
        // What an earlier gap made doubtful, and nobody confirmed in time, cannot be confirmed by a later look either.
        let isLost = old.isDoubtful && old.resyncUntil < begin
        if isLost { breakSuspended(namedBy: state) }
        if old.value < 0 && !old.isDoubtful { return }
        if isLong {
            states[state].value = -1
            states[state].remembered = isLost ? -1 : old.isDoubtful ? old.remembered : old.value
        } else if !isLost {
            states[state].remembered = old.isDoubtful ? old.remembered : old.value
        }
        if !isLost { states[state].resyncUntil = resyncUntil }
    }

    /// D: the wait stands still until its states are settled.
    mutating func suspend(_ place: Int) {
        timers.cancel(&memory[place].lasting.timer)
        memory[place].lasting.isSuspended = true
        if noting != nil { note(place, .lane, .unknown) }
        // Of a state that an earlier gap made unknown for good there is nothing to confirm.
        if table.rules[place].condition.contains(where: { states[$0.state].value < 0 && !states[$0.state].isDoubtful })
        {
            memory[place].lasting.isBroken = true
        }
    }

    /// The state was found to be another than before the gap, or was not confirmed in time.
    mutating func breakSuspended(namedBy state: Int) {
        for place in table.namedBy[state] where memory[Int(place)].lasting.isSuspended {
            memory[Int(place)].lasting.isBroken = true
        }
    }

    /// When the last of the states of the rule's condition took its value.
    func stateStart(_ place: Int) -> Int64 {
        table.rules[place].condition.map { states[$0.state].since }.max() ?? now
    }

    /// Whether a state of the rule's condition was confirmed after a long gap.
    func isAssumed(_ place: Int) -> Bool { table.rules[place].condition.contains { states[$0.state].isAssumed } }

    /// Whether what is known of the states is enough to say that the condition does not hold.
    private func isRefuted(_ place: Int) -> Bool {
        table.rules[place].condition.contains { term in
            let value = states[term.state].value
            return value >= 0 && (Int(value) == term.value) == term.isNegated
        }
    }

    /// A state that a suspended D names was set: it goes on, begins anew or ends, or waits for another of its states.
    mutating func settle(_ place: Int, _ holds: Bool, _ signal: StampedSignal) {
        memory[place].holds = holds
        if isRefuted(place) {
            memory[place].lasting.isSuspended = false
            memory[place].lasting.isBroken = false
            if noting != nil { noteEnded(place) }
            disarmLasting(place)
            memory[place].lasting.traces = []
            return clearAll(place, .resync, signal)
        }
        let isSettled = table.rules[place].condition.allSatisfy { !states[$0.state].isDoubtful }
        guard holds, isSettled else { return }
        let isBroken = memory[place].lasting.isBroken
        memory[place].lasting.isSuspended = false
        memory[place].lasting.isBroken = false
        if isBroken {
            // It holds, but began anew. What was raised stays: the fact is still one.
            if memory[place].active.isEmpty { armLasting(place, signal, from: now) }
            return
        }
        let phase = memory[place].lasting.phase
        if memory[place].lasting.isAssumed, phase == .armed || phase == .muted { counts.assumed += 1 }
        if phase == .armed {
            let timer = TimerHeap.Timer(purpose: .lasting, rule: Int32(place))
            let start = memory[place].lasting.start
            let handle = arm(timer, start, table.rules[place].wait, nil, .adopting)
            memory[place].lasting.timer = handle
            if noting != nil { noteGoesOn(place) }
        }
    }
}
