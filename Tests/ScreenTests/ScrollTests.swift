import Foundation
import Testing

@testable import Screen

/// What was moved up or down is told as that, and never wrongly.
@Suite(.serialized) struct ScrollTests {
    private static let layout = PixelLayout(kind: .direct, padding: 4)

    /// Something like text: rows of strokes that look alike three by three, and nothing between them.
    private static func text(_ size: PixelSize, from line: Int = 0, height: Int = 26) -> [UInt32] {
        var pixels = [UInt32](repeating: 0xf4f4f0, count: size.width * size.height)
        for y in 0..<size.height {
            let (row, part) = ((y / height) + line, y % height)
            guard (6..<20).contains(part) else { continue }
            for x in 0..<size.width where x % 9 < 7 {
                let letter = (x / 9 &* 2_654_435_761 &+ row &* 40_503 &+ part / 3 &* 977) & 0xffff
                let shade = letter >> (x % 9 + part / 3) & 3
                if shade > 0 { pixels[y * size.width + x] = [0, 0xa0a09c, 0x60605c, 0x20201c][shade] }
            }
        }
        return pixels
    }

    /// What `picture` says of `piece` of `next`.
    private func moved(_ picture: RawPicture, _ piece: PixelRect, _ next: [UInt32]) -> ScreenCopy? {
        let rows = (piece.y..<piece.bottom).flatMap { y in
            next[y * picture.size.width + piece.x..<y * picture.size.width + piece.right]
        }
        return rows.withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { picture.moved(piece, from: $0, Self.layout) }
        }
    }

    private func picture(_ size: PixelSize, _ pixels: [UInt32]) throws -> RawPicture {
        let picture = try RawPicture(size: size)
        pixels.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            picture.update(size.bounds, from: base, Self.layout) { _ in }
        }
        return picture
    }

    @Test(arguments: [1, 13, 26, 52, 100, -1, -26, -77])
    func aListThatMovedIsFound(by shift: Int) throws {
        let size = PixelSize(width: 600, height: 500)
        let before = Self.text(size)
        var after = Self.text(PixelSize(width: 600, height: 500), from: 40)
        for y in 0..<size.height where (0..<size.height).contains(y + shift) {
            after.replaceSubrange(
                y * 600..<(y + 1) * 600, with: before[(y + shift) * 600..<(y + shift + 1) * 600])
        }
        let copy = try #require(moved(try picture(size, before), size.bounds, after))
        #expect(copy.dx == 0 && copy.dy == -shift)
        #expect(copy.to.width == 600 && copy.to.height >= 500 - abs(shift) && size.bounds.contains(copy.from))
    }

    @Test func whatStandsStillOrIsNewIsNoMove() throws {
        let size = PixelSize(width: 600, height: 500)
        let (before, other) = (Self.text(size), Self.text(size, from: 77))
        let picture = try picture(size, before)
        #expect(moved(picture, size.bounds, before) == nil)
        #expect(moved(picture, size.bounds, other) == nil)
        #expect(moved(picture, size.bounds, [UInt32](repeating: 7, count: before.count)) == nil)
        // A plain ground that moved is where it was.
        let plain = try self.picture(size, [UInt32](repeating: 7, count: before.count))
        #expect(moved(plain, size.bounds, [UInt32](repeating: 7, count: before.count)) == nil)
    }

    /// Whatever two pictures are: what is said to have moved has.
    @Test func whatIsFoundIsTrue() throws {
        var found = 0
        for _ in 0..<150 {
            let size = PixelSize(width: .random(in: 250...400), height: .random(in: 250...400))
            var before = Self.text(size, height: .random(in: 21...40))
            let shift = Int.random(in: -40...40)
            var after = before
            for y in 0..<size.height where (0..<size.height).contains(y + shift) {
                after.replaceSubrange(
                    y * size.width..<(y + 1) * size.width,
                    with: before[(y + shift) * size.width..<(y + shift + 1) * size.width])
            }
            for _ in 0..<Int.random(in: 0...3) {
                after[.random(in: after.indices)] ^= 1
                before[.random(in: before.indices)] ^= 0x80
            }
            let (x, y) = (Int.random(in: 0..<60), Int.random(in: 0..<60))
            let piece = PixelRect(
                x: x, y: y, width: size.width - x - .random(in: 0..<30), height: size.height - y - .random(in: 0..<30))
            guard let copy = moved(try picture(size, before), piece, after) else { continue }
            found += 1
            #expect(piece.contains(copy.to) && size.bounds.contains(copy.from))
            let isTrue = (copy.to.y..<copy.to.bottom).allSatisfy { y in
                let (to, from) = (y * size.width, (y - copy.dy) * size.width)
                return after[to + copy.to.x..<to + copy.to.right] == before[from + copy.to.x..<from + copy.to.right]
            }
            #expect(isTrue)
        }
        #expect(found > 30, "\(found) found")
    }

    /// A real server's list, and another change beside it, drawn before and after the move: a watcher that follows the news has the
    /// screen's pixels.
    @Test func aWatcherThatMovesHasWhatIsShown() throws {
        let bed = try X11Bed("640x480x24")
        let painter = try X11Painter(bed.display)
        let source = try X11Source(bed.screen)
        let size = source.size
        painter.put(Self.text(PixelSize(width: 400, height: 400)), PixelRect(x: 100, y: 40, width: 400, height: 400))
        painter.synchronise()
        try source.lookUntilQuiet()
        var shown = source.pixels
        var moves = 0
        for round in 0..<60 {
            // Now and then what is moved was drawn to, just before.
            if round % 4 == 1 {
                painter.fill(PixelRect(x: 120, y: 200, width: 9, height: 9), UInt32(round) << 16 | 0x55)
            }
            painter.copy(PixelRect(x: 100, y: 66, width: 400, height: 374), toX: 100, toY: 40)
            painter.put(
                Self.text(PixelSize(width: 400, height: 26), from: 100 + round),
                PixelRect(x: 100, y: 414, width: 400, height: 26))
            if round % 3 == 1 {
                painter.fill(PixelRect(x: 300, y: 90, width: 20, height: 20), UInt32(round) << 8 | 0x33)
            }
            painter.synchronise()
            repeat {
                let change = try source.look()
                for copy in change.copies {
                    moves += 1
                    let old = shown
                    for y in copy.to.y..<copy.to.bottom {
                        let (to, from) = (y * size.width + copy.to.x, (y - copy.dy) * size.width + copy.to.x - copy.dx)
                        shown.replaceSubrange(to..<to + copy.to.width, with: old[from..<from + copy.to.width])
                    }
                }
                let now = source.pixels
                for rect in change.damage.rects {
                    for y in rect.y..<rect.bottom {
                        let place = y * size.width + rect.x
                        shown.replaceSubrange(place..<place + rect.width, with: now[place..<place + rect.width])
                    }
                }
                expectSame(shown, now)
            } while source.nextLook == 0
        }
        try source.lookUntilQuiet()
        expectSame(source.pixels, painter.pixels(size))
        #expect(moves >= 20 && source.counts.scrolls == moves)
    }

    /// A video is looked at for moves now and then; a list that is scrolled each time.
    @Test func whereNothingMovesTheSearchIsRare() {
        var hope = ScrollHope()
        let (video, list) = (
            PixelRect(x: 0, y: 0, width: 640, height: 360), PixelRect(x: 9, y: 9, width: 300, height: 90)
        )
        var searches = 0
        for _ in 0..<108 where hope.isWorthASearch(of: video) {
            hope.searched(found: false)
            searches += 1
        }
        #expect(searches == ScrollHope.attempts + 100 / ScrollHope.interval)
        // Found once, it is looked for each time again.
        while !hope.isWorthASearch(of: video) {}
        hope.searched(found: true)
        for _ in 0..<ScrollHope.attempts {
            let isSearched = hope.isWorthASearch(of: video)
            #expect(isSearched)
            hope.searched(found: false)
        }
        let isOther = hope.isWorthASearch(of: list)
        #expect(isOther)
    }
}
