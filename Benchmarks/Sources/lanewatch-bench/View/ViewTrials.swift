import Glibc
import Loop
import RFBClient
import ScreenBed

/// What is measured of one server, one trial a function: each begins with a settled screen and leaves one.
struct ViewTrials {
    let server: ViewServer
    /// How much of everything: 1 is a full run.
    let share: Double
    private var painter: XPainter { server.painter }

    init(_ server: ViewServer, share: Double) {
        (self.server, self.share) = (server, share)
        painter.fill(x: 0, y: 0, width: ViewServer.width, height: ViewServer.height, 0x20_3040)
        painter.synchronise()
    }

    private func times(_ count: Int) -> Int { max(3, Int(Double(count) * share)) }

    /// A breath of no fixed length, so that nothing meets a clock of the server's always at the same moment.
    private func pause(_ milliseconds: ClosedRange<UInt32> = 8...40) {
        usleep(UInt32.random(in: milliseconds.lowerBound * 1000...milliseconds.upperBound * 1000))
    }

    private func milliseconds(since start: Int64, _ end: Int64) -> Double { Double(end - start) / 1e6 }

    // MARK: Taps

    private func tapOnce(_ watcher: Watcher, _ number: Int) throws -> Double {
        let colour: UInt32 = number % 2 == 0 ? 0xf0_f0f0 : 0x10_6010
        painter.fill(x: 900, y: 700, width: 48, height: 48, colour)
        let start = Boottime.nanoseconds()
        painter.flush()
        return milliseconds(since: start, try watcher.hear(colour, x: 920, y: 720))
    }

    /// From drawing 48x48 pixels to having decoded them.
    func tap(_ kind: ViewKind) throws -> Samples {
        let watcher = try Watcher(server, kind)
        try watcher.settle()
        var samples = Samples()
        for number in 0..<times(60) {
            let taken = try tapOnce(watcher, number)
            // The first is what a server says that has gone to rest.
            if number > 2 { samples.add(taken) }
            pause()
            while try watcher.client.hear(milliseconds: 0) != nil {}
        }
        return samples
    }

    /// Somebody who has seen a few taps, and to whom nothing happens from now on.
    func resting() throws -> Watcher {
        let watcher = try Watcher(server, .exact)
        try watcher.settle()
        for number in 0..<3 { _ = try tapOnce(watcher, number) }
        try watcher.settle()
        return watcher
    }

    /// The first tap that somebody sees who has been `resting`.
    func firstTap(_ watcher: Watcher) throws -> Double {
        while try watcher.client.hear(milliseconds: 0) != nil {}
        return try tapOnce(watcher, 3)
    }

    /// The same while a video plays, with others watching it or without.
    func tapBesideVideo(_ kind: ViewKind) throws -> Samples {
        let watcher = try Watcher(server, kind)
        try watcher.settle()
        let video = Video(server)
        defer { video.stop() }
        var samples = Samples()
        for number in 0..<times(60) {
            let taken = try tapOnce(watcher, number)
            if number > 2 { samples.add(taken) }
            let end = Boottime.milliseconds() + Int64.random(in: 10...40)
            while Boottime.milliseconds() < end { _ = try watcher.client.hear(milliseconds: 2) }
        }
        return samples
    }

    /// From the viewer's press to what a program draws for it.
    func click() throws -> Samples {
        let watcher = try Watcher(server, .exact)
        try watcher.settle()
        guard let till = XPainter(server.display) else { throw ViewFault("no second X connection") }
        till.listenForPresses()
        let answers = Answers(till)
        defer { answers.stop() }
        var samples = Samples()
        for number in 0..<times(40) {
            let start = Boottime.nanoseconds()
            try watcher.client.point(x: 300, y: 600, buttons: 1)
            let end = try watcher.hear(Answers.colour(number), x: 330, y: 830)
            try watcher.client.point(x: 300, y: 600, buttons: 0)
            if number > 2 { samples.add(milliseconds(since: start, end)) }
            pause()
            while try watcher.client.hear(milliseconds: 0) != nil {}
        }
        return samples
    }

    // MARK: Work

