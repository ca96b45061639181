/// What the last messages of a stream were, 64 bits each: tells whether a repeat is the same message.
///
/// Holds up to `limit` of the youngest sequences and grows as they come: thousands of lanes that say little need little.
struct PrintWindow: Hashable, Sendable {
    /// As many as a lane's producer may send again after a crash: `queue.buffering.max.messages`.
    static let limit = 2048

    private struct Cell: Hashable {
        var seq: UInt32
        var print: UInt32
    }

    private var cells: [Cell] = []

    mutating func removeAll() { cells = [] }

    /// `seq` came with `print`. A younger sequence that is held keeps its place.
    mutating func keep(_ seq: Int64, _ print: UInt64) {
        if cells.isEmpty { cells = Self.room(16) }
        let low = UInt32(truncatingIfNeeded: seq)
        while let held = held(at: low), held.seq != low, cells.count < Self.limit { grow() }
        let place = Int(low) & (cells.count - 1)
        if let held = held(at: low), Int32(bitPattern: held.seq &- low) > 0 { return }
        cells[place] = Cell(seq: low, print: Self.short(print))
    }

    /// Whether the message of `seq` had this `print`; nil where it is too old to be known.
    func isSame(_ seq: Int64, _ print: UInt64) -> Bool? {
        guard !cells.isEmpty else { return nil }
        let low = UInt32(truncatingIfNeeded: seq)
        guard let held = held(at: low), held.seq == low else { return nil }
        return held.print == Self.short(print)
    }

    private static func room(_ count: Int) -> [Cell] { [Cell](repeating: Cell(seq: 0, print: 0), count: count) }

    /// 0 stands for an empty cell.
    private static func short(_ print: UInt64) -> UInt32 { max(1, UInt32(truncatingIfNeeded: print ^ print >> 32)) }

    private func held(at low: UInt32) -> Cell? {
        let cell = cells[Int(low) & (cells.count - 1)]
        return cell.print == 0 ? nil : cell
    }

    private mutating func grow() {
        let old = cells
        cells = Self.room(old.count * 2)
        for cell in old where cell.print != 0 { cells[Int(cell.seq) & (cells.count - 1)] = cell }
    }
}
