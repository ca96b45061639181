import Screen

/// Where one viewer's picture is not exact, as it was sent by JPEG, and since when: what has rested is sent again without loss.
///
/// Tiles of 64 pixels, a stamp each: bounded by the screen's size. A tile is inexact if any pixel of it may be. A value; time comes in as
/// milliseconds of any clock that only rises.
struct LossMap: Hashable {
    static let tile = 64
    /// What did not change for so long is mended.
    static let rest: Int64 = 200
    /// While the line has something to carry, another attempt is made after so long.
    static let retry: Int64 = 25
    /// So many pixels in one go: a change that comes meanwhile waits for no more. 16 tiles.
    static let mostPixels = 16 * tile * tile

    private var size = PixelSize(width: 0, height: 0)
    private var columns = 0
    /// When a tile was last sent by JPEG; nil: it is exact. Empty until the first one.
    private var since: [Int64?] = []
    private var notBefore: Int64 = 0
    /// How many tiles are not exact.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Forgets all: what the viewer has is of a screen of another size, or will be sent anew.
    mutating func begin(_ size: PixelSize) {
        self = LossMap()
        self.size = size
        columns = (size.width + Self.tile - 1) / Self.tile
    }

    /// `rect` was sent by JPEG.
    mutating func lost(_ rect: PixelRect, at now: Int64) {
        if since.isEmpty {
            since = Array(repeating: nil, count: columns * ((size.height + Self.tile - 1) / Self.tile))
        }
        for place in places(of: rect) { set(place, now) }
    }

    /// `rect` was sent as it is.
    mutating func mended(_ rect: PixelRect) {
        guard count > 0 else { return }
        for place in places(of: rect) where since[place] != nil && rect.contains(bounds(of: place)) {
            since[place] = nil
            count -= 1
        }
    }

    /// The viewer moved pixels of its own: what is not exact came along.
    mutating func moved(_ copy: ScreenCopy, at now: Int64) {
        guard count > 0 else { return }
        let inexact = places(of: copy.to).filter { place in
            let from = bounds(of: place).intersection(copy.to).offset(x: -copy.dx, y: -copy.dy)
            return places(of: from).contains { since[$0] != nil }
        }
        for place in inexact { set(place, now) }
    }

    /// When there may be something to mend; nil for nothing.
    var due: Int64? {
        guard count > 0, let first = since.lazy.compactMap({ $0 }).min() else { return nil }
        return max(first + Self.rest, notBefore)
    }

    /// Nothing is due before `milliseconds` have passed.
    mutating func postpone(at now: Int64, by milliseconds: Int64) { notBefore = now + milliseconds }

    /// Tiles that have rested, the longest first, as many as go at once.
    func rested(at now: Int64, where isWanted: (PixelRect) -> Bool) -> [PixelRect] {
        guard count > 0, now >= notBefore else { return [] }
        var found: [(since: Int64, rect: PixelRect)] = []
        for (place, stamp) in since.enumerated() {
            guard let stamp, stamp + Self.rest <= now else { continue }
            found.append((stamp, bounds(of: place)))
        }
        found.sort { ($0.since, $0.rect.y, $0.rect.x) < ($1.since, $1.rect.y, $1.rect.x) }
        var (chosen, room): ([PixelRect], Int) = ([], Self.mostPixels)
        for (_, rect) in found where rect.area <= room && isWanted(rect) {
            chosen.append(rect)
            room -= rect.area
            if room == 0 { break }
        }
        return chosen
    }

    private mutating func set(_ place: Int, _ now: Int64) {
        if since[place] == nil { count += 1 }
        since[place] = now
    }

    private func bounds(of place: Int) -> PixelRect {
        PixelRect(
            x: place % columns * Self.tile, y: place / columns * Self.tile, width: Self.tile, height: Self.tile
        ).intersection(size.bounds)
    }

    private func places(of rect: PixelRect) -> [Int] {
        let part = rect.intersection(size.bounds)
        guard !part.isEmpty else { return [] }
        let across = part.x / Self.tile...(part.right - 1) / Self.tile
        let down = part.y / Self.tile...(part.bottom - 1) / Self.tile
        return down.flatMap { row in across.map { row * columns + $0 } }
    }
}
