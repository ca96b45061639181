import Glibc
import Loop
import RFBClient
import Screen
import Synchronization
import Testing

@testable import View

/// The proof that no pixel stays wrong: whatever happens meanwhile, once a viewer shows the mark that was drawn last and hears no more, it
/// shows the masked screen exactly, every pixel of it. (The mark itself is small, and comes before what is large.)
@Suite(.serialized) struct StormTests {
    /// The mark: nothing else ever draws here.
    static let mark = PixelRect(x: 0, y: 0, width: 8, height: 8)

    static let viewers: [(encodings: [Int], format: ClientFormat)] = [
        ([RFBClient.raw, RFBClient.desktopSize], .rgb888),
        ([RFBClient.hextile, RFBClient.copyRect, RFBClient.desktopSize], .rgb565),
        ([RFBClient.zlib, RFBClient.copyRect, RFBClient.desktopSize], .bgr888),
        ([RFBClient.tight, RFBClient.copyRect, RFBClient.lastRect, RFBClient.desktopSize], .rgb888),
        ([RFBClient.zrle, RFBClient.copyRect, RFBClient.desktopSize, RFBClient.cursor], .rgb888),
        ([RFBClient.tight, RFBClient.desktopSize], .rgb565Big),
        ([RFBClient.zrle, RFBClient.desktopSize, RFBClient.copyRect], .bgr233),
        ([RFBClient.tight, RFBClient.copyRect, RFBClient.desktopSize, RFBClient.cursor], .rgbx888Big),
        // With JPEG: exact once it rests.
        ([RFBClient.tight, RFBClient.copyRect, RFBClient.desktopSize, RFBClient.lastRect, MendTests.quality], .rgb888),
    ]

    /// What the viewers' threads are to reach, and what they found there.
    final class Course: Sendable {
        struct State {
            /// The colour of the mark to wait for, and a number that rises; at the end nil.
            var goal: (round: Int, colour: UInt32)?
            var isOver = false
            var reached: [Int: Int] = [:]
            var wrong: [String] = []
            var rectangles: [Int: Int] = [:]
            var updates = 0
            var gone = 0
        }
        let state = Mutex(State())
        var reached: Int {
            state.withLock { state in state.reached.values.filter { $0 == state.goal?.round }.count }
        }
        func set(_ round: Int, _ colour: UInt32) { state.withLock { $0.goal = (round, colour) } }
    }

    /// A viewer's life on a thread of its own.
    static func view(_ number: Int, _ bed: ViewBed, _ course: Course) throws {
        let (encodings, format) = viewers[number % viewers.count]
        let (_, viewer) = try bed.gate.admit(bed.attendants)
        startThread(name: "viewer \(number)", stackBytes: 4 << 20) {
            var name = "viewer \(number)"
            do {
                let client = try RFBClient(owning: viewer, format: format)
                name += " \(encodings[0]) \(format)"
                try client.begin(encodings: encodings)
                var done = -1
                while !course.state.withLock({ $0.isOver }) {
                    _ = try client.hear(milliseconds: 20)
                    guard let goal = course.state.withLock({ $0.goal }), goal.round != done else { continue }
                    guard client.picture.width > 0, client.picture[0, 0] == format.pixel(of: goal.colour),
                        client.picture.width == bed.screen.size.width, client.picture.height == bed.screen.size.height
                    else { continue }
                    let rest = encodings.contains(MendTests.quality) ? 2 * Int(LossMap.rest) + 400 : 400
                    let deadline = Boottime.milliseconds() + 20_000
                    var wrong = bed.wrongNow(client)
                    while wrong != 0, Boottime.milliseconds() < deadline, try client.hear(milliseconds: rest) != nil {
                        wrong = bed.wrongNow(client)
                    }
                    done = goal.round
                    course.state.withLock { state in
                        state.reached[number] = goal.round
                        if wrong != 0 { state.wrong.append("\(name): \(wrong) pixels in round \(goal.round)") }
                    }
                }
                course.state.withLock { state in
                    state.rectangles.merge(client.rectangles) { $0 + $1 }
                    state.updates += client.updates
                }
            } catch {
                course.state.withLock { state in
                    if !state.isOver { state.wrong.append("\(name): \(error)") }
                }
            }
            course.state.withLock { $0.gone += 1 }
        }
    }

