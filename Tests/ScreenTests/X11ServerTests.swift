import CLinux
import CXCB
import Foundation
import Testing

@testable import Screen

/// Servers that change, go, stand still, do not let us in, or lie.
@Suite(.serialized) struct X11ServerTests {
    private func milliseconds(_ body: () throws -> Void) rethrows -> Int {
        let start = DispatchTime.now().uptimeNanoseconds
        try body()
        return Int((DispatchTime.now().uptimeNanoseconds - start) / 1_000_000)
    }

    private func code(_ body: () throws -> Void) -> ScreenError.Code? {
        do { try body() } catch let error as ScreenError { return error.code } catch {}
        return nil
    }

    /// The screen is as the core protocol has it, also after something is drawn.
    private func expectEqual(_ source: X11Source, _ painter: X11Painter, _ place: SourceLocation = #_sourceLocation)
        throws
    {
        painter.fill(PixelRect(x: 5, y: 6, width: 7, height: 8), UInt32.random(in: 0..<1 << 24))
        painter.synchronise()
        try source.lookUntilQuiet()
        expectSame(source.pixels, painter.pixels(source.size), place)
    }

    @Test func anotherSizeIsFollowed() throws {
        let bed = try X11Bed(kind: .xorg)
        let painter = try X11Painter(bed.display)
        let source = try X11Source(bed.screen)
        try source.lookUntilQuiet()
        try expectEqual(source, painter)
        // Smaller, larger, and as one that is turned is: higher than wide.
        try bed.run("xrandr", ["--newmode", "turned", "60", "600", "610", "620", "640", "800", "810", "820", "840"])
        try bed.run("xrandr", ["--addmode", "DUMMY0", "turned"])
        for (size, mode) in [
            (PixelSize(width: 640, height: 480), "640x480"), (PixelSize(width: 1280, height: 1024), "1280x1024"),
            (PixelSize(width: 600, height: 800), "turned"), (PixelSize(width: 800, height: 600), "800x600"),
        ] {
            let memory = source.segment?.memory
            try bed.run("xrandr", ["--output", "DUMMY0", "--mode", mode])
            let change = try source.lookUntilQuiet()
            #expect(change.size == size)
            #expect(source.size == size)
            #expect(change.damage.rects.contains(size.bounds))
            #expect(source.segment?.memory == memory)
            try expectEqual(source, painter)
        }
        #expect(source.counts.lies == 0)
    }

    @Test func sizesThatChangeWhileItIsReadEndPixelEqual() throws {
        let bed = try X11Bed(kind: .xorg)
        let painter = try X11Painter(bed.display)
        let source = try X11Source(bed.screen)
        _ = try source.look()
        let display = bed.display
        let changing = Thread {
            for round in 0..<24 {
                let mode = ["640x480", "800x600", "1024x768", "1280x1024"][round % 3 + round % 2]
                _ = try? X11Bed.run("xrandr", ["--output", "DUMMY0", "--mode", mode], on: display)
            }
        }
        changing.start()
        // It must not outlive the server, whose number another one may get.
        defer { while !changing.isFinished { usleep(1000) } }
        while !changing.isFinished {
            painter.fill(
                PixelRect(x: Int.random(in: 0..<1000), y: Int.random(in: 0..<900), width: 90, height: 90),
                UInt32.random(in: 0..<1 << 24))
            _ = try source.look()
        }
        painter.synchronise()
        try expectEqual(source, painter)
    }

    @Test func oneOutputOfSeveralIsShown() throws {
        let bed = try X11Bed(kind: .xorg)
        let painter = try X11Painter(bed.display)
        var screen = bed.screen
        screen.output = "DUMMY1"
        #expect(code { _ = try X11Source(screen) } == .unreachable)
        try bed.run("xrandr", ["--addmode", "DUMMY1", "640x480"])
        try bed.run("xrandr", ["--output", "DUMMY1", "--mode", "640x480", "--right-of", "DUMMY0"])
        let source = try X11Source(screen)
        try source.lookUntilQuiet()
        #expect(source.size == PixelSize(width: 640, height: 480))
        // What is drawn beside it is no change of it; what lies across the edge is one of a part.
        painter.fill(PixelRect(x: 100, y: 100, width: 50, height: 50), 0xff0000)
        painter.synchronise()
        #expect(try source.lookUntilQuiet().damage.isEmpty)
        painter.fill(PixelRect(x: 780, y: 10, width: 50, height: 20), 0x00ff00)
        #expect(try source.lookWhenTold().damage.rects == [PixelRect(x: 0, y: 10, width: 30, height: 20)])
        let all = painter.pixels(PixelSize(width: 1440, height: 600))
        let part = (0..<480).flatMap { all[$0 * 1440 + 800..<$0 * 1440 + 1440] }
        expectSame(source.pixels, Array(part))
        // The pointer is where the attendant sees it.
        let hands = X11Input(screen).begin()
        painter.settle {
            // A server that is slow to let it in costs an attempt.
            hands.pointer(x: 10, y: 20, buttons: 0)
            return painter.pointer.x == 810 && painter.pointer.y == 20
        }
        // Moved to the other side, then switched off.
        try bed.run("xrandr", ["--output", "DUMMY1", "--left-of", "DUMMY0"])
        try source.lookUntilQuiet()
        painter.fill(PixelRect(x: 0, y: 0, width: 9, height: 9), 0x0000ff)
        painter.synchronise()
        try source.lookUntilQuiet()
        #expect(source.pixels.first == 0x0000ff)
        try bed.run("xrandr", ["--output", "DUMMY1", "--off"])
        #expect(code { try source.lookUntilQuiet() } == .unreachable)
    }

    @Test func aServerThatDiesAndComesBackIsFound() throws {
        let bed = try X11Bed()
        let source = try X11Source(bed.screen)
        try source.lookUntilQuiet()
        bed.stop()
        #expect(code { for _ in 0..<3 { _ = try source.look() } } == .unreachable)
        #expect(code { _ = try X11Source(bed.screen) } == .unreachable)
        try bed.start()
        let again = try X11Source(bed.screen)
        let painter = try X11Painter(bed.display)
        painter.fill(PixelRect(x: 1, y: 2, width: 3, height: 4), 0xabcdef)
        painter.synchronise()
        try again.lookUntilQuiet()
        expectSame(again.pixels, painter.pixels(again.size))
    }

    @Test func sourcesComeAndGoWithoutATrace() throws {
        let bed = try X11Bed("320x240x24")
        func held() throws -> [Int] {
            try ["/proc/self/fd", "/proc/self/task"].map {
                try FileManager.default.contentsOfDirectory(atPath: $0).count
            }
        }
        _ = try X11Source(bed.screen).look()
        let before = try held()
        for _ in 0..<60 {
            _ = try X11Source(bed.screen).look()
            _ = try? X11Source(X11Screen(display: ":54321"))
            _ = try? X11Source(X11Screen(display: bed.display, output: "none"))
        }
        // The threads that stood by while connecting end when they come to it.
        var after = try held()
        for _ in 0..<500 where zip(after, before).contains(where: { $0 > $1 }) {
            usleep(10_000)
            after = try held()
        }
        #expect(zip(after, before).allSatisfy { $0 <= $1 })
        let maps = try ownMappings()
        #expect(!maps.contains("memfd:lanewatch-screen"))
    }

    @Test func aFrozenServerHoldsNobody() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let patience = X11Patience(connecting: 300_000_000, local: 300_000_000, remote: 300_000_000)
        let source = try X11Source(bed.screen, patience: patience, sharing: [.descriptor])
        try source.lookUntilQuiet()
        painter.fill(PixelRect(x: 1, y: 2, width: 3, height: 4), 0xabcdef)
        painter.synchronise()
        bed.freeze()
        defer { bed.thaw() }
        // Generously: the bound is 300 ms each, and the machine may be busy.
        let looking = milliseconds { #expect(code { _ = try source.look() } == .unreachable) }
        #expect(looking < 5000)
        let connecting = milliseconds {
            #expect(code { _ = try X11Connection(bed.screen, patience: patience) } == .unreachable)
        }
        #expect(connecting < 5000)
    }

    @Test func nobodyThereIsSaidWithTheWayOut() throws {
        let nobody = #expect(throws: ScreenError.self) { _ = try X11Source(X11Screen(display: ":54321")) }
        #expect(nobody?.code == .unreachable)
        #expect(nobody?.description.contains("is the X server running?") == true)
        let noName = #expect(throws: ScreenError.self) { _ = try X11Source(X11Screen(display: "nonsense")) }
        #expect(noName?.description.contains("expected one such as \":0\"") == true)
        let bed = try X11Bed()
        var screen = bed.screen
        screen.output = "HDMI-9"
        let noOutput = #expect(throws: ScreenError.self) { _ = try X11Source(screen) }
        #expect(noOutput?.code == .unsupported)
        #expect(noOutput?.description.contains("it has: screen") == true)
    }

    @Test func theAuthorityFileLetsIn() throws {
        let secret = (0..<16).map { UInt8($0 * 7 + 1) }
        func file(_ cookie: [UInt8]) throws -> String {
            let path = NSTemporaryDirectory() + "lanewatch-authority-\(UUID().uuidString)"
            func text(_ bytes: [UInt8]) -> [UInt8] { [0, UInt8(bytes.count)] + bytes }
            // The family that fits every address.
            let bytes = [0xff, 0xff] + text([]) + text([]) + text(Array("MIT-MAGIC-COOKIE-1".utf8)) + text(cookie)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return path
        }
        let right = try file(secret)
        let wrong = try file(secret.map { $0 ^ 1 })
        defer { for path in [right, wrong] { unlink(path) } }
        let bed = try X11Bed(arguments: ["-auth", right])
        var screen = bed.screen
        screen.authority = right
        _ = try X11Source(screen).look()
        screen.authority = wrong
        let refused = #expect(throws: ScreenError.self) { _ = try X11Source(screen) }
        #expect(refused?.code == .refused)
        #expect(refused?.description.contains("authority") == true)
        screen.authority = "/nonexistent/authority"
        let missing = #expect(throws: ScreenError.self) { _ = try X11Source(screen) }
        #expect(missing?.code == .refused)
        #expect(missing?.description.contains("/nonexistent/authority") == true)
    }

    @Test func changesThatNoDamageToldOfAreFound() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0x101010)
        painter.synchronise()
        let source = try X11Source(bed.screen)
        try source.lookUntilQuiet()
        try FramebufferFile(bed.folder).fill(PixelRect(x: 200, y: 100, width: 10, height: 20), 0xff0000)
        #expect(try source.lookUntilQuiet().damage.isEmpty)
        source.clock = CompareClock(now: Self.now() - CompareClock.atRest)
        let change = try source.look()
        #expect(change.damage.bounds == PixelRect(x: 192, y: 100, width: 64, height: 20))
        expectSame(source.pixels, painter.pixels(source.size))
        #expect(source.counts.lies == 1)
        // From now on it looks often by itself.
        #expect((source.nextLook ?? .max) - Self.now() <= CompareClock.afterLies)
        let deadline = Self.now() + 10_000_000_000
        try FramebufferFile(bed.folder).fill(PixelRect(x: 0, y: 0, width: 5, height: 5), 0x00ff00)
        var found = Damage()
        while found.isEmpty, Self.now() < deadline {
            let wait = max(0, (source.nextLook ?? 0) - Self.now()) / 1_000_000 + 1
            usleep(UInt32(wait) * 1000)
            found.add(try source.look().damage)
        }
        #expect(found.bounds == PixelRect(x: 0, y: 0, width: 64, height: 5))
    }

    @Test func anHonestServerIsNotCalledALiar() throws {
        let bed = try X11Bed()
        let source = try X11Source(bed.screen)
        try source.lookUntilQuiet()
        // Draws while the compares run.
        let display = bed.display
        let drawing = Thread {
            guard let painter = try? X11Painter(display) else { return }
            for _ in 0..<200_000 where !Thread.current.isCancelled {
                painter.fill(
                    PixelRect(x: Int.random(in: 0..<600), y: Int.random(in: 0..<440), width: 30, height: 30),
                    UInt32.random(in: 0..<1 << 24))
                painter.synchronise()
            }
        }
        drawing.start()
        while source.counts.compares < 25, !drawing.isFinished {
            source.clock = CompareClock(now: Self.now() - CompareClock.atRest)
            _ = try source.look()
        }
        drawing.cancel()
        while !drawing.isFinished { usleep(1000) }
        #expect(source.counts.compares > 2)
        #expect(source.counts.lies == 0)
        let painter = try X11Painter(bed.display)
        try source.lookUntilQuiet()
        expectSame(source.pixels, painter.pixels(source.size))
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// The server's picture as a file, drawn into behind its back. Source: XWDFile.h.
private struct FramebufferFile {
    let path: String
    init(_ folder: String) { path = folder + "/Xvfb_screen0" }

    func fill(_ rect: PixelRect, _ colour: UInt32) throws {
        let raw = open(path, O_RDWR)
        defer { close(raw) }
        func field(_ number: Int) -> Int {
            var word: UInt32 = 0
            pread(raw, &word, 4, off_t(number * 4))
            return Int(UInt32(bigEndian: word))
        }
        let start = field(0) + field(19) * 12
        let row = [UInt32](repeating: colour, count: rect.width)
        for y in rect.y..<rect.bottom {
            let wrote = pwrite(raw, row, rect.width * 4, off_t(start + y * field(12) + rect.x * 4))
            try #require(wrote == rect.width * 4)
        }
    }
}
