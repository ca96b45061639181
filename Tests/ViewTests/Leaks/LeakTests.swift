import Foundation
import Glibc
import Loop
import RFBClient
import Screen
import Testing

@testable import View

/// A secret on the screen that the lane's state hides: no pixel of it is ever decoded, by any viewer, at any moment.
///
/// LANEWATCH_LEAK_CASES says how many random cases (600; `make test-leaks CASES=10000`), LANEWATCH_LEAK_SEED which.
@Suite(.serialized) struct LeakTests {
    static func number(_ name: String, _ usual: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
    }

    /// One case: the lane comes into a state that hides the secret, which is drawn at once; then anything else happens, also other
    /// states that hide it; it goes from the screen, and then its mask goes.
    static func run(_ leak: LeakBed, _ lot: inout SplitMix, isMasked: Bool) throws {
        let screen = leak.bed.screen
        func hide() {
            let value = LeakBed.hiding[Int.random(in: 0..<LeakBed.hiding.count, using: &lot)]
            let states: [String: String?]? = value == nil && Bool.random(using: &lot) ? nil : ["basket": value]
            leak.bed.capture.setMask(isMasked ? LeakBed.plan.mask(states) : .nothing)
        }
        // Some other thing is going on when the state changes.
        if Bool.random(using: &lot) { act(screen, &lot) }
        let wasSeenBefore = isMasked && Int.random(in: 0..<20, using: &lot) == 0
        if wasSeenBefore {
            // Drawn before anything hides it: then it may be seen, until its mask is on.
            leak.open(true)
            drawSecret(screen, &lot)
            if Bool.random(using: &lot) { _ = poll(nil, 0, Int32.random(in: 0...4, using: &lot)) }
            hide()
            if Bool.random(using: &lot) { _ = poll(nil, 0, Int32.random(in: 0...4, using: &lot)) }
            // A state that does not hide the mark, by which it is known that what was seen before is no longer.
            leak.bed.capture.setMask(
                LeakBed.plan.mask(["basket": ["card", "points", "wide"].randomElement(using: &lot)]))
            try leak.awaitClean()
            leak.open(false)
        } else {
            hide()
        }
        drawSecret(screen, &lot)
        for _ in 0..<Int.random(in: 0...6, using: &lot) {
            switch Int.random(in: 0..<8, using: &lot) {
            case 0: hide()
            case 1, 2: drawSecret(screen, &lot)
            case 3: _ = poll(nil, 0, Int32.random(in: 0...3, using: &lot))
            default: act(screen, &lot)
            }
        }
        screen.fill(LeakBed.place, 0x20_4060)
        try awaitTrue(seconds: 20) { screen.isSettled }
        if Int.random(in: 0..<4, using: &lot) > 0 {
            leak.bed.capture.setMask(LeakBed.plan.mask(["basket": LeakBed.free]))
        }
        if Int.random(in: 0..<3, using: &lot) == 0 { _ = poll(nil, 0, Int32.random(in: 0...4, using: &lot)) }
    }

    /// All of its place, or a part; plain, striped or noise; never less than 0xe0 of red.
    private static func drawSecret(_ screen: ScriptedScreen, _ lot: inout SplitMix) {
        let place = LeakBed.place
        var part = place
        if Bool.random(using: &lot) {
            part = PixelRect(
                x: place.x + Int.random(in: 0..<place.width, using: &lot),
                y: place.y + Int.random(in: 0..<place.height, using: &lot),
                width: Int.random(in: 1...place.width, using: &lot),
                height: Int.random(in: 1...place.height, using: &lot)
            ).intersection(place)
        }
        let style = Int.random(in: 0..<3, using: &lot)
        let noise = SplitMix(seed: lot.next())
        var random = noise
        screen.draw(part) { x, y in
            switch style {
            case 0: 0xff_1020
            case 1: (x / 3 + y) % 2 == 0 ? 0xf0_0040 : 0xe0_3000
            default: 0xe0_0000 | UInt32(truncatingIfNeeded: random.next()) & 0x1f_3f3f
            }
        }
    }

