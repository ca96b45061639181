import Glibc
import Loop
import RFBClient
import Screen
import Testing

@testable import View

/// What one attendant sees and does.
@Suite(.serialized) struct AttendantTests {
    static let encodings: [[Int]] = [
        [RFBClient.raw], [RFBClient.hextile], [RFBClient.zlib], [RFBClient.tight], [RFBClient.zrle],
        [RFBClient.tight, RFBClient.lastRect], [RFBClient.zrle, RFBClient.copyRect], [RFBClient.tight, -256],
        [RFBClient.tight, -251], [RFBClient.zlib, -256],
    ]
    static let formats: [ClientFormat] = [.rgb888, .bgr888, .rgbx888Big, .rgb565, .rgb565Big, .bgr233]

    /// Areas of one colour, few and many colours, text-like and noise: all that encoders tell apart.
    static func drawAll(_ screen: ScriptedScreen, seed: UInt32 = 1) {
        let size = screen.size
        screen.fill(size.bounds, 0x30_60_90)
        screen.draw(PixelRect(x: 20, y: 16, width: 120, height: 70)) { x, y in (x / 3 + y / 2) % 2 == 0 ? 0xff_ffff : 0
        }
        screen.draw(PixelRect(x: 150, y: 10, width: 90, height: 90)) { x, y in
            [0xff_0000, 0x00ff00, 0xff, 0x12_3456, 0x80_8080][(x / 7 + y / 5) % 5]
        }
        screen.draw(PixelRect(x: 10, y: 110, width: 200, height: 60)) { x, y in UInt32(x & 255) << 16 | UInt32(y & 255)
        }
        var state = seed
        screen.draw(PixelRect(x: 60, y: 150, width: 130, height: 80)) { _, _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return state >> 8
        }
    }

    @Test(arguments: encodings, formats)
    func aViewerSeesTheScreenExactly(encodings: [Int], format: ClientFormat) throws {
        let bed = try ViewBed()
        Self.drawAll(bed.screen)
        let (_, client) = try bed.join(encodings, format: format)
        #expect(client.name == "lane 7")
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
        try bed.hear(client, until: 0xff_ffff)
        #expect(bed.wrongPixels(client) == 0)
        #expect(client.rectangles[encodings[0], default: 0] > 0)
        try bed.stop()
    }

    @Test func theFirstPictureIsOfNowAndNotOfThen() throws {
        let bed = try ViewBed()
        let (_, first) = try bed.join()
        for round in 1...20 {
            // The screen changes, and at once somebody joins, whose first picture must have it.
            bed.screen.fill(bed.screen.size.bounds, UInt32(round) * 0x01_01_01)
            let (_, client) = try bed.join([RFBClient.zrle])
            guard case .update? = try client.hear(milliseconds: 5000, thenRequest: false) else {
                Issue.record("no picture")
                continue
            }
            #expect(client.picture[100, 100] == UInt32(round) * 0x01_01_01)
            #expect(bed.wrongPixels(client) == 0)
        }
        try bed.hear(first, until: 20 * 0x01_01_01)
        try bed.stop()
    }

