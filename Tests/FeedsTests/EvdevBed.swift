import Foundation
import Testing

/// A running `Tests/Bed/bed.py`, spoken to line by line. One per test; ends with it.
final class EvdevBed {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var pending: [UInt8] = []
    /// What the probe has printed so far.
    private(set) var lines: [String] = []

    /// Whether libumockdev and its Python binding are there; `make setup` installs them.
    static let isInstalled: Bool = {
        let check = Process()
        check.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        check.arguments = [
            "-c", "import gi; gi.require_version('UMockdev', '1.0'); from gi.repository import UMockdev",
        ]
        check.standardError = FileHandle.nullDevice
        guard (try? check.run()) != nil else { return false }
        check.waitUntilExit()
        return check.terminationStatus == 0
    }()

    static let missing: Comment = "umockdev is not installed: apt-get install umockdev gir1.2-umockdev-1.0 python3-gi"

    /// The folder of this build's products: where the test bundle itself runs from.
    private static var products: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }

    init(file: String = #filePath) throws {
        let tests = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-B", tests.appendingPathComponent("Bed/bed.py").path]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        _ = try reply()
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
    }

    /// Says one line and returns its answer; an `error` is thrown.
    @discardableResult func tell(_ command: String) throws -> String {
        try input.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
        let answer = try reply()
        if answer.hasPrefix("error") {
            throw Failure(description: "\(command): \(answer); so far:\n" + lines.joined(separator: "\n"))
        }
        return answer
    }

    func tell(_ commands: [String]) throws {
        for command in commands { try tell(command) }
    }

    /// Starts the probe with an allow-list and waits until its feeds have started.
    func startProbe(_ list: String) throws {
        let probe = Self.products.appendingPathComponent("bed-probe").path
        // With the address sanitizer, umockdev's preload comes before its runtime.
        try tell("start p ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 \(probe) '\(list)'")
        try tell("await p 10000 started")
    }

    /// Waits for a line that contains `text`, after the one found last.
    func await(_ text: String) throws { try tell("await p 5000 '\(text)'") }

    /// Types a whole code and waits until it was read: so all before it has been read too.
    func scanSentinel(_ device: String = "s") throws {
        try tell("scan \(device) SENTINEL-END")
        try self.await("SENTINEL-END")
    }

    /// The probe's lines that begin with `kind`, without it.
    func lines(_ kind: String) -> [String] {
        lines.filter { $0.hasPrefix(kind + " ") }.map { String($0.dropFirst(kind.count + 1)) }
    }

    /// Stops the probe and says whether both feeds' counts are balanced and nothing is held.
    func stopProbe() throws -> Bool {
        try tell("kill p TERM")
        try tell("reap p 5000")
        let counts = lines("counts").suffix(2)
        return counts.count == 2 && counts.allSatisfy { $0.hasSuffix(" balanced") && $0.contains(" held=0 ") }
    }

    /// The next answer; lines of the probe before it are put aside.
    private func reply() throws -> String {
        while true {
            guard let line = nextLine() else { throw Failure(description: "the bed has ended") }
            if line.hasPrefix("child p ") {
                lines.append(String(line.dropFirst("child p ".count)))
            } else if !line.hasPrefix("exit ") {
                return line
            }
        }
    }

    private func nextLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: 10) {
                defer { pending.removeFirst(end + 1) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            pending += more
        }
    }
}
