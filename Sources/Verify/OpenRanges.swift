/// Sequences that are missing so far: ranges in rising order, at most `limit` of them.
///
/// Where there are more, the lowest is given up: how many it was is kept, but what comes for it later can no longer be told
/// from a repeat.
struct OpenRanges: Hashable, Sendable {
    static let limit = 10_000

    enum Taken { case missing, present, unknown }

    private(set) var ranges: [ClosedRange<Int64>] = []
    /// How many sequences are missing, those of ranges that were given up with them.
    private(set) var missing: Int64 = 0
    /// Ranges that were given up.
    private(set) var givenUp = 0
    /// The last sequence of those.
    private var boundary = Int64.min

    /// Adds a range above all others.
    mutating func append(_ range: ClosedRange<Int64>) {
        ranges.append(range)
        missing += range.upperBound - range.lowerBound + 1
        trim()
    }

    /// `seq` came: it is missing no longer.
    mutating func take(_ seq: Int64) -> Taken {
        guard seq > boundary else { return .unknown }
        let place = firstPlace(endingAtOrAbove: seq)
        guard place < ranges.count, ranges[place].lowerBound <= seq else { return .present }
        let range = ranges[place]
        var parts: [ClosedRange<Int64>] = []
        if range.lowerBound < seq { parts.append(range.lowerBound...seq - 1) }
        if seq < range.upperBound { parts.append(seq + 1...range.upperBound) }
        ranges.replaceSubrange(place...place, with: parts)
        missing -= 1
        trim()
        return .missing
    }

    /// Takes out what of `told` is missing.
    /// - Returns: how many that were.
    mutating func remove(_ told: ClosedRange<Int64>) -> Int64 {
        var place = firstPlace(endingAtOrAbove: told.lowerBound)
        var removed: Int64 = 0
        while place < ranges.count, ranges[place].lowerBound <= told.upperBound {
            let range = ranges[place]
            let cut = range.clamped(to: told)
            removed += cut.upperBound - cut.lowerBound + 1
            var parts: [ClosedRange<Int64>] = []
            if range.lowerBound < cut.lowerBound { parts.append(range.lowerBound...cut.lowerBound - 1) }
            if cut.upperBound < range.upperBound { parts.append(cut.upperBound + 1...range.upperBound) }
            ranges.replaceSubrange(place...place, with: parts)
            place += parts.count
        }
        missing -= removed
        trim()
        return removed
    }

    private func firstPlace(endingAtOrAbove seq: Int64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < seq { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func trim() {
        guard ranges.count > Self.limit, let lowest = ranges.first else { return }
        boundary = lowest.upperBound
        givenUp += 1
        ranges.removeFirst()
    }
}
