import Lane

/// What each shape does with a signal, a state that changes, and its timer.
extension RuleEngine {
    // MARK: 2a States

    /// Sets all states together, then lets each rule that names one of them compare before with after, once.
    mutating func setStates(_ found: ArraySlice<Int32>, _ signal: StampedSignal) {
        var touched: [Int32] = []
        for place in found.indices {
            let entry = table.index.entries[Int(found[place])]
            let state = Int(entry.subject)
            // Ascending by state, then value: of two values of one state the later in the file counts.
            if place + 1 < found.endIndex, table.index.entries[Int(found[place + 1])].subject == entry.subject {
                continue
            }
            let old = states[state]
            if old.value == entry.value && !old.isDoubtful { continue }
            if old.remembered == entry.value, now <= old.resyncUntil {
                states[state].value = entry.value
                states[state].remembered = -1
                if old.value < 0 { states[state].isAssumed = true }
            } else {
                if old.isDoubtful { breakSuspended(namedBy: state) }
                states[state] = StateMemory(value: entry.value, since: now)
            }
            touched.append(Int32(state))
        }
        guard !touched.isEmpty else { return }
        if touched.count == 1 {
            for place in table.namedBy[Int(touched[0])] { compare(Int(place), signal) }
        } else {
            var places = touched.flatMap { table.namedBy[Int($0)] }
            places.sort()
            var last: Int32 = -1
            for place in places where place != last {
                last = place
                compare(Int(place), signal)
            }
        }
    }

    func conditionHolds(_ place: Int) -> Bool {
        for term in table.rules[place].condition {
            let value = states[term.state].value
            if value < 0 || (Int(value) == term.value) == term.isNegated { return false }
        }
        return true
    }

    private mutating func compare(_ place: Int, _ signal: StampedSignal) {
        let holds = conditionHolds(place)
        if memory[place].lasting.isSuspended { return settle(place, holds, signal) }
        guard holds != memory[place].holds else { return }
        memory[place].holds = holds
        switch table.rules[place].form {
        case .atOnce:
            if noting != nil { noteGuard(place, opened: holds) }
        case .noAnswer, .tooMany:
            if noting != nil { noteGuard(place, opened: holds) }
            if !holds { dropWaits(place) }
        case .lasts:
            if holds {
                // Now, or, where a gap's resync has confirmed what was before it, when it began.
                armLasting(place, signal, from: stateStart(place))
            } else {
                if noting != nil { noteEnded(place) }
                disarmLasting(place)
                memory[place].lasting.traces = []
                clearAll(place, .stateEnded, signal)
            }
        }
    }

    /// D: starts the wait at `start`, with a new beginning of its evidence.
    mutating func armLasting(_ place: Int, _ signal: StampedSignal, from start: Int64) {
        disarmLasting(place)
        memory[place].lasting.traces = [Trace(signal)]
        armLasting(place, from: start)
        if noting != nil { noteHolds(place) }
    }

    mutating func armLasting(_ place: Int, from start: Int64) {
        memory[place].lasting.phase = .armed
        memory[place].lasting.start = start
        memory[place].lasting.isSuspended = false
        memory[place].lasting.isBroken = false
        memory[place].lasting.isAssumed = start < now && isAssumed(place)
        let timer = TimerHeap.Timer(purpose: .lasting, rule: Int32(place))
        memory[place].lasting.timer = arm(timer, start, table.rules[place].wait, nil, .adopting)
    }

    mutating func disarmLasting(_ place: Int) {
        timers.cancel(&memory[place].lasting.timer)
        if memory[place].lasting.phase == .muted { muted.removeAll { $0 == Int32(place) } }
        memory[place].lasting.phase = .idle
    }

    /// B: disarms every key. C: empties every ring.
    mutating func dropWaits(_ place: Int) {
        if memory[place].waits.isEmpty { return }
        if table.rules[place].form == .noAnswer {
            while let first = memory[place].waits.first { dropWait(place, first) }
        }
        memory[place].waits.removeAll()
    }

    mutating func dropWait(_ place: Int, _ wait: Int) {
        guard var gone = memory[place].waits.remove(at: wait) else { return }
        timers.cancel(&gone.timer)
    }

    // MARK: 2b to 2d

    /// `key` nil: the signal lacks it and reaches all keys.
    mutating func clearWhen(_ place: Int, _ key: InstanceKey?, _ signal: StampedSignal) {
        if memory[place].active.isEmpty { return }
        if let key { clear(place, key, .clearWhen, signal) } else { clearAll(place, .clearWhen, signal) }
    }

    mutating func unless(_ place: Int, _ key: InstanceKey?, _ signal: StampedSignal) {
        switch table.rules[place].form {
        case .atOnce: break
        case .noAnswer, .tooMany:
            if let key {
                if let wait = memory[place].waits.find(key) {
                    if noting != nil { noteAnswered(place, wait) }
                    dropWait(place, wait)
                } else if noting != nil, table.rules[place].form == .noAnswer, !memory[place].waits.isEmpty {
                    note(place, key, .otherWaits(table.rules[place].same.map(\.name)))
                }
            } else {
                if noting != nil { noteAllAnswered(place) }
                dropWaits(place)
            }
            guard table.rules[place].form == .noAnswer, !memory[place].active.isEmpty else { return }
            if let key { clear(place, key, .answered, signal) } else { clearAll(place, .answered, signal) }
        case .lasts:
            guard memory[place].holds else { return }
            if noting != nil { noteRestarted(place) }
            disarmLasting(place)
            if !memory[place].active.isEmpty { clearAll(place, .answered, signal) }
            // What began the state stays, the newest U stands for those before it.
            if memory[place].lasting.traces.count > 1 { memory[place].lasting.traces.removeLast() }
            memory[place].lasting.traces.append(Trace(signal))
            armLasting(place, from: now)
        }
    }

