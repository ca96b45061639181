import Screen
import Testing

@testable import View

struct PictureStripsTests {
    static let size = PixelSize(width: 2200, height: 400)
    static let all = size.bounds

    private static func rough(_ x: Int, _ y: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: x &* 2_654_435 &+ y &* 40_503) & 0xff_ffff
    }

    /// A picture by its pixels.
    private func split(
        _ rects: [PixelRect], _ size: PixelSize = size, _ pixel: (Int, Int) -> UInt32
    ) throws -> PictureStrips {
        let pixels = (0..<size.height).flatMap { y in (0..<size.width).map { pixel($0, y) } }
        return try pixels.withUnsafeBytes {
            PictureStrips(of: rects, in: try #require($0.baseAddress), stride: size.width * 4)
        }
    }

    private func isCovered(_ rects: [PixelRect], by strips: PictureStrips) -> Bool {
        let parts = strips.pictures + strips.rest
        guard parts.reduce(0, { $0 + $1.area }) == rects.reduce(0, { $0 + $1.area }) else { return false }
        for (place, part) in parts.enumerated() {
            guard rects.contains(where: { $0.contains(part) }) else { return false }
            guard parts[..<place].allSatisfy({ $0.intersection(part).isEmpty }) else { return false }
        }
        return true
    }

    @Test func aFormIsNone() throws {
        let strips = try split([Self.all]) { x, y in UInt32((x / 5 + y / 7) % 24) * 0x0a_0b0c }
        #expect(strips.pictures.isEmpty)
        // In as few rectangles as there were: the encoder finds its areas of one colour itself.
        #expect(strips.rest.count == 2)
        #expect(isCovered([Self.all], by: strips))
    }

    @Test func aPhotoIsCutIntoPartsThatTheCompressorTakes() throws {
        let strips = try split([Self.all]) { x, y in Self.rough(x, y) }
        #expect(strips.rest.isEmpty)
        #expect(strips.pictures.allSatisfy { $0.area <= JPEGCompressor.mostPixels && $0.width <= 2048 })
        #expect(isCovered([Self.all], by: strips))
        #expect(strips.pictures.dropLast().allSatisfy { $0.width == 1104 || $0.width == 1096 })
    }

    /// What is small, or narrow, is left to the encoder, whatever it is of.
    @Test(arguments: [(127, 127), (2200, 60), (60, 400)])
    func theSmallAreLeft(width: Int, height: Int) throws {
        let rect = PixelRect(x: 0, y: 0, width: width, height: height)
        let strips = try split([rect]) { x, y in Self.rough(x, y) }
        #expect(strips.pictures.isEmpty)
        #expect(strips.rest == [rect])
    }

    @Test func aPhotoBesideAFormIsFound() throws {
        let photo = PixelRect(x: 0, y: 0, width: 1000, height: 192)
        let form = PixelRect(x: 0, y: 192, width: 1000, height: 208)
        let strips = try split([photo.union(form)]) { x, y in
            y < 192 ? Self.rough(x, y) : UInt32(x / 9 % 5) * 0x11_1111
        }
        #expect(isCovered([photo.union(form)], by: strips))
        #expect(strips.pictures.allSatisfy { photo.contains($0) })
        #expect(strips.pictures.reduce(0) { $0 + $1.area } >= photo.area * 2 / 3)
    }

    /// Any rectangles: all of each is in one part, and the compressor takes every picture.
    @Test func nothingIsLostOrTwice() throws {
        var lot = SplitMix(seed: 5)
        let size = PixelSize(width: 700, height: 500)
        for _ in 0..<40 {
            let x = Int.random(in: 1..<700, using: &lot)
            let y = Int.random(in: 1..<500, using: &lot)
            let rects = [
                PixelRect(x: 0, y: 0, width: x, height: y), PixelRect(x: x, y: 0, width: 700 - x, height: y),
                PixelRect(x: 0, y: y, width: 700, height: 500 - y),
            ]
            let edge = Int.random(in: 0...700, using: &lot)
            let strips = try split(rects, size) { x, y in
                x < edge ? Self.rough(x, y) : 0
            }
            #expect(isCovered(rects, by: strips))
            #expect(strips.pictures.allSatisfy { $0.area <= JPEGCompressor.mostPixels })
        }
    }
}
