import CSQLite
import Lane
import Loop

/// What the lane has accepted and not yet delivered, in one SQLite file, with the engine's checkpoint beside it.
///
/// An actor on a thread of its own ("outbox"): a commit waits for the disk and must hold up nothing else. Calls run in
/// the order they arrive. Each writes in one transaction: all of it or nothing is there after a crash.
public actor Outbox {
    /// The largest value an event may have, in bytes. A broker's default limit is 1 MB for the whole message.
    public static let largestValue = 900_000

    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What opening found: a damaged file that was moved aside.
    public nonisolated let notices: [Notice]
    public nonisolated let epoch: Int64
    private nonisolated let path: String
    private let maximumBytes: Int64
    private var opened: Opened?
    private var json = JSONWriter()
    private var counts = OutboxCounts()
    private var isCheckpointComing = false

    /// Opens the state folder, or makes it; blocks for the disk, so call it before the lane's loop is in use.
    ///
    /// A damaged file is moved aside and a new one begun with a larger epoch: see `notices`.
    /// - Throws: `.locked` when another agent runs on it, `.tooNew`, `.diskFull`, `.system`.
    public init(_ configuration: OutboxConfiguration) throws(OutboxError) {
        let opened = try Opened(configuration)
        notices = opened.notices
        epoch = opened.epoch
        path = opened.folder.database
        maximumBytes = configuration.maximumBytes
        self.opened = opened
        executor = ThreadExecutor(name: "outbox")
    }

    deinit { executor.stop() }

    /// Closes the file and lets go of the folder. Every later call throws `.misuse`.
    public func close() { opened = nil }

    /// Records `commit`: all of it or nothing. Returns once it is as durable as asked.
    ///
    /// Engine events whose change was taken by an earlier commit are skipped, so all events of one change belong into
    /// one commit. Events that no message can be made of are refused alone, counted, and told in the result.
    /// - Throws: `.full` past the operator's limit, `.diskFull`, `.corrupt`, `.system`, `.misuse`; the caller keeps
    ///   `commit` and may try again where `isRetriable`.
    public func commit(_ commit: Commit) throws(OutboxError) -> Committed {
        let opened = try current()
        let began = Boottime.monotonicNanoseconds()
        var result = Committed()
        var additions = Additions(opened, created: Boottime.wallMilliseconds())
        // The highest first: each run says it, and it must hold for all of them.
        var hasChanges = false
        for place in commit.events.indices {
            guard let change = commit.events[place].change else { continue }
            hasChanges = true
            additions.lastChange = max(additions.lastChange, change)
        }
        try during("cannot commit to") { () throws(SQLiteFault) in
            try opened.setDurability(hasChanges ? .full : commit.durability)
            try opened.database.transaction { () throws(SQLiteFault) in
                if !commit.events.isEmpty, try opened.usedBytes() > maximumBytes {
                    throw SQLiteFault(code: Self.fullByLimit, message: "")
                }
                try write(commit.journal, opened)
                for place in commit.events.indices {
                    if let change = commit.events[place].change, change <= opened.lastChange {
                        result.skipped += 1
                    } else if let refusal = Self.refusal(of: commit.events[place].event) {
                        result.refused.append(refusal)
                    } else {
                        try additions.keep(commit.events[place].event, &result)
                    }
                }
                try additions.finish(&result)
                try write(commit.facts, commit.snapshot, opened)
            }
        }
        additions.adopt()
        opened.lastSignal = max(opened.lastSignal, commit.journal.last?.number ?? 0, commit.snapshot?.number ?? 0)
        checkpointIfDue(opened)
        result.nanoseconds = Boottime.monotonicNanoseconds() - began
        counts.take(commit, result)
        return result
    }

    /// Has the log brought into the file behind this call, not within it: by then whoever waits has its answer.
    func checkpointIfDue(_ opened: Opened) {
        guard opened.database.isCheckpointDue, !isCheckpointComing else { return }
        isCheckpointComing = true
        Task { self.checkpoint() }
    }

    private func checkpoint() {
        isCheckpointComing = false
        opened?.database.checkpoint()
    }

    /// Counted since start. In = added + skipped + refused.
    public func totals() -> OutboxCounts { counts }

    // MARK: Within the transaction

    /// One row, a line for each signal.
    private func write(_ journal: [StampedSignal], _ opened: Opened) throws(SQLiteFault) {
        guard let first = journal.first, let last = journal.last else { return }
        guard first.number > opened.lastSignal else {
            throw SQLiteFault(code: SQLITE_CONSTRAINT, message: "signal \(first.number) was taken before")
        }
        json.removeAll()
        for signal in journal {
            SignalLine.write(signal, lane: nil, journal: true, into: &json)
            json.endLine()
        }
        let insert = opened.statements.insertSignals
        insert.bind(1, last.number)
        try json.bytes.withUnsafeBufferPointer { (lines) throws(SQLiteFault) in
            insert.bindUncopied(text: 2, UnsafeRawBufferPointer(lines))
            try insert.execute()
        }
    }

    private func write(
        _ facts: [String: [UInt8]?], _ snapshot: Snapshot?, _ opened: Opened
    ) throws(SQLiteFault) {
        for (name, value) in facts { try opened.setMeta("fact.\(name)", value) }
        guard let snapshot else { return }
        let statements = opened.statements
        statements.insertSnapshot.bind(1, snapshot.number)
        statements.insertSnapshot.bind(2, copying: snapshot.engine)
        try statements.insertSnapshot.execute()
        statements.dropSnapshots.bind(1, snapshot.number)
        try statements.dropSnapshots.execute()
        statements.dropJournal.bind(1, snapshot.number)
        try statements.dropJournal.execute()
    }

    // MARK: Shared with Outbox+Leasing and Outbox+DeadLetters

    func current() throws(OutboxError) -> Opened {
        guard let opened else { throw OutboxError(.misuse, "the outbox is closed") }
        return opened
    }

    func count(settled: Int = 0, deadLetters: Int = 0, added: Int = 0) {
        counts.eventsIn += added
        counts.added += added
        counts.settled += settled
        counts.deadLetters += deadLetters
    }

    /// Runs `body` and says what failed in the outbox's own words.
    func during(_ doing: StaticString, _ body: () throws(SQLiteFault) -> Void) throws(OutboxError) {
        do throws(SQLiteFault) { try body() } catch {
            if error.code == Self.fullByLimit {
                counts.full += 1
                throw OutboxError(
                    .full,
                    "\(path) holds \(maximumBytes) bytes, its limit, and takes no event until some are delivered; "
                        + "bring the brokers back, or raise the limit",
                    isRetriable: true)
            }
            counts.failed += 1
            if error.isCorruption { opened?.folder.markSuspect() }
            throw OutboxError(error, doing: doing, path: path)
        }
    }

    /// Not one of SQLite's.
    private static let fullByLimit: Int32 = -1

    // MARK: What an event becomes

    private static func refusal(of event: CloudEvent) -> OutboxError? {
        if let count = event.value?.count, count > largestValue {
            return OutboxError(
                .tooLarge, "an event for \(event.topic) has \(count) bytes; at most \(largestValue) can be sent",
                topic: event.topic)
        }
        if event.topic.isEmpty || event.key.isEmpty {
            return OutboxError(
                .malformed, "an event has no \(event.topic.isEmpty ? "topic" : "key")", topic: event.topic)
        }
        if event.isChained, let first = event.value?.first, first != UInt8(ascii: "{") {
            return OutboxError(
                .malformed, "an event for \(event.topic) is no JSON object and cannot be chained", topic: event.topic)
        }
        return nil
    }
}

extension Opened {
    func set(_ cursor: Cursor, of topic: String) throws(SQLiteFault) {
        statements.setCursor.bind(1, topic)
        statements.setCursor.bind(2, cursor.epoch)
        statements.setCursor.bind(3, cursor.next)
        statements.setCursor.bind(4, cursor.acked)
        statements.setCursor.bind(5, cursor.stream)
        try statements.setCursor.execute()
    }

    func setMeta(_ key: String, _ value: [UInt8]?) throws(SQLiteFault) {
        guard let value else {
            statements.dropMeta.bind(1, key)
            return try statements.dropMeta.execute()
        }
        statements.setMeta.bind(1, key)
        statements.setMeta.bind(2, copying: value)
        try statements.setMeta.execute()
    }
}
