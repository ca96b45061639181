/// How long the stand-in for the gate bears a viewer that stops in the middle, takes nothing or talks too much. Pure: time is an argument, in milliseconds
/// of any clock that only goes on.
///
/// What counts as taken is what reached the viewer (sent minus what the kernel still holds, SIOCOUTQ), not what was given to
/// send(2): the kernel takes a lot at once, and a slow honest viewer would look stuck.
struct ViewerPatience: Hashable, Sendable {
    enum Verdict: String, Hashable, Sendable {
        /// The rest of a message did not come.
        case halfMessage = "half_message"
        /// Bytes wait for it, and none of them reached it.
        case stuck
        /// More messages than any hand makes.
        case flood
    }

    static let halfMessageMilliseconds: Int64 = 2000
    static let stuckMilliseconds: Int64 = 3000
    static let messagesPerSecond: Int64 = 500
    /// What may come at once: two seconds' worth, as a viewer that was away catches up.
    static let burst: Int64 = 2 * messagesPerSecond

    private var halfSince: Int64?
    private var waitingSince: Int64?
    private var reached: UInt64 = 0
    /// Messages that may still come at `filledAt`, in thousandths.
    private var credit = Self.burst * 1000
    private var filledAt: Int64
    private var isFlood = false

    init(at now: Int64) { filledAt = now }

    /// `messages` whole ones came; afterwards the viewer owes the rest of one or not.
    mutating func heard(messages: Int, isMidMessage: Bool, at now: Int64) {
        credit = min(Self.burst * 1000, credit + max(0, now - filledAt) * Self.messagesPerSecond)
        filledAt = max(filledAt, now)
        credit -= Int64(messages) * 1000
        if credit < 0 { isFlood = true }
        // Each message that ends is progress; bytes alone are not, or one could be drawn out for ever.
        halfSince = isMidMessage ? (messages > 0 ? now : halfSince ?? now) : nil
    }

    /// `total` bytes reached the viewer since it came, `waiting` are still on this side, the kernel's included.
    mutating func took(total: UInt64, waiting: Int, at now: Int64) {
        if waiting == 0 { waitingSince = nil } else if waitingSince == nil || total > reached { waitingSince = now }
        reached = max(reached, total)
    }

    /// Whether it has to go, and why.
    func verdict(at now: Int64) -> Verdict? {
        if isFlood { return .flood }
        if let halfSince, now - halfSince >= Self.halfMessageMilliseconds { return .halfMessage }
        if let waitingSince, now - waitingSince >= Self.stuckMilliseconds { return .stuck }
        return nil
    }

    /// When to ask for the verdict though nothing happens; nil is never.
    var nextDeadline: Int64? {
        let half = halfSince.map { $0 + Self.halfMessageMilliseconds }
        let stuck = waitingSince.map { $0 + Self.stuckMilliseconds }
        return [half, stuck].compactMap { $0 }.min()
    }
}
