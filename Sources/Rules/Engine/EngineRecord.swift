import Lane

/// All that an engine remembers, by names instead of places: what snapshots hold and what a reload carries over.
struct EngineRecord: Hashable, Sendable {
    var source = ""
    /// Of the rule files the engine ran.
    var digest = ""
    var now: Int64 = .min
    var wallOffset: Int64 = 0
    var phase: String?
    var changeNumber: Int64 = 0
    var nextArm: Int64 = 1
    /// Ids given at `now`.
    var newIDs: [LaneUUID] = []
    var states: [StateRecord] = []
    /// Rules that remember something, and all of shape D, in the order of their places.
    var rules: [RuleRecord] = []
    var strays: [StrayRecord] = []
    var ledger = LedgerRecord()
}

struct StateRecord: Hashable, Sendable {
    var name: String
    var value: String?
    var since: Int64
    var remembered: String?
    var resyncUntil: Int64
    var isAssumed: Bool
}

struct RuleRecord: Hashable, Sendable {
    var id: String
    var fingerprint: LaneUUID
    var waits: [WaitRecord] = []
    var lasting: LastingRecord?
    var active: [ActiveRecord] = []
    var clears: [ClearRecord] = []
}

struct TimerRecord: Hashable, Sendable {
    var deadline: Int64
    var arm: Int64
    var late: Int64
}

struct WaitRecord: Hashable, Sendable {
    var key: [String]
    var since: Int64
    var timer: TimerRecord?
    var traces: [Trace]
    var times: [Int64]
}

struct LastingRecord: Hashable, Sendable {
    var phase: Lasting.Phase
    var start: Int64
    var timer: TimerRecord?
    var traces: [Trace]
    var isSuspended: Bool
    var isBroken: Bool
    var isAssumed: Bool
}

struct ActiveRecord: Hashable, Sendable {
    var key: [String]
    var intervention: Intervention
    var raisedAt: Int64
    var toldAt: Int64
    var traces: [Trace]
    var escalations: [TimerRecord?]
    var isEscalated: [Bool]
    var clearAfter: TimerRecord?
}

struct ClearRecord: Hashable, Sendable {
    var key: [String]
    var at: Int64
}

/// An intervention whose rule is gone, or is another rule now.
struct StrayRecord: Hashable, Sendable {
    var active: ActiveRecord
    var reason: Intervention.ClearReason
}

extension RuleEngine {
    /// Everything but the counts.
    var record: EngineRecord {
        var record = EngineRecord()
        record.source = table.source
        record.digest = restoredDigest ?? table.digest
        record.now = now
        record.wallOffset = wallOffset
        record.phase = phase
        record.changeNumber = changeNumber
        record.nextArm = timers.nextArm
        if newIDsAt == now { record.newIDs = newIDs }
        record.strays = strays
        record.ledger = ledger.record { table.rules[$0].id }
        for (names, state) in zip(table.states, states) {
            func name(_ value: Int32) -> String? {
                names.values.indices.contains(Int(value)) ? names.values[Int(value)] : nil
            }
            record.states.append(
                StateRecord(
                    name: names.name, value: name(state.value), since: state.since, remembered: name(state.remembered),
                    resyncUntil: state.resyncUntil, isAssumed: state.isAssumed))
        }
        let slots = timers.bySlot
        for (rule, memory) in zip(table.rules, memory) {
            let isEmpty = memory.waits.isEmpty && memory.active.isEmpty && memory.clears.isEmpty
            if isEmpty && rule.form != .lasts { continue }
            record.rules.append(Self.record(rule, memory, slots))
        }
        return record
    }

    private typealias Slots = [(deadline: Int64, arm: Int64, late: Int64)?]

    private static func record(_ rule: CompiledRule, _ memory: RuleMemory, _ slots: Slots) -> RuleRecord {
        func timer(_ handle: TimerHeap.Handle) -> TimerRecord? {
            guard slots.indices.contains(Int(handle.slot)), let found = slots[Int(handle.slot)] else { return nil }
            return TimerRecord(deadline: found.deadline, arm: found.arm, late: found.late)
        }
        var record = RuleRecord(id: rule.id, fingerprint: rule.fingerprint)
        memory.waits.forEach { key, wait in
            record.waits.append(
                WaitRecord(
                    key: key.values, since: wait.since, timer: timer(wait.timer), traces: wait.traces,
                    times: wait.ring.inOrder))
        }
        if rule.form == .lasts {
            let lasting = memory.lasting
            record.lasting = LastingRecord(
                phase: lasting.phase, start: lasting.start, timer: timer(lasting.timer), traces: lasting.traces,
                isSuspended: lasting.isSuspended, isBroken: lasting.isBroken, isAssumed: lasting.isAssumed)
        }
        memory.active.forEach { key, active in
            record.active.append(
                ActiveRecord(
                    key: key.values, intervention: active.intervention, raisedAt: active.raisedAt,
                    toldAt: active.toldAt, traces: active.traces, escalations: active.escalations.map(timer),
                    isEscalated: active.isEscalated, clearAfter: timer(active.clearAfter)))
        }
        memory.clears.forEach { key, at in record.clears.append(ClearRecord(key: key.values, at: at)) }
        return record
    }
}