    static func act(_ screen: ScriptedScreen, _ random: inout some RandomNumberGenerator) {
        let size = screen.size
        // Below and right of the mark.
        func rect(most: Int) -> PixelRect {
            PixelRect(
                x: Int.random(in: 0..<size.width, using: &random), y: Int.random(in: 8..<size.height, using: &random),
                width: Int.random(in: 1...most, using: &random), height: Int.random(in: 1...most, using: &random))
        }
        let colour = UInt32.random(in: 0...0xff_ffff, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: screen.fill(rect(most: 200), colour)
        case 2: for _ in 0..<20 { screen.fill(rect(most: 6), colour) }
        case 3:
            var seed = colour
            screen.draw(rect(most: 90)) { _, _ in
                seed = seed &* 1_664_525 &+ 1_013_904_223
                return seed >> 8
            }
        case 4: screen.draw(rect(most: 150)) { x, y in (x ^ y) & 8 == 0 ? colour : ~colour }
        case 5: screen.draw(rect(most: 150)) { x, y in UInt32(x & 255) << 8 | UInt32(y & 255) }
        case 6:
            let side = Int.random(in: 1...40, using: &random)
            screen.point(
                CursorShape(
                    size: PixelSize(width: side, height: side), hotX: side / 2, hotY: 0,
                    pixels: (0..<side * side * 4).map { UInt8(truncatingIfNeeded: $0) }))
        default:
            // Up, down and aside; what would lie on the mark moves down instead.
            let from = rect(most: 220)
            let dy = Int.random(in: -30...30, using: &random)
            screen.scroll(from, dx: Int.random(in: -9...9, using: &random), dy: from.y + dy < 8 ? abs(dy) : dy)
        }
    }

