import CXCB
import Foundation
import Testing

@testable import Screen

/// The parts of the capture that need no server.
@Suite struct X11PartsTests {
    @Test func aPictureTellsWhatDiffersAndNothingElse() throws {
        let size = PixelSize(width: 200, height: 150)
        let picture = try RawPicture(size: size)
        let layout = PixelLayout(kind: .direct, padding: 4)
        var model = [UInt32](repeating: 0, count: size.width * size.height)
        for _ in 0..<60 {
            let piece = PixelRect(
                x: Int.random(in: 0..<190), y: Int.random(in: 0..<140), width: Int.random(in: 1..<200),
                height: Int.random(in: 1..<150)
            ).intersection(size.bounds)
            var new = model
            for _ in 0..<Int.random(in: 0..<6) {
                let place = Int.random(in: piece.y..<piece.bottom) * size.width + Int.random(in: piece.x..<piece.right)
                new[place] = UInt32.random(in: 1..<1 << 24)
            }
            var bytes: [UInt32] = []
            for y in piece.y..<piece.bottom {
                bytes += new[y * size.width + piece.x..<y * size.width + piece.right]
            }
            var told: [PixelRect] = []
            bytes.withUnsafeBytes { pixels in
                guard let base = pixels.baseAddress else { return }
                picture.update(piece, from: base, layout) { told.append($0) }
            }
            // One expectation a round: each is slow.
            let isAllTold = zip(model, new).enumerated().allSatisfy { place, pair in
                let (x, y) = (place % size.width, place / size.width)
                return pair.0 == pair.1
                    || told.contains { $0.contains(PixelRect(x: x, y: y, width: 1, height: 1)) }
            }
            #expect(isAllTold)
            for rect in told {
                #expect(piece.contains(rect))
                // Its first and its last row differ.
                for y in [rect.y, rect.bottom - 1] {
                    let row = y * size.width + rect.x..<y * size.width + rect.right
                    #expect(model[row] != new[row])
                }
            }
            model = new
            let isEqual = picture.withFrame { frame in
                model.withUnsafeBytes { $0.elementsEqual(UnsafeRawBufferPointer(start: frame.pixels, count: $0.count)) }
            }
            #expect(isEqual)
        }
    }

    @Test func aPieceOutsideOfThePictureIsLeft() throws {
        let picture = try RawPicture(size: PixelSize(width: 10, height: 10))
        let bytes = [UInt32](repeating: 7, count: 400)
        for piece in [
            PixelRect(x: 5, y: 5, width: 10, height: 1), PixelRect(x: -1, y: 0, width: 2, height: 2), .empty,
        ] {
            bytes.withUnsafeBytes { pixels in
                guard let base = pixels.baseAddress else { return }
                picture.update(piece, from: base, PixelLayout(kind: .direct, padding: 4)) { _ in
                    Issue.record("nothing can have changed")
                }
            }
        }
        #expect(throws: ScreenError.self) { _ = try RawPicture(size: PixelSize(width: 16_384, height: 16_384)) }
    }

    @Test func sixteenBitsBecomeTwentyFour() {
        #expect(PixelLayout.expanded(0xffff) == 0xffffff)
        #expect(PixelLayout.expanded(0) == 0)
        #expect(PixelLayout.expanded(0xf800) == 0xff0000)
        #expect(PixelLayout.expanded(0x07e0) == 0x00ff00)
        #expect(PixelLayout.expanded(0x001f) == 0x0000ff)
        #expect(PixelLayout(kind: .rgb565, padding: 4).stride(width: 3) == 8)
        #expect(PixelLayout(kind: .direct, padding: 4).stride(width: 3) == 12)
    }

    @Test(arguments: [
        (UInt8(30), UInt8(32), UInt32(0x3ff00000), "depth 30"), (15, 16, 0x7c00, "depth 15"),
        (24, 24, 0xff0000, "24 bits"), (24, 32, 0xff, "32 bits"), (8, 8, 0, "no TrueColor"),
    ])
    func otherLayoutsAreRefusedInWords(_ depth: UInt8, _ bits: UInt8, _ red: UInt32, _ words: String) {
        let found = PixelLayout.of(
            depth: depth, bits: bits, padding: 32, isTrueColor: depth > 8, masks: (red, 0xff00, 0xff))
        guard case .failure(let refusal) = found else {
            Issue.record("taken")
            return
        }
        #expect(refusal.reason.contains(words))
    }

