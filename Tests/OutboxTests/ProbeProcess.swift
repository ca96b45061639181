import Foundation
import Glibc
import Synchronization
import Testing

/// A run of `outbox-probe`, which the build puts beside the tests.
final class ProbeProcess: Sendable {
    static var path: String {
        get throws {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            // Under `swift test` the test bundle is loaded by a helper elsewhere: then the arguments name it.
            let places = [own] + CommandLine.arguments
            for place in places {
                var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
                for _ in 0..<3 {
                    let probe = folder.appendingPathComponent("outbox-probe").path
                    if FileManager.default.isExecutableFile(atPath: probe) { return probe }
                    folder.deleteLastPathComponent()
                }
            }
            throw CocoaError(.fileNoSuchFile)
        }
    }

    private let process: Mutex<pid_t>
    private let output: Int32

    /// Starts `arguments[0]` with the rest.
    init(_ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw CocoaError(.fileReadUnknown) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid = pid_t()
        let code = posix_spawnp(&pid, arguments[0], &actions, nil, &words, environ)
        close(ends[1])
        guard code == 0 else { throw CocoaError(.executableLoad) }
        process = Mutex(pid)
        output = ends[0]
    }

    deinit { close(output) }

    func kill() { _ = process.withLock { Glibc.kill($0, SIGKILL) } }

    /// Everything written until the end of the process, by lines; a last line without its end was not written whole.
    /// Calls `each` after every piece with the lines so far.
    func lines(_ each: ([Substring]) -> Void = { _ in }) -> [String] {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output, &buffer, buffer.count)
            if count <= 0 { break }
            text += buffer[0..<count]
            each(String(decoding: text, as: UTF8.self).split(separator: "\n"))
        }
        var status: Int32 = 0
        _ = process.withLock { waitpid($0, &status, 0) }
        let whole = text.lastIndex(of: 10).map { text[...$0] } ?? []
        return String(decoding: whole, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
