import Glibc

/// Finds what moved up or down between two pictures of one part of the screen: a list that was scrolled, a terminal's next line. A viewer
/// moves such pixels by itself, and gets only what is new.
///
/// Rows are told apart by sums over the middle half of their pixels, and groups of rows by sums of those, as single rows of text look
/// alike. Where groups have gone the same way, the longest run of rows that did is compared pixel by pixel, and widened as far as it
/// holds. So what is found is certain, and what is not found is sent as what it is: pixels. Three tenths of a millisecond for a quarter of a
/// million pixels.
struct ScrollSearch {
    /// Rows of four bytes a pixel, one behind the other.
    struct Rows {
        let base: UnsafeRawPointer
        let stride: Int
        let count: Int

        func row(_ y: Int) -> UnsafeRawPointer { base + y * stride }
    }

    /// New rows, and columns, that show what was `shift` rows further down before; further up where it is negative.
    struct Move: Hashable {
        var rows: Range<Int>
        var columns: Range<Int>
        var shift: Int
    }

    /// A move of less is not worth it. Pixels that were others before.
    static let fewestPixels = 24 << 10
    static let fewestColumns = 64
    /// How far beyond the new rows the old ones are looked at, up and down.
    static let reach = 128
    /// Rows of a group.
    static let group = 16
    /// So many groups have to agree.
    static let fewestVotes = 16
    /// Columns by which a run is widened.
    static let step = 16

    let new: Rows
    let old: Rows
    /// The old row that is where the first new one is.
    let first: Int
    let width: Int

    func move() -> Move? {
        guard width >= Self.fewestColumns, new.count > Self.group, old.count > Self.group else { return nil }
        let middle = (width / 4)..<(width / 4 + width / 16 * 8)
        let (fresh, known) = (sums(new, middle), sums(old, middle))
        guard let shift = shift(fresh, known), let rows = run(fresh, known, shift) else { return nil }
        let isSame = rows.allSatisfy { isMoved($0, middle, by: shift) }
        guard isSame else { return nil }
        let columns = widened(middle, rows, by: shift)
        let changed = rows.reduce(0) { $0 + (fresh[$1] == known[first + $1] ? 0 : 1) }
        guard changed * columns.count >= Self.fewestPixels else { return nil }
        return Move(rows: rows, columns: columns, shift: shift)
    }

    /// One number a row; equal pixels have equal ones. `columns` are a multiple of eight.
    private func sums(_ rows: Rows, _ columns: Range<Int>) -> [UInt64] {
        (0..<rows.count).map { y in
            let row = rows.row(y) + columns.lowerBound * 4
            var (sum, weighted) = (SIMD4<UInt64>.zero, SIMD4<UInt64>.zero)
            for offset in stride(from: 0, to: columns.count * 4, by: 32) {
                sum &+= (row + offset).loadUnaligned(as: SIMD4<UInt64>.self)
                weighted &+= sum
            }
            let both = sum &* 0x9e37_79b9_7f4a_7c15 &+ weighted
            return both[0] &+ both[1] &* 3 &+ both[2] &* 5 &+ both[3] &* 7
        }
    }

    /// For each row one number for it and those behind it, as many as a group has.
    private func groups(_ sums: [UInt64]) -> [UInt64] {
        let factor: UInt64 = 0xd134_2543_de82_ef95
        // What the oldest row of a group was multiplied with by the time that it leaves.
        let last = (0..<Self.group).reduce(UInt64(1)) { power, _ in power &* factor }
        var groups: [UInt64] = []
        groups.reserveCapacity(sums.count)
        var value: UInt64 = 0
        for (place, sum) in sums.enumerated() {
            value = value &* factor &+ sum
            if place >= Self.group { value = value &- sums[place - Self.group] &* last }
            if place >= Self.group - 1 { groups.append(value) }
        }
        return groups
    }

    /// The way that most groups went which are there once before.
    private func shift(_ fresh: [UInt64], _ known: [UInt64]) -> Int? {
        var places: [UInt64: Int] = [:]
        for (place, group) in groups(known).enumerated() {
            places[group] = places[group] == nil ? place : -1
        }
        var votes: [Int: Int] = [:]
        for (place, group) in groups(fresh).enumerated() {
            guard let before = places[group], before >= 0, before != first + place else { continue }
            votes[before - first - place, default: 0] += 1
        }
        let best = votes.max { ($0.value, $1.key) < ($1.value, $0.key) }
        return best.flatMap { $0.value >= Self.fewestVotes ? $0.key : nil }
    }

    /// The longest run of new rows that went by `shift`, by their sums.
    private func run(_ fresh: [UInt64], _ known: [UInt64], _ shift: Int) -> Range<Int>? {
        var (best, start) = (0..<0, 0)
        for y in 0...fresh.count {
            let before = first + y + shift
            if y < fresh.count, known.indices.contains(before), known[before] == fresh[y] { continue }
            if y - start > best.count { best = start..<y }
            start = y + 1
        }
        return best.isEmpty ? nil : best
    }

    private func isMoved(_ y: Int, _ columns: Range<Int>, by shift: Int) -> Bool {
        let offset = columns.lowerBound * 4
        return memcmp(new.row(y) + offset, old.row(first + y + shift) + offset, columns.count * 4) == 0
    }

    private func widened(_ middle: Range<Int>, _ rows: Range<Int>, by shift: Int) -> Range<Int> {
        var (left, right) = (middle.lowerBound, middle.upperBound)
        while left > 0 {
            let next = max(0, left - Self.step)
            guard rows.allSatisfy({ isMoved($0, next..<left, by: shift) }) else { break }
            left = next
        }
        while right < width {
            let next = min(width, right + Self.step)
            guard rows.allSatisfy({ isMoved($0, right..<next, by: shift) }) else { break }
            right = next
        }
        return left..<right
    }
}

/// Whether to look for moves once more where there was none again and again, as in a video: after some attempts each fourth time only.
struct ScrollHope: Hashable {
    static let attempts = 8
    static let interval = 4

    private var rect = PixelRect.empty
    private var misses = 0

    mutating func isWorthASearch(of rect: PixelRect) -> Bool {
        if rect != self.rect { (self.rect, misses) = (rect, 0) }
        guard misses >= Self.attempts else { return true }
        misses += 1
        return misses % Self.interval == 0
    }

    mutating func searched(found: Bool) {
        if found {
            misses = 0
        } else if misses < Self.attempts {
            misses += 1
        }
    }
}
