import Lane

/// Decides what signals and the passing of time mean: rules in, changes out (docs/reference/rules.md, "Definition").
///
/// A value without a clock, a thread or a random number: the same table and the same signals give the same changes, ids
/// and order, on every run. Time comes with the signals and with `idle`. Total: any signals in any order are met without
/// a trap. A copy is cheap and is a whole engine of its own; owned by the thread that runs the lane.
public struct RuleEngine: Sendable {
    /// Most waits, rings, or cooldowns of one rule; the oldest is dropped for a new one.
    public static let maximumKeys = 1000
    /// Most interventions that are active at once, and as many of shadow rules; more are not raised.
    public static let maximumActive = 1000
    /// A timer that runs later than this says so in `Intervention.lateBy`; one that came due in a gap always does.
    public static let lateMilliseconds: Int64 = 1000
    /// A repeat makes a message when the last one about the intervention is this old.
    public static let repeatMilliseconds: Int64 = 60_000

    public internal(set) var table: RuleTable
    public internal(set) var counts = EngineCounts()
    /// The number of the last change; 0 before the first.
    public internal(set) var changeNumber: Int64 = 0
    /// Interventions that are raised.
    public internal(set) var activeCount = 0
    /// Of those, the ones of shadow rules.
    public internal(set) var shadowCount = 0

    /// The engine's moment: of the last signal or timer.
    var now: Int64 = .min
    /// Wall clock less lane clock, of the latest signal.
    var wallOffset: Int64 = 0
    /// The state of the last `pos.state`.
    var phase: String?
    var states: [StateMemory]
    var memory: [RuleMemory]
    var timers = TimerHeap()
    /// Places of the D rules that came due while muted, ascending.
    var muted: [Int32] = []
    /// Interventions of a snapshot whose rule is gone or another now: `adopt` clears them.
    var strays: [StrayRecord] = []
    /// What rules did so far, and what attendants said of it.
    var ledger: RuleLedger
    /// Ids given at this very moment: one that is cleared and raised again within a millisecond needs another.
    var newIDs: [LaneUUID] = []
    var newIDsAt: Int64 = .min
    /// Of the rules of the snapshot that the engine was restored from; nil where it was not, or has adopted since.
    var restoredDigest: String?
    /// Not yet handed out.
    var changes: [Change] = []
    /// The real moment at which timers are run, where the caller said so.
    var ranAt: Int64?
    /// Whether notes are made of what happens to rules, and those made: to explain, to test. Not part of a snapshot.
    public var noting: Noting?
    /// Timers that came due in a gap are run.
    var isResuming = false
    /// Empty between steps; kept for its memory.
    private var found: [Int32] = []

    /// An engine that knows nothing yet.
    public init(table: RuleTable) {
        self.table = table
        states = [StateMemory](repeating: StateMemory(), count: table.states.count)
        memory = table.rules.map { rule in
            var memory = RuleMemory()
            memory.holds = rule.condition.isEmpty
            return memory
        }
        ledger = RuleLedger(rules: table.rules.count)
    }

    /// When the engine wants to be called again at the latest (`idle`); nil when nothing waits.
    public var nextDeadline: LaneInstant? { timers.firstDeadline.map { LaneInstant(milliseconds: $0) } }

    /// The moment of the last signal or timer; nil before the first.
    public var moment: LaneInstant? { now == .min ? nil : LaneInstant(milliseconds: now) }

    /// A moment at which something will happen by itself.
    public struct Deadline: Hashable, Sendable {
        public var at: LaneInstant
        /// What will happen: raise, escalate or clear.
        public var kind: Change.Kind
        public var rule: String
        public var key: [KeyPart]
    }

    /// The deadlines that wait, the earliest first. For people; linear.
    public var waiting: [Deadline] {
        timers.pending.map { deadline, timer in
            let rule = table.rules[Int(timer.rule)]
            let held = memory[Int(timer.rule)]
            let key: InstanceKey
            let kind: Change.Kind
            switch timer.purpose {
            case .wait: (kind, key) = (.raise, held.waits.key(at: Int(timer.place)))
            case .lasting: (kind, key) = (.raise, .lane)
            case .escalate: (kind, key) = (.escalate, held.active.key(at: Int(timer.place)))
            case .clearAfter: (kind, key) = (.clear, held.active.key(at: Int(timer.place)))
            }
            return Deadline(
                at: LaneInstant(milliseconds: deadline), kind: kind, rule: rule.id, key: parts(of: key, rule))
        }
    }

    /// The interventions that are raised, by the places of their rules, in each in the order they were raised.
    public var active: [Intervention] {
        var found: [Intervention] = []
        for rule in memory { rule.active.forEach { found.append($1.shown) } }
        return found
    }

    /// What the lane remembers: each state and its value, nil while unknown, in the order of the file.
    public var laneState: [(state: String, value: String?)] {
        zip(table.states, states).map { names, memory in
            (names.name, names.values.indices.contains(Int(memory.value)) ? names.values[Int(memory.value)] : nil)
        }
    }

    // MARK: Stepping

