import Lane

/// What happens in a test, in order of time.
public enum TestStep: Hashable, Sendable {
    case signal(GivenLine)
    /// `30s ! restart 20s`: the agent is gone for so long; it comes back from its snapshot.
    case restart(after: Int64, away: Int64)
    /// `30s ! crash 20s`: as a restart, but without a snapshot at its end: the signals since the last one are run again.
    case crash(after: Int64, away: Int64)
    /// `30s ! gap scanner 3s`: one source is blind for so long, everything else goes on.
    case gap(after: Int64, source: SignalSource, length: Int64)
    /// `30s ! suspend 5m`: the machine sleeps.
    case suspend(after: Int64, away: Int64)
    /// `30s ! clock +1h`: the wall clock is set.
    case clock(after: Int64, by: Int64)
    /// `30s ! reload other.yaml`
    case reload(after: Int64, file: String)

    /// After the beginning of the test, in milliseconds.
    public var after: Int64 {
        switch self {
        case .signal(let line): return line.after
        case .restart(let after, _), .crash(let after, _), .suspend(let after, _): return after
        case .gap(let after, _, _), .clock(let after, _), .reload(let after, _): return after
        }
    }

    /// When the lane can hear again. Of a gap of one source it is its beginning: the lane is awake.
    public var end: Int64 {
        switch self {
        case .restart(let after, let away), .crash(let after, let away), .suspend(let after, let away):
            return after.addingReportingOverflow(away).overflow ? .max : after + away
        default: return after
        }
    }
}

/// Runs a table over a timeline: what tests do, with lane time and wall time both beginning at `start`.
public struct TestTimeline: Sendable {
    /// 2026-01-05 10:00:00 UTC, a Monday.
    public static let defaultStart = WallInstant(milliseconds: 1_767_607_200_000)
    public static let defaultLength: Int64 = 600_000

    public var start: WallInstant
    public var steps: [TestStep]
    /// After `start`, in milliseconds. Steps after it still count.
    public var length: Int64

    public init(start: WallInstant = defaultStart, steps: [TestStep], length: Int64 = defaultLength) {
        self.start = start
        self.steps = steps
        self.length = length
    }

    public init(start: WallInstant = defaultStart, given: [GivenLine], length: Int64 = defaultLength) {
        self.init(start: start, steps: given.map { .signal($0) }, length: length)
    }

    /// When it ends, in milliseconds after `start`.
    public var end: Int64 { max(length, steps.last?.end ?? 0) }

    /// The lane time of 0.
    public var zero: LaneInstant { LaneInstant(milliseconds: start.milliseconds) }

    /// Every change in order, those of deadlines up to and at the end included.
    ///
    /// - Parameter reloads: the tables that `! reload` steps name; one that is missing changes nothing.
    public func run(_ table: RuleTable, reloads: [String: RuleTable] = [:]) -> [Change] {
        var noting: Noting?
        return run(table, reloads: reloads, noting: &noting)
    }

    /// The same, with notes of what happened to the rules where `noting` is set.
    public func run(_ table: RuleTable, reloads: [String: RuleTable], noting: inout Noting?) -> [Change] {
        let mayCrash = steps.contains { if case .crash = $0 { true } else { false } }
        var lane = TestLane(table, zero: zero, mayCrash: mayCrash, noting: noting)
        for step in steps { lane.take(step, self, reloads) }
        let changes = lane.end(at: end)
        noting = lane.noting
        return changes
    }

    public func stamped(_ line: GivenLine, number: Int64) -> StampedSignal {
        let at = zero.advanced(byMilliseconds: line.after)
        let feed = SignalCatalogue.shipped[line.type].from.first ?? .pos
        return StampedSignal(
            number: number, at: at, wall: WallInstant(milliseconds: at.milliseconds),
            signal: Signal(line.type, line.attributes, feed: feed))
    }

    /// The result lines of `run`.
    public func lines(_ table: RuleTable, reloads: [String: RuleTable] = [:]) -> [String] {
        run(table, reloads: reloads).compactMap { ResultLine.text(of: $0, from: zero) }
    }
}
