import CLinux
import Foundation
import Testing

@testable import Screen

/// A real X server without a screen, ended with this value.
final class X11Bed {
    struct Failed: Error, CustomStringConvertible { var description: String }

    private(set) var process = Process()
    private(set) var display = ""
    let folder: String
    private let arguments: [String]
    private let program: String

    /// `size` as in "1280x1024x24". `arguments` are added to the server's own. The server's picture is also in a file of `folder`.
    init(_ size: String = "640x480x24", arguments: [String] = [], program: String = "Xvfb") throws {
        var template = Array("/tmp/lanewatch-x11-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Failed(description: "no folder") }
        folder = String(cString: made)
        self.program = program
        self.arguments =
            (program == "Xvfb"
                ? ["-screen", "0", size, "-fbdir", folder]
                : [
                    "-geometry", String(size.prefix { $0 != "_" }), "-SecurityTypes", "None", "-rfbunixpath",
                    folder + "/rfb",
                ])
            + ["-nolisten", "tcp", "-noreset"] + arguments
        try start()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    var screen: X11Screen { X11Screen(display: display) }

    /// Starts it, the second time under the number that it had.
    func start() throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(program)")
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
        unlink("/tmp/.X\(number)-lock")
        unlink("/tmp/.X11-unix/X\(number)")
    }

    func freeze() { kill(process.processIdentifier, SIGSTOP) }
    func thaw() { kill(process.processIdentifier, SIGCONT) }

    /// Runs an X program on it, and gives what it printed.
    @discardableResult
    func run(_ program: String, _ arguments: [String]) throws -> String {
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
