import Foundation
import Glibc
import Synchronization

/// What must not be left behind when the harness is interrupted: agents by their process ids, the brokers, the folders.
final class Cleanup: Sendable {
    static let shared = Cleanup()

    private struct Open {
        var pids: Set<Int32> = []
        var endings: [@Sendable () async -> Void] = []
        var starting = 0
        var isOver = false
    }
    private let open = Mutex(Open())

    /// A run may start an agent while everything is being ended: that one ends at once.
    func add(_ pid: Int32) {
        let isOver = open.withLock { open in
            open.pids.insert(pid)
            return open.isOver
        }
        if isOver { kill(pid, SIGKILL) }
    }

    func remove(_ pid: Int32) { open.withLock { _ = $0.pids.remove(pid) } }
    func atEnd(_ ending: @escaping @Sendable () async -> Void) { open.withLock { $0.endings.append(ending) } }

    /// What `start` makes must be ended too, but nobody can before it is made: an interruption waits for it.
    func starting<T>(_ start: () async throws -> T) async rethrows -> T {
        open.withLock { $0.starting += 1 }
        defer { open.withLock { $0.starting -= 1 } }
        return try await start()
    }

    func perform() async {
        let end = Date(timeIntervalSinceNow: 100)
        while open.withLock({ $0.starting > 0 }), Date() < end { try? await Task.sleep(for: .milliseconds(100)) }
        let (pids, endings) = open.withLock { open in
            defer {
                open = Open()
                open.isOver = true
            }
            return (open.pids, open.endings)
        }
        for pid in pids { kill(pid, SIGKILL) }
        for ending in endings.reversed() { await ending() }
    }

    /// SIGINT and SIGTERM end everything in order. A handler may do next to nothing: it writes a byte that a thread waits
    /// for. Source: signal-safety(7).
    func watchForInterrupts() {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return }
        Self.bell.store(ends[1], ordering: .sequentiallyConsistent)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                var byte: UInt8 = 0
                _ = write(Cleanup.bell.load(ordering: .relaxed), &byte, 1)
            }
        }
        let reading = ends[0]
        Thread {
            var byte: UInt8 = 0
            while read(reading, &byte, 1) < 0, errno == EINTR {}
            FileHandle.standardError.write(Data("faults: interrupted; the brokers are being ended\n".utf8))
            Task {
                await Cleanup.shared.perform()
                exit(130)
            }
        }.start()
    }

    private static let bell = Atomic<Int32>(-1)
}
