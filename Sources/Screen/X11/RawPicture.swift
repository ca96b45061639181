import Glibc

/// The screen's pixels as they were last read, and what of a newer piece differs from them.
///
/// Four bytes a pixel in memory order blue, green, red, unused. Owned by the capture thread. Never in a core dump: it may hold
/// what is going to be hidden.
final class RawPicture {
    /// Pieces are compared in squares of the screen of this many pixels: what did not change is not told on.
    static let tile = 64

    let size: PixelSize
    let stride: Int
    private let memory: PixelMemory
    private var base: UnsafeMutableRawPointer { memory.base }
    private var work = Work()

    /// Of one update, kept for the next.
    private struct Work {
        /// A row that was converted.
        var row: [UInt32] = []
        /// For each column of tiles the first and last changed row; first is `Int.max` where none did.
        var firsts: [Int] = []
        var lasts: [Int] = []

        mutating func clear(_ columns: Int) {
            if firsts.count < columns {
                firsts = [Int](repeating: Int.max, count: columns)
                lasts = [Int](repeating: 0, count: columns)
            }
            for place in 0..<columns { firsts[place] = Int.max }
        }
    }

    /// - Throws: `unsupported` for a size that is not usable, or without memory.
    init(size: PixelSize) throws(ScreenError) {
        guard size.isUsable else { throw ScreenError(.unsupported, "a screen of \(size) pixels cannot be shown") }
        self.size = size
        stride = size.width * 4
        guard let memory = PixelMemory(bytes: stride * size.height, whole: true) else {
            throw ScreenError(.unsupported, "no memory for a screen of \(size) pixels")
        }
        self.memory = memory
    }

    func withFrame<R>(_ body: (borrowing RawFrame) -> R) -> R {
        body(RawFrame(size: size, stride: stride, pixels: base))
    }

    /// Forgets what was read of `rect`: black.
    func forget(_ rect: PixelRect) {
        let part = rect.intersection(size.bounds)
        for y in part.y..<part.bottom { memset(base + y * stride + part.x * 4, 0, part.width * 4) }
        work.row = []
    }

    /// Takes over the pixels of `piece`, which lies within the picture, from `source`: rows of `layout`, one behind the other.
    /// Calls `changed` with rectangles of whole tiles, clipped to the piece and to the rows that differ.
    func update(
        _ piece: PixelRect, from source: UnsafeRawPointer, _ layout: PixelLayout, changed: (PixelRect) -> Void
    ) {
        guard size.bounds.contains(piece), !piece.isEmpty else { return }
        let sourceStride = layout.stride(width: piece.width)
        let columns = (piece.right - 1) / Self.tile - piece.x / Self.tile + 1
        var open: [PixelRect] = []
        // Taken out, so that nobody asks for each pixel's row whether it is used elsewhere.
        var work = work
        self.work = Work()
        defer { self.work = work }
        var top = piece.y
        while top < piece.bottom {
            let bottom = min(piece.bottom, (top / Self.tile + 1) * Self.tile)
            work.clear(columns)
            for y in top..<bottom {
                compareRow(y, piece, source + (y - piece.y) * sourceStride, layout, &work)
            }
            open = joined(open, piece, columns, work, changed)
            top = bottom
        }
        for rect in open { changed(rect) }
    }

    /// What of `piece`, whose new pixels are in `source` as for `update` and are not taken over yet, stood further up or down before.
    func moved(_ piece: PixelRect, from source: UnsafeRawPointer, _ layout: PixelLayout) -> ScreenCopy? {
        guard size.bounds.contains(piece), piece.area >= ScrollSearch.fewestPixels, layout.kind == .direct else {
            return nil
        }
        let top = max(0, piece.y - ScrollSearch.reach)
        let bottom = min(size.height, piece.bottom + ScrollSearch.reach)
        let search = ScrollSearch(
            new: .init(base: source, stride: layout.stride(width: piece.width), count: piece.height),
            old: .init(base: base + top * stride + piece.x * 4, stride: stride, count: bottom - top),
            first: piece.y - top, width: piece.width)
        guard let move = search.move() else { return nil }
        let to = PixelRect(
            x: piece.x + move.columns.lowerBound, y: piece.y + move.rows.lowerBound, width: move.columns.count,
            height: move.rows.count)
        return ScreenCopy(from: to.offset(x: 0, y: move.shift), dx: 0, dy: -move.shift)
    }

    private func compareRow(
        _ y: Int, _ piece: PixelRect, _ source: UnsafeRawPointer, _ layout: PixelLayout, _ work: inout Work
    ) {
        let old = base + y * stride + piece.x * 4
        guard layout.kind != .direct else { return compareRow(piece, y, source, old, &work) }
        if work.row.count < piece.width { work.row = [UInt32](repeating: 0, count: piece.width) }
        var converted = work.row
        work.row = []
        converted.withUnsafeMutableBytes {
            guard let target = $0.baseAddress else { return }
            layout.convert(source, width: piece.width, to: target)
            compareRow(piece, y, target, old, &work)
        }
        work.row = converted
    }

    private func compareRow(
        _ piece: PixelRect, _ y: Int, _ new: UnsafeRawPointer, _ old: UnsafeMutableRawPointer, _ work: inout Work
    ) {
        // Most rows of a screen that is compared as a whole are as they were.
        guard memcmp(new, old, piece.width * 4) != 0 else { return }
        var (x, column) = (piece.x, 0)
        while x < piece.right {
            let end = min(piece.right, (x / Self.tile + 1) * Self.tile)
            let (offset, count) = ((x - piece.x) * 4, (end - x) * 4)
            if memcmp(new + offset, old + offset, count) != 0 {
                memcpy(old + offset, new + offset, count)
                work.firsts[column] = min(work.firsts[column], y)
                work.lasts[column] = y
            }
            x = end
            column += 1
        }
    }

    /// Puts changed tiles side by side into one rectangle, and rectangles of one width below each other; what cannot grow any
    /// more goes to `changed`.
    private func joined(
        _ above: [PixelRect], _ piece: PixelRect, _ columns: Int, _ work: Work, _ changed: (PixelRect) -> Void
    ) -> [PixelRect] {
        var found: [PixelRect] = []
        var column = 0
        while column < columns {
            guard work.firsts[column] != Int.max else {
                column += 1
                continue
            }
            var (first, last, end) = (work.firsts[column], work.lasts[column], column + 1)
            while end < columns, work.firsts[end] != Int.max {
                (first, last) = (min(first, work.firsts[end]), max(last, work.lasts[end]))
                end += 1
            }
            let left = max(piece.x, (piece.x / Self.tile + column) * Self.tile)
            let right = min(piece.right, (piece.x / Self.tile + end) * Self.tile)
            found.append(PixelRect(x: left, y: first, width: right - left, height: last + 1 - first))
            column = end
        }
        for rect in above {
            let place = found.firstIndex { $0.x == rect.x && $0.width == rect.width && $0.y == rect.bottom }
            if let place { found[place] = rect.union(found[place]) } else { changed(rect) }
        }
        return found
    }
}
