import CLinux
import CXCB
import Foundation
import Lane
import Loop
import Synchronization
import Testing

@testable import Screen

/// A capture of a real X server: what attendants may see is what is on the screen, whatever becomes of the server.
@Suite(.serialized) struct X11CaptureTests {
    private func pixels(_ frame: MaskedFrame) -> [UInt32] {
        var pixels = [UInt32](repeating: 0, count: frame.size.width * frame.size.height)
        pixels.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { frame.copy([frame.size.bounds], to: base) }
        }
        return pixels
    }

    private func settle(_ what: String, _ isSo: () -> Bool) throws {
        let deadline = Boottime.milliseconds() + 30_000
        while !isSo() {
            try #require(Boottime.milliseconds() < deadline, "it did not come: \(what)")
            usleep(10_000)
        }
    }

    private func capture(_ screen: X11Screen, _ mask: Mask = .nothing) throws -> Capture {
        try Capture(mask: mask) { () throws(ScreenError) in try X11Source(screen) }
    }

    @Test func aStormEndsEqualAndTheMaskHidesItsPart() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let secret = PixelRect(x: 100, y: 100, width: 200, height: 50)
        let capture = try capture(bed.screen, Mask(areas: [Mask.Area(secret)]))
        defer { capture.stop() }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        for _ in 0..<800 {
            painter.fill(
                PixelRect(
                    x: Int.random(in: 0..<600), y: Int.random(in: 0..<440), width: Int.random(in: 1..<200),
                    height: Int.random(in: 1..<200)), UInt32.random(in: 0..<1 << 24))
        }
        painter.synchronise()
        let size = PixelSize(width: 640, height: 480)
        var wanted = painter.pixels(size)
        for y in secret.y..<secret.bottom { for x in secret.x..<secret.right { wanted[y * 640 + x] = 0 } }
        try settle("the screen behind its mask") {
            capture.frame.map { $0.size == size && pixels($0) == wanted } ?? false
        }
        // Still, it sleeps.
        let looks = capture.counts.looks
        usleep(1_500_000)
        #expect(capture.counts.looks == looks)
        let frame = try #require(capture.frame)
        expectSame(pixels(frame), wanted)
    }

    @Test func aServerThatGoesLeavesBlackAndComesBackByItself() throws {
        let bed = try X11Bed()
        let capture = try capture(bed.screen)
        defer { capture.stop() }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        do {
            let painter = try X11Painter(bed.display)
            painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0x0a0b0c)
            painter.synchronise()
        }
        try settle("the picture") { capture.frame.map { pixels($0).allSatisfy { $0 == 0x0a0b0c } } ?? false }
        bed.stop()
        try settle("black") {
            capture.problem != nil && capture.frame.map { pixels($0).allSatisfy { $0 == 0 } } ?? false
        }
        #expect(capture.problem?.code == .unreachable)
        try bed.start()
        let painter = try X11Painter(bed.display)
        painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0x0d0e0f)
        try settle("the new picture") { capture.frame.map { pixels($0).allSatisfy { $0 == 0x0d0e0f } } ?? false }
        #expect(capture.problem == nil)
    }

    @Test func whileNobodyWatchesNothingIsOpen() throws {
        let bed = try X11Bed()
        let capture = try capture(bed.screen)
        defer { capture.stop() }
        func sockets() throws -> Int {
            let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
            return descriptors.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0)
            }
            .filter { $0.hasPrefix("socket:") }.count
        }
        let before = try sockets()
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        try settle("a picture") { capture.counts.looks > 0 }
        #expect(try sockets() == before + 1)
        capture.unwatch(mailbox)
        try settle("the end of the connection") { (try? sockets()) == before }
        #expect(!(try ownMappings()).contains("memfd:lanewatch-screen"))
    }
}
