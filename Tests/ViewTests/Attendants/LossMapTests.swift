import Screen
import Testing

@testable import View

struct LossMapTests {
    static func map() -> LossMap {
        var map = LossMap()
        map.begin(PixelSize(width: 300, height: 200))
        return map
    }

    private func rested(_ map: LossMap, at now: Int64) -> [PixelRect] { map.rested(at: now) { _ in true } }

    @Test func onlyWhatRestsIsMended() {
        var map = Self.map()
        #expect(map.due == nil)
        map.lost(PixelRect(x: 10, y: 10, width: 100, height: 20), at: 1000)
        #expect(map.count == 2)
        #expect(map.due == 1200)
        #expect(rested(map, at: 1199) == [])
        // The second of its tiles changes again.
        map.lost(PixelRect(x: 70, y: 10, width: 10, height: 10), at: 1150)
        #expect(rested(map, at: 1200) == [PixelRect(x: 0, y: 0, width: 64, height: 64)])
        #expect(rested(map, at: 1350).count == 2)
    }

    @Test func whatWasSentAsItIsIsExactWhereItIsAWholeTile() {
        var map = Self.map()
        map.lost(PixelRect(x: 0, y: 0, width: 300, height: 200), at: 0)
        #expect(map.count == 5 * 4)
        map.mended(PixelRect(x: 0, y: 0, width: 64, height: 63))
        #expect(map.count == 20)
        map.mended(PixelRect(x: 0, y: 0, width: 128, height: 64))
        #expect(map.count == 18)
        // Tiles at the edge end with the screen.
        map.mended(PixelRect(x: 256, y: 192, width: 44, height: 8))
        #expect(map.count == 17)
        map.mended(PixelRect(x: 0, y: 0, width: 300, height: 200))
        #expect(map.isEmpty && map.due == nil)
    }

    @Test func aMoveTakesLossesAlong() {
        var map = Self.map()
        map.lost(PixelRect(x: 0, y: 64, width: 10, height: 10), at: 0)
        map.moved(ScreenCopy(from: PixelRect(x: 0, y: 60, width: 300, height: 100), dx: 0, dy: -60), at: 50)
        let all = Set(rested(map, at: 5000).map { [$0.x, $0.y] })
        // Where it was, and where it came to.
        #expect(all == [[0, 64], [0, 0]])
        map.moved(ScreenCopy(from: PixelRect(x: 128, y: 0, width: 64, height: 64), dx: 64, dy: 0), at: 60)
        #expect(map.count == 2)
    }

    @Test func theLongestAtRestGoesFirstAndSoManyAtOnce() {
        var map = LossMap()
        map.begin(PixelSize(width: 1280, height: 1024))
        map.lost(PixelRect(x: 0, y: 0, width: 1280, height: 1024), at: 100)
        map.lost(PixelRect(x: 640, y: 640, width: 1, height: 1), at: 50)
        var rounds = 0
        while !map.isEmpty, rounds < 100 {
            let tiles = rested(map, at: 400)
            if rounds == 0 { #expect(tiles.first == PixelRect(x: 640, y: 640, width: 64, height: 64)) }
            #expect(tiles.reduce(0) { $0 + $1.area } <= LossMap.mostPixels)
            #expect(!tiles.isEmpty)
            for tile in tiles { map.mended(tile) }
            rounds += 1
        }
        #expect(rounds == 20)
    }

    @Test func whatIsNotWantedOrNotNowWaits() {
        var map = Self.map()
        map.lost(PixelRect(x: 0, y: 0, width: 300, height: 200), at: 0)
        #expect(map.rested(at: 300) { $0.x >= 256 }.map(\.x) == [256, 256, 256, 256])
        map.postpone(at: 300, by: 25)
        #expect(rested(map, at: 324) == [])
        #expect(map.due == 325)
        #expect(rested(map, at: 325).isEmpty == false)
        map.begin(PixelSize(width: 10, height: 10))
        #expect(map.isEmpty)
        map.lost(PixelRect(x: -5, y: 5, width: 300, height: 300), at: 1)
        #expect(map.count == 1)
    }

    @Test func coloursAreCountedAsFarAsNeeded() {
        let (width, height) = (40, 30)
        for colours in [1, 2, 24, 25, 200] {
            let pixels = (0..<width * height).map { UInt32($0 % colours) * 0x01_0203 }
            pixels.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                let rect = PixelRect(x: 0, y: 0, width: width, height: height)
                #expect(ColourCount.isMore(than: 24, in: rect, of: base, stride: width * 4) == (colours > 24))
            }
        }
    }
}
