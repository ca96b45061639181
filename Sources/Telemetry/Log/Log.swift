import Lane
import Loop
import Synchronization

/// What the agent says while it runs: constant messages with fields from one list of keys.
///
/// ```swift
/// log.info("connected", [.broker: "b1:9092", .attempt: 3])
/// ```
/// Any thread may write, and never waits: records go through a bounded queue to a thread that writes them. When that
/// cannot keep up, records are dropped, counted, and the gap is told.
public final class Log: Sendable {
    private let threshold: Atomic<Int>
    private let queue: LogQueue
    private let context: [LogRecord.Field]
    private let wall: @Sendable () -> WallInstant

    /// - Parameter context: fields of every record: lane and store.
    public init(
        level: LogRecord.Level = .info, sink: any LogSink, context: KeyValuePairs<LogKey, LogValue> = [:],
        wall: @escaping @Sendable () -> WallInstant = { WallInstant(milliseconds: Boottime.wallMilliseconds()) }
    ) {
        threshold = Atomic(level.rawValue)
        queue = LogQueue(sink)
        self.context = context.map { LogRecord.Field($0.key.rawValue, $0.value) }
        self.wall = wall
    }

    /// Records below it are not written. May change while the agent runs.
    public var level: LogRecord.Level {
        get { LogRecord.Level(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
        set { threshold.store(newValue.rawValue, ordering: .relaxed) }
    }

    public func debug(_ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        write(.debug, message, fields)
    }

    public func info(_ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        write(.info, message, fields)
    }

    public func warning(_ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        write(.warning, message, fields)
    }

    public func error(_ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        write(.error, message, fields)
    }

    public func critical(_ message: StaticString, _ fields: @autoclosure () -> KeyValuePairs<LogKey, LogValue> = [:]) {
        write(.critical, message, fields)
    }

    /// What a module without a log of its own has to say.
    public func note(_ notice: Notice) {
        let level = LogRecord.Level(notice.level)
        guard level >= self.level else { return }
        add(level, notice.message, notice.fields.map { LogRecord.Field($0.key, .text($0.value)) })
    }

    /// Records written, by level, and records dropped for want of room.
    public var counts: (written: [LogRecord.Level: Int], dropped: Int) { queue.counts }

    /// Waits until everything has been written, at most `milliseconds`. Blocks: for the end of the process.
    @discardableResult public func flush(milliseconds: Int = 1000) -> Bool { queue.flush(milliseconds: milliseconds) }

    private func write(
        _ level: LogRecord.Level, _ message: StaticString, _ fields: () -> KeyValuePairs<LogKey, LogValue>
    ) {
        guard level >= self.level else { return }
        add(level, message.description, fields().map { LogRecord.Field($0.key.rawValue, $0.value) })
    }

    private func add(_ level: LogRecord.Level, _ message: String, _ fields: [LogRecord.Field]) {
        queue.add(LogRecord(at: wall(), level: level, message: message, fields: fields + context))
    }
}
