import Foundation
import Testing

/// A program started by a test: its output is gathered, and it ends with the test, whatever happens.
final class Program: @unchecked Sendable {
    // @unchecked: `lines` and `rest` are touched under the lock alone; the process is Foundation's own, thread-safe.
    private let process = Process()
    private let lock = NSCondition()
    private var gathered: [String] = []
    private var rest = Data()
    private var ended = false
    private let input = Pipe()

    var pid: Int32 { process.processIdentifier }

    init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:],
        onLine: (@Sendable (String) -> Void)? = nil
    )
        throws
    {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = input
        try process.run()
        // A thread that reads until the end: Foundation's readability handler at times never tells of it.
        let reading = output.fileHandleForReading
        Thread { [weak self] in
            while true {
                let data = reading.availableData
                guard !data.isEmpty, let self else { break }
                self.take(data, onLine)
            }
            // Not left to the handle, which outlives the thread: with 1300 descriptors and more, Foundation's next start of a process reads past
            // the end of its list of them.
            try? reading.close()
            self?.finish()
        }.start()
    }

    deinit { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

    private func take(_ data: Data, _ onLine: (@Sendable (String) -> Void)?) {
        lock.lock()
        rest.append(data)
        var fresh: [String] = []
        while let end = rest.firstIndex(of: 10) {
            fresh.append(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
            rest.removeSubrange(rest.startIndex...end)
        }
        gathered += fresh
        lock.broadcast()
        lock.unlock()
        if let onLine { fresh.forEach(onLine) }
    }

    private func finish() {
        lock.lock()
        ended = true
        lock.broadcast()
        lock.unlock()
    }

    var lines: [String] {
        lock.lock()
        defer { lock.unlock() }
        return gathered
    }

    func send(_ line: String) { try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }
    func closeInput() { try? input.fileHandleForWriting.close() }
    func signal(_ number: Int32) { Foundation.kill(process.processIdentifier, number) }

    /// Waits for a line from number `from` on that satisfies `test`; nil when none comes in time or the program ends.
    func awaitLine(from: Int = 0, seconds: Double, _ test: (String) -> Bool) -> (index: Int, line: String)? {
        let end = Date(timeIntervalSinceNow: seconds)
        lock.lock()
        defer { lock.unlock() }
        var seen = from
        while true {
            while seen < gathered.count {
                if test(gathered[seen]) { return (seen, gathered[seen]) }
                seen += 1
            }
            if ended || !lock.wait(until: end) { return nil }
        }
    }

    /// Waits for its end; the exit code, a signal's number as negative. Nil when it is not over in time.
    func awaitEnd(seconds: Double) -> Int32? {
        let end = Date(timeIntervalSinceNow: seconds)
        while process.isRunning && Date() < end { usleep(5000) }
        guard !process.isRunning else { return nil }
        lock.lock()
        while !ended && lock.wait(until: end) {}
        lock.unlock()
        return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }

    /// Runs to the end; all of its output and its exit code.
    static func run(
        _ path: String, _ arguments: [String], input: String? = nil, environment: [String: String] = [:],
        seconds: Double = 60
    )
        throws -> (code: Int32, output: [String])
    {
        let program = try Program(path, arguments, environment: environment)
        if let input { program.send(input) }
        program.closeInput()
        guard let code = program.awaitEnd(seconds: seconds) else {
            program.signal(SIGKILL)
            throw TestFault("\(path) \(arguments.joined(separator: " ")) did not end in \(seconds) s")
        }
        return (code, program.lines)
    }
}

struct TestFault: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

enum Places {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The folder of build products: where this test lies.
    static let products: URL = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent()
    }()

    static var lanewatch: String { products.appending(path: "lanewatch").path }

    /// The folder of the shipped rules.
    static var shippedRules: String { repository.appending(path: "rules").path }

    static func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lanewatch-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    static func find(_ program: String) -> String? {
        for folder in ["/usr/bin", "/usr/local/bin", "/bin"]
        where FileManager.default.isExecutableFile(atPath: "\(folder)/\(program)") {
            return "\(folder)/\(program)"
        }
        return nil
    }
}
