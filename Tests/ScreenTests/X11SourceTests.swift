import CLinux
import CXCB
import Foundation
import Testing

@testable import Screen

@Suite(.serialized) struct X11SourceTests {
    private func source(
        _ bed: X11Bed, sharing: [SharedSegment.Kind] = [.descriptor, .systemV], output: String? = nil
    ) throws -> X11Source {
        var screen = bed.screen
        screen.output = output
        return try X11Source(screen, patience: X11Patience(), sharing: sharing)
    }

    private func random(_ bound: Int) -> Int { Int.random(in: 0..<bound) }

    @Test func theFirstLookTellsAllOfTheScreen() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        painter.fill(PixelRect(x: 10, y: 20, width: 30, height: 40), 0x123456)
        painter.synchronise()
        let source = try source(bed)
        let change = try source.look()
        #expect(change.damage.rects == [PixelSize(width: 640, height: 480).bounds])
        #expect(change.size == nil)
        expectSame(source.pixels, painter.pixels(source.size))
        #expect(source.pixels[20 * 640 + 10] == 0x123456)
    }

    @Test(arguments: ["640x480x24", "640x480x16"])
    func eachDrawnRectangleArrivesExactly(_ screen: String) throws {
        let bed = try X11Bed(screen)
        let painter = try X11Painter(bed.display)
        let source = try source(bed)
        try source.lookUntilQuiet()
        for round in 1...60 {
            let rect = PixelRect(x: random(600), y: random(440), width: 1 + random(200), height: 1 + random(200))
                .intersection(source.size.bounds)
            // Never a colour that was there before.
            painter.fill(rect, UInt32(round % 32) << 19 | UInt32(round / 32 + 1) << 10)
            let change = try source.lookWhenTold()
            #expect(change.damage.rects == [rect])
            #expect(change.size == nil)
        }
        expectSame(source.pixels, painter.pixels(source.size))
    }

    @Test func whatIsDrawnButLooksTheSameIsNotToldOn() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0x202020)
        painter.synchronise()
        let source = try source(bed)
        try source.lookUntilQuiet()
        painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0x202020)
        #expect(try source.lookWhenTold().damage.isEmpty)
        // Of a window that is drawn anew as a whole, the one tile that is not as it was.
        painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0x202020)
        painter.fill(PixelRect(x: 100, y: 100, width: 5, height: 7), 0xff0000)
        let change = try source.lookUntilQuiet()
        #expect(
            change.damage.bounds == PixelRect(x: 64, y: 100, width: 64, height: 7)
                || change.damage.bounds == PixelRect(x: 100, y: 100, width: 5, height: 7))
    }

    @Test(arguments: [
        ("640x480x24", [SharedSegment.Kind.descriptor]), ("640x480x24", [.systemV]), ("640x480x24", []),
        ("640x480x16", [.descriptor]), ("638x481x16", []),
    ])
    func aStormEndsPixelEqual(_ screen: String, _ sharing: [SharedSegment.Kind]) throws {
        let bed = try X11Bed(screen)
        let painter = try X11Painter(bed.display)
        let source = try source(bed, sharing: sharing)
        #expect(source.segment?.kind == sharing.first)
        // What an attendant has who is told only of what changed.
        let (width, height) = (source.size.width, source.size.height)
        var shadow = [UInt32](repeating: 0, count: width * height)
        func take(_ change: ScreenChange) {
            source.withFrame { frame in
                shadow.withUnsafeMutableBytes { shadow in
                    for rect in change.damage.rects {
                        for y in rect.y..<rect.bottom {
                            let (offset, count) = ((y * width + rect.x) * 4, rect.width * 4)
                            let row = UnsafeRawBufferPointer(start: frame.pixels + offset, count: count)
                            shadow[offset..<offset + count].copyBytes(from: row)
                        }
                    }
                }
            }
        }
        take(try source.look())
        for step in 0..<600 {
            let rect = PixelRect(
                x: random(width - 1), y: random(height - 1), width: 1 + random(120), height: 1 + random(90)
            )
            .intersection(source.size.bounds)
            switch random(4) {
            case 0: painter.copy(rect, toX: random(width), toY: random(height))
            case 1:
                painter.line(
                    from: (random(width), random(height)), to: (random(width), random(height)), UInt32(random(1 << 24)))
            default: painter.fill(rect, UInt32(random(1 << 24)))
            }
            if step % 7 == 0 { take(try source.look()) }
        }
        painter.synchronise()
        take(try source.lookUntilQuiet())
        expectSame(source.pixels, painter.pixels(source.size))
        expectSame(shadow.map { $0 & 0xffffff }, source.pixels)
        #expect(source.counts.piecesRefused == 0)
    }

    @Test func theUnusedByteIsNoChange() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let place = PixelRect(x: 10, y: 10, width: 20, height: 20)
        painter.fill(place, 0x0012_3456)
        painter.synchronise()
        let source = try source(bed)
        try source.lookUntilQuiet()
        painter.fill(place, 0xff12_3456)
        #expect(try source.lookWhenTold().damage.isEmpty)
    }

    @Test func overANetworkPixelsComeAsReplies() throws {
        let bed = try X11Bed(arguments: ["-listen", "tcp", "-ac"])
        var screen = bed.screen
        screen.display = "127.0.0.1" + bed.display
        let source = try X11Source(screen)
        #expect(source.segment == nil)
        let painter = try X11Painter(bed.display)
        for round in 0..<20 {
            painter.fill(
                PixelRect(x: random(600), y: random(400), width: 1 + random(300), height: 1 + random(300)),
                UInt32(random(1 << 24)))
            if round % 4 == 0 { _ = try source.look() }
        }
        painter.synchronise()
        try source.lookUntilQuiet()
        expectSame(source.pixels, painter.pixels(source.size))
        // The compare of all of it would cost the network too much.
        #expect(source.nextLook == nil)
        // In the words of the network where nobody is.
        screen.display = "127.0.0.1:54321"
        #expect(throws: ScreenError.self) { _ = try X11Source(screen) }
    }

    @Test func aStillScreenWakesNobody() throws {
        let bed = try X11Bed()
        let source = try source(bed)
        try source.lookUntilQuiet()
        let looks = source.counts.looks
        var waiting = pollfd(fd: source.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 2000) == 0)
        #expect(source.counts.looks == looks)
        // But for the compare of all of it, three times a minute.
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let left = (source.nextLook ?? 0) / 1_000_000_000 - Int64(now.tv_sec)
        #expect((10...20).contains(left))
        #expect(source.counts.compares == 0)
    }

    @Test func memoryIsSharedByDescriptorOrForNobodyElse() throws {
        let bed = try X11Bed()
        let before = try segments()
        let passed = try source(bed, sharing: [.descriptor])
        _ = try passed.look()
        #expect(try segments().count == before.count)
        #expect(passed.segment?.kind == .descriptor, "\(passed.counts)")
        #expect(try ownMappings().contains("memfd:lanewatch-screen"))
        do {
            let attached = try source(bed, sharing: [.systemV])
            _ = try attached.look()
            let own = try segments().filter { !before.contains($0) }
            // 1600: mode 0600, and the mark that it goes with its last user.
            #expect(own.map(\.mode) == ["1600"])
            withExtendedLifetime(attached) {}
        }
        try settle { try segments().count == before.count }
    }

    private struct Segment: Hashable { var id: String, mode: String }

    /// Read to its end: `String(contentsOfFile:)` stops where the kernel gives less than a page. Source: proc(5), /proc/sysvipc/shm.
    private func segments() throws -> [Segment] {
        let text = try #require(try FileHandle(forReadingAtPath: "/proc/sysvipc/shm")?.readToEnd())
        return String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst().map {
            let fields = $0.split(separator: " ").map(String.init)
            return Segment(id: fields[1], mode: fields[2])
        }
    }

    private func settle(_ isSo: () throws -> Bool) throws {
        for _ in 0..<500 where try !isSo() { usleep(10_000) }
        #expect(try isSo())
    }

    @Test func thePointersPictureIsTold() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        painter.setCursor(width: 16, hotX: 3, hotY: 5)
        painter.synchronise()
        let source = try source(bed)
        let first = try source.lookUntilQuiet()
        let cursor = try #require(first.cursor)
        #expect(cursor.hotX == 3 && cursor.hotY == 5)
        #expect(cursor.size.width >= 16 && cursor.pixels.count == cursor.size.width * cursor.size.height * 4)
        #expect(cursor.pixels.prefix(4) == [0, 0, 255, 255])
        painter.setCursor(width: 12, hotX: 1, hotY: 2)
        let changed = try source.lookUntilQuiet()
        #expect(changed.cursor?.hotX == 1 && changed.cursor?.hotY == 2)
        #expect(try source.lookUntilQuiet().cursor == nil)
    }

    @Test func colourMapsAreRefusedInWords() throws {
        let bed = try X11Bed("320x240x8")
        #expect {
            _ = try X11Source(bed.screen)
        } throws: { error in
            let error = error as? ScreenError
            return error?.code == .unsupported && error?.description.contains("depth 8") == true
        }
    }
}
