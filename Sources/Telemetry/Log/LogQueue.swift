import Glibc
import Lane
import Loop
import Synchronization

/// Where records go. Called on the log's own thread, one at a time; may wait.
public protocol LogSink: Sendable {
    func write(_ record: LogRecord)
}

/// Records on their way to the sink: bounded, so that a log that hangs costs memory no more than a log that works.
///
/// A thread of its own writes them: a terminal that is scrolled back, a pipe that nobody reads, never stop the lane.
final class LogQueue: Sendable {
    static let limit = 1024
    private let core: LogCore

    init(_ sink: any LogSink) {
        let core = LogCore()
        self.core = core
        startThread(name: "log") {
            while let records = core.next() {
                for record in records { sink.write(record) }
            }
        }
    }

    deinit { core.stop() }

    var counts: (written: [LogRecord.Level: Int], dropped: Int) { core.state.withLock { ($0.written, $0.dropped) } }

    func add(_ record: LogRecord) {
        let mustWake = core.state.withLock { state in
            guard state.records.count < Self.limit else {
                state.dropped += 1
                state.untold += 1
                return false
            }
            state.records.append(record)
            state.written[record.level, default: 0] += 1
            return state.records.count == 1
        }
        if mustWake { core.wake() }
    }

    func flush(milliseconds: Int) -> Bool {
        let end = Boottime.milliseconds() + Int64(milliseconds)
        while core.state.withLock({ $0.isWriting || !$0.records.isEmpty }) {
            guard Boottime.milliseconds() < end else { return false }
            usleep(500)
        }
        return true
    }
}

/// What the writers and the log's thread share.
private final class LogCore: @unchecked Sendable {
    // @unchecked: `state` is a Mutex; the semaphore is made for threads and freed after the last of them.
    struct State {
        var records: [LogRecord] = []
        var isWriting = false
        var isStopped = false
        var written: [LogRecord.Level: Int] = [:]
        var dropped = 0
        /// Of those dropped, how many have not been told yet.
        var untold = 0
    }

    let state = Mutex(State())
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func wake() { sem_post(semaphore) }

    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    /// The records that wait, once there are some; nil at the end, when all are written.
    func next() -> [LogRecord]? {
        while true {
            let (records, isOver) = take()
            if !records.isEmpty { return records }
            if isOver { return nil }
            while sem_wait(semaphore) != 0, errno == EINTR {}
        }
    }

    private func take() -> (records: [LogRecord], isOver: Bool) {
        state.withLock { state in
            var records = state.records
            state.records = []
            if state.untold > 0 {
                let at = records.last?.at ?? WallInstant(milliseconds: Boottime.wallMilliseconds())
                let count = LogRecord.Field(LogKey.count.rawValue, LogValue(state.untold))
                records.append(LogRecord(at: at, level: .warning, message: "log records were dropped", fields: [count]))
                state.untold = 0
            }
            state.isWriting = !records.isEmpty
            return (records, state.isStopped)
        }
    }
}
