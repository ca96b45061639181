import Lane
import Loop

/// The agent's own backlog: `backlog.high` when messages of this lane wait too long or are too many, `backlog.ok` when that
/// is over.
///
/// Nothing wakes for it: whoever looks at the outbox anyway calls `observe`. Between high and ok lies a margin of one half, so
/// that a lane at the edge does not tell a change each time.
///
/// `counts`: in, observations; out, signals; dropped, `unchanged`.
@LoopActor public final class BacklogFeed: Feed {
    /// From which on the backlog is high.
    public struct Limits: Hashable, Sendable {
        /// Age of the oldest message that is not delivered, in milliseconds. The brokers' own failovers take up to 17 s.
        public var age: Int64 = 15_000
        public var messages = 10_000
        public init() {}
    }

    public nonisolated var kind: FeedKind { .agent }
    public private(set) var counts = StageCounts()
    /// What was told last.
    public private(set) var isHigh = false
    private let limits: Limits
    private weak var sink: (any FeedSink)?
    private var last: (messages: Int, age: Int64) = (0, 0)

    private static let high = SignalType("backlog.high")
    private static let ok = SignalType("backlog.ok")
    private static let messages = AttributeName("messages")
    private static let oldest = AttributeName("oldest_s")

    public nonisolated init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Tells what is true now: as nothing was observed yet, that all is well.
    public func start(_ sink: any FeedSink) throws(FeedError) {
        self.sink = sink
        counts.in += 1
        tell()
    }

    public func stop() { sink = nil }

    public func resync() {
        counts.in += 1
        tell()
    }

    /// What the outbox holds: messages, and the age of the oldest in milliseconds.
    public func observe(messages: Int, age: Int64) {
        guard sink != nil else { return }
        counts.in += 1
        last = (messages, age)
        let isOver = messages >= limits.messages || age >= limits.age
        let isUnder = messages < max(1, limits.messages / 2) && age < max(1, limits.age / 2)
        guard isHigh ? isUnder : isOver else { return counts.drop("unchanged") }
        isHigh.toggle()
        tell()
    }

    private func tell() {
        guard let sink, let type = isHigh ? Self.high : Self.ok else { return counts.drop("stopped") }
        var attributes: [Attribute] = []
        if isHigh, let messages = Self.messages, let oldest = Self.oldest {
            attributes = [
                Attribute(messages, .int(Int64(last.messages))), Attribute(oldest, .int(last.age / 1000)),
            ]
        }
        counts.out += 1
        sink.receive(.signal(Signal(type, attributes, feed: .agent)))
    }
}
