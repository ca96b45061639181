import Foundation
import Testing

@testable import Screen

/// What masks hide is neither read nor kept.
@Suite(.serialized) struct ConcealTests {
    static let size = PixelSize(width: 640, height: 480)
    static let kinds: [[SharedSegment.Kind]] = [[.descriptor], [.systemV], []]

    private func source(_ bed: X11Bed, _ sharing: [SharedSegment.Kind]) throws -> X11Source {
        try X11Source(bed.screen, patience: X11Patience(), sharing: sharing)
    }

    /// What the core protocol reads, black where `rects` are.
    private func expected(_ painter: X11Painter, without rects: [PixelRect]) -> [UInt32] {
        var pixels = painter.pixels(Self.size)
        for rect in rects.map({ $0.intersection(Self.size.bounds) }) {
            for y in rect.y..<rect.bottom {
                for x in rect.x..<rect.right { pixels[y * Self.size.width + x] = 0 }
            }
        }
        return pixels
    }

    private func holds(_ source: X11Source, _ colour: UInt32) -> Bool {
        if source.pixels.contains(colour) { return true }
        guard let segment = source.segment else { return false }
        let bytes = UnsafeRawBufferPointer(start: segment.memory, count: SharedSegment.bytes)
        return bytes.bindMemory(to: UInt32.self).contains { $0 & 0xff_ffff == colour }
    }

    @Test(arguments: kinds) func aConcealedPlaceIsForgottenAndNotRead(_ sharing: [SharedSegment.Kind]) throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let secret = PixelRect(x: 100, y: 90, width: 200, height: 150)
        painter.fill(secret, 0xab_cdef)
        painter.synchronise()
        let source = try source(bed, sharing)
        try source.lookUntilQuiet()
        #expect(holds(source, 0xab_cdef))
        source.conceal([secret])
        #expect(!holds(source, 0xab_cdef))
        try source.lookUntilQuiet()
        #expect(!holds(source, 0xab_cdef))
        // Drawn again, and around it.
        let read = source.counts.pixelsRead
        painter.fill(secret, 0xab_cdef)
        painter.synchronise()
        #expect(try source.lookUntilQuiet().damage.isEmpty)
        #expect(source.counts.pixelsRead == read)
        painter.fill(PixelRect(x: 50, y: 50, width: 300, height: 300), 0x11_2233)
        painter.fill(secret, 0xab_cdef)
        painter.synchronise()
        try source.lookUntilQuiet()
        #expect(!holds(source, 0xab_cdef))
        expectSame(source.pixels, expected(painter, without: [secret]))
        // It comes when it may, without being drawn.
        source.conceal([])
        let change = try source.look()
        #expect(change.damage.bounds.contains(secret))
        expectSame(source.pixels, painter.pixels(Self.size))
    }

    @Test func aCompareOfAllOfTheScreenLeavesItOut() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let source = try source(bed, [.descriptor])
        let secret = PixelRect(x: 600, y: 400, width: 200, height: 150)
        source.conceal([secret])
        painter.fill(secret.intersection(Self.size.bounds), 0xab_cdef)
        painter.synchronise()
        try source.lookUntilQuiet()
        var found = Damage()
        try source.compare(&found)
        #expect(!holds(source, 0xab_cdef))
        #expect(source.counts.lies == 0)
        // All of it hidden: nothing is asked for.
        source.conceal([PixelSize.largest.bounds])
        let read = source.counts.pixelsRead
        painter.fill(Self.size.bounds, 0x12_3456)
        painter.synchronise()
        try source.lookUntilQuiet()
        try source.compare(&found)
        #expect(source.counts.pixelsRead == read)
        #expect(source.pixels.allSatisfy { $0 == 0 })
    }

    /// Any places, one after the other, while something is drawn: the picture is what is there, black where it is concealed.
    @Test(arguments: kinds) func aStormEndsPixelEqualWhateverWasConcealed(_ sharing: [SharedSegment.Kind]) throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let source = try source(bed, sharing)
        try source.lookUntilQuiet()
        func rect(_ most: Int) -> PixelRect {
            PixelRect(
                x: Int.random(in: 0..<640), y: Int.random(in: 0..<480), width: Int.random(in: 1...most),
                height: Int.random(in: 1...most))
        }
        for round in 0..<60 {
            let concealed = (0..<Int.random(in: 0...4)).map { _ in rect(400) }
            for _ in 0..<Int.random(in: 0...10) {
                painter.fill(rect(150).intersection(Self.size.bounds), UInt32.random(in: 1...0xff_ffff))
            }
            if Bool.random() { _ = try source.look() }
            source.conceal(concealed)
            if Bool.random() { _ = try source.look() }
            for _ in 0..<Int.random(in: 0...5) {
                painter.fill(rect(150).intersection(Self.size.bounds), UInt32.random(in: 1...0xff_ffff))
            }
            guard round % 3 == 0 else { continue }
            painter.synchronise()
            try source.lookUntilQuiet()
            expectSame(source.pixels, expected(painter, without: concealed))
        }
    }
}
