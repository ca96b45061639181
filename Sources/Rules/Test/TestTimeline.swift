import Lane

/// Runs a table over a timeline of signals: what tests do, with lane time and wall time both beginning at `start`.
public struct TestTimeline: Sendable {
    /// 2026-01-05 10:00:00 UTC, a Monday.
    public static let defaultStart = WallInstant(milliseconds: 1_767_607_200_000)
    public static let defaultLength: Int64 = 600_000

    public var start: WallInstant
    public var given: [GivenLine]
    /// After `start`, in milliseconds. Signals after it still count.
    public var length: Int64

    public init(start: WallInstant = defaultStart, given: [GivenLine], length: Int64 = defaultLength) {
        self.start = start
        self.given = given
        self.length = length
    }

    /// Every change in order, those of deadlines up to and at the end included.
    public func run(_ table: RuleTable) -> [Change] {
        var engine = RuleEngine(table: table)
        var changes: [Change] = []
        for (place, line) in given.enumerated() {
            changes += engine.step(stamped(line, number: Int64(place) + 1)).changes
        }
        let end = max(length, given.last?.after ?? 0)
        changes += engine.idle(until: zero.advanced(byMilliseconds: end), inclusive: true).changes
        return changes
    }

    /// The lane time of 0.
    public var zero: LaneInstant { LaneInstant(milliseconds: start.milliseconds) }

    public func stamped(_ line: GivenLine, number: Int64) -> StampedSignal {
        let at = zero.advanced(byMilliseconds: line.after)
        let feed = SignalCatalogue.shipped[line.type].from.first ?? .pos
        return StampedSignal(
            number: number, at: at, wall: WallInstant(milliseconds: at.milliseconds),
            signal: Signal(line.type, line.attributes, feed: feed))
    }

    /// The result lines of `run`.
    public func lines(_ table: RuleTable) -> [String] { run(table).compactMap { ResultLine.text(of: $0, from: zero) } }
}
