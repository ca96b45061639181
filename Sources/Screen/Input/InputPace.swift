/// How many events a session may send: `rate` a second on the long run, `burst` at once.
struct InputPace: Hashable {
    static let rate: Int64 = 500
    static let burst: Int64 = 250

    private var left = burst
    /// Nanoseconds up to which `left` was counted.
    private var countedTo: Int64

    init(now: Int64) { countedTo = now }

    /// Whether one more may pass at `now`, in nanoseconds of CLOCK_MONOTONIC.
    mutating func admits(now: Int64) -> Bool {
        let each = 1_000_000_000 / Self.rate
        let earned = max(0, now - countedTo) / each
        left = min(Self.burst, left + earned)
        countedTo = left == Self.burst ? now : countedTo + earned * each
        guard left > 0 else { return false }
        left -= 1
        return true
    }
}