    @Test func aCompareComesRarelyUntilALieIsFound() {
        let second: Int64 = 1_000_000_000
        var clock = CompareClock(now: 0)
        #expect(clock.next == 20 * second)
        var now = clock.next
        for _ in 0..<5 {
            clock.compared(now: now, took: 1_000_000, foundLie: false)
            #expect(clock.next == now + 20 * second)
            now = clock.next
        }
        clock.compared(now: now, took: 1_000_000, foundLie: true)
        #expect(clock.next == now + CompareClock.shortest)
        // A slow machine compares less often: never more than a twentieth of its time.
        clock.compared(now: now, took: 30_000_000, foundLie: true)
        #expect(clock.next == now + 600_000_000)
        clock.compared(now: now, took: 1_000_000, foundLie: true)
        var waits: [Int64] = []
        let lie = now
        while now - lie < CompareClock.distrust {
            now = clock.next
            clock.compared(now: now, took: 1_000_000, foundLie: false)
            waits.append(clock.next - now)
        }
        #expect(waits.prefix(6) == [80_000_000, 160_000_000, 320_000_000, 640_000_000, second, second])
        #expect(waits.dropLast().max() == second)
        for _ in 0..<10 {
            now = clock.next
            clock.compared(now: now, took: 1_000_000, foundLie: false)
        }
        #expect(clock.next == now + 20 * second)
    }

    @Test func onlyWhatNothingTouchesIsUntold() {
        let rect = PixelRect(x: 64, y: 70, width: 128, height: 20)
        #expect(X11Source.isUntold(rect, told: []))
        #expect(X11Source.isUntold(rect, told: [PixelRect(x: 70, y: 64, width: 5, height: 5)]))
        #expect(!X11Source.isUntold(rect, told: [PixelRect(x: 120, y: 64, width: 20, height: 64)]))
        #expect(!X11Source.isUntold(rect, told: [PixelRect(x: 0, y: 0, width: 300, height: 300)]))
    }

    @Test func authorityFilesAreReadAsFarAsTheyMakeSense() {
        func text(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count / 256), UInt8(bytes.count % 256)] + bytes }
        func entry(_ family: UInt16, _ address: [UInt8], _ number: String, _ name: String, _ data: [UInt8]) -> [UInt8] {
            [UInt8(family / 256), UInt8(family % 256)] + text(address) + text(Array(number.utf8))
                + text(Array(name.utf8)) + text(data)
        }
        let cookie = "MIT-MAGIC-COOKIE-1"
        let bytes =
            entry(256, Array("till7".utf8), "0", "XDM-AUTHORIZATION-1", [9])
            + entry(256, Array("till7".utf8), "0", cookie, [1])
            + entry(0, [10, 0, 0, 7], "0", cookie, [2])
            + entry(6, [UInt8](repeating: 1, count: 16), "", cookie, [3])
            + entry(0xffff, [], "5", cookie, [UInt8](repeating: 4, count: 300))
        let all = XAuthority(bytes)
        let till = XAuthority.Peer.local(host: Array("till7".utf8))
        #expect(all.entries.count == 5)
        #expect(all.entry(for: till, number: 0)?.data == [1])
        #expect(all.entry(for: till, number: 1) == nil)
        #expect(all.entry(for: .local(host: Array("other".utf8)), number: 0) == nil)
        #expect(all.entry(for: .address([10, 0, 0, 7]), number: 0)?.data == [2])
        #expect(all.entry(for: .address([UInt8](repeating: 1, count: 16)), number: 9)?.data == [3])
        #expect(all.entry(for: .address([1, 2, 3, 4]), number: 5)?.data.count == 300)
        for count in 0..<bytes.count { #expect(XAuthority(Array(bytes.prefix(count))).entries.count < 5) }
        for _ in 0..<200 {
            _ = XAuthority((0..<Int.random(in: 0..<200)).map { _ in UInt8.random(in: 0...255) })
        }
    }
}
