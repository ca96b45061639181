/// How many messages a second one client may send: so many, and a second's worth at once. A value; times are milliseconds.
struct Pace {
    private let perSecond: Double
    private var left: Double
    private var at: Int64

    init(perSecond: Int, now: Int64) {
        self.perSecond = Double(max(1, perSecond))
        left = self.perSecond
        at = now
    }

    /// Takes `count`; how many milliseconds the client then has to rest, 0 for none and 2000 at most.
    mutating func take(_ count: Int, now: Int64) -> Int64 {
        left = min(perSecond, left + Double(max(0, now - at)) * perSecond / 1000)
        at = now
        left = max(left - Double(count), -2 * perSecond)
        guard left < 0 else { return 0 }
        return min(2000, Int64((-left / perSecond * 1000).rounded(.up)))
    }
}

/// Failures by place within the last minute: how long the answer to the next wrong credential is kept back. Nobody else waits:
/// a right one is answered at once, wherever it comes from. A value; times are milliseconds.
struct Failures {
    static let mostPlaces = 1024
    static let window: Int64 = 60_000
    private var places: [[UInt8]: (count: Int, last: Int64)] = [:]

    /// Notes a failure from `place`; for how many milliseconds its answer waits.
    mutating func note(_ place: [UInt8], now: Int64, most: Int64) -> Int64 {
        if places.count >= Self.mostPlaces, places[place] == nil { forget(now: now) }
        var entry = places[place] ?? (0, now)
        if now - entry.last > Self.window { entry.count = 0 }
        entry.count = min(entry.count + 1, 16)
        entry.last = now
        places[place] = entry
        return min(most, 125 << Int64(entry.count))
    }

    var count: Int { places.count }

    /// The right credential does not forgive the wrong ones of others behind the same address; only time does.
    private mutating func forget(now: Int64) {
        places = places.filter { now - $0.value.last <= Self.window }
        // All of one minute: the half that was quiet longest goes.
        guard places.count >= Self.mostPlaces else { return }
        let middle = places.values.map(\.last).sorted()[places.count / 2]
        places = places.filter { $0.value.last > middle }
    }
}