    struct Course {
        var samples = Samples()
        var kilobytes = 0.0
        var cpu = 0.0
    }

    /// One row of a basket and its total, five times a second.
    func scan() throws -> Course {
        let watcher = try Watcher(server, .tight)
        try watcher.settle()
        let (bytes, cpu, begin) = (watcher.client.bytesReceived, server.cpu, Boottime.nanoseconds())
        var course = Course()
        for number in 0..<times(30) {
            let start = Boottime.nanoseconds()
            painter.put(Self.text(420, 26, number), x: 60, y: 460 + number % 12 * 26, width: 420)
            painter.put(Self.text(220, 40, number + 7), x: 700, y: 900, width: 220)
            let colour = Video.colours[number % Video.colours.count]
            painter.fill(x: 920, y: 900, width: 24, height: 40, colour)
            painter.flush()
            course.samples.add(milliseconds(since: start, try watcher.hear(colour, x: 930, y: 920)))
            let end = start / 1_000_000 + 200
            while Boottime.nanoseconds() / 1_000_000 < end { _ = try watcher.client.hear(milliseconds: 10) }
        }
        let seconds = Double(Boottime.nanoseconds() - begin) / 1e9
        course.kilobytes = Double(watcher.client.bytesReceived - bytes) / 1000 / seconds
        course.cpu = (server.cpu - cpu) / seconds
        return course
    }

    /// A list of 600x800 that moves up by a row, ten times a second.
    func scroll() throws -> Course {
        let watcher = try Watcher(server, .tight)
        for row in 0..<30 { painter.put(Self.text(600, 26, row), x: 640, y: 40 + row * 26, width: 600) }
        painter.synchronise()
        try watcher.settle()
        let (cpu, begin) = (server.cpu, Boottime.nanoseconds())
        var course = Course()
        for number in 0..<times(30) {
            let start = Boottime.nanoseconds()
            painter.copy(x: 640, y: 66, width: 600, height: 754, toX: 640, toY: 40)
            painter.put(Self.text(584, 26, number + 99), x: 656, y: 794, width: 584)
            let colour = Video.colours[number % Video.colours.count]
            painter.fill(x: 640, y: 794, width: 16, height: 26, colour)
            painter.flush()
            // The row above shows the colour before: it has moved.
            let above = number > 0 ? Video.colours[(number - 1) % Video.colours.count] : nil
            let end = try watcher.hear(milliseconds: 3000) { picture in
                Watcher.isNear(picture[648, 806], colour)
                    && (above.map { Watcher.isNear(picture[648, 780], $0) } ?? true)
            }
            if number > 0 { course.samples.add(milliseconds(since: start, end)) }
            while Boottime.nanoseconds() < start + 100_000_000 { _ = try watcher.client.hear(milliseconds: 5) }
        }
        course.cpu = (server.cpu - cpu) / (Double(Boottime.nanoseconds() - begin) / 1e9)
        return course
    }

    /// A video's pictures, from drawing to having all of one decoded; so many watch.
    func video(_ kind: ViewKind, watchers: Int = 1) throws -> Course {
        let watcher = try Watcher(server, kind)
        let others = try Others(server, Array(repeating: kind, count: watchers - 1))
        defer { others.stop() }
        try watcher.settle()
        let (cpu, begin) = (server.ownCPU, Boottime.nanoseconds())
        var course = Course()
        for frame in 0..<times(60) {
            let start = Boottime.nanoseconds()
            painter.put(Video.pictures[frame % Video.pictures.count], x: Video.x, y: Video.y, width: Video.width)
            painter.flush()
            let end = try watcher.hear(milliseconds: 3000) { Video.isShown(frame % Video.pictures.count, in: $0) }
            if frame > 2 { course.samples.add(milliseconds(since: start, end)) }
            while Boottime.nanoseconds() < start + 40_000_000 { _ = try watcher.client.hear(milliseconds: 2) }
        }
        course.cpu = (server.ownCPU - cpu) / (Double(Boottime.nanoseconds() - begin) / 1e9)
        return course
    }

    // MARK: Rest

