import Lane

/// A signal as an intervention's evidence, and the trace it brought.
struct Trace: Hashable, Sendable {
    /// Texts in evidence are cut to this many bytes: it is kept as long as the intervention is.
    static let maximumTextBytes = 1024

    var evidence: Evidence
    var traceparent: String?

    init(evidence: Evidence, traceparent: String?) {
        self.evidence = evidence
        self.traceparent = traceparent
    }

    init(_ stamped: borrowing StampedSignal) {
        var attributes = stamped.signal.attributes
        for place in attributes.indices {
            if case .text(let text) = attributes[place].value, text.utf8.count > Self.maximumTextBytes {
                attributes[place].value = .text(text.cut(toBytes: Self.maximumTextBytes))
            }
        }
        evidence = Evidence(at: stamped.wall, type: stamped.signal.type, attributes: attributes)
        traceparent = stamped.signal.traceparent
    }
}

extension [Trace] {
    static let maximum = 8

    /// Adds the newest; of a longer chain the first and the newest stay.
    mutating func keep(_ trace: Trace) {
        if count >= Self.maximum { remove(at: 1) }
        append(trace)
    }

    /// Adds the newest; of a longer chain the newest stay.
    mutating func keepNewest(_ trace: Trace, atMost limit: Int) {
        if count >= limit { removeFirst() }
        append(trace)
    }
}

/// B: an armed instance. C: the ring of one key.
struct Wait: Sendable {
    /// B: when M came. C: when the newest M came.
    var since: Int64
    var timer: TimerHeap.Handle
    var traces: [Trace]
    var ring = Ring()
}

/// The moments of the last signals of shape C, at most N.
struct Ring: Sendable {
    private(set) var times: [Int64] = []
    /// The place of the oldest, once full.
    private var oldest = 0

    /// Adds `time` and returns the oldest of the last `limit`, or nil while there are fewer.
    mutating func push(_ time: Int64, limit: Int) -> Int64? {
        if times.count < limit {
            times.append(time)
            return times.count == limit ? times[oldest] : nil
        }
        times[oldest] = time
        oldest = oldest + 1 == times.count ? 0 : oldest + 1
        return times[oldest]
    }

    var inOrder: [Int64] { Array(times[oldest...] + times[..<oldest]) }

    init() {}

    /// The newest `limit` of `times`, which are in order.
    init(_ times: [Int64], limit: Int) { self.times = Array(times.suffix(limit)) }
}

/// D: where the wait of a rule stands.
struct Lasting: Sendable {
    enum Phase: String, Hashable, Sendable {
        /// The state does not hold.
        case idle
        /// The timer runs.
        case armed
        /// Came due while muted; fires when no longer so.
        case muted
        /// Came due, raised or suppressed: nothing more until the state ends or U comes.
        case spent
    }

    var phase = Phase.idle
    /// When the wait began.
    var start: Int64 = 0
    var timer = TimerHeap.Handle.none
    var traces: [Trace] = []
    /// A gap has made the state doubtful; the wait goes on once a signal has settled it.
    var isSuspended = false
    /// While suspended, the state was found to be another than before, or was not confirmed in time: the wait begins anew.
    var isBroken = false
    /// The wait goes on over a long gap: nobody saw that the state held all along.
    var isAssumed = false
}

/// An intervention that is raised, and what the engine needs to end it.
struct ActiveIntervention: Sendable {
    /// Without its evidence, which `traces` are.
    var intervention: Intervention
    var raisedAt: Int64
    /// When the last message about it was made.
    var toldAt: Int64
    var traces: [Trace]
    /// By escalation of the rule: its timer, or `.none` when it has run.
    var escalations: [TimerHeap.Handle]
    /// By escalation: whether it has been told.
    var isEscalated: [Bool]
    var clearAfter: TimerHeap.Handle

    /// With its evidence.
    var shown: Intervention {
        var shown = intervention
        shown.evidence = traces.map(\.evidence)
        return shown
    }
}

/// All that one rule remembers.
struct RuleMemory: Sendable {
    /// Whether the rule's condition (`while`, `when`) holds; true where it has none.
    var holds = true
    var waits = KeyedTable<Wait>()
    var lasting = Lasting()
    var active = KeyedTable<ActiveIntervention>()
    /// The last clear of each key, of rules with a cooldown.
    var clears = KeyedTable<Int64>()
}

/// What the lane remembers of one of its states.
struct StateMemory: Hashable, Sendable {
    /// The number of the value; -1 while unknown.
    var value: Int32 = -1
    /// When it took that value.
    var since: Int64 = 0
    /// After a gap: the value it had before, until a signal confirms or replaces it; else -1. After a short gap it is
    /// also the value; after a long one the state is unknown.
    var remembered: Int32 = -1
    /// The last moment at which a signal with that value confirms it; after it the same value is a new one.
    var resyncUntil: Int64 = .min
    /// Its value was confirmed after a long gap: `since` is from before it.
    var isAssumed = false

    /// A gap was before its last signal.
    var isDoubtful: Bool { remembered >= 0 }
}
