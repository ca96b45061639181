import Foundation
import Testing

@testable import Screen

/// The demo's till under a real X server, driven by lines and by touch.
@Suite(.serialized) struct KioskTests {
    private static var products: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }

    /// A kiosk that is spoken to.
    private final class Kiosk {
        private let process = Process()
        private let input = Pipe()
        private let output = Pipe()

        init(_ bed: X11Bed) throws {
            process.executableURL = KioskTests.products.appendingPathComponent("demo-kiosk")
            process.arguments = ["--display", bed.display]
            process.standardInput = input
            process.standardOutput = output
            try process.run()
        }

        deinit {
            // It may have inherited a mask that blocks SIGTERM.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        func say(_ line: String) throws -> String {
            try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
            return try hear()
        }

        func hear() throws -> String {
            var line = ""
            while !line.hasSuffix("\n") {
                var waiting = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&waiting, 1, 20_000) == 1 else { throw X11Bed.Failed(description: "the kiosk is silent") }
                let piece = output.fileHandleForReading.readData(ofLength: 1)
                guard !piece.isEmpty else { throw X11Bed.Failed(description: "the kiosk is gone") }
                line += String(decoding: piece, as: UTF8.self)
            }
            return String(line.dropLast())
        }
    }

    /// Keeps the picture where LANEWATCH_PICTURES names a folder, to be looked at.
    private func keep(_ source: X11Source, _ name: String) throws {
        guard let folder = ProcessInfo.processInfo.environment["LANEWATCH_PICTURES"] else { return }
        var bytes = Array("P6 \(source.size.width) \(source.size.height) 255\n".utf8)
        for pixel in source.pixels { bytes += [UInt8(pixel >> 16), UInt8(pixel >> 8 & 255), UInt8(pixel & 255)] }
        try Data(bytes).write(to: URL(fileURLWithPath: folder).appendingPathComponent(name + ".ppm"))
    }

    @Test func aCustomerIsServed() throws {
        let bed = try X11Bed("1280x1024x24")
        let kiosk = try Kiosk(bed)
        #expect(try kiosk.say("nonsense").hasPrefix("error: \"nonsense\" is no verb"))
        let source = try X11Source(bed.screen)
        try source.lookUntilQuiet()
        try keep(source, "idle")
        #expect(try kiosk.say("basket open") == "ok")
        for line in ["item Milk 1.19", "item Rye bread 2.49", "item Apples, 1 kg 1.99", "loyalty 9800012345678"] {
            #expect(try kiosk.say(line) == "ok")
        }
        try source.lookUntilQuiet()
        try keep(source, "basket")
        // A scanned item changes its row, the count and the total, not the rest.
        #expect(try kiosk.say("item Coffee 5.79") == "ok")
        let scanned = try source.lookUntilQuiet()
        #expect(scanned.damage.area > 1000 && scanned.damage.area < source.size.bounds.area / 6)
        #expect(try kiosk.say("total") == "ok")
        #expect(try kiosk.say("pay") == "ok")
        try source.lookUntilQuiet()
        let number = try kiosk.say("pan 4111111111111111")
        #expect(number == "ok")
        // The card's number is drawn in its field alone: what a mask has to cover.
        let shown = try source.lookUntilQuiet().damage.bounds
        #expect(PixelRect(x: 832, y: 576, width: 416, height: 96).contains(shown))
        try keep(source, "paying")
        for line in ["declined", "help on"] { #expect(try kiosk.say(line) == "ok") }
        try source.lookUntilQuiet()
        try keep(source, "declined")
        for line in ["help off", "paid"] { #expect(try kiosk.say(line) == "ok") }
        try source.lookUntilQuiet()
        try keep(source, "paid")
        #expect(try kiosk.say("close") == "ok")
        #expect(source.counts.lies == 0)
        let painter = try X11Painter(bed.display)
        try source.lookUntilQuiet()
        expectSame(source.pixels, painter.pixels(source.size))
    }

    @Test func longBasketsScrollAndVideosPlay() throws {
        let bed = try X11Bed("1280x1024x24")
        let kiosk = try Kiosk(bed)
        let source = try X11Source(bed.screen)
        for number in 1...14 { #expect(try kiosk.say("item Article \(number) \(number).99") == "ok") }
        try source.lookUntilQuiet()
        try keep(source, "scrolled")
        #expect(try kiosk.say("video on") == "ok")
        let before = source.counts.damages
        for _ in 0..<10 { _ = try source.lookWhenTold() }
        #expect(source.counts.damages >= before + 10)
        try keep(source, "video")
        #expect(try kiosk.say("video off") == "ok")
        try source.lookUntilQuiet()
        expectSame(source.pixels, try X11Painter(bed.display).pixels(source.size))
    }

    @Test func programsSpeakToItOverASocket() throws {
        let bed = try X11Bed("1280x1024x24")
        let path = bed.folder + "/kiosk"
        let process = Process()
        process.executableURL = Self.products.appendingPathComponent("demo-kiosk")
        process.arguments = ["--display", bed.display, "--socket", path]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        defer { kill(process.processIdentifier, SIGKILL) }
        func connected() -> Int32? {
            let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let code = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if code == 0 { return raw }
            close(raw)
            return nil
        }
        var raw: Int32?
        for _ in 0..<1000 where raw == nil {
            raw = connected()
            if raw == nil { usleep(10_000) }
        }
        let caller = FileHandle(fileDescriptor: try #require(raw), closeOnDealloc: true)
        // In pieces, and two at once.
        for piece in ["basket o", "pen\nitem Milk 1.", "19\n"] { try caller.write(contentsOf: Data(piece.utf8)) }
        var heard = ""
        for _ in 0..<100 where heard != "ok\nok\n" {
            var waiting = pollfd(fd: caller.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20_000) == 1 else { break }
            let piece = caller.availableData
            if piece.isEmpty { break }
            heard += String(decoding: piece, as: UTF8.self)
        }
        #expect(heard == "ok\nok\n")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try caller.write(contentsOf: Data("quit\n".utf8))
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func itsButtonsAreTouched() throws {
        let bed = try X11Bed("1280x1024x24")
        let kiosk = try Kiosk(bed)
        #expect(try kiosk.say("close") == "ok")
        let session = X11Input(bed.screen).begin()
        for (x, y, name) in [(640, 700, "start"), (900, 780, "pay"), (900, 900, "help")] {
            session.pointer(x: x, y: y, buttons: 1)
            #expect(try kiosk.hear() == "touch \(name)")
            session.pointer(x: x, y: y, buttons: 0)
        }
        #expect(try kiosk.say("close") == "ok")
    }
}
