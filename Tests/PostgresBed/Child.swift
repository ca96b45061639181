import Foundation

/// A process of a test's own: its output is gathered line by line, and it does not outlive its owner.
public final class Child: @unchecked Sendable {
    // @unchecked: `gathered`, `rest` and `ended` are touched under the lock alone; Foundation's Process is thread-safe.
    private let process = Process()
    private let lock = NSCondition()
    private var gathered: [String] = []
    private var rest = Data()
    private var ended = false

    public var pid: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }

    /// - Parameter input: written to its standard input, which then ends.
    public init(_ words: [String], environment: [String: String] = [:], input: String? = nil) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        let feed = input.map { _ in Pipe() }
        if let feed { process.standardInput = feed } else { process.standardInput = FileHandle.nullDevice }
        // A child inherits the mask of the thread that starts it, and those of dispatch block nearly all: it would be deaf to SIGTERM.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        let reading = output.fileHandleForReading
        Thread { [weak self] in
            while true {
                let bytes = reading.availableData
                guard !bytes.isEmpty, let self else { break }
                self.take(bytes)
            }
            // Not left to the handle, which outlives the thread: with 1300 descriptors and more, Foundation's next start of a process reads past
            // the end of its list of them.
            try? reading.close()
            self?.finish()
        }.start()
        if let feed, let input {
            let writing = feed.fileHandleForWriting
            Thread {
                try? writing.write(contentsOf: Data(input.utf8))
                try? writing.close()
            }.start()
        }
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    private func take(_ bytes: Data) {
        lock.lock()
        defer { lock.unlock() }
        rest.append(bytes)
        while let end = rest.firstIndex(of: 10) {
            gathered.append(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
            rest.removeSubrange(rest.startIndex...end)
        }
        lock.broadcast()
    }

    private func finish() {
        lock.lock()
        ended = true
        lock.broadcast()
        lock.unlock()
    }

    /// All that it wrote so far, standard output and errors together.
    public var lines: [String] {
        lock.lock()
        defer { lock.unlock() }
        return gathered
    }

    public func signal(_ number: Int32) { if process.isRunning { kill(process.processIdentifier, number) } }

    /// Waits for a line that satisfies `test`, from line `from` on; nil when none comes in time or it ends without one.
    public func line(from: Int = 0, within seconds: Double, where test: (String) -> Bool) -> String? {
        let until = Date(timeIntervalSinceNow: seconds)
        lock.lock()
        defer { lock.unlock() }
        var seen = from
        while true {
            while seen < gathered.count {
                if test(gathered[seen]) { return gathered[seen] }
                seen += 1
            }
            if ended || !lock.wait(until: until) { return nil }
        }
    }

    /// Waits for its end: the exit code, a signal's number as negative; nil when it still runs after `seconds`.
    public func end(within seconds: Double) -> Int32? {
        let until = Date(timeIntervalSinceNow: seconds)
        lock.lock()
        while !ended && lock.wait(until: until) {}
        lock.unlock()
        while process.isRunning && Date() < until { usleep(5000) }
        guard !process.isRunning else { return nil }
        return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }

    /// Runs to the end.
    /// - Throws: when it does not end in time, or ends otherwise than with one of `codes`.
    @discardableResult
    public static func run(
        _ words: [String], environment: [String: String] = [:], input: String? = nil, within seconds: Double = 60,
        codes: Set<Int32> = [0]
    ) throws -> (code: Int32, lines: [String]) {
        let child = try Child(words, environment: environment, input: input)
        guard let code = child.end(within: seconds) else {
            child.signal(SIGKILL)
            throw BedFailure("\(words.joined(separator: " ")) did not end in \(seconds) s: \(child.lines.suffix(5))")
        }
        guard codes.contains(code) else {
            throw BedFailure("\(words.joined(separator: " ")): exit \(code): \(child.lines.suffix(12))")
        }
        return (code, child.lines)
    }
}

public struct BedFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
