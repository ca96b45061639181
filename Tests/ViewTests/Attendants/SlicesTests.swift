import Screen
import Testing

@testable import View

struct SlicesTests {
    static let screen = PixelRect(x: 0, y: 0, width: 1000, height: 800)

    @Test func whatFitsIsNotCut() {
        var slices = Slices()
        #expect(slices.next(of: [], most: 100) == nil)
        #expect(slices.next(of: [PixelRect(x: 0, y: 0, width: 10, height: 10)], most: 100) == nil)
    }

    @Test func smallOnesGoFirstWhereverTheyAre() {
        var slices = Slices()
        let tap = PixelRect(x: 900, y: 750, width: 30, height: 20)
        let video = PixelRect(x: 0, y: 0, width: 640, height: 360)
        let first = slices.next(of: [video, tap], most: 64_000)
        #expect(first?.first == tap)
        // The rest of it is the video's beginning, in whole steps.
        #expect(first?.count == 2)
        #expect(first?.last?.y == 0)
        #expect((first?.last?.bottom ?? 1) % Slices.step == 0)
        #expect((first ?? []).reduce(0) { $0 + $1.area } <= 64_000)
    }

    @Test func manySmallOnesDoNotStopALargeOne() {
        var slices = Slices()
        let small = (0..<100).map { PixelRect(x: 900, y: $0 * 8, width: 90, height: 7) }
        let video = PixelRect(x: 0, y: 0, width: 640, height: 360)
        let found = slices.next(of: small + [video], most: 64_000) ?? []
        #expect(found.count == small.count + 1)
        #expect((found.last?.area ?? 0) >= 20_000)
        let more = (0..<400).map { PixelRect(x: 660, y: $0 * 2, width: 300, height: 1) }
        let next = slices.next(of: more + [video], most: 64_000) ?? []
        #expect(next.contains { $0.x == 0 && $0.area >= 20_000 })
    }

    /// Any areas, cut until nothing is left: each pixel goes once, none is left out, and no slice is larger than it may be.
    @Test(arguments: 0..<40) func eachPixelGoesOnce(seed: Int) {
        var lot = SplitMix(seed: UInt64(seed))
        var left: [PixelRect] = []
        for _ in 0..<Int.random(in: 1...30, using: &lot) {
            let rect = PixelRect(
                x: Int.random(in: 0..<900, using: &lot), y: Int.random(in: 0..<700, using: &lot),
                width: Int.random(in: 1...600, using: &lot), height: Int.random(in: 1...500, using: &lot)
            ).intersection(Self.screen)
            let pieces = left.reduce([rect]) { pieces, other in pieces.flatMap { Self.without($0, other) } }
            left += pieces
        }
        let all = left.reduce(0) { $0 + $1.area }
        var (slices, sent, rounds) = (Slices(), 0, 0)
        let most = Int.random(in: 20_000...200_000, using: &lot)
        while let slice = slices.next(of: left, most: most) {
            let area = slice.reduce(0) { $0 + $1.area }
            #expect(area > 0)
            // Half of it more where small ones fill it; and one step of rows at least.
            #expect(area <= most * 3 / 2 + Slices.step * 1000)
            for part in slice {
                #expect(left.contains { $0.contains(part) })
                left = left.flatMap { Self.without($0, part) }
            }
            sent += area
            rounds += 1
            guard rounds < 1000 else { return }
        }
        #expect(sent + left.reduce(0) { $0 + $1.area } == all)
        #expect(rounds > 0 || all <= most)
    }

    /// A video that changes all of it after each slice, and another area beside it that changed once: it comes too.
    @Test func nothingStarves() {
        var slices = Slices()
        let video = PixelRect(x: 0, y: 0, width: 640, height: 360)
        var others = [
            PixelRect(x: 650, y: 100, width: 300, height: 360), PixelRect(x: 0, y: 400, width: 900, height: 300),
        ]
        for _ in 0..<40 {
            for part in slices.next(of: [video] + others, most: 32_000) ?? [video] + others {
                others = others.flatMap { Self.without($0, part) }
            }
        }
        #expect(others == [])
    }

    /// What of `rect` is outside of `other`.
    static func without(_ rect: PixelRect, _ other: PixelRect) -> [PixelRect] {
        let hole = rect.intersection(other)
        guard !hole.isEmpty else { return rect.isEmpty ? [] : [rect] }
        return [
            PixelRect(x: rect.x, y: rect.y, width: rect.width, height: hole.y - rect.y),
            PixelRect(x: rect.x, y: hole.bottom, width: rect.width, height: rect.bottom - hole.bottom),
            PixelRect(x: rect.x, y: hole.y, width: hole.x - rect.x, height: hole.height),
            PixelRect(x: hole.right, y: hole.y, width: rect.right - hole.right, height: hole.height),
        ].filter { !$0.isEmpty }
    }
}

/// Random numbers that a seed repeats. Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
