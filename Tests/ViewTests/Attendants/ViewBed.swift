import CLinux
import Glibc
import Loop
import RFBClient
import Screen
import Synchronization
import Testing

@testable import View

/// A lane's screen that tests draw on, its capture, attendants and a stand-in for the gate.
final class ViewBed: Sendable {
    let screen: ScriptedScreen
    let capture: Capture
    let attendants: Attendants
    let gate: StandInGate
    let inputs = Collected<InputEvent>()
    let endings = Collected<AttendantEnding>()

    init(size: PixelSize = PixelSize(width: 320, height: 240), mask: Mask = .nothing, isStrict: Bool = false) throws {
        let screen = try ScriptedScreen(size: size)
        self.screen = screen
        capture = try Capture(mask: mask) { () throws(ScreenError) in try screen.makeSource() }
        var hooks = Attendants.Hooks()
        hooks.input = { [inputs] _, event in inputs.add(event) }
        hooks.ended = { [endings] _, ending, _ in endings.add(ending) }
        attendants = Attendants(capture: capture, label: "lane 7", hooks: hooks)
        // A picture as it is, what is in two socket buffers, and some.
        gate = try StandInGate(bound: 640 * 480 * 4 + (1 << 20), isStrict: isStrict)
    }

    /// A viewer that has said hello and asked for everything.
    func join(
        _ encodings: [Int] = [RFBClient.raw], format: ClientFormat = .rgb888, controls: Bool = false
    ) throws -> (id: AttendantID, client: RFBClient) {
        let (id, viewer) = try gate.admit(attendants, controls: controls)
        let client = try RFBClient(owning: viewer, format: format)
        try client.begin(encodings: encodings)
        return (id, client)
    }

    /// What of the masked screen `client` shows otherwise than it is, once it hears no more: of a large change the rest comes later. The
    /// screen must be still.
    func wrongPixels(_ client: RFBClient) -> Int {
        let deadline = Boottime.milliseconds() + 10_000
        while true {
            let wrong = wrongNow(client)
            guard wrong != 0, Boottime.milliseconds() < deadline else { return wrong }
            guard let event = try? client.hear(milliseconds: 400) else { return wrong }
            _ = event
        }
    }

    /// The same at this moment.
    func wrongNow(_ client: RFBClient) -> Int { Self.wrongPixels(client, capture) }

    static func wrongPixels(_ client: RFBClient, _ capture: Capture) -> Int {
        guard let frame = capture.frame else { return -1 }
        guard client.picture.width == frame.size.width, client.picture.height == frame.size.height else { return -2 }
        let plain = pixels(of: frame)
        if client.format == .rgb888, plain == client.picture.pixels { return 0 }
        let expected = plain.map { client.format.pixel(of: $0) }
        return zip(expected, client.picture.pixels).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
    }

    /// A frame's pixels as 0xRRGGBB.
    static func pixels(of frame: MaskedFrame) -> [UInt32] {
        var pixels = [UInt32](repeating: 0, count: frame.size.width * frame.size.height)
        pixels.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { frame.copy([frame.size.bounds], to: base) }
        }
        return pixels.map { UInt32(littleEndian: $0) & 0xff_ffff }
    }

    /// Hears until `client` shows `colour` at (`x`, `y`), and so all that was drawn before it, but for the rest of a large change.
    func hear(_ client: RFBClient, until colour: UInt32, x: Int = 0, y: Int = 0, milliseconds: Int64 = 10_000) throws {
        let deadline = Boottime.milliseconds() + milliseconds
        while client.picture.width <= x || client.picture.height <= y
            || client.picture[x, y] != client.format.pixel(of: colour)
        {
            try #require(Boottime.milliseconds() < deadline, "it never showed \(colour)")
            _ = try client.hear(milliseconds: 200)
        }
    }

    /// Ends everything and waits for it.
    func stop() throws {
        attendants.stop()
        gate.stop()
        try awaitTrue(seconds: 10) { self.attendants.count == 0 && self.gate.isGone }
        capture.stop()
        try awaitTrue(seconds: 10) { self.screen.sources == 0 }
    }
}

/// Waits until `condition` holds: what has no descriptor to wait for.
func awaitTrue(seconds: Int64, _ what: String = "", _ condition: () -> Bool) throws {
    let deadline = Boottime.milliseconds() + seconds * 1000
    while !condition() {
        try #require(Boottime.milliseconds() < deadline, "it did not come: \(what)")
        _ = poll(nil, 0, 1)
    }
}

final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func add(_ more: Int = 1) { count.add(more, ordering: .sequentiallyConsistent) }
    var value: Int { count.load(ordering: .sequentiallyConsistent) }
}

final class Collected<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    func add(_ value: Value) { values.withLock { $0.append(value) } }
    var all: [Value] { values.withLock { $0 } }
}

/// What this process holds of the system.
enum Holdings {
    static func entries(_ path: String) -> Int {
        guard let folder = opendir(path) else { return -1 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return count
    }
    static var descriptors: Int { entries("/proc/self/fd") }
    static var threads: Int { entries("/proc/self/task") }
    /// Memory that is this process's alone, in bytes. Source: proc(5), statm.
    static var privateBytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return -1 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return -1 }
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(separator: " ").compactMap { Int($0) }
        guard fields.count > 2 else { return -1 }
        return (fields[1] - fields[2]) * Int(getpagesize())
    }
}