    @Test func scrollsAreSentAsCopies() throws {
        let bed = try ViewBed()
        let (id, client) = try bed.join([RFBClient.tight, RFBClient.copyRect])
        Self.drawAll(bed.screen)
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
        try bed.hear(client, until: 0xff_ffff)
        for step in 1...10 {
            let colour: UInt32 = step % 2 == 0 ? 0xff_ffff : 0x00_0000
            bed.screen.scroll(PixelRect(x: 0, y: 20, width: 320, height: 200), dx: 0, dy: step % 3 == 0 ? 7 : -9)
            bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), colour)
            try bed.hear(client, until: colour)
            #expect(bed.wrongPixels(client) == 0, "after scroll \(step)")
        }
        #expect(client.rectangles[RFBClient.copyRect, default: 0] >= 5)
        let counts = try #require(bed.attendants.counts[id])
        #expect(counts.copies + counts.copiesAsPixels >= 10 - bed.capture.counts.copiesMasked)
        try bed.stop()
    }

    @Test func anotherSizeIsFollowed() throws {
        let bed = try ViewBed()
        let clients = try [RFBClient.raw, RFBClient.tight, RFBClient.zrle].map { encoding in
            try bed.join([encoding, RFBClient.desktopSize], format: encoding == RFBClient.tight ? .rgb565 : .rgb888)
                .client
        }
        for (width, height) in [(640, 480), (101, 77), (320, 240), (321, 240), (640, 100)] {
            bed.screen.resize(PixelSize(width: width, height: height))
            Self.drawAll(bed.screen)
            bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
            for client in clients {
                // Until it has the size: the corner was white before.
                let deadline = Boottime.milliseconds() + 10_000
                while client.picture.width != width || client.picture.height != height {
                    try #require(Boottime.milliseconds() < deadline)
                    _ = try client.hear(milliseconds: 200)
                }
                try bed.hear(client, until: 0xff_ffff)
                bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0)
                try bed.hear(client, until: 0)
                #expect(bed.wrongPixels(client) == 0, "\(width)x\(height) \(client.format)")
                bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
            }
            for client in clients { try bed.hear(client, until: 0xff_ffff) }
        }
        try bed.stop()
    }

    @Test func whoCannotFollowASizeIsEnded() throws {
        let bed = try ViewBed()
        let (id, client) = try bed.join([RFBClient.raw])
        _ = try client.hear(milliseconds: 5000)
        bed.screen.resize(PixelSize(width: 200, height: 200))
        try awaitTrue(seconds: 10) { bed.endings.all == [.cannotFollowSize] }
        try awaitTrue(seconds: 10) { bed.gate.ending(of: id) == .attendantEnded }
        #expect(ScreenPool.shared.available == ScreenPool.most)
        try bed.stop()
    }

    @Test func thePointersPictureIsSent() throws {
        let bed = try ViewBed()
        let (_, client) = try bed.join([RFBClient.zrle, RFBClient.cursor])
        var pixels: [UInt8] = []
        for place in 0..<12 * 10 {
            // A third of it is transparent.
            pixels += place % 3 == 0 ? [0, 0, 0, 0] : [UInt8(place), 20, 30, 255]
        }
        bed.screen.point(CursorShape(size: PixelSize(width: 12, height: 10), hotX: 3, hotY: 4, pixels: pixels))
        try awaitTrue(seconds: 10) {
            _ = try? client.hear(milliseconds: 50)
            return client.pointer?.width == 12
        }
        let pointer = try #require(client.pointer)
        #expect([pointer.height, pointer.hotX, pointer.hotY] == [10, 3, 4])
        for (place, pixel) in pointer.pixels.enumerated() {
            #expect(pixel == (place % 3 == 0 ? nil : 30 << 16 | 20 << 8 | UInt32(place)))
        }
        // One larger than the encoder's buffer is cut around its point, and the connection lives.
        let large = CursorShape(
            size: PixelSize(width: 200, height: 150), hotX: 100, hotY: 149,
            pixels: Array(repeating: 255, count: 200 * 150 * 4))
        bed.screen.point(large)
        try awaitTrue(seconds: 10) {
            _ = try? client.hear(milliseconds: 50)
            return client.pointer?.width == CursorPicture.largest
        }
        #expect(client.pointer?.hotX == 40)
        #expect(client.pointer?.hotY == 79)
        // Who joins later gets it too.
        let (_, other) = try bed.join([RFBClient.raw, RFBClient.cursor])
        try awaitTrue(seconds: 10) {
            _ = try? other.hear(milliseconds: 50)
            return other.pointer?.width == CursorPicture.largest
        }
        try bed.stop()
    }

    @Test func onlyWhoControlsIsHeardAndWhatItHoldsIsLetGo() throws {
        let bed = try ViewBed()
        let (watching, watcher) = try bed.join()
        let (id, client) = try bed.join(controls: true)
        try watcher.press(0x41, isDown: true)
        try watcher.point(x: 1, y: 1, buttons: 1)
        try client.press(0xffe1, isDown: true)
        try client.press(0x42, isDown: true)
        try client.press(0x42, isDown: false)
        try client.point(x: 60_000, y: 30, buttons: 1)
        let expected: [InputEvent] = [
            .key(0xffe1, isDown: true), .key(0x42, isDown: true), .key(0x42, isDown: false),
            .pointer(x: 319, y: 30, buttons: 1),
        ]
        try awaitTrue(seconds: 10) { bed.inputs.all.count >= 4 }
        #expect(bed.inputs.all == expected)
        // No longer: what is held is let go at once.
        bed.attendants.setControls(false, of: id)
        let released: [InputEvent] = [.key(0xffe1, isDown: false), .pointer(x: 319, y: 30, buttons: 0)]
        try awaitTrue(seconds: 10) { bed.inputs.all.count >= 6 }
        #expect(bed.inputs.all == expected + released)
        try client.press(0x43, isDown: true)
        // Control is given; then it ends with keys down.
        bed.attendants.setControls(true, of: watching)
        try awaitTrue(seconds: 10) {
            try? watcher.press(0x44, isDown: true)
            _ = poll(nil, 0, 2)
            return bed.inputs.all.count >= 7
        }
        bed.gate.end(watching)
        try awaitTrue(seconds: 10) { bed.inputs.all.last == .key(0x44, isDown: false) }
        #expect(!bed.inputs.all.contains(.key(0x43, isDown: true)))
        #expect(!bed.inputs.all.contains(.key(0x41, isDown: true)))
        try bed.stop()
    }

    @Test func aStillScreenWakesNobody() throws {
        let bed = try ViewBed()
        Self.drawAll(bed.screen)
        let clients = try (0..<4).map { _ in try bed.join([RFBClient.zrle, RFBClient.copyRect]) }
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
        for (_, client) in clients { try bed.hear(client, until: 0xff_ffff) }
        // What is still on its way settles: the last requests, the last looks, memory that is given back.
        func wakeUps() -> Int {
            bed.capture.counts.wakeUps + bed.attendants.counts.values.reduce(0) { $0 + $1.wakeUps }
        }
        var last = -1
        try awaitTrue(seconds: 10) {
            defer { last = wakeUps() }
            _ = poll(nil, 0, Int32(2 * ScratchPool.idle))
            return wakeUps() == last
        }
        _ = poll(nil, 0, 1000)
        #expect(wakeUps() == last)
        try bed.stop()
    }

    @Test func anUnwatchedScreenIsLetGo() throws {
        let bed = try ViewBed()
        #expect(bed.screen.sources == 0)
        let (id, client) = try bed.join()
        _ = try client.hear(milliseconds: 5000)
        #expect(bed.screen.sources == 1)
        bed.gate.end(id)
        try awaitTrue(seconds: 10) { bed.screen.sources == 0 && bed.capture.frame == nil }
        // And made anew.
        bed.screen.fill(bed.screen.size.bounds, 0x10_2030)
        let (_, other) = try bed.join()
        try bed.hear(other, until: 0x10_2030)
        try bed.stop()
    }

    @Test func aFenceComesBackWithWhatItCarried() throws {
        let bed = try ViewBed()
        let (_, client) = try bed.join([RFBClient.zrle, RFBClient.fence])
        _ = try client.hear(milliseconds: 5000)
        for number in 0..<20 {
            let payload = (0..<number * 3).map { UInt8($0) }
            try client.fence(payload)
            var found: RFBClient.Event?
            try awaitTrue(seconds: 10) {
                found = try? client.hear(milliseconds: 100)
                if case .fence = found { return true }
                return false
            }
            #expect(found == .fence(payload))
        }
        // One that never said that it knows fences has no business to send one.
        let (other, odd) = try bed.join([RFBClient.zrle])
        try odd.fence([1])
        try awaitTrue(seconds: 10) { bed.gate.ending(of: other) == .attendantEnded }
        try bed.stop()
    }

    @Test func whoDoesNotWantToAskIsToldUnasked() throws {
        let bed = try ViewBed()
        let (id, client) = try bed.join([RFBClient.tight, RFBClient.continuousUpdates, RFBClient.desktopSize])
        var isKnown = false
        try awaitTrue(seconds: 10) {
            if case .endOfContinuousUpdates? = try? client.hear(milliseconds: 100) { isKnown = true }
            return isKnown && client.updates > 0
        }
        try client.setContinuous(true)
        func hear(until colour: UInt32) throws {
            try awaitTrue(seconds: 10) {
                _ = try? client.hear(milliseconds: 100, thenRequest: false)
                return client.picture[0, 0] == colour
            }
        }
        for step in 1...20 {
            bed.screen.fill(PixelRect(x: 0, y: 0, width: 9, height: 9), UInt32(step))
            try hear(until: UInt32(step))
        }
        #expect(bed.wrongPixels(client) == 0)
        // A new size goes on, as far as the viewer asked for.
        bed.screen.resize(PixelSize(width: 200, height: 100))
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 9, height: 9), 0x99)
        try hear(until: 0x99)
        #expect(bed.wrongPixels(client) == 0)
        try client.setContinuous(false)
        try awaitTrue(seconds: 10) {
            (try? client.hear(milliseconds: 100, thenRequest: false)) == .endOfContinuousUpdates
        }
        let updates = try #require(bed.attendants.counts[id]).updates
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 9, height: 9), 0xff)
        #expect(try client.hear(milliseconds: 300, thenRequest: false) == nil, "it asks again from now on")
        #expect(bed.attendants.counts[id]?.updates == updates)
        try client.request(incremental: true)
        try hear(until: 0xff)
        try bed.stop()
    }

    /// Into a mask, out of it, or past it: what a viewer would move of its own is hidden, or is to be.
    @Test(arguments: [(100, 100), (100, 20), (10, 10)]) func aMoveAcrossAMaskIsToldAsPixels(x: Int, y: Int) throws {
        let hidden = PixelRect(x: 100, y: 100, width: 40, height: 40)
        let bed = try ViewBed(mask: Mask(areas: [.init(hidden)]))
        let client = try bed.join([RFBClient.raw, RFBClient.copyRect]).client
        bed.screen.draw(bed.screen.size.bounds) { x, y in UInt32(x << 8 | y) }
        bed.screen.scroll(PixelRect(x: x, y: y, width: 100, height: 100), dx: 0, dy: 16)
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 4, height: 4), 0xff_ffff)
        try bed.hear(client, until: 0xff_ffff)
        #expect(bed.wrongPixels(client) == 0)
        #expect(bed.capture.counts.copiesMasked == 1)
        #expect(bed.capture.counts.copies == 0)
        #expect(client.rectangles[RFBClient.copyRect, default: 0] == 0)
        try bed.stop()
    }
}
