import Screen

/// What of a changed screen one update holds: small rectangles first, of large ones a strip, so that whatever changes next, a digit or a
/// button, waits for one strip at most, and not for a whole picture.
///
/// Strips go down the screen and begin anew at its top, so that a picture that changes faster than the line takes it is shown all the
/// same, every part of it. A value; nothing in it depends on time.
struct Slices: Hashable {
    /// Strips have whole rows of tiles, as far as encodings have tiles. Pixels.
    static let step = 16

    /// Where the next strip begins.
    private var place = 0

    /// - Parameters:
    ///   - rects: what changed; they do not overlap.
    ///   - most: pixels of an update. Strips have half of that besides small rectangles that fill it.
    /// - Returns: what of `rects` goes first; nil where all of it fits.
    mutating func next(of rects: [PixelRect], most: Int) -> [PixelRect]? {
        guard rects.reduce(0, { $0 + $1.area }) > most else {
            place = 0
            return nil
        }
        var chosen: [PixelRect] = []
        var large: [PixelRect] = []
        var room = most
        for rect in rects.sorted(by: { ($0.area, $0.y, $0.x) < ($1.area, $1.y, $1.x) }) {
            if rect.area <= min(room, most / 4) {
                chosen.append(rect)
                room -= rect.area
            } else {
                large.append(rect)
            }
        }
        return chosen + strip(of: large, most: max(room, most / 2))
    }

    /// Everything of `large` between two rows, as far down as `most` pixels go; one step at least.
    private mutating func strip(of large: [PixelRect], most: Int) -> [PixelRect] {
        guard let top = large.map(\.y).min(), let bottom = large.map(\.bottom).max() else { return [] }
        if place >= bottom { place = 0 }
        // Nothing changed down to there: begin where something did.
        let start = large.filter { $0.bottom > place }.map { max($0.y, place) }.min() ?? top
        var end = start
        var used = 0
        while end < bottom {
            let next = min(bottom, (end / Self.step + 1) * Self.step)
            let area = Self.between(end, next, of: large).reduce(0) { $0 + $1.area }
            if end > start, used + area > most { break }
            used += area
            end = next
        }
        place = end >= bottom ? 0 : end
        return Self.between(start, end, of: large)
    }

    private static func between(_ top: Int, _ bottom: Int, of rects: [PixelRect]) -> [PixelRect] {
        rects.compactMap { rect in
            let (upper, lower) = (max(top, rect.y), min(bottom, rect.bottom))
            return upper < lower ? PixelRect(x: rect.x, y: upper, width: rect.width, height: lower - upper) : nil
        }
    }
}
