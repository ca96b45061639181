import Lane

/// From a record back to an engine: as it was, or adopted by other rules.
extension RuleEngine {
    /// How a record is taken over.
    enum Taking {
        /// Deadlines as they were.
        case exactly
        /// Deadlines from the old start by the table's own durations; those that are past are due now.
        case adopting
    }

    /// An engine on `table` that remembers `record`. What belongs to a rule that is gone or another now (its fingerprint
    /// differs) is given up, its interventions become strays.
    init(_ record: EngineRecord, table: RuleTable, taking: Taking) {
        self.init(table: table)
        now = record.now
        wallOffset = record.wallOffset
        phase = record.phase
        changeNumber = record.changeNumber
        strays = record.strays
        newIDs = Array(record.newIDs.prefix(Self.maximumKeys))
        newIDsAt = now
        timers.reserve(nextArm: record.nextArm)
        ledger = RuleLedger(record.ledger, rules: table.rules.count) { table.place(of: $0) }
        takeStates(record.states)
        for rule in record.rules {
            guard let place = table.place(of: rule.id) else {
                strays += rule.active.map { StrayRecord(active: $0, reason: .ruleRemoved) }
                continue
            }
            // A clear is a clear: cooldowns outlive a change of the rule.
            if table.rules[place].cooldown > 0 { takeClears(place, rule.clears) }
            guard table.rules[place].fingerprint == rule.fingerprint else {
                strays += rule.active.map { StrayRecord(active: $0, reason: .ruleChanged) }
                continue
            }
            takeWaits(place, rule.waits, taking)
            takeActive(place, rule.active, taking)
            if let lasting = rule.lasting { takeLasting(place, lasting, taking) }
        }
        muted.sort()
    }

    private mutating func takeStates(_ records: [StateRecord]) {
        var byName: [String: StateRecord] = [:]
        for record in records { byName[record.name] = record }
        for (number, names) in table.states.enumerated() {
            guard let record = byName[names.name] else { continue }
            func place(_ value: String?) -> Int32 {
                Int32(value.flatMap { names.values.firstIndex(of: $0) } ?? -1)
            }
            let value = place(record.value)
            let remembered = place(record.remembered)
            states[number] = StateMemory(
                value: value, since: record.since, remembered: value < 0 || value == remembered ? remembered : -1,
                resyncUntil: record.resyncUntil, isAssumed: record.isAssumed)
        }
        for place in memory.indices { memory[place].holds = conditionHolds(place) }
    }

    private mutating func takeClears(_ place: Int, _ clears: [ClearRecord]) {
        for record in clears.suffix(Self.maximumKeys) {
            guard let key = key(record.key, place), memory[place].clears.find(key) == nil else { continue }
            memory[place].clears.append(key, record.at)
        }
    }

    private mutating func takeWaits(_ place: Int, _ records: [WaitRecord], _ taking: Taking) {
        let rule = table.rules[place]
        guard rule.form == .noAnswer || rule.form == .tooMany else { return }
        for record in records.suffix(Self.maximumKeys) {
            guard let key = key(record.key, place), memory[place].waits.find(key) == nil else { continue }
            var wait = Wait(since: record.since, timer: .none, traces: record.traces.suffix([Trace].maximum))
            if rule.form == .tooMany {
                guard !record.times.isEmpty else { continue }
                // A smaller N keeps the newest; a ring that has them fires at the next match.
                wait.ring = Ring(record.times, limit: rule.count)
                memory[place].waits.append(key, wait)
                continue
            }
            let wanted = memory[place].waits.append(key, wait)
            let timer = TimerHeap.Timer(purpose: .wait, rule: Int32(place), place: Int32(wanted))
            let handle = arm(timer, record.since, rule.wait, record.timer, taking)
            memory[place].waits[wanted]?.timer = handle
        }
    }

    private mutating func takeLasting(_ place: Int, _ record: LastingRecord, _ taking: Taking) {
        let rule = table.rules[place]
        guard rule.form == .lasts else { return }
        var lasting = Lasting()
        lasting.start = record.start
        lasting.traces = record.traces.suffix(2)
        lasting.isAssumed = record.isAssumed
        if record.isSuspended {
            lasting.phase = record.phase
            lasting.isSuspended = true
            lasting.isBroken = record.isBroken
        } else if memory[place].holds {
            lasting.phase = record.phase
        }
        if lasting.phase == .muted { muted.append(Int32(place)) }
        if lasting.phase == .armed, !lasting.isSuspended {
            let timer = TimerHeap.Timer(purpose: .lasting, rule: Int32(place))
            lasting.timer = arm(timer, record.start, rule.wait, record.timer, taking)
        }
        memory[place].lasting = lasting
    }

    private mutating func takeActive(_ place: Int, _ records: [ActiveRecord], _ taking: Taking) {
        let rule = table.rules[place]
        for record in records {
            guard hasRoom(place), let key = key(record.key, place),
                memory[place].active.find(key) == nil
            else { continue }
            var active = ActiveIntervention(
                intervention: record.intervention, raisedAt: record.raisedAt, toldAt: record.toldAt,
                traces: record.traces.suffix([Trace].maximum), escalations: [], isEscalated: [], clearAfter: .none)
            active.intervention.shadow = rule.isShadow
            let wanted = memory[place].active.append(key, active)
            activeCount += 1
            if active.intervention.shadow { shadowCount += 1 }
            for (number, escalation) in rule.escalations.enumerated() {
                let isTold = record.isEscalated.indices.contains(number) && record.isEscalated[number]
                let known = record.escalations.indices.contains(number) ? record.escalations[number] : nil
                let timer = TimerHeap.Timer(
                    purpose: .escalate, rule: Int32(place), place: Int32(wanted), escalation: Int32(number))
                active.isEscalated.append(isTold)
                active.escalations.append(
                    isTold ? .none : arm(timer, record.raisedAt, escalation.after, known, taking))
            }
            active.intervention.expires = rule.clearAfter.map {
                WallInstant(milliseconds: Self.sum(active.intervention.raisedAt.milliseconds, $0))
            }
            if let after = rule.clearAfter {
                let timer = TimerHeap.Timer(purpose: .clearAfter, rule: Int32(place), place: Int32(wanted))
                active.clearAfter = arm(timer, record.raisedAt, after, record.clearAfter, taking)
            }
            memory[place].active[wanted] = active
        }
    }

    /// Arms a timer that began at `start`: as `known` says, else at start + `wait`, or now where that is past.
    mutating func arm(
        _ timer: TimerHeap.Timer, _ start: Int64, _ wait: Int64, _ known: TimerRecord?, _ taking: Taking
    ) -> TimerHeap.Handle {
        var timer = timer
        let due = Self.sum(start, wait)
        if let known, taking == .exactly || Self.sum(known.deadline, -known.late) == due {
            timer.late = max(0, known.late)
            return timers.restore(at: known.deadline, timer, arm: known.arm)
        }
        timer.late = max(0, Self.difference(now, due))
        guard let known else { return timers.arm(at: max(now, due), timer) }
        return timers.restore(at: max(now, due), timer, arm: known.arm)
    }

    /// Nil where the parts cannot be a key of the rule.
    private func key(_ parts: [String], _ place: Int) -> InstanceKey? {
        guard parts.count == table.rules[place].same.count else { return nil }
        return parts.isEmpty ? .lane : InstanceKey(parts.map { $0.cut(toBytes: InstanceKey.maximumBytes) })
    }
}
