import CLinux
import Foundation
import Testing

@testable import Screen

/// A real X server without a screen, ended with this value: Xvfb, or Xorg with its dummy driver, which has outputs and modes.
final class X11Bed {
    enum Kind { case xvfb, xorg }

    struct Failed: Error, CustomStringConvertible { var description: String }

    private(set) var process = Process()
    private(set) var display = ""
    let folder: String
    private var arguments: [String]
    private let program: String

    /// `size` as in "1280x1024x24"; Xorg starts with 800x600x24. `arguments` are added to the server's own. Xvfb's picture is also
    /// in a file of `folder`.
    init(_ size: String = "640x480x24", kind: Kind = .xvfb, arguments: [String] = []) throws {
        var template = Array("/tmp/lanewatch-x11-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Failed(description: "no folder") }
        folder = String(cString: made)
        switch kind {
        case .xvfb:
            program = "/usr/bin/Xvfb"
            self.arguments = ["-screen", "0", size, "-fbdir", folder, "-noreset"] + arguments
            if !arguments.contains("-listen") { self.arguments += ["-nolisten", "tcp"] }
        case .xorg:
            program = "/usr/lib/xorg/Xorg"
            try Self.dummy.write(toFile: folder + "/xorg.conf", atomically: true, encoding: .utf8)
            self.arguments =
                ["-config", folder + "/xorg.conf", "-logfile", folder + "/log", "-novtswitch", "-sharevts"]
                + ["-nolisten", "tcp", "-noreset"] + arguments
        }
        try start()
    }

    private static let dummy = """
        Section "ServerFlags"
          Option "AutoAddDevices" "false"
          Option "AutoEnableDevices" "false"
          Option "AutoAddGPU" "false"
          Option "DontVTSwitch" "true"
        EndSection
        Section "Device"
          Identifier "dummy"
          Driver "dummy"
          VideoRam 64000
        EndSection
        Section "Monitor"
          Identifier "monitor"
          HorizSync 5.0-1000.0
          VertRefresh 5.0-200.0
        EndSection
        Section "Screen"
          Identifier "screen"
          Device "dummy"
          Monitor "monitor"
          DefaultDepth 24
          SubSection "Display"
            Depth 24
            Modes "800x600" "640x480"
            Virtual 2048 2048
          EndSubSection
        EndSection
        """

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    var screen: X11Screen { X11Screen(display: display) }

    /// Starts it, the second time under the number that it had.
    func start() throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = (display.isEmpty ? [] : [display]) + ["-displayfd", "1"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            var waiting = pollfd(fd: pipe.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20_000) == 1 else { throw Failed(description: "\(program) does not start") }
            let piece = pipe.fileHandleForReading.readData(ofLength: 1)
            guard !piece.isEmpty else { throw Failed(description: "\(program) ended at once") }
            line += String(decoding: piece, as: UTF8.self)
        }
        display = ":" + line.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Ends it hard, as a crash does.
    func stop() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGCONT)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let number = display.dropFirst()
        // Unless another server has taken the number over meanwhile.
        let lock = "/tmp/.X\(number)-lock"
        let holder = (try? String(contentsOfFile: lock, encoding: .utf8)).flatMap {
            Int32($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard holder == process.processIdentifier else { return }
        unlink("/tmp/.X11-unix/X\(number)")
        unlink(lock)
    }

    func freeze() { kill(process.processIdentifier, SIGSTOP) }
    func thaw() { kill(process.processIdentifier, SIGCONT) }

    /// Runs an X program on it, and gives what it printed.
    @discardableResult
    func run(_ program: String, _ arguments: [String]) throws -> String {
        try Self.run(program, arguments, on: display)
    }

    @discardableResult
    static func run(_ program: String, _ arguments: [String], on display: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(program)")
        process.arguments = arguments
        process.environment = ["DISPLAY": display, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(description: "\(program) \(arguments): \(text)") }
        return text
    }
}

/// What this process has mapped. Read at once, into memory that is there before: what reads piece by piece, and maps memory for it meanwhile,
/// reads of a changing list.
func ownMappings() throws -> String {
    let file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw X11Bed.Failed(description: "no /proc/self/maps") }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 8 << 20)
    var count = 0
    while count < bytes.count {
        let more = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + count }, $0.count - count) }
        guard more > 0 else { break }
        count += more
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
}

/// That two pictures are the same; without printing them where they are not.
func expectSame(_ one: [UInt32], _ other: [UInt32], _ place: SourceLocation = #_sourceLocation) {
    let isSame = one == other
    #expect(isSame, "the pictures differ", sourceLocation: place)
}

extension X11Source {
    /// Waits until the server tells something, at most some seconds, and looks.
    func lookWhenTold() throws -> ScreenChange {
        if nextLook != 0 {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            #expect(poll(&waiting, 1, 10_000) == 1, "the X server told nothing")
        }
        return try look()
    }

    /// Looks until the server tells nothing for `quiet` milliseconds.
    @discardableResult
    func lookUntilQuiet(_ quiet: Int32 = 100) throws -> ScreenChange {
        var all = try look()
        for _ in 0..<10_000 {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard nextLook == 0 || poll(&waiting, 1, quiet) > 0 else { return all }
            let change = try look()
            if let size = change.size {
                all.size = size
                all.damage.removeAll()
            }
            all.damage.add(change.damage)
            all.cursor = change.cursor ?? all.cursor
        }
        Issue.record("the X server does not come to rest")
        return all
    }

    /// The picture's pixels without their unused bytes, row by row.
    var pixels: [UInt32] {
        withFrame { frame in
            var pixels: [UInt32] = []
            pixels.reserveCapacity(frame.size.width * frame.size.height)
            for y in 0..<frame.size.height {
                let row = (frame.pixels + y * frame.stride).assumingMemoryBound(to: UInt32.self)
                for x in 0..<frame.size.width { pixels.append(row[x] & 0xffffff) }
            }
            return pixels
        }
    }
}