    /// Runs the timers that are due before `signal`, then applies it. A moment before the last one counts as the last one.
    ///
    /// `ranAt`: the lane clock now, where timers may be late because nobody called; it shows in `lateBy` alone, never in
    /// an id or an order. Nil in tests and replays.
    public mutating func step(_ signal: StampedSignal, ranAt: LaneInstant? = nil) -> Step {
        counts.signals += 1
        let at = signal.at.milliseconds
        if let first = timers.firstDeadline, first < at {
            self.ranAt = ranAt?.milliseconds
            runTimers(before: at)
        }
        now = max(now, at)
        wallOffset = signal.wall.milliseconds.subtractingReportingOverflow(now).partialValue
        apply(signal)
        return handOut()
    }

    /// Runs every timer with a deadline before `until`, and those at `until` where `inclusive` (the end of a test).
    public mutating func idle(until: LaneInstant, inclusive: Bool = false, ranAt: LaneInstant? = nil) -> Step {
        self.ranAt = ranAt?.milliseconds
        runTimers(before: until.milliseconds)
        if inclusive {
            // A timer that is armed by another one for this very moment runs too: durations are at least 1 ms, so it ends.
            while let first = timers.firstDeadline, first <= until.milliseconds { runFirstTimer() }
        }
        return handOut()
    }

    mutating func handOut() -> Step {
        if changes.isEmpty { return Step(changes: [], nextDeadline: nextDeadline) }
        let out = changes
        changes = []
        return Step(changes: out, nextDeadline: nextDeadline)
    }

    mutating func runTimers(before end: Int64) {
        while let first = timers.firstDeadline, first < end { runFirstTimer() }
    }

    private mutating func runFirstTimer() {
        guard let (deadline, timer) = timers.popFirst() else { return }
        now = max(now, deadline)
        run(timer, deadline)
        if !muted.isEmpty { fireUnmuted() }
    }

    @inline(__always)
    private mutating func apply(_ signal: StampedSignal) {
        if signal.signal.type == table.phaseType { notePhase(signal.signal) }
        if noting != nil { noting?.cause = signal }
        if signal.signal.type == table.verdictType { noteVerdict(signal.signal) }
        // Taken out while it is walked, so that the acts below own the engine alone.
        var found = self.found
        self.found = []
        var tally = SignalIndex.Tally()
        table.index.collect(signal.signal, into: &found, &tally)
        counts.visited += tally.visited
        if !found.isEmpty {
            counts.patternLimits += tally.limitExceeded
            act(on: signal, found)
            found.removeAll(keepingCapacity: true)
        } else if tally.limitExceeded > 0 {
            counts.patternLimits += tally.limitExceeded
        }
        self.found = found
        if noting != nil { noteMisses(signal) }
        if !muted.isEmpty { fireUnmuted() }
        if noting != nil { noting?.cause = nil }
    }

    private mutating func notePhase(_ signal: Signal) {
        guard let name = table.phaseAttribute, case .text(let text)? = signal[name] else { return }
        phase = text.cut(toBytes: InstanceKey.maximumBytes)
    }

    private mutating func noteVerdict(_ signal: Signal) {
        guard case .text(let id)? = signal[.intervention], case .text(let text)? = signal[.verdict],
            let intervention = LaneUUID(id), let verdict = Verdict(rawValue: text)
        else { return }
        if !ledger.judge(intervention, verdict) { counts.strayVerdicts += 1 }
    }

    /// 2a to 2d: `found` is ascending, which is the order of the phases and in each of the places.
    private mutating func act(on signal: StampedSignal, _ found: [Int32]) {
        var next = 0
        while next < found.count, table.index.entries[Int(found[next])].phase == .state { next += 1 }
        if next > 0 { setStates(found[..<next], signal) }
        var last: SignalIndex.Entry?
        while next < found.count {
            let entry = table.index.entries[Int(found[next])]
            next += 1
            // A signal that meets several alternatives of one list counts once.
            if let last, last.phase == entry.phase, last.subject == entry.subject { continue }
            last = entry
            let key = key(of: signal.signal, entry)
            switch entry.phase {
            case .state: break
            case .clear: clearWhen(Int(entry.subject), key, signal)
            case .unless: unless(Int(entry.subject), key, signal)
            case .on:
                // Without its key a signal does not match M.
                if let key {
                    on(Int(entry.subject), key, signal)
                } else if noting != nil {
                    noteNoKey(Int(entry.subject), signal.signal)
                }
            }
        }
    }

    /// The values of `same`, or nil where the signal lacks one.
    private mutating func key(of signal: Signal, _ entry: SignalIndex.Entry) -> InstanceKey? {
        guard entry.keyFrom >= 0 else { return nil }
        if entry.keyFrom == entry.keyTo { return .lane }
        func value(_ place: Int) -> String? {
            let wanted = table.index.keyAttributes[place]
            switch (signal[wanted.name], wanted.isInt) {
            case (.text(let text)?, false):
                guard text.utf8.count > InstanceKey.maximumBytes else { return text }
                counts.cutKeys += 1
                return text.cut(toBytes: InstanceKey.maximumBytes)
            case (.int(let number)?, true): return String(number)
            default: return nil
            }
        }
        if entry.keyTo == entry.keyFrom + 1 { return value(Int(entry.keyFrom)).map { InstanceKey($0) } }
        var values: [String] = []
        for place in Int(entry.keyFrom)..<Int(entry.keyTo) {
            guard let value = value(place) else { return nil }
            values.append(value)
        }
        return InstanceKey(values)
    }

    func parts(of key: InstanceKey, _ rule: CompiledRule) -> [KeyPart] {
        zip(rule.same, key.values).map { KeyPart(name: $0.name, value: $1) }
    }
}
