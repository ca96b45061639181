/// So many a second, and a second's worth at once.
public struct TokenBucket {
    let perSecond: Double
    private var tokens: Double
    private var filledAt: Int64

    /// `now` in nanoseconds of the loop's clock, as everywhere here.
    public init(perSecond: Int, now: Int64) {
        self.perSecond = Double(max(1, perSecond))
        tokens = self.perSecond
        filledAt = now
    }

    public mutating func fill(now: Int64) {
        guard now > filledAt else { return }
        tokens = min(perSecond, tokens + Double(now - filledAt) * perSecond / 1_000_000_000)
        filledAt = now
    }

    /// Takes so many more, for what cost more than one. What is missing has to come in again first; that takes two seconds at
    /// most.
    mutating func charge(_ more: Double) { tokens = max(tokens - more, -2 * perSecond) }

    /// Takes one; false when there is none.
    public mutating func take() -> Bool {
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