    struct Rest {
        var wakeUps = 0.0
        /// Per cent of one core.
        var cpu = 0.0
        var screenCPU = 0.0
    }

    /// A still screen, watched by one or by nobody.
    func rest(watched: Bool) throws -> Rest {
        let watcher = watched ? try Watcher(server, .tight) : nil
        try watcher?.settle()
        usleep(watched ? 300_000 : 1_000_000)
        let (sleeps, cpu, screen, begin) = (server.sleeps, server.ownCPU, server.screenCPU, Boottime.nanoseconds())
        usleep(UInt32(5_000_000 * max(0.2, share)))
        let seconds = Double(Boottime.nanoseconds() - begin) / 1e9
        return Rest(
            wakeUps: Double(server.sleeps - sleeps) / seconds, cpu: (server.ownCPU - cpu) / seconds * 100,
            screenCPU: (server.screenCPU - screen) / seconds * 100)
    }

    /// From connecting to the whole picture of now, decoded; and how often the first one was of then.
    func join(_ kind: ViewKind) throws -> (samples: Samples, stale: Int) {
        var (samples, stale) = (Samples(), 0)
        let pixels = Self.text(ViewServer.width, 500, 3)
        painter.put(pixels, x: 0, y: 300, width: ViewServer.width)
        painter.synchronise()
        for number in 0..<times(8) {
            // Nobody has watched for a while; then the screen changes, and somebody comes.
            usleep(300_000)
            let colour = Video.colours[number % Video.colours.count]
            painter.fill(x: 0, y: 0, width: ViewServer.width, height: 200, colour)
            painter.synchronise()
            let start = Boottime.nanoseconds()
            let watcher = try Watcher(server, kind)
            while watcher.client.updates == 0 { _ = try watcher.client.hear(milliseconds: 3000) }
            if !Watcher.isNear(watcher.client.picture[640, 100], colour) { stale += 1 }
            samples.add(milliseconds(since: start, try watcher.hear(colour, x: 640, y: 100)))
        }
        return (samples, stale)
    }

    /// With four who watch, each in another encoding, after some video.
    func memory() throws -> Double {
        let others = try Others(server, [.tight, .zrle, .raw, .exact])
        defer { others.stop() }
        let video = Video(server)
        usleep(UInt32(2_000_000 * max(0.3, share)))
        video.stop()
        usleep(700_000)
        return server.proportionalMegabytes
    }

    /// Something like a row of letters: dark strokes with soft edges on a light ground.
    static func text(_ width: Int, _ height: Int, _ seed: Int) -> [UInt32] {
        var pixels = [UInt32](repeating: 0xf4_f4f0, count: width * height)
        for y in 0..<height where y % 26 > 5 && y % 26 < 20 {
            for x in 0..<width {
                let letter = (x / 9 &* 2_654_435_761 &+ seed &* 40_503 &+ y / 26 &* 977) & 0xffff
                let bit = letter >> ((x % 9) + (y % 26 - 6) / 3 * 2) & 3
                if x % 9 < 7, bit > 0 { pixels[y * width + x] = [0xf4_f4f0, 0xa0_a09c, 0x60_605c, 0x20_201c][bit] }
            }
        }
        return pixels
    }
}

/// A program that draws where it was pressed.
private final class Answers {
    static func colour(_ number: Int) -> UInt32 { number % 2 == 0 ? 0xf0_c020 : 0x20_40e0 }

    private let flags = Flags()

    /// Handed to the thread whole.
    private struct Handed: @unchecked Sendable { let painter: XPainter }

    init(_ painter: XPainter) {
        let handed = Handed(painter: painter)
        startThread(name: "answers") { [flags] in
            var number = 0
            while !flags.isOver {
                guard handed.painter.hearPress(milliseconds: 50) else { continue }
                handed.painter.fill(x: 300, y: 800, width: 64, height: 64, Self.colour(number))
                handed.painter.flush()
                number += 1
            }
            flags.leave()
        }
    }

    func stop() {
        flags.end()
        let end = Boottime.milliseconds() + 2000
        while !flags.isGone, Boottime.milliseconds() < end { usleep(2000) }
    }
}
