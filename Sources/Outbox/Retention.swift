import Lane
import Synchronization

/// What a topic's messages are worth when not all can be kept: the lowest are given up first.
public enum TopicValue: Int, Hashable, Comparable, Sendable, CaseIterable {
    /// Devices that come and go.
    case health
    /// What the lane is like: of it the newest is kept, whatever happens.
    case state
    /// What rules on probation would have raised.
    case shadow
    /// What calls somebody. A topic that nobody has named is of these.
    case intervention
    /// What security asks for; chained.
    case audit

    public static func < (a: TopicValue, b: TopicValue) -> Bool { a.rawValue < b.rawValue }
}

/// What the outbox does past the operator's limit of bytes.
public enum WhenFull: String, Hashable, Sendable, CaseIterable {
    /// It gives up the oldest messages of the lowest value, and tells so in their place.
    case drop
    /// It takes no events: signals are held in memory, then their writers are slowed. Nothing is given up, nothing goes on.
    case hold
}

/// Why messages were given up.
public enum DropReason: String, Hashable, Sendable, CaseIterable {
    /// Older than the operator's limit of age.
    case age
    /// In the way of newer ones, past the limit of bytes.
    case full
    /// Not readable any more: the file was damaged.
    case damaged
}

/// What was given up, for counting.
public struct Drop: Hashable, Sendable {
    public var topic: String
    public var reason: DropReason

    public init(topic: String, reason: DropReason) {
        self.topic = topic
        self.reason = reason
    }
}

/// Up to where each topic's messages have left the outbox's hands, and up to where they were given up: what may be on its way
/// to a broker is never given up, and what was given up is never sent.
///
/// The one thing that the lane's thread and the outbox's share; each call is a few instructions under a lock.
final class Frontier: Sendable {
    private struct Place {
        var handed = Position.start
        var dropped = Position.start
    }

    private let places = Mutex<[String: Place]>([:])

    /// Messages `first` to `last` are about to be given to a producer.
    /// - Returns: false where one of them was given up since they were committed: they are to be read anew.
    func claim(_ topic: String, _ first: Position, _ last: Position) -> Bool {
        places.withLock { places in
            guard first > places[topic, default: Place()].dropped else { return false }
            places[topic, default: Place()].handed.raise(to: last)
            return true
        }
    }

    /// Messages up to `last` were read to be sent.
    func hand(_ topic: String, _ last: Position) {
        places.withLock { $0[topic, default: Place()].handed.raise(to: last) }
    }

    func handed(_ topic: String) -> Position { places.withLock { $0[topic]?.handed ?? .start } }

    /// Messages `first` to `last` are about to be given up.
    /// - Returns: false where one of them was handed over meanwhile: it stays.
    func drop(_ topic: String, _ first: Position, _ last: Position) -> Bool {
        places.withLock { places in
            guard first > places[topic, default: Place()].handed else { return false }
            places[topic, default: Place()].dropped.raise(to: last)
            return true
        }
    }
}

extension Position {
    fileprivate mutating func raise(to other: Position) { self = max(self, other) }
}

/// Whether the wall clock can be trusted with the age of messages: one that was set far away a moment ago, or an agent that
/// began a moment ago and may not have heard from its time server, would give up all that is kept.
struct AgeClock {
    /// The clock has to run steadily for this long. Milliseconds.
    static let probation: Int64 = 3_600_000
    /// A step up to this is none.
    static let tolerance: Int64 = 300_000

    private var offset: Int64?
    private var steadySince: Int64 = 0

    /// Takes both clocks, in milliseconds.
    mutating func isTrusted(boottime: Int64, wall: Int64) -> Bool {
        let found = wall - boottime
        if let offset, abs(found - offset) <= Self.tolerance {
            return boottime - steadySince >= Self.probation
        }
        offset = found
        steadySince = boottime
        return false
    }
}
