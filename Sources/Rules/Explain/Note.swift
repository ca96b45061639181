import Lane

/// What one signal, or the passing of time, did to one rule. An engine whose `noting` is set makes them.
public struct Note: Hashable, Sendable {
    public var rule: String
    /// Of the instance that was touched; empty for the lane's, and where a signal has none.
    public var key: [KeyPart]
    public var at: LaneInstant
    /// The signal that did it; nil where time did, or a restart, a reload.
    public var cause: StampedSignal?
    public var kind: Kind

    /// What happened. Durations are milliseconds; moments are of the lane clock.
    public enum Kind: Hashable, Sendable {
        // B and D: waits
        /// B: no answer by then, and it fires.
        case waits(until: LaneInstant)
        /// B: a further signal while it waits changes nothing.
        case waitsAlready(until: LaneInstant)
        /// B: `unless` came in time.
        case answered(waited: Int64, left: Int64)
        /// B: `unless` came, but what waits has another key: other values of these.
        case otherWaits([String])
        /// D: the state holds; it fires then.
        case holds(until: LaneInstant)
        /// D: `unless` came; the wait began again.
        case restarted(waited: Int64, left: Int64, until: LaneInstant)
        /// D: the state ended before its time.
        case ended(waited: Int64, left: Int64)
        /// After a gap or under new rules the wait goes on from its old start.
        case goesOn(until: LaneInstant)
        /// D: after a gap nobody knows the state.
        case unknown

        // C: counts
        case counted(Count)
        /// `unless` came, and `count` begins again at 0.
        case emptied(count: Int)

        // What kept a signal from counting
        /// `while` does not hold: these terms.
        case guardClosed([StateTerm])
        case guardOpened
        /// `while` ended: these terms.
        case guardShut([StateTerm])
        /// Attributes of `same` that the signal lacks.
        case noKey([String])
        /// Its type is named, its `where` not met.
        case mismatch(Role, [FailedTest])

        // Firing
        case raised(Severity, lateBy: Int64?)
        case repeated(times: Int)
        case inCooldown(until: LaneInstant)
        case silenced(until: WallInstant)
        /// `at` is this span, and it was so many minutes after the store's midnight.
        case outsideHours(DaySpan, minute: Int)
        /// By these rules. `waits`: fires when they have cleared, if its state still holds.
        case muted(by: [String], waits: Bool)
        case tooManyActive
        /// Steps count from 1.
        case escalated(step: Int, of: Int, Severity, lateBy: Int64?)
        case cleared(Intervention.ClearReason, active: Int64)

        // Losing
        /// A wait or a count was given up.
        case dropped(Loss, progress: Progress)
    }

    /// Which list of the rule a signal's type stands in.
    public enum Role: Hashable, Sendable {
        case on, unless, clearWhen
    }

    /// C: where the count of one key stands.
    public struct Count: Hashable, Sendable {
        /// Of the last `within`.
        public var count: Int
        public var wanted: Int
        public var within: Int64
        /// The first of `count`.
        public var oldest: LaneInstant
        /// Where the last `wanted` came, but not within `within`: how long they took.
        public var tooSlow: Int64?
    }

    /// A term of a condition, and what the lane knows.
    public struct StateTerm: Hashable, Sendable {
        public var state: String
        public var value: String
        public var isNegated: Bool
        /// What the state is; nil while unknown.
        public var current: String?

        public var holds: Bool { current.map { ($0 == value) != isNegated } ?? false }
    }

    /// A `where` test that the signal did not meet.
    public struct FailedTest: Hashable, Sendable {
        public var test: AttributeTest
        /// Nil where the signal has none.
        public var value: AttributeValue?
    }

    public enum Loss: Hashable, Sendable {
        /// `RuleEngine.maximumKeys` others were there.
        case keyLimit
        /// Signals of a long gap were not received.
        case gap
        /// `while` ended.
        case guardShut
        /// New rules: the rule is another now.
        case ruleChanged
        /// New rules: it is gone.
        case ruleRemoved
    }

    /// How far a wait or a count had come.
    public enum Progress: Hashable, Sendable {
        case waited(Int64, left: Int64)
        case counted(Int, of: Int)
    }
}

/// Whether, and about which rules, an engine makes notes. Bounded: what is too much is counted, not kept.
public struct Noting: Sendable {
    /// Notes that are kept, at most.
    public static let maximum = 200_000

    /// Nil: every rule.
    public var rules: Set<String>?
    /// In the order in which it happened.
    public internal(set) var notes: [Note] = []
    /// Notes that came after `maximum`.
    public internal(set) var leftOut = 0
    /// The signal that is being applied.
    var cause: StampedSignal? { didSet { first = notes.count } }
    /// After a gap: when the lane came back, which the engine's own moment is not yet.
    var moment: Int64?
    /// The place of its first note.
    private(set) var first = 0

    /// Whether signals that a rule names but whose `where` they do not meet are noted too: a walk over all matches each time.
    public var wantsMismatches: Bool

    public init(rules: Set<String>? = nil, wantsMismatches: Bool = true) {
        self.rules = rules
        self.wantsMismatches = wantsMismatches
    }

    func covers(_ rule: String) -> Bool { rules?.contains(rule) ?? true }

    mutating func add(_ note: Note) {
        if notes.count < Self.maximum { notes.append(note) } else { leftOut += 1 }
    }
}
