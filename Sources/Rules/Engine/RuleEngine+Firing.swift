import Lane

/// Raising, repeating, escalating, clearing.
extension RuleEngine {
    enum Outcome {
        case raised, repeated, muted, suppressed
    }

    /// The rule fires for `key`: raised, repeated, or suppressed by the first of cooldown, silence, `at` and mute.
    ///
    /// `signal` is the one that fired it; nil where a timer did.
    mutating func fire(
        _ place: Int, _ key: InstanceKey, _ traces: [Trace], _ signal: StampedSignal?, late: Int64? = nil
    ) -> Outcome {
        if let known = memory[place].active.find(key) {
            repeatActive(place, known, traces.last, signal)
            return .repeated
        }
        let outcome = admit(place, key)
        if outcome == .raised { raise(place, key, traces, signal, late) } else { ledger.suppressed(place) }
        return outcome
    }

    /// Whether the rule may be raised for `key` now: `.raised`, or what stands against it.
    private mutating func admit(_ place: Int, _ key: InstanceKey) -> Outcome {
        let cooldown = table.rules[place].cooldown
        if cooldown > 0, let clear = memory[place].clears.find(key), let at = memory[place].clears[clear],
            now < Self.sum(at, cooldown)
        {
            counts.suppressedByCooldown += 1
            if noting != nil { note(place, key, .inCooldown(until: LaneInstant(milliseconds: Self.sum(at, cooldown)))) }
            return .suppressed
        }
        if let end = table.rules[place].silencedUntil, wallNow < end {
            counts.suppressedBySilence += 1
            if noting != nil { note(place, key, .silenced(until: end)) }
            return .suppressed
        }
        if let span = table.rules[place].at, !span.contains(wallNow, table.localTime) {
            counts.suppressedByTime += 1
            if noting != nil { noteOutsideHours(place, key, span) }
            return .suppressed
        }
        if isMuted(place) {
            counts.suppressedByMute += 1
            if noting != nil { noteMuted(place, key) }
            return .muted
        }
        guard hasRoom(place) else {
            counts.suppressedByLimit += 1
            if noting != nil { note(place, key, .tooManyActive) }
            return .suppressed
        }
        return .raised
    }

    /// Whether one more may be active. Shadow rules count apart: they must never stand in the way of a call.
    func hasRoom(_ place: Int) -> Bool {
        (table.rules[place].isShadow ? shadowCount : activeCount - shadowCount) < Self.maximumActive
    }

    /// Whether a rule that mutes this one is active. Shadow rules mute only shadow rules.
    func isMuted(_ place: Int) -> Bool {
        for muter in table.rules[place].muters where !memory[Int(muter)].active.isEmpty {
            if !table.rules[Int(muter)].isShadow || table.rules[place].isShadow { return true }
        }
        return false
    }

    private mutating func raise(
        _ place: Int, _ key: InstanceKey, _ traces: [Trace], _ signal: StampedSignal?, _ late: Int64?
    ) {
        let rule = table.rules[place]
        let parts = parts(of: key, rule)
        let wall = wallNow
        var intervention = Intervention(
            id: newID(rule, parts), rule: rule.id, title: rule.title, category: rule.category,
            severity: rule.severity, topic: rule.topic, key: parts, raisedAt: wall, evidence: [], phase: phase,
            remoteResolvable: rule.isRemote, shadow: rule.isShadow, lateBy: nil,
            expires: rule.clearAfter.map { WallInstant(milliseconds: Self.sum(wall.milliseconds, $0)) })
        intervention.assumed = memory[place].lasting.isAssumed
        let active = memory[place].active.append(
            key,
            ActiveIntervention(
                intervention: intervention, raisedAt: now, toldAt: now, traces: traces, escalations: [],
                isEscalated: rule.escalations.map { _ in false }, clearAfter: .none))
        activeCount += 1
        if rule.isShadow { shadowCount += 1 }
        counts.raised += 1
        ledger.fired(place, intervention.id, at: wall)
        for (number, escalation) in rule.escalations.enumerated() {
            let timer = timers.arm(
                at: Self.sum(now, escalation.after),
                TimerHeap.Timer(
                    purpose: .escalate, rule: Int32(place), place: Int32(active), escalation: Int32(number)))
            memory[place].active[active]?.escalations.append(timer)
        }
        if let after = rule.clearAfter {
            memory[place].active[active]?.clearAfter = timers.arm(
                at: Self.sum(now, after),
                TimerHeap.Timer(purpose: .clearAfter, rule: Int32(place), place: Int32(active)))
        }
        if noting != nil { note(place, key, .raised(rule.severity, lateBy: late)) }
        intervention.lateBy = late
        tell(.raise, intervention, signal, traces)
    }

    /// The hash of source, rule, each key's name and value, and the lane time of the raise. Raised again for the n-th time
    /// at one moment, n is hashed too: else its messages would be taken for repeats of those before.
    private mutating func newID(_ rule: CompiledRule, _ parts: [KeyPart]) -> LaneUUID {
        if newIDsAt != now {
            newIDs.removeAll(keepingCapacity: true)
            newIDsAt = now
        }
        let names = [table.source, rule.id] + parts.flatMap { [$0.name, $0.value] } + [String(now)]
        let first = LaneUUID(hashing: names)
        let earlier = newIDs.count { $0 == first }
        if newIDs.count < Self.maximumKeys { newIDs.append(first) }
        return earlier == 0 ? first : LaneUUID(hashing: names + [String(earlier + 1)])
    }

