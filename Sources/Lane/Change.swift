/// What the engine decided: an intervention raised, updated or cleared, as it is after the change.
public struct Change: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case raise, escalate, update, clear
    }

    /// Counts the changes of this lane from 1, without holes. A replay after a crash yields the same numbers, so what the
    /// outbox has already taken is known by its number alone.
    public var number: Int64
    public var kind: Kind
    /// The moment of the change in lane time: of the signal, or the deadline of the timer.
    public var at: LaneInstant
    public var wall: WallInstant
    /// The number of the signal that caused it; nil where a timer did.
    public var cause: Int64?
    /// `txn` and `traceparent` of the signal that caused it, or of the newest evidence where a timer did.
    public var correlation: String?
    public var traceparent: String?
    public var intervention: Intervention

    public init(
        number: Int64, kind: Kind, at: LaneInstant, wall: WallInstant, cause: Int64?, correlation: String?,
        traceparent: String?, intervention: Intervention
    ) {
        self.number = number
        self.kind = kind
        self.at = at
        self.wall = wall
        self.cause = cause
        self.correlation = correlation
        self.traceparent = traceparent
        self.intervention = intervention
    }
}

/// What came of one signal, or of time passing.
public struct Step: Sendable {
    /// In the order they happened.
    public var changes: [Change]
    /// When the engine wants to be called again at the latest, even without a signal; nil when nothing waits.
    public var nextDeadline: LaneInstant?

    public init(changes: [Change] = [], nextDeadline: LaneInstant? = nil) {
        self.changes = changes
        self.nextDeadline = nextDeadline
    }
}
