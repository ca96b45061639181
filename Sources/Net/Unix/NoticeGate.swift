/// Lets one notice of a kind through in ten seconds and counts the rest: who floods us must not flood the log as well.
public struct NoticeGate {
    private var until: [String: Int64] = [:]
    private var suppressed: [String: Int] = [:]

    public init() {}

    /// How many of the kind were held back since the last one, or nil when this one is to be held back too. `now` in
    /// milliseconds.
    public mutating func pass(_ kind: String, now: Int64) -> Int? {
        if let end = until[kind], now < end {
            suppressed[kind, default: 0] += 1
            return nil
        }
        until[kind] = now + 10_000
        return suppressed.removeValue(forKey: kind) ?? 0
    }
}
