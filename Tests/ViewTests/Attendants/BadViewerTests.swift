import CLinux
import Glibc
import Loop
import RFBClient
import Screen
import Testing

@testable import View

/// Viewers that are slow, stuck, stop in the middle or flood, beside one that is good.
@Suite(.serialized) struct BadViewerTests {
    /// How long the good one waits, from a touch of the screen until it shows it, in milliseconds.
    static func waits(_ bed: ViewBed, _ client: RFBClient, _ count: Int, meanwhile: () -> Void = {}) throws -> [Double]
    {
        var waits: [Double] = []
        for step in 0..<count {
            let colour: UInt32 = step % 2 == 0 ? 0xff_ffff : 0x10_1010
            let start = Boottime.monotonicNanoseconds()
            bed.screen.fill(PixelRect(x: 0, y: 0, width: 32, height: 32), colour)
            try bed.hear(client, until: colour)
            waits.append(Double(Boottime.monotonicNanoseconds() - start) / 1e6)
            meanwhile()
        }
        return waits
    }

    @Test func theGoodOneIsNotBlockedAndTheBadOnesGo() throws {
        let bed = try ViewBed(size: PixelSize(width: 640, height: 480), isStrict: true)
        AttendantTests.drawAll(bed.screen)
        let descriptors = Holdings.descriptors
        let (good, client) = try bed.join([RFBClient.tight, RFBClient.copyRect])
        try bed.hear(client, until: 0x30_6090)
        let alone = try Self.waits(bed, client, 300)
        let held = Holdings.descriptors

        // Asks for the whole picture, and takes a little at a time.
        let (slow, slowEnd) = try bed.gate.admit(bed.attendants)
        // Asks again and again, and takes nothing.
        let (stuck, stuckEnd) = try bed.gate.admit(bed.attendants)
        // Stops in the middle of a message.
        let (half, halfEnd) = try bed.gate.admit(bed.attendants)
        // Types faster than hands.
        let (flood, floodEnd) = try bed.gate.admit(bed.attendants, controls: true)
        // Asks 200 times in a packet, and takes it all.
        let (greedy, greedyEnd) = try bed.gate.admit(bed.attendants)
        // Says nothing at all, and is no harm.
        let (silent, silentEnd) = try bed.gate.admit(bed.attendants)
        // Sends what no viewer sends.
        let (odd, oddEnd) = try bed.gate.admit(bed.attendants)
        let ends = [slowEnd, stuckEnd, halfEnd, floodEnd, greedyEnd, silentEnd, oddEnd]
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        let ask: [UInt8] = [3, 0, 0, 0, 0, 0, 2, 128, 1, 224]
        func say(_ end: Int32, _ bytes: [UInt8]) { _ = send(end, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        say(slowEnd, ask)
        say(halfEnd, [0, 0, 0])
        say(oddEnd, [7, 0, 0, 0])
        let key: [UInt8] = [4, 1, 0, 0, 0, 0, 0, 0x61]
        let busy = try Self.waits(bed, client, 300) {
            say(slowEnd, ask)
            _ = recv(slowEnd, &buffer, 2000, Int32(MSG_DONTWAIT))
            say(stuckEnd, ask)
            say(floodEnd, Array(repeatElement(key, count: 20).joined()))
            _ = recv(floodEnd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            // What it does not read lies in its own kernel, across a network, and is not in ours.
            _ = recv(silentEnd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            while recv(greedyEnd, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
        }
        say(greedyEnd, Array(repeatElement(ask, count: 200).joined()))
        let greed = try Self.waits(bed, client, 50) {
            while recv(greedyEnd, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
        }
        let worst = [(busy + greed).max() ?? 0, alone.max() ?? 0]
        // What a shared thread would cost is seconds: the library waits up to 20 s for one of these.
        #expect(worst[0] < 40 * worst[1] + 400, "worst waits in ms, with and without: \(worst)")

        try awaitTrue(seconds: 20, "the stuck one goes") { bed.gate.ending(of: stuck) != nil }
        try awaitTrue(seconds: 20, "the half one goes") { bed.gate.ending(of: half) != nil }
        try awaitTrue(seconds: 20, "the flooding one goes") {
            say(floodEnd, Array(repeatElement(key, count: 500).joined()))
            return bed.gate.ending(of: flood) != nil
        }
        #expect(bed.gate.ending(of: stuck) == .impatient(.stuck))
        #expect(bed.gate.ending(of: half) == .impatient(.halfMessage))
        #expect(bed.gate.ending(of: flood) == .impatient(.flood))
        try awaitTrue(seconds: 10) { bed.gate.ending(of: odd) == .refused(.unknownMessage) }
        #expect(bed.gate.ending(of: silent) == nil)
        #expect(bed.gate.ending(of: good) == nil)
        // One picture, whatever was asked for.
        #expect(bed.gate.mostUnsent <= bed.gate.bound)
        for end in ends { close(end) }
        try awaitTrue(seconds: 20) { bed.attendants.count == 1 && Holdings.descriptors <= held }
        _ = (slow, greedy)
        try bed.hear(client, until: 0x10_1010)
        #expect(bed.wrongPixels(client) == 0)
        _ = consume client
        try bed.stop()
        #expect(Holdings.descriptors <= descriptors)
    }

    @Test func manyAsksCostOnePictureInMemory() throws {
        let bed = try ViewBed(size: PixelSize(width: 640, height: 480))
        // Noise: a picture is as large as it can be.
        var seed: UInt32 = 1
        bed.screen.draw(bed.screen.size.bounds) { _, _ in
            seed = seed &* 1_664_525 &+ 1_013_904_223
            return seed >> 8
        }
        let (id, end) = try bed.gate.admit(bed.attendants)
        let ask: [UInt8] = [3, 0, 0, 0, 0, 0, 2, 128, 1, 224]
        let asks = Array(repeatElement(ask, count: 400).joined())
        _ = send(end, asks, asks.count, Int32(MSG_NOSIGNAL))
        try awaitTrue(seconds: 10) { bed.gate.mostUnsent > Backlog.limit }
        try awaitTrue(seconds: 10) { bed.attendants.counts[id]?.messages ?? 400 >= 400 }
        #expect(bed.gate.mostUnsent <= bed.gate.bound)
        #expect(bed.attendants.counts[id]?.updates ?? 0 <= 2)
        #expect(bed.attendants.counts[id]?.waits ?? 1 > 0)
        close(end)
        try awaitTrue(seconds: 10) { bed.attendants.count == 0 }
        try bed.stop()
    }

    @Test func aViewerThatAsksForLittleCostsLittleWhileEverythingChanges() throws {
        let bed = try ViewBed()
        let (id, client) = try bed.join([RFBClient.zrle])
        _ = try client.hear(milliseconds: 5000, thenRequest: false)
        try client.request(x: 0, y: 0, width: 1, height: 1, incremental: true)
        for step in 0..<3000 {
            bed.screen.fill(PixelRect(x: step * 7 % 320, y: 8 + step * 13 % 230, width: 2, height: 1), UInt32(step))
            if step % 100 == 0 { try awaitTrue(seconds: 10) { bed.screen.isSettled } }
        }
        // It asks for all at last, and gets it right.
        try client.request(incremental: true)
        bed.screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
        try bed.hear(client, until: 0xff_ffff)
        #expect(bed.wrongPixels(client) == 0)
        #expect(bed.attendants.counts[id] != nil)
        try bed.stop()
    }

    @Test func fiveHundredJoinsLeaveNothingBehind() throws {
        let bed = try ViewBed(size: PixelSize(width: 160, height: 120))
        AttendantTests.drawAll(bed.screen)
        let kinds: [[Int]] = [
            [RFBClient.raw], [RFBClient.tight, RFBClient.cursor], [RFBClient.zrle, RFBClient.copyRect],
            [RFBClient.zlib],
            [RFBClient.hextile],
        ]
        func join(_ number: Int) throws {
            let (id, client) = try bed.join(kinds[number % kinds.count])
            switch number % 3 {
            // At its first picture, before it, in the middle of it.
            case 0: while try client.hear(milliseconds: 5000) == nil {}
            case 1: bed.gate.end(id)
            default: bed.screen.fill(PixelRect(x: 0, y: 0, width: 300, height: 200), UInt32(number))
            }
        }
        func settle() throws {
            try awaitTrue(seconds: 20) { bed.attendants.count == 0 && bed.screen.sources == 0 }
            // The hook of the end is called on the thread before it ends.
            var last = -1
            try awaitTrue(seconds: 20) {
                defer { last = Holdings.threads }
                _ = poll(nil, 0, 20)
                return last == Holdings.threads
            }
        }
        for number in 0..<100 { try join(number) }
        try settle()
        let (descriptors, threads, memory) = (Holdings.descriptors, Holdings.threads, Holdings.privateBytes)
        for number in 0..<500 { try join(number) }
        try settle()
        #expect(Holdings.descriptors <= descriptors)
        #expect(Holdings.threads <= threads)
        #expect(Holdings.privateBytes - memory < 6 << 20, "private memory grew by \(Holdings.privateBytes - memory)")
        #expect(ScreenPool.shared.available == ScreenPool.most)
        try bed.stop()
    }

    @Test func whenTheGateClosesItsEndTheThreadEnds() throws {
        let bed = try ViewBed()
        // While it encodes, while it waits, while nothing is drawn at all.
        for number in 0..<30 {
            let (id, client) = try bed.join([number % 2 == 0 ? RFBClient.zrle : RFBClient.tight])
            if number % 3 != 0 { _ = try client.hear(milliseconds: 5000) }
            if number % 3 == 1 { AttendantTests.drawAll(bed.screen, seed: UInt32(number)) }
            bed.gate.end(id)
            try awaitTrue(seconds: 5) { bed.attendants.count == 0 }
        }
        #expect(bed.endings.all.count == 30)
        #expect(bed.endings.all.allSatisfy { $0 == .gateClosed })
        try bed.stop()
    }

    @Test func moreThanCanWatchAreRefusedInWords() throws {
        let bed = try ViewBed(size: PixelSize(width: 64, height: 64))
        var ends: [Int32] = []
        for _ in 0..<ScreenPool.most { ends.append(try bed.gate.admit(bed.attendants).viewer) }
        let error = #expect(throws: AdmissionError.self) { try bed.attendants.admit() }
        #expect(error?.code == .full)
        #expect(error?.description.contains("\(ScreenPool.most)") == true)
        for end in ends { close(end) }
        try awaitTrue(seconds: 20) { bed.attendants.count == 0 }
        let (_, client) = try bed.join()
        _ = try client.hear(milliseconds: 5000)
        #expect(bed.wrongPixels(client) == 0)
        try bed.stop()
    }
}
