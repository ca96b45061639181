import CLinux
import Glibc
import Loop
import Rules
import Synchronization

/// Recordings on the disk, run over one rule set or several on all cores.
enum RecordingRun {
    /// Why a recording could not be run; the sentence names it.
    struct Failure: Error {
        var message: String
        /// 1 where the recording is wrong, 2 where it cannot be read.
        var code: Int32
        /// Of several failures in one recording the first one counts.
        var line: Int
    }

    /// A recording is worth a second reading thread from this size on.
    private static let bytesToSpread: Int64 = 8 << 20

    /// The size in bytes; 0 for what is no file, such as a pipe.
    static func size(of path: String) -> Int64 {
        var status = stat()
        guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return 0 }
        return Int64(status.st_size)
    }

    static var cores: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// How many replays a recording is spread over, where `others` run beside it: what cannot be read twice gets one.
    static func parts(for path: String, others: Int = 1) -> Int {
        size(of: path) < bytesToSpread ? 1 : max(1, cores / others)
    }

    /// Runs the whole of `path` through each of `replays`, each on a thread of its own.
    static func run(
        _ path: String, _ replays: [Replay], _ command: String, _ progress: Progress
    ) -> Result<[Replay], Failure> {
        if replays.count == 1 { return through(path, replays[0], command, progress).map { [$0] } }
        let results = Mutex([Int: Result<Replay, Failure>]())
        let done = Semaphore()
        let shared = SharedResults(results)
        for (place, replay) in replays.enumerated() {
            Task.detached {
                let result = through(path, replay, command, progress)
                shared.results.withLock { $0[place] = result }
                done.signal()
            }
        }
        for _ in replays { done.wait() }
        let ended = shared.results.withLock { $0 }
        var good: [Replay] = []
        var worst: Failure?
        for place in replays.indices {
            switch ended[place] {
            case .success(let replay)?: good.append(replay)
            case .failure(let failure)?: if failure.line < worst?.line ?? .max { worst = failure }
            case nil:
                worst = worst ?? Failure(message: "lanewatch \(command): a thread ended early\n", code: 1, line: 0)
            }
        }
        if let worst { return .failure(worst) }
        return .success(good)
    }

    private final class SharedResults: Sendable {
        let results: Mutex<[Int: Result<Replay, Failure>]>
        init(_ results: consuming Mutex<[Int: Result<Replay, Failure>]>) { self.results = results }
    }

    private static func through(
        _ path: String, _ replay: Replay, _ command: String, _ progress: Progress
    ) -> Result<Replay, Failure> {
        var replay = replay
        func unreadable(_ code: Int32) -> Result<Replay, Failure> {
            .failure(
                Failure(
                    message: "lanewatch \(command): cannot read \(path): \(SystemError.text(of: code))\n", code: 2,
                    line: 0))
        }
        let raw = path == "-" ? dup(0) : lw_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else { return unreadable(errno) }
        let descriptor = Descriptor(owning: raw)
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(descriptor.raw, &piece, piece.count)
            if count == 0 { return .success(replay) }
            if count < 0 {
                if errno == EINTR { continue }
                return unreadable(errno)
            }
            do throws(ReplayFault) {
                if count == piece.count { try replay.add(piece) } else { try replay.add(Array(piece[0..<count])) }
            } catch { return .failure(failure(error, path)) }
            progress.add(count)
        }
    }

    static func failure(_ fault: ReplayFault, _ path: String) -> Failure {
        let column = fault.column.map { ":\($0)" } ?? ""
        let name = path == "-" ? "standard input" : path
        return Failure(message: "\(name):\(fault.line)\(column): error: \(fault.message)\n", code: 1, line: fault.line)
    }
}