    private mutating func repeatActive(_ place: Int, _ known: Int, _ trace: Trace?, _ signal: StampedSignal?) {
        guard let told = memory[place].active[known]?.toldAt else { return }
        counts.repeats += 1
        memory[place].active[known]?.intervention.repeats += 1
        if noting != nil, let times = memory[place].active[known]?.intervention.repeats {
            note(place, memory[place].active.key(at: known), .repeated(times: times))
        }
        if let trace { memory[place].active[known]?.traces.keep(trace) }
        if Self.difference(now, told) >= Self.repeatMilliseconds {
            update(place, known, .update, signal)
            counts.updated += 1
        }
    }

    mutating func escalate(_ place: Int, _ known: Int, _ number: Int, late: Int64?) {
        guard memory[place].active[known] != nil, table.rules[place].escalations.indices.contains(number) else {
            return
        }
        let escalation = table.rules[place].escalations[number]
        memory[place].active[known]?.escalations[number] = .none
        memory[place].active[known]?.isEscalated[number] = true
        memory[place].active[known]?.intervention.severity = escalation.severity
        memory[place].active[known]?.intervention.move(to: escalation.topic, shadow: table.rules[place].isShadow)
        counts.escalated += 1
        if noting != nil {
            let steps = table.rules[place].escalations.count
            let kind = Note.Kind.escalated(step: number + 1, of: steps, escalation.severity, lateBy: late)
            note(place, memory[place].active.key(at: known), kind)
        }
        update(place, known, .escalate, nil, late: late)
    }

    /// Tells about an active intervention as it is now.
    mutating func update(
        _ place: Int, _ known: Int, _ kind: Change.Kind, _ signal: StampedSignal?, late: Int64? = nil
    ) {
        guard var active = memory[place].active[known] else { return }
        active.intervention.state = .updated
        active.intervention.revision += 1
        active.intervention.phase = phase
        active.toldAt = now
        memory[place].active[known] = active
        // Of this change alone: a replay after a crash runs timers at another moment, and must tell the same later.
        active.intervention.lateBy = late
        tell(kind, active.intervention, signal, active.traces)
    }

    // MARK: Clearing

    mutating func clear(
        _ place: Int, _ key: InstanceKey, _ reason: Intervention.ClearReason, _ signal: StampedSignal?
    ) {
        if let known = memory[place].active.find(key) { clear(place, at: known, reason, signal) }
    }

    /// In the order they were raised.
    mutating func clearAll(_ place: Int, _ reason: Intervention.ClearReason, _ signal: StampedSignal?) {
        while let first = memory[place].active.first { clear(place, at: first, reason, signal) }
    }

    mutating func clear(_ place: Int, at known: Int, _ reason: Intervention.ClearReason, _ signal: StampedSignal?) {
        let key = memory[place].active.key(at: known)
        guard var gone = memory[place].active.remove(at: known) else { return }
        for number in gone.escalations.indices { timers.cancel(&gone.escalations[number]) }
        timers.cancel(&gone.clearAfter)
        activeCount -= 1
        if gone.intervention.shadow { shadowCount -= 1 }
        ledger.cleared(place)
        if table.rules[place].cooldown > 0 { rememberClear(place, key) }
        tellCleared(gone, reason, signal)
    }

    mutating func tellCleared(
        _ gone: ActiveIntervention, _ reason: Intervention.ClearReason, _ signal: StampedSignal?
    ) {
        var intervention = gone.intervention
        intervention.state = .cleared
        intervention.revision += 1
        intervention.clearedAt = wallNow
        intervention.reason = reason
        intervention.phase = phase
        counts.cleared += 1
        if noting != nil { noteCleared(gone, reason) }
        tell(.clear, intervention, signal, gone.traces)
    }

    mutating func rememberClear(_ place: Int, _ key: InstanceKey) {
        if let known = memory[place].clears.find(key) {
            memory[place].clears[known] = now
            memory[place].clears.moveToEnd(known)
            return
        }
        let cooldown = table.rules[place].cooldown
        while let first = memory[place].clears.first, let at = memory[place].clears[first],
            Self.sum(at, cooldown) <= now
        {
            memory[place].clears.remove(at: first)
        }
        if memory[place].clears.count >= Self.maximumKeys, let oldest = memory[place].clears.first {
            memory[place].clears.remove(at: oldest)
            counts.droppedKeys += 1
        }
        memory[place].clears.append(key, now)
    }

    // MARK: Telling

    var wallNow: WallInstant { WallInstant(milliseconds: Self.sum(now, wallOffset)) }

    private mutating func tell(
        _ kind: Change.Kind, _ intervention: Intervention, _ signal: StampedSignal?, _ traces: [Trace]
    ) {
        changeNumber += 1
        var intervention = intervention
        intervention.evidence = traces.map(\.evidence)
        let newest = traces.last
        let correlation: AttributeValue?
        if let signal {
            correlation = table.txnAttribute.flatMap { signal.signal[$0] }
        } else {
            correlation = newest?.evidence.attributes.first { $0.name == table.txnAttribute }?.value
        }
        changes.append(
            Change(
                number: changeNumber, kind: kind, at: LaneInstant(milliseconds: now), wall: wallNow,
                cause: signal?.number, correlation: correlation?.keyValue,
                traceparent: signal != nil ? signal?.signal.traceparent : newest?.traceparent,
                intervention: intervention))
    }
}