    @Test func noPixelIsWrongInAStormOfChangesScrollsMasksSizesAndJoins() throws {
        let bed = try ViewBed()
        let course = Course()
        var random = SystemRandomNumberGenerator()
        var number = 0
        for _ in Self.viewers {
            try Self.view(number, bed, course)
            number += 1
        }
        // Never black, which a viewer shows at first and after each change of size.
        let colours: [UInt32] = [0xff_ffff, 0xff_0000, 0x00_ff00, 0x00_00ff]
        var round = 0
        var colour: UInt32 = 0
        func quiesce(_ what: String) throws {
            round += 1
            colour = colours[round % colours.count]
            bed.screen.fill(Self.mark, colour)
            course.set(round, colour)
            try awaitTrue(seconds: 60, what) {
                course.reached == number || course.state.withLock { !$0.wrong.isEmpty }
            }
        }
        try quiesce("the beginning")
        let end = Boottime.milliseconds() + 8000
        // On a slow machine at least as many rounds as bring a change of size and two joins.
        while Boottime.milliseconds() < end || round < 5, course.state.withLock({ $0.wrong.isEmpty }) {
            for step in 0..<150 {
                Self.act(bed.screen, &random)
                // Bursts, and at times a breath in which viewers draw level.
                if step % 10 == 0 { _ = poll(nil, 0, Int32.random(in: 0...4)) }
                if step % 30 == 7 {
                    // Below the mark: areas come, go and lie on each other.
                    let areas = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                        Mask.Area(
                            PixelRect(
                                x: Int.random(in: 0...250, using: &random), y: Int.random(in: 8...200, using: &random),
                                width: Int.random(in: 1...90, using: &random),
                                height: Int.random(in: 1...90, using: &random)))
                    }
                    bed.capture.setMask(Mask(areas: areas))
                }
                if step == 60, round % 3 == 0 {
                    let size = PixelSize(width: Int.random(in: 120...420), height: Int.random(in: 100...340))
                    bed.screen.resize(size)
                    // The mark stays as it was, or viewers would believe that they had arrived.
                    bed.screen.fill(Self.mark, colour)
                }
                if step == 100, round % 2 == 0, number < 24 {
                    try Self.view(number, bed, course)
                    number += 1
                }
            }
            try quiesce("round \(round + 1)")
        }
        course.state.withLock { $0.isOver = true }
        try awaitTrue(seconds: 20) { course.state.withLock { $0.gone } == number }
        let found = course.state.withLock { $0 }
        #expect(found.wrong == [])
        #expect(round >= 5 && found.updates > 40)
        // Not won by default: every way of sending was used.
        for encoding in [
            RFBClient.raw, RFBClient.copyRect, RFBClient.hextile, RFBClient.zlib, RFBClient.tight, RFBClient.zrle,
            RFBClient.desktopSize, RFBClient.cursor,
        ] {
            #expect(found.rectangles[encoding, default: 0] > 0, "encoding \(encoding) was never used")
        }
        #expect(bed.gate.mostUnsent <= bed.gate.bound)
        try bed.stop()
    }

    @Test func nothingOfASecretIsEverSeenOnceItsMaskIsOn() throws {
        let bed = try ViewBed()
        let secret: UInt32 = 0xc0_ffee
        let area = PixelRect(x: 100, y: 80, width: 120, height: 60)
        let masks: [Mask] = [
            .everything, Mask(areas: [.init(area)]),
            Mask(areas: [.init(area), .init(PixelRect(x: 0, y: 0, width: 90, height: 90))]),
        ]
        let (course, seen) = (Course(), Counter())
        let kinds: [[Int]] = [
            [RFBClient.raw], [RFBClient.tight, RFBClient.copyRect], [RFBClient.zrle, RFBClient.copyRect],
            [RFBClient.hextile],
        ]
        for (number, encodings) in kinds.enumerated() {
            let (_, viewer) = try bed.gate.admit(bed.attendants)
            startThread(name: "viewer \(number)", stackBytes: 4 << 20) {
                do {
                    let client = try RFBClient(owning: viewer, format: .rgb888)
                    try client.begin(encodings: encodings)
                    while !course.state.withLock({ $0.isOver }) {
                        guard case .update? = try client.hear(milliseconds: 20) else { continue }
                        // Whatever else is right or wrong: not this colour, anywhere.
                        if client.picture.pixels.contains(secret) { seen.add() }
                        course.state.withLock { $0.updates += 1 }
                    }
                } catch {
                    course.state.withLock { state in if !state.isOver { state.wrong.append("\(error)") } }
                }
                course.state.withLock { $0.gone += 1 }
            }
        }
        var random = SystemRandomNumberGenerator()
        let end = Boottime.milliseconds() + 4000
        var rounds = 0
        while Boottime.milliseconds() < end || rounds < 12 {
            rounds += 1
            // The moment that counts: the mask is on, and the very next thing on the screen is the secret.
            bed.capture.setMask(masks[rounds % masks.count])
            bed.screen.draw(area) { x, y in (x + y) % 3 == 0 ? 0xff_ffff : secret }
            for _ in 0..<6 {
                let other = PixelRect(x: 5, y: 150, width: Int.random(in: 1...200, using: &random), height: 60)
                bed.screen.fill(other, UInt32.random(in: 0...0xff, using: &random))
                // Moves into the masked area are not moves for viewers.
                bed.screen.scroll(
                    PixelRect(x: 0, y: 145, width: 320, height: 90), dx: 3, dy: Int.random(in: -20...4, using: &random))
                bed.screen.draw(area) { x, y in (x + y) % 2 == 0 ? 0x11_2233 : secret }
                if rounds % 4 == 0 { _ = poll(nil, 0, 3) }
            }
            // Gone from the screen before the mask is.
            bed.screen.fill(area, 0x40_4040)
            try awaitTrue(seconds: 10) { bed.screen.isSettled }
            bed.capture.setMask(.nothing)
            if rounds % 5 == 0 { _ = poll(nil, 0, 4) }
        }
        course.state.withLock { $0.isOver = true }
        try awaitTrue(seconds: 20) { course.state.withLock { $0.gone } == kinds.count }
        #expect(seen.value == 0)
        let found = course.state.withLock { $0 }
        #expect(found.wrong == [])
        #expect(found.updates > 20 && rounds > 10)
        try bed.stop()
    }
}
