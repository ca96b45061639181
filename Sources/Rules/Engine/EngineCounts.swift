/// What an engine has done since it was made. Not part of its snapshot.
public struct EngineCounts: Hashable, Sendable {
    /// Signals stepped on.
    public var signals = 0
    /// Entries of the index that signals led to: the cost that must not grow with the number of rules.
    public var visited = 0
    public var raised = 0
    public var escalated = 0
    public var updated = 0
    public var cleared = 0
    /// Fired while active.
    public var repeats = 0
    public var suppressedByCooldown = 0
    public var suppressedBySilence = 0
    /// Outside the rule's `at`.
    public var suppressedByTime = 0
    public var suppressedByMute = 0
    /// `RuleEngine.maximumActive` interventions were active already.
    public var suppressedByLimit = 0
    /// Waits, rings or cooldowns given up because a rule had `RuleEngine.maximumKeys` of them.
    public var droppedKeys = 0
    /// Key values cut to `InstanceKey.maximumBytes`.
    public var cutKeys = 0
    /// Waits and rings given up because signals of a long gap were not received.
    public var droppedByGap = 0
    /// Waits of shape D that went on over a long gap, because the state was found as it had been.
    public var assumed = 0
    /// Values that a pattern could not decide within its limits; they do not match.
    public var patternLimits = 0
    /// Timers that ran more than `RuleEngine.lateMilliseconds` after their deadline.
    public var lateTimers = 0
    /// Attendants' verdicts that found no intervention of this lane, or one too long ago.
    public var strayVerdicts = 0

    public init() {}
}

/// A bound of the engine. Reaching one is counted, and told once.
public enum EngineLimit: String, Hashable, Sendable, CaseIterable {
    /// `RuleEngine.maximumKeys` waits, rings or cooldowns of one rule: the oldest was dropped.
    case keys
    /// A value of `same` longer than 256 bytes: it was cut.
    case keyBytes = "key_bytes"
    /// `RuleEngine.maximumActive` interventions: one more was not raised.
    case active
    /// A value that a pattern could not decide within its limits: it did not match.
    case pattern
}

extension EngineCounts {
    /// How often `limit` was reached.
    public subscript(limit: EngineLimit) -> Int {
        switch limit {
        case .keys: return droppedKeys
        case .keyBytes: return cutKeys
        case .active: return suppressedByLimit
        case .pattern: return patternLimits
        }
    }

    /// How often any was.
    public var limitsReached: Int { droppedKeys + cutKeys + suppressedByLimit + patternLimits }
}