    /// Something that has no red, and moves nothing of the secret out of its place.
    private static func act(_ screen: ScriptedScreen, _ lot: inout SplitMix) {
        let (size, place) = (LeakBed.size, LeakBed.place)
        let colour = UInt32(truncatingIfNeeded: lot.next()) & 0x1f_7f7f
        switch Int.random(in: 0..<7, using: &lot) {
        case 0, 1:
            // Above or below it, so that it stays.
            let isAbove = Bool.random(using: &lot)
            let y =
                isAbove
                ? Int.random(in: 8..<place.y, using: &lot) : Int.random(in: place.bottom..<size.height, using: &lot)
            let height = isAbove ? place.y - y : size.height - y
            screen.fill(
                PixelRect(x: Int.random(in: 0..<size.width, using: &lot), y: y, width: 160, height: height), colour)
        case 2:
            var random = SplitMix(seed: lot.next())
            screen.draw(PixelRect(x: place.right, y: 10, width: 48, height: 100)) { _, _ in
                UInt32(truncatingIfNeeded: random.next()) & 0x1f_7f7f
            }
        case 3:
            // From beside it over it; the secret itself stays below or is covered.
            screen.scroll(
                PixelRect(x: 0, y: 8, width: place.x, height: 110), dx: Int.random(in: 0...60, using: &lot), dy: 0)
        case 4:
            // Within its place.
            let dy = Int.random(in: -12...12, using: &lot)
            screen.scroll(
                PixelRect(x: place.x, y: place.y + max(0, -dy), width: place.width, height: place.height - abs(dy)),
                dx: 0,
                dy: dy)
        case 5:
            // Elsewhere.
            screen.scroll(
                PixelRect(x: 0, y: place.bottom + 5, width: size.width, height: 30),
                dx: Int.random(in: -9...9, using: &lot),
                dy: Int.random(in: -4...8, using: &lot))
        default:
            let side = Int.random(in: 1...20, using: &lot)
            var pixels: [UInt8] = []
            for place in 0..<side * side { pixels += [UInt8(place & 255), 200, 30, place % 3 == 0 ? 0 : 255] }
            screen.point(CursorShape(size: PixelSize(width: side, height: side), hotX: 0, hotY: 0, pixels: pixels))
        }
    }

    @Test(.timeLimit(.minutes(60))) func nothingOfASecretIsEverDecoded() throws {
        let cases = Self.number("LANEWATCH_LEAK_CASES", 600)
        let seed = Self.number("LANEWATCH_LEAK_SEED", Int(Boottime.nanoseconds() & 0xffff_ffff))
        let leak = try LeakBed()
        leak.start()
        var lot = SplitMix(seed: UInt64(seed))
        var done = 0
        while done < cases, leak.seen.isEmpty, leak.faults.isEmpty {
            try Self.run(leak, &lot, isMasked: true)
            done += 1
        }
        try leak.stop()
        #expect(leak.seen == [:], "viewers of LeakBed.kinds that saw it, in case \(done) of seed \(seed)")
        #expect(leak.faults == [], "seed \(seed)")
        #expect(leak.updates > cases, "too little was looked at")
        for encoding in [
            RFBClient.raw, RFBClient.copyRect, RFBClient.hextile, RFBClient.zlib, RFBClient.tight, RFBClient.zrle,
            RFBClient.cursor,
        ] {
            #expect(leak.rectangles[encoding, default: 0] > 0, "encoding \(encoding) was never used")
        }
        #expect(leak.jpegs > 0)
        #expect(leak.joins > LeakBed.kinds.count || cases < 300)
    }

    /// The same without masks: every viewer sees it, so the test above can fail.
    @Test func withoutItsMaskEveryViewerSeesIt() throws {
        let leak = try LeakBed()
        leak.start()
        var lot = SplitMix(seed: 1)
        let deadline = Boottime.milliseconds() + 30_000
        while leak.seen.count < LeakBed.kinds.count, Boottime.milliseconds() < deadline {
            try Self.run(leak, &lot, isMasked: false)
        }
        try leak.stop()
        #expect(leak.seen.count == LeakBed.kinds.count)
        #expect(leak.faults == [])
    }
}
