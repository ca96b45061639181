import Lane

/// A clock that a test moves by hand. Lane time and wall time go together until the test steps one of them.
public struct ManualClock: Sendable {
    public private(set) var lane: LaneInstant
    public private(set) var wall: WallInstant

    /// 2026-01-05 10:00:00 UTC, a Monday, as in rule tests.
    public init(wall: WallInstant = WallInstant(milliseconds: 1_767_607_200_000)) {
        self.wall = wall
        lane = LaneInstant(milliseconds: wall.milliseconds)
    }

    public mutating func advance(milliseconds: Int64) {
        lane = lane.advanced(byMilliseconds: milliseconds)
        wall = WallInstant(milliseconds: wall.milliseconds + milliseconds)
    }

    /// Somebody sets the wall clock; lane time does not move.
    public mutating func stepWall(milliseconds: Int64) {
        wall = WallInstant(milliseconds: wall.milliseconds + milliseconds)
    }
}
