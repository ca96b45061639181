/// Growing pauses with full jitter: each is anything up to a ceiling, and the ceiling doubles. Lanes that lost one broker
/// together do not come back together.
public struct Backoff: Hashable, Sendable {
    /// Milliseconds.
    public var first: Int64
    public var limit: Int64
    private(set) var ceiling: Int64

    public init(first: Int64 = 1000, limit: Int64 = 15_000) {
        self.first = max(0, first)
        self.limit = max(first, limit)
        ceiling = max(0, first)
    }

    /// The next pause in milliseconds: 0 up to the ceiling, which then doubles up to `limit`.
    public mutating func next(using random: inout some RandomNumberGenerator) -> Int64 {
        let pause = Int64.random(in: 0...ceiling, using: &random)
        ceiling = min(limit, max(1, ceiling) * 2)
        return pause
    }

    /// After a success the next pause is short again.
    public mutating func reset() { ceiling = first }
}
