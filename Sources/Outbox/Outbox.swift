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
    /// Larger than any before it in this folder; a damaged file that is replaced begins another.
    public nonisolated var epoch: Int64 { board.current.epoch }
    /// How it is, from any thread.
    public nonisolated var state: OutboxState { board.current }
    nonisolated let path: String
    let configuration: OutboxConfiguration
    nonisolated let frontier = Frontier()
    nonisolated let board = OutboxBoard()

    enum Hold {
        case open(Opened)
        /// To be opened again; set aside unseen where something is known to be wrong with it.
        case lost(damage: String?)
        case closed
    }
    var hold: Hold
    var folder: StateFolder
    private var json = JSONWriter()
    private var counts = OutboxCounts()
    private var hasTrouble = false
    private var isCheckpointComing = false
    var isVacuuming = false
    var vacuumSteps = 0
    var ageClock = AgeClock()
    /// Given up and not told to the log.
    var untold: [Drop: Int] = [:]
    var toldDropsAt: Int64?
    /// A new database was begun, and the next commit is to be told.
    private var isReplacementUntold = false
    /// The database was written anew, and the next commit is to be told.
    var isRewriteUntold = false
    /// When databases were set aside while running, in milliseconds of boot time.
    private var setAsideAt: [Int64] = []
    /// After a commit of which it was not known whether it is on disk: signals up to here are there.
    private var takenUpTo: Int64 = 0

    /// Opens the state folder, or makes it; blocks for the disk, so call it before the lane's loop is in use.
    ///
    /// A damaged file is moved aside and a new one begun with a larger epoch, which takes over what can be read: see `notices`
    /// and `takeReplacements`.
    /// - Throws: `.locked` when another agent runs on it, `.tooNew`, `.diskFull`, `.readOnly`, `.system`.
    public init(_ configuration: OutboxConfiguration) throws(OutboxError) {
        let folder = try StateFolder(configuration.folder)
        let opened = try Opened.begin(configuration, in: folder, frontier: frontier)
        self.folder = folder
        self.configuration = configuration
        notices = opened.replacement.map { [$0.notice] } ?? []
        path = opened.folder.database
        hold = .open(opened)
        executor = ThreadExecutor(name: "outbox")
        let (files, bytes) = folder.aside()
        if let replacement = opened.replacement { board.add(replacement) }
        let missing = opened.missing.values.reduce(0, +)
        board.update { state in
            state.epoch = opened.epoch
            state.aside = files
            state.asideBytes = bytes
            state.missing = Int(clamping: missing)
            state.replacements = opened.replacement == nil ? 0 : 1
            state.usedBytes = (try? opened.usedBytes()) ?? 0
            state.fileBytes = folder.databaseBytes
        }
    }

    deinit { executor.stop() }

    /// Closes the file and lets go of the folder. Every later call throws `.misuse`.
    public func close() {
        if case .open(let opened) = hold, !opened.isInPlace { try? recreate(opened) }
        // So that the one file is all of it.
        if case .open(let opened) = hold, opened.isInPlace { try? opened.database.checkpointWhole() }
        hold = .closed
        folder.unlock()
    }

    /// Says that messages `first` to `last` of `topic` are about to be given to a producer as they came with their commit.
    /// From any thread. What was leased need not be claimed.
    /// - Returns: false where one of them was given up meanwhile: lease instead.
    public nonisolated func claim(_ topic: String, from first: Position, to last: Position) -> Bool {
        frontier.claim(topic, first, last)
    }

    /// Databases that were put in the place of others since the last call, at the start included: each is an alarm. From any
    /// thread.
    public nonisolated func takeReplacements() -> [Replacement] { board.takeReplacements() }

    /// Records `commit`: all of it or nothing. Returns once it is as durable as asked.
    ///
    /// Engine events whose change was taken by an earlier commit are skipped, so all events of one change belong into
    /// one commit. Events that no message can be made of are refused alone, counted, and told in the result. Past the limit
    /// of bytes messages of the least value are given up in the same transaction, where the configuration says so.
    /// - Throws: `.full` past the operator's limit, `.diskFull`, `.readOnly`, `.logFull`, `.replaced`, `.corrupt`, `.system`,
    ///   `.misuse`; the caller keeps `commit` and may try again where `isRetriable`.
    public func commit(_ commit: Commit) throws(OutboxError) -> Committed {
        do throws(OutboxError) {
            let result = try take(commit)
            if hasTrouble {
                hasTrouble = false
                board.update { $0.trouble = nil }
            }
            return result
        } catch {
            hasTrouble = true
            board.update { $0.trouble = error }
            throw error
        }
    }

    private func take(_ commit: Commit) throws(OutboxError) -> Committed {
        let opened = try ready(for: commit)
        let began = Boottime.monotonicNanoseconds()
        var result = Committed()
        let created = WallInstant(milliseconds: Boottime.wallMilliseconds())
        var additions = Additions(opened, created: created.milliseconds)
        var dropping = Dropping(opened, at: created)
        // Its signals are there: so is all of it.
        let isTaken = commit.journal.last.map { $0.number <= takenUpTo } ?? false
        let isNew = commit.journal.first.map { $0.number > takenUpTo } ?? true
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
                if !commit.events.isEmpty, configuration.whenFull == .hold { try requireRoom(opened) }
                try write(isNew ? commit.journal : commit.journal.filter { $0.number > takenUpTo }, opened)
                for place in commit.events.indices {
                    let change = commit.events[place].change
                    if change.map({ $0 <= opened.lastChange }) ?? isTaken {
                        result.skipped += 1
                    } else if let refusal = Self.refusal(of: commit.events[place].event) {
                        result.refused.append(refusal)
                    } else {
                        try additions.keep(commit.events[place].event, &result)
                    }
                }
                try additions.finish(&result)
                try write(commit.facts, commit.snapshot, opened)
                if result.added > 0, configuration.whenFull == .drop,
                    try !dropping.makeRoom(limit: configuration.maximumBytes)
                {
                    throw SQLiteFault(code: Self.fullByLimit, message: "")
                }
            }
            additions.adopt()
            try adopt(dropping, opened)
        }
        if !dropping.topics.isEmpty { result.fresh.removeAll { dropping.topics.contains($0.topic) } }
        // Not to whoever keeps a fact alone, and does not look.
        if !(commit.journal.isEmpty && commit.events.isEmpty) { result.notices = takeNotices() }
        opened.lastSignal = max(opened.lastSignal, commit.journal.last?.number ?? 0, commit.snapshot?.number ?? 0)
        if hasChanges || commit.durability == .full { opened.noteMark() }
        if !opened.isInPlace { try recreateCommitted(opened) }
        if !commit.isOfFactsAlone {
            result.isRewritten = isRewriteUntold
            isRewriteUntold = false
        }
        checkpointIfDue(opened)
        result.nanoseconds = Boottime.monotonicNanoseconds() - began
        counts.take(commit, result)
        return result
    }

    /// The open database, ready for a commit: in its place, its log within bounds, and whoever commits told of a new one.
    private func ready(for commit: Commit) throws(OutboxError) -> Opened {
        var opened = try current()
        if !opened.isInPlace {
            try recreate(opened)
            opened = try current()
        }
        if isReplacementUntold, !commit.isOfFactsAlone {
            isReplacementUntold = false
            throw OutboxError(
                .replaced, "\(path) was damaged: a new database was begun; commit again, with a snapshot",
                isRetriable: true)
        }
        let log = Int64(opened.database.logPages) * opened.pageSize
        if log > configuration.maximumLogBytes, !opened.database.checkpoint() {
            counts.failed += 1
            throw OutboxError(
                .logFull,
                "\(opened.folder.log) has grown to \(log) bytes because another process keeps reading \(path), and takes "
                    + "nothing more; end that process (fuser \(path) names it), it then goes on by itself",
                isRetriable: true)
        }
        return opened
    }

    /// The commit went into a file that nobody will find again. It is in the new one, or it was not taken.
    private func recreateCommitted(_ opened: Opened) throws(OutboxError) {
        do throws(OutboxError) { try recreate(opened) } catch {
            takenUpTo = opened.lastSignal
            throw error
        }
    }

    private func requireRoom(_ opened: Opened) throws(SQLiteFault) {
        if try opened.usedBytes() > configuration.maximumBytes {
            throw SQLiteFault(code: Self.fullByLimit, message: "")
        }
    }

    /// Has the log brought into the file behind this call, not within it: by then whoever waits has its answer.
    func checkpointIfDue(_ opened: Opened) {
        guard opened.database.isCheckpointDue, !isCheckpointComing else { return }
        isCheckpointComing = true
        Task { self.checkpoint() }
    }

    private func checkpoint() {
        isCheckpointComing = false
        if case .open(let opened) = hold { opened.database.checkpoint() }
        measure()
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

    /// The open database; one that failed is opened again first.
    func current() throws(OutboxError) -> Opened {
        switch hold {
        case .open(let opened): return opened
        case .closed: throw OutboxError(.misuse, "the outbox is closed")
        case .lost(let damage):
            if !folder.isInPlace { folder = try StateFolder(configuration.folder) }
            let opened = try Opened.begin(configuration, in: folder, frontier: frontier, damage: damage)
            hold = .open(opened)
            takenUpTo = opened.lastSignal
            if let replacement = opened.replacement {
                note(replacement)
                isReplacementUntold = true
            }
            let missing = opened.missing.values.reduce(0, +)
            board.update { state in
                state.epoch = opened.epoch
                state.missing = Int(clamping: missing)
            }
            return opened
        }
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
                    "\(path) holds \(configuration.maximumBytes) bytes, its limit, and takes no event until some are delivered; "
                        + "bring the brokers back, or raise the limit",
                    isRetriable: true)
            }
            counts.failed += 1
            if error.isCorruption { throw replaceDamaged(error, doing) }
            // Begun anew, the log needs no more room than it has.
            if error.primary == SQLITE_FULL, case .open(let opened) = hold { opened.database.checkpoint() }
            // What the medium refused may have left the connection in a state that does not end by itself.
            if [SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN].contains(error.primary), case .open = hold {
                hold = .lost(damage: nil)
            }
            var fault = error
            let isOfMedium = error.primary == SQLITE_IOERR || error.primary == SQLITE_CANTOPEN
            if isOfMedium, let found = [StateFolder.diskFault(at: configuration.folder)].first(where: { $0 != 0 }) {
                fault = SQLiteFault(code: SQLITE_IOERR, message: error.message, systemCode: found)
            }
            throw OutboxError(fault, doing: doing, path: path)
        }
    }

    /// Begins anew in the place of a database that was found damaged, at most a few times an hour: a disk that damages one after
    /// the other is not to be filled with them.
    private func replaceDamaged(_ fault: SQLiteFault, _ doing: StaticString) -> OutboxError {
        if case .open(let opened) = hold { opened.folder.markSuspect() }
        let now = Boottime.milliseconds()
        setAsideAt.removeAll { now - $0 > 3_600_000 }
        guard setAsideAt.count < 5 else { return OutboxError(fault, doing: doing, path: path) }
        setAsideAt.append(now)
        hold = .lost(damage: fault.message)
        do throws(OutboxError) { _ = try current() } catch { return error }
        isReplacementUntold = true
        return OutboxError(
            .corrupt, "\(doing) \(path): \(fault.message); it was moved aside and a new one begun",
            underlying: fault.code,
            isRetriable: true)
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
