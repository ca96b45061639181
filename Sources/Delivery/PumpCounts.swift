/// What the pump did since it was started.
///
/// `handedOver == acknowledged + returned + inFlight` at any time.
public struct PumpCounts: Hashable, Sendable {
    /// Given to a producer; a message that is sent again counts again.
    public var handedOver = 0
    /// With the brokers, and none before it missing.
    public var acknowledged = 0
    /// Taken back to be sent again.
    public var returned = 0
    /// Of those returned, how many a broker may have kept all the same.
    public var duplicatesPossible = 0
    public var inFlight = 0
    public var bytesInFlight = 0
    /// Failed reports by the error's name.
    public var failed: [String: Int] = [:]
    /// Producers made anew after a failure.
    public var recreations = 0
    /// Of these, because no report came for too long.
    public var staleRecreations = 0
    /// Messages found by the look every 10 s that no wake-up had told of: a fault of ours.
    public var lostWakeUps = 0
    public var queueFull = 0
    public var deadLetters = 0
    /// Dead letters sent again, and thrown away, by people.
    public var released = 0
    public var discarded = 0
    public var settles = 0
    public var settleFailures = 0
    public var leaseFailures = 0
    /// Messages that were kept and cannot be read any more: the database is damaged. Consumers see the gap too.
    public var unreadable = 0
    /// From the hand-over to the brokers' acknowledgement.
    public var acknowledgeLatency = LatencyHistogram()
    /// From the commit to the brokers' acknowledgement.
    public var deliveryLatency = LatencyHistogram()

    public init() {}
}

/// How many took how long: counts per upper bound, not cumulative.
public struct LatencyHistogram: Hashable, Sendable {
    /// Upper bounds in milliseconds; a last count is for all beyond.
    public static let bounds: [Double] = [
        0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000,
    ]
    public private(set) var counts = [Int](repeating: 0, count: LatencyHistogram.bounds.count + 1)
    public private(set) var sumMilliseconds = 0.0
    public private(set) var longestMilliseconds = 0.0

    public init() {}

    public var total: Int { counts.reduce(0, +) }

    mutating func add(milliseconds: Double) {
        let value = max(0, milliseconds)
        counts[Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count] += 1
        sumMilliseconds += value
        longestMilliseconds = max(longestMilliseconds, value)
    }
}

/// A topic that is not being sent to, and why.
public struct HeldTopic: Hashable, Sendable {
    public enum Reason: String, Hashable, Sendable {
        /// The cluster has no such topic.
        case unknown
        /// The cluster refuses this client.
        case notAuthorised = "not_authorised"
        /// The cluster refuses whatever it is, a few bytes of our own too.
        case refused
        /// It has a message that no broker takes, and the quarantine has no room for it.
        case quarantineFull = "quarantine_full"
        /// The cluster takes no message of this time: the lane's clock is wrong, or the brokers'.
        case clock
    }
    public var topic: String
    public var reason: Reason
    /// Wall time in milliseconds.
    public var since: Int64
}
