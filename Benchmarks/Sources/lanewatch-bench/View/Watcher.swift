import Glibc
import Loop
import RFBClient
import ScreenBed
import Synchronization

/// What a viewer asks for.
enum ViewKind: String, CaseIterable {
    case tight = "Tight q6"
    case exact = "Tight"
    case zrle = "ZRLE"
    case raw = "Raw"

    /// As viewers of today ask: moves, the last rectangle unannounced, and changes without asking where the server knows how.
    var encodings: [Int] {
        let usual = [RFBClient.copyRect, RFBClient.lastRect]
        switch self {
        case .tight: return [RFBClient.tight, -26, -255] + usual
        case .exact: return [RFBClient.tight, -255] + usual
        case .zrle: return [RFBClient.zrle] + usual
        case .raw: return [RFBClient.raw] + usual
        }
    }
}

struct ViewFault: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A viewer that decodes what comes, so that what is timed is what somebody would see.
final class Watcher {
    let client: RFBClient

    init(_ server: ViewServer, _ kind: ViewKind) throws {
        guard let raw = Loopback.viewer(server.port) else { throw ViewFault("\(server.kind.rawValue) lets nobody in") }
        client = try RFBClient(owning: raw, format: .rgb888)
        client.patienceMilliseconds = 5000
        try client.begin(encodings: kind.encodings)
    }

    /// Hears until nothing has come for so long.
    func settle(quiet: Int = 250, most: Int64 = 4000) throws {
        let end = Boottime.milliseconds() + most
        while Boottime.milliseconds() < end, try client.hear(milliseconds: quiet) != nil {}
    }

    /// Hears until the pixel has about that colour; the nanoseconds of CLOCK_BOOTTIME at which it had.
    func hear(_ colour: UInt32, x: Int, y: Int, milliseconds: Int64 = 3000) throws -> Int64 {
        try hear(milliseconds: milliseconds) { Self.isNear($0[x, y], colour) }
    }

    func hear(milliseconds: Int64, until isDone: (Picture) -> Bool) throws -> Int64 {
        let end = Boottime.milliseconds() + milliseconds
        while !isDone(client.picture) {
            guard Boottime.milliseconds() < end else { throw ViewFault("a change never came") }
            _ = try client.hear(milliseconds: 100)
        }
        return Boottime.nanoseconds()
    }

    /// What JPEG leaves of a colour; those that are told apart differ by much more.
    static func isNear(_ pixel: UInt32, _ colour: UInt32) -> Bool {
        for shift in [UInt32(0), 8, 16] where abs(Int(pixel >> shift & 255) - Int(colour >> shift & 255)) > 40 {
            return false
        }
        return true
    }
}

/// Others who watch the same screen, each on a thread of its own, until they are told to stop.
final class Others {
    private final class Shared: Sendable {
        let isOver = Atomic<Bool>(false)
        let left = Atomic<Int>(0)
    }
    private let shared = Shared()

    init(_ server: ViewServer, _ kinds: [ViewKind]) throws {
        for kind in kinds {
            guard let raw = Loopback.viewer(server.port) else {
                throw ViewFault("\(server.kind.rawValue) lets no other in")
            }
            let encodings = kind.encodings
            shared.left.add(1, ordering: .sequentiallyConsistent)
            startThread(name: "other") { [shared] in
                defer { shared.left.subtract(1, ordering: .sequentiallyConsistent) }
                guard let client = try? RFBClient(owning: raw, format: .rgb888) else { return }
                do {
                    try client.begin(encodings: encodings)
                    while !shared.isOver.load(ordering: .relaxed) { _ = try client.hear(milliseconds: 50) }
                } catch { return }
            }
        }
    }

    func stop() {
        shared.isOver.store(true, ordering: .relaxed)
        let end = Boottime.milliseconds() + 10_000
        while shared.left.load(ordering: .sequentiallyConsistent) > 0, Boottime.milliseconds() < end { usleep(5000) }
    }

    deinit { stop() }
}

/// A video of 640x360 at 25 pictures a second, drawn by a thread with an X connection of its own.
final class Video {
    static let x = 40, y = 40, width = 640, height = 360
    static let colours: [UInt32] = [0xf0f0f0, 0x101010, 0xe01010, 0x10c010, 0x1010e0, 0xd0d010]

    /// A moving picture with fine and coarse parts: nothing that one colour or a palette could tell. At its left edge a strip of one
    /// colour, which says which picture it is.
    static let pictures: [[UInt32]] = (0..<24).map { frame in
        var pixels = [UInt32](repeating: 0, count: width * height)
        var lot = UInt32(frame) &* 2_654_435_761
        for y in 0..<height {
            for x in 0..<width {
                lot = lot &* 1_664_525 &+ 1_013_904_223
                let wave = UInt32((x * 3 + frame * 8) / 4 & 255)
                let other = UInt32((y * 2 + frame * 5) / 3 & 255)
                pixels[y * width + x] =
                    x < 16
                    ? colours[frame % colours.count]
                    : (wave ^ (lot >> 29)) << 16 | (other ^ (lot >> 28 & 7)) << 8 | ((wave + other) / 2 & 255)
            }
        }
        return pixels
    }

    /// Whether all of a picture is shown.
    static func isShown(_ frame: Int, in picture: Picture) -> Bool {
        stride(from: y + 8, to: y + height, by: 15).allSatisfy {
            Watcher.isNear(picture[x + 8, $0], colours[frame % colours.count])
        }
    }

    private final class Shared: Sendable {
        let isOver = Atomic<Bool>(false)
        let isGone = Atomic<Bool>(false)
    }
    private let shared = Shared()

    init(_ server: ViewServer) {
        let display = server.display
        startThread(name: "video") { [shared] in
            defer { shared.isGone.store(true, ordering: .sequentiallyConsistent) }
            guard let painter = XPainter(display) else { return }
            var frame = 0
            while !shared.isOver.load(ordering: .relaxed) {
                painter.put(Self.pictures[frame % Self.pictures.count], x: Self.x, y: Self.y, width: Self.width)
                painter.flush()
                frame += 1
                usleep(40_000)
            }
        }
    }

    func stop() {
        shared.isOver.store(true, ordering: .relaxed)
        let end = Boottime.milliseconds() + 2000
        while !shared.isGone.load(ordering: .sequentiallyConsistent), Boottime.milliseconds() < end { usleep(2000) }
    }

    deinit { stop() }
}

/// That a thread is to end, and that it has.
final class Flags: Sendable {
    private let over = Atomic<Bool>(false)
    private let gone = Atomic<Bool>(false)

    var isOver: Bool { over.load(ordering: .sequentiallyConsistent) }
    var isGone: Bool { gone.load(ordering: .sequentiallyConsistent) }
    func end() { over.store(true, ordering: .sequentiallyConsistent) }
    func leave() { gone.store(true, ordering: .sequentiallyConsistent) }
}
