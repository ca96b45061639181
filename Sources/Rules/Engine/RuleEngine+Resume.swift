import Lane

/// After a hole in what the lane could see: a restart, a crash, suspend (docs/reference/rules.md, "Restart, crash, gap").
extension RuleEngine {
    /// A gap up to this long is short unless the caller says otherwise.
    public static let defaultGapLimit: Int64 = 10_000

    /// Goes on at `at` after nothing was received for `gapMilliseconds`; nil is an unknown gap, which counts as long.
    ///
    /// First the timers that were due before the gap run as if nothing had happened (after a crash, call `idle(until:)`
    /// with the last moment known to be alive when the gap is unknown). Then
    /// - short (at most `gapLimitMilliseconds`): deadlines inside the gap fire now, stamped with the deadline, with `lateBy`;
    /// - long: waits of shape B and rings of C are dropped, as an answer may have come unseen. States are unknown until a
    ///   signal sets them: one that finds the old value lets D go on from its old start, another value starts or ends it,
    ///   and ends its intervention with the reason `resync`. Escalations and `clear_after` go on.
    ///
    /// A gap of 0 is how a step of the wall clock is told before the next signal: no timer moves, `at` and silences use
    /// the new wall time from then on.
    public mutating func resume(
        at: LaneInstant, wall: WallInstant, gapMilliseconds: Int64?, gapLimitMilliseconds: Int64 = defaultGapLimit
    ) -> Step {
        let at = at.milliseconds
        ranAt = nil
        if let gapMilliseconds { runTimers(before: Self.difference(at, max(0, gapMilliseconds))) }
        if noting != nil { noting?.moment = at }
        if gapMilliseconds.map({ $0 > gapLimitMilliseconds }) ?? true { forgetUnseen() }
        if noting != nil { noting?.moment = nil }
        ranAt = at
        runTimers(before: at)
        ranAt = nil
        now = max(now, at)
        wallOffset = Self.difference(wall.milliseconds, now)
        return handOut()
    }

    private mutating func forgetUnseen() {
        for place in memory.indices {
            counts.droppedByGap += memory[place].waits.count
            if noting != nil { noteAllDropped(place, .gap) }
            dropWaits(place)
            if table.rules[place].form == .lasts, !table.rules[place].condition.isEmpty {
                if memory[place].lasting.phase != .idle || !memory[place].active.isEmpty {
                    timers.cancel(&memory[place].lasting.timer)
                    memory[place].lasting.isSuspended = true
                    if noting != nil { note(place, .lane, .unknown) }
                }
            }
            memory[place].holds = table.rules[place].condition.isEmpty
        }
        for state in states.indices where states[state].value >= 0 {
            states[state].remembered = states[state].value
            states[state].value = -1
        }
    }

    /// The state was found to be another than before the gap.
    mutating func breakSuspended(namedBy state: Int) {
        for place in table.namedBy[state] where memory[Int(place)].lasting.isSuspended {
            memory[Int(place)].lasting.isBroken = true
        }
    }

    /// Whether what is known of the states is enough to say that the condition does not hold.
    func isRefuted(_ place: Int) -> Bool {
        table.rules[place].condition.contains { term in
            let value = states[term.state].value
            return value >= 0 && (Int(value) == term.value) == term.isNegated
        }
    }

    /// The state of a suspended D is known again.
    mutating func wake(_ place: Int, _ holds: Bool, _ signal: StampedSignal) {
        let isBroken = memory[place].lasting.isBroken
        memory[place].lasting.isSuspended = false
        memory[place].lasting.isBroken = false
        memory[place].holds = holds
        guard holds else {
            if noting != nil { noteEnded(place) }
            disarmLasting(place)
            memory[place].lasting.traces = []
            return clearAll(place, .resync, signal)
        }
        if isBroken {
            // It holds, but began anew. What was raised stays: the fact is still one.
            if memory[place].active.isEmpty { armLasting(place, signal) }
            return
        }
        counts.assumed += 1
        if memory[place].lasting.phase == .armed {
            let timer = TimerHeap.Timer(purpose: .lasting, rule: Int32(place))
            let start = memory[place].lasting.start
            let handle = arm(timer, start, table.rules[place].wait, nil, .adopting)
            memory[place].lasting.timer = handle
            if noting != nil { noteGoesOn(place) }
        }
    }
}