    mutating func on(_ place: Int, _ key: InstanceKey, _ signal: StampedSignal) {
        guard memory[place].holds else {
            if noting != nil { noteGuardClosed(place) }
            return
        }
        switch table.rules[place].form {
        case .atOnce: _ = fire(place, key, [Trace(signal)], signal)
        case .noAnswer: armWait(place, key, signal)
        case .tooMany: push(place, key, signal)
        case .lasts: break
        }
    }

    private mutating func armWait(_ place: Int, _ key: InstanceKey, _ signal: StampedSignal) {
        if let known = memory[place].waits.find(key) {
            if noting != nil, let since = memory[place].waits[known]?.since {
                let until = LaneInstant(milliseconds: Self.sum(since, table.rules[place].wait))
                note(place, key, .waitsAlready(until: until))
            }
            return
        }
        if memory[place].waits.count >= Self.maximumKeys, let oldest = memory[place].waits.first {
            if noting != nil { noteDropped(place, oldest, .keyLimit) }
            dropWait(place, oldest)
            counts.droppedKeys += 1
        }
        let wait = memory[place].waits.append(key, Wait(since: now, timer: .none, traces: [Trace(signal)]))
        memory[place].waits[wait]?.timer = timers.arm(
            at: Self.sum(now, table.rules[place].wait),
            TimerHeap.Timer(purpose: .wait, rule: Int32(place), place: Int32(wait)))
        if noting != nil {
            note(place, key, .waits(until: LaneInstant(milliseconds: Self.sum(now, table.rules[place].wait))))
        }
    }

    private mutating func push(_ place: Int, _ key: InstanceKey, _ signal: StampedSignal) {
        let (count, within) = (table.rules[place].count, table.rules[place].wait)
        let wait: Int
        if let known = memory[place].waits.find(key) {
            wait = known
            memory[place].waits.moveToEnd(wait)
        } else {
            makeRoomForRing(place, within)
            wait = memory[place].waits.append(key, Wait(since: now, timer: .none, traces: []))
        }
        memory[place].waits[wait]?.since = now
        memory[place].waits[wait]?.traces.keepNewest(Trace(signal), atMost: min(count, [Trace].maximum))
        let oldest = memory[place].waits[wait]?.ring.push(now, limit: count)
        if noting != nil { noteCount(place, wait) }
        guard let oldest, Self.difference(now, oldest) <= within else { return }
        let traces = memory[place].waits.remove(at: wait)?.traces ?? []
        _ = fire(place, key, traces, signal)
    }

    /// Frees rings that are too old to matter, then the oldest if there are still too many.
    private mutating func makeRoomForRing(_ place: Int, _ within: Int64) {
        while let first = memory[place].waits.first, let ring = memory[place].waits[first],
            Self.difference(now, ring.since) > within
        {
            memory[place].waits.remove(at: first)
        }
        if memory[place].waits.count >= Self.maximumKeys, let oldest = memory[place].waits.first {
            if noting != nil { noteDropped(place, oldest, .keyLimit) }
            memory[place].waits.remove(at: oldest)
            counts.droppedKeys += 1
        }
    }

    // MARK: Timers

    mutating func run(_ timer: TimerHeap.Timer, _ deadline: Int64) {
        let place = Int(timer.rule)
        switch timer.purpose {
        case .wait:
            let wait = Int(timer.place)
            let key = memory[place].waits.key(at: wait)
            guard let gone = memory[place].waits.remove(at: wait) else { return }
            _ = fire(place, key, gone.traces, nil, late: lateness(timer, deadline))
        case .lasting:
            memory[place].lasting.timer = .none
            memory[place].lasting.phase = .spent
            let outcome = fire(place, .lane, memory[place].lasting.traces, nil, late: lateness(timer, deadline))
            if outcome == .muted {
                memory[place].lasting.phase = .muted
                muted.insert(Int32(place), at: muted.firstIndex { $0 > Int32(place) } ?? muted.count)
            }
        case .escalate:
            escalate(place, Int(timer.place), Int(timer.escalation), late: lateness(timer, deadline))
        case .clearAfter:
            memory[place].active[Int(timer.place)]?.clearAfter = .none
            clear(place, at: Int(timer.place), .clearAfter, nil)
        }
    }

    /// By how much the timer ran too late, where that is worth telling.
    private mutating func lateness(_ timer: TimerHeap.Timer, _ deadline: Int64) -> Int64? {
        let late = Self.sum(timer.late, max(0, ranAt.map { Self.difference($0, deadline) } ?? 0))
        // What came due in a gap, or before a reload, is late for a reason that people should know.
        guard late > (timer.late > 0 || isResuming ? 0 : Self.lateMilliseconds) else { return nil }
        counts.lateTimers += 1
        return late
    }

    /// 2e: D rules that came due while muted and are so no longer fire, in the order of places.
    mutating func fireUnmuted() {
        for place in muted {
            let lasting = memory[Int(place)].lasting
            guard lasting.phase == .muted, !lasting.isSuspended, !isMuted(Int(place)) else { continue }
            memory[Int(place)].lasting.phase = .spent
            _ = fire(Int(place), .lane, memory[Int(place)].lasting.traces, nil)
        }
        muted.removeAll { memory[Int($0)].lasting.phase != .muted }
    }

    // MARK: Arithmetic that saturates: recordings hold any number

    static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? (b < 0 ? .min : .max) : sum
    }

    static func difference(_ a: Int64, _ b: Int64) -> Int64 {
        let (difference, overflow) = a.subtractingReportingOverflow(b)
        return overflow ? (a < b ? .min : .max) : difference
    }
}
