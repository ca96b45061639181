import Glibc
import Loop
import RFBClient
import Screen
import Testing

@testable import View

/// Pictures by JPEG that become exact, and large changes in parts.
@Suite(.serialized) struct MendTests {
    static let quality = -26  // 6 of 9
    static let mark = PixelRect(x: 0, y: 0, width: 8, height: 8)

    /// Colours without number, smooth and rough: what JPEG is for.
    static func drawPhoto(_ screen: ScriptedScreen, _ rect: PixelRect, seed: Int) {
        var lot = SplitMix(seed: UInt64(seed))
        let rough = (0..<997).map { _ in UInt32.random(in: 0...63, using: &lot) }
        screen.draw(rect) { x, y in
            let noise = rough[(x * 31 + y * 17) % 997]
            return UInt32(x + seed * 40 & 255) << 16 | UInt32(y * 2 & 255) << 8 | (UInt32(x ^ y) & 127 + noise)
        }
    }

    /// Hears for so long as the picture is not exact; the time that it took, in milliseconds.
    @discardableResult
    static func hearUntilExact(_ bed: ViewBed, _ client: RFBClient, seconds: Int64 = 15) throws -> Int64 {
        let start = Boottime.milliseconds()
        while bed.wrongNow(client) != 0 {
            try #require(
                Boottime.milliseconds() < start + seconds * 1000, "\(bed.wrongNow(client)) pixels stay wrong")
            _ = try client.hear(milliseconds: 50)
        }
        return Boottime.milliseconds() - start
    }

    @Test(arguments: [ClientFormat.rgb888, .rgb565, .rgbx888Big], [true, false])
    func afterARestEveryPixelIsExact(format: ClientFormat, hasLastRect: Bool) throws {
        let bed = try ViewBed(size: PixelSize(width: 500, height: 330))
        let encodings = [RFBClient.tight, Self.quality] + (hasLastRect ? [RFBClient.lastRect] : [])
        let (id, client) = try bed.join(encodings, format: format)
        for round in 1...3 {
            Self.drawPhoto(bed.screen, PixelRect(x: 30, y: 20, width: 440, height: 300), seed: round)
            // Text beside it.
            bed.screen.draw(PixelRect(x: 40, y: 0, width: 200, height: 18)) { x, y in
                (x / 3 + y) % 2 == 0 ? 0xff_ffff : 0
            }
            bed.screen.fill(Self.mark, UInt32(round) * 0x10_2030)
            try awaitTrue(seconds: 10) {
                _ = try? client.hear(milliseconds: 20)
                return client.jpegs >= round && client.picture[2, 2] == format.pixel(of: UInt32(round) * 0x10_2030)
            }
            try Self.hearUntilExact(bed, client)
        }
        // It was inexact before, or this shows nothing.
        #expect(client.jpegs >= 3)
        try awaitTrue(seconds: 10) { (bed.attendants.counts[id]?.mends ?? 0) >= 3 }
        // Nobody wakes for it any more once memory was given back.
        #expect(try client.hear(milliseconds: 2 * Int(ScratchPool.idle)) == nil)
        let wakeUps = bed.attendants.counts[id]?.wakeUps
        #expect(try client.hear(milliseconds: 600) == nil)
        #expect(bed.attendants.counts[id]?.wakeUps == wakeUps)
        try bed.stop()
    }

    @Test func withoutRestNothingIsMendedAndTheRestOfTheScreenIs() throws {
        let bed = try ViewBed(size: PixelSize(width: 512, height: 256))
        let (id, client) = try bed.join([RFBClient.tight, Self.quality])
        let (video, still) = (
            PixelRect(x: 0, y: 64, width: 128, height: 128), PixelRect(x: 256, y: 64, width: 192, height: 128)
        )
        Self.drawPhoto(bed.screen, still, seed: 7)
        let end = Boottime.milliseconds() + 15_000
        var (round, videoMended, stillMended) = (0, 0, false)
        var last: Int64 = 0
        while Boottime.milliseconds() < end, !stillMended {
            if Boottime.milliseconds() - last >= 30 {
                round += 1
                last = Boottime.milliseconds()
                Self.drawPhoto(bed.screen, video, seed: round)
            }
            _ = try client.hear(milliseconds: 5)
            guard let frame = bed.capture.frame else { continue }
            let expected = ViewBed.pixels(of: frame)
            func isExact(_ rect: PixelRect) -> Bool {
                (rect.y..<rect.bottom).allSatisfy { y in
                    (rect.x..<rect.right).allSatisfy { client.picture[$0, y] == expected[y * 512 + $0] }
                }
            }
            stillMended = round > 1 && isExact(still)
            if isExact(video), Boottime.milliseconds() - last < 100 { videoMended += 1 }
        }
        #expect(stillMended)
        #expect(videoMended == 0)
        #expect(client.jpegs > 3)
        try Self.hearUntilExact(bed, client)
        #expect((bed.attendants.counts[id]?.mends ?? 0) > 0)
        try bed.stop()
    }

    @Test func fewColoursAreExactAtOnceAndNotSentTwice() throws {
        let bed = try ViewBed(size: PixelSize(width: 400, height: 300))
        let (id, client) = try bed.join([RFBClient.tight, Self.quality])
        let colours: [UInt32] = (0..<24).map { (number: UInt32) -> UInt32 in
            let (red, green, blue) = (number * 10, number * 7, 255 - number * 3)
            return red << 16 | green << 8 | blue
        }
        bed.screen.draw(bed.screen.size.bounds) { x, y in colours[(x / 3 + y * 5) % 24] }
        bed.screen.fill(Self.mark, colours[5])
        try bed.hear(client, until: colours[5])
        #expect(bed.wrongPixels(client) == 0)
        #expect(client.jpegs == 0)
        #expect(try client.hear(milliseconds: 500) == nil)
        #expect(bed.attendants.counts[id]?.mends == 0)
        try bed.stop()
    }

    /// Moves bring what is not exact along, wherever it goes.
    @Test func whatWasMovedBecomesExactToo() throws {
        let bed = try ViewBed(size: PixelSize(width: 400, height: 300))
        let (_, client) = try bed.join([RFBClient.tight, Self.quality, RFBClient.copyRect])
        for round in 1...6 {
            Self.drawPhoto(bed.screen, PixelRect(x: 10, y: 100, width: 300, height: 150), seed: round)
            let colour = UInt32(round) * 0x20_1008
            bed.screen.fill(Self.mark, colour)
            // Not until it is exact: moved while it is not.
            try awaitTrue(seconds: 10) {
                _ = try? client.hear(milliseconds: 20)
                return client.picture[2, 2] == colour
            }
            bed.screen.scroll(PixelRect(x: 0, y: 90, width: 400, height: 200), dx: round % 2 * 7, dy: -20 * (round % 4))
            if round == 3 { try Self.hearUntilExact(bed, client) }
        }
        try Self.hearUntilExact(bed, client)
        #expect(client.jpegs > 0)
        try bed.stop()
    }

    /// With 8 bits a pixel viewers do not expect JPEG; ours ends where it comes.
    @Test func noJPEGForEightBits() throws {
        let bed = try ViewBed()
        let (_, client) = try bed.join([RFBClient.tight, Self.quality], format: .bgr233)
        Self.drawPhoto(bed.screen, PixelRect(x: 10, y: 10, width: 300, height: 200), seed: 1)
        bed.screen.fill(Self.mark, 0xff_ffff)
        try bed.hear(client, until: 0xff_ffff)
        #expect(bed.wrongPixels(client) == 0)
        #expect(client.jpegs == 0)
        try bed.stop()
    }

    // MARK: Slices

    /// By order, not by time: what is small comes with the first update, and a change that comes later with the next.
    @Test(arguments: [[RFBClient.zrle], [RFBClient.tight], [RFBClient.zlib]])
    func aTapWaitsForOneSliceAtMost(encodings: [Int]) throws {
        let bed = try ViewBed(size: PixelSize(width: 640, height: 480))
        let (id, client) = try bed.join(encodings)
        bed.screen.fill(Self.mark, 0x11_1111)
        try bed.hear(client, until: 0x11_1111)
        // Settled: the viewer has asked for changes and got none. Now much and little changes in one look.
        try awaitTrue(seconds: 10) { (try? client.hear(milliseconds: 100)) == nil }
        let tap = PixelRect(x: 600, y: 450, width: 20, height: 20)
        let busy = PixelRect(x: 0, y: 20, width: 640, height: 400)
        // Drawn over, until the viewer is one update behind a picture that is larger than a slice.
        Self.drawPhoto(bed.screen, busy, seed: 3)
        _ = try client.hear(milliseconds: 5000, thenRequest: false)
        var before = bed.wrongNow(client)
        #expect(before > busy.area / 3, "a large change came in one update")
        bed.screen.fill(tap, 0xff_0000)
        try awaitTrue(seconds: 10) {
            bed.screen.isSettled && bed.capture.frame.map { ViewBed.pixels(of: $0)[460 * 640 + 610] } == 0xff_0000
        }
        try client.request(incremental: true)
        _ = try client.hear(milliseconds: 5000, thenRequest: false)
        #expect(client.picture[610, 460] == 0xff_0000, "the tap waited for more than one slice")
        before = bed.wrongNow(client)
        #expect(before > 0)
        // The rest comes, slice by slice.
        var updates = 2
        while bed.wrongNow(client) > 0, updates < 40 {
            try client.request(incremental: true)
            guard case .update? = try client.hear(milliseconds: 5000, thenRequest: false) else { break }
            let now = bed.wrongNow(client)
            #expect(before - now <= (32 << 10) * 3 / 2 + Slices.step * 640)
            (before, updates) = (now, updates + 1)
        }
        #expect(bed.wrongNow(client) == 0)
        #expect((4...12).contains(updates))
        #expect((bed.attendants.counts[id]?.slices ?? 0) >= 3)
        try bed.stop()
    }

    /// Programs that take one picture look at the first update alone.
    @Test func whoAsksForAPictureGetsItInOneUpdate() throws {
        let bed = try ViewBed(size: PixelSize(width: 640, height: 480))
        Self.drawPhoto(bed.screen, bed.screen.size.bounds, seed: 1)
        for encoding in [RFBClient.zrle, RFBClient.tight, RFBClient.zlib, RFBClient.raw] {
            let (_, client) = try bed.join([encoding])
            guard case .update? = try client.hear(milliseconds: 10_000, thenRequest: false) else {
                Issue.record("no picture")
                continue
            }
            #expect(bed.wrongNow(client) == 0)
        }
        try bed.stop()
    }

    /// Who does not ask gets all slices all the same.
    @Test func slicesComeWithoutAskingWhereThatWasAgreed() throws {
        let bed = try ViewBed(size: PixelSize(width: 640, height: 480))
        let (id, client) = try bed.join([RFBClient.zrle, RFBClient.continuousUpdates, RFBClient.fence])
        bed.screen.fill(Self.mark, 0x11_1111)
        try bed.hear(client, until: 0x11_1111)
        try client.setContinuous(true)
        for round in 2...5 {
            Self.drawPhoto(bed.screen, PixelRect(x: 0, y: 20, width: 640, height: 460), seed: round)
            try awaitTrue(seconds: 10) { bed.screen.isSettled }
            let deadline = Boottime.milliseconds() + 10_000
            while bed.wrongNow(client) != 0 || round == 2 && client.updates < 3 {
                try #require(Boottime.milliseconds() < deadline)
                _ = try client.hear(milliseconds: 100, thenRequest: false)
            }
        }
        #expect((bed.attendants.counts[id]?.slices ?? 0) >= 4)
        try bed.stop()
    }
}
