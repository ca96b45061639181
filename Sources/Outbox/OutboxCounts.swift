/// What went through the outbox since it was opened. `eventsIn == added + skipped + refused`.
public struct OutboxCounts: Hashable, Sendable {
    public var commits = 0
    public var signals = 0
    public var eventsIn = 0
    public var added = 0
    /// Of changes that were taken before: a replay after a crash.
    public var skipped = 0
    public var refused = 0
    public var snapshots = 0
    public var settled = 0
    public var deadLetters = 0
    /// Commits refused at the operator's limit.
    public var full = 0
    /// Calls that the database failed.
    public var failed = 0
    /// Time in commits, and the longest.
    public var commitNanoseconds: Int64 = 0
    public var longestCommitNanoseconds: Int64 = 0

    public init() {}

    mutating func take(_ commit: Commit, _ result: Committed) {
        commits += 1
        signals += commit.journal.count
        eventsIn += commit.events.count
        added += result.added
        skipped += result.skipped
        refused += result.refused.count
        if commit.snapshot != nil { snapshots += 1 }
        commitNanoseconds += result.nanoseconds
        longestCommitNanoseconds = max(longestCommitNanoseconds, result.nanoseconds)
    }
}
