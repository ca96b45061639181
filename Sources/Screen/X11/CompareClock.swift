/// When the whole screen is compared though nothing told of a change: some drivers and compositors draw past DAMAGE.
///
/// While DAMAGE tells the truth, three times a minute. After a lie as often as a twentieth of one core allows, at most 25 times
/// a second, then ever more rarely while nothing is found, and at least each second until ten minutes have passed without one.
/// Nanoseconds of CLOCK_MONOTONIC throughout.
struct CompareClock: Hashable {
    static let atRest: Int64 = 20_000_000_000
    static let shortest: Int64 = 40_000_000
    static let afterLies: Int64 = 1_000_000_000
    static let distrust: Int64 = 600_000_000_000
    /// A compare may take one part in so many of the time.
    static let share: Int64 = 20

    private(set) var next: Int64
    private var interval = atRest
    private var lastLie: Int64?

    init(now: Int64) { next = now + Self.atRest }

    /// Whether a change went by untold in the last ten minutes.
    func isDistrustful(now: Int64) -> Bool { lastLie.map { now - $0 < Self.distrust } ?? false }

    /// Takes note of a compare that ended at `now` after `took`, and whether it found what no damage had told.
    mutating func compared(now: Int64, took: Int64, foundLie: Bool) {
        if foundLie { lastLie = now }
        let floor = max(Self.shortest, took * Self.share)
        let ceiling = max(floor, isDistrustful(now: now) ? Self.afterLies : Self.atRest)
        interval = min(ceiling, foundLie ? floor : max(floor, interval * 2))
        next = now + interval
    }
}
