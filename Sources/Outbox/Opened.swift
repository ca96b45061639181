import CSQLite
import Lane
import Loop

/// What an operator may set.
public struct OutboxConfiguration: Hashable, Sendable {
    /// The state folder, made with mode 0700 where it is missing.
    public var folder: String
    /// Past this many bytes in use `whenFull` says what happens.
    public var maximumBytes: Int64
    public var whenFull: WhenFull
    /// Milliseconds: older messages are given up; nil keeps them whatever their age.
    public var maximumAge: Int64?
    /// What each topic is worth; one that is not named is worth `TopicValue.intervention`.
    public var values: [String: TopicValue]
    /// A database up to this size is looked through at every start, a larger one after damage was seen only.
    public var checkedBytes: Int64
    /// Messages of a topic that may be on their way to the brokers at once: after a start so many of the oldest are taken
    /// for handed over, and are not given up.
    public var inFlight: Int64
    /// Bytes of the write-ahead log, which grows while somebody reads the database without an end; past it no commit is taken.
    public var maximumLogBytes: Int64

    public init(
        folder: String, maximumBytes: Int64 = 512 << 20, checkedBytes: Int64 = 64 << 20, whenFull: WhenFull = .drop,
        maximumAge: Int64? = nil, values: [String: TopicValue] = [:], inFlight: Int64 = 1000,
        maximumLogBytes: Int64 = 64 << 20
    ) {
        self.folder = folder
        self.maximumBytes = maximumBytes
        self.checkedBytes = checkedBytes
        self.whenFull = whenFull
        self.maximumAge = maximumAge
        self.values = values
        self.inFlight = inFlight
        self.maximumLogBytes = maximumLogBytes
    }
}

/// Where a topic stands within an epoch.
struct Cursor: Hashable {
    var epoch: Int64
    /// Where its runs lie.
    var stream: Int64
    var next: Int64
    var acked: Int64
    var waiting: Int64 { next - 1 - acked }
}

/// The open database with what of it is kept in memory. Lives on the outbox's thread after it was opened.
final class Opened {
    let folder: StateFolder
    let database: Database
    let statements: Statements
    private(set) var epoch: Int64
    private let mark: CommitMark
    /// Per topic, older epochs first; the current epoch's, where there is one, is last.
    var cursors: [String: [Cursor]] = [:]
    /// SHA-256 of the last value of each chained topic, in hexadecimal.
    var chains: [String: String] = [:]
    var lastSignal: Int64 = 0
    var lastChange: Int64 = 0
    /// Messages that are told of and not there, by stream.
    var missing: [Int64: Int64] = [:]
    /// By stream: what an earlier life may have had on its way.
    var unknownUpTo: [Int64: Int64] = [:]
    /// What was put aside for this one, where something was.
    private(set) var replacement: Replacement?
    let frontier: Frontier
    let values: [String: TopicValue]
    private var isFull = true
    private let pageCount: Statement
    private let freePages: Statement
    let pageSize: Int64
    /// Whether free room can be given back bit by bit: not in a large file of an earlier version.
    let canVacuum: Bool
    /// The file that is open, and its log: where another lies at the path, commits would go nowhere.
    let file: StateFolder.FileID?
    private(set) var log: StateFolder.FileID?
    /// Older than the first look, which is the whole one; nil where it cannot be had, and each look is.
    private let watch: PlaceWatch?
    private var wasInPlace = false

    /// As `init`. What is found damaged only when it is read, as a large file is not looked through, is set aside as well.
    static func begin(
        _ configuration: OutboxConfiguration, in folder: StateFolder, frontier: Frontier, damage: String? = nil
    ) throws(OutboxError) -> Opened {
        do throws(OutboxError) {
            return try Opened(configuration, in: folder, frontier: frontier, damage: damage)
        } catch {
            guard error.code == .corrupt, damage == nil else { throw error }
            return try Opened(configuration, in: folder, frontier: frontier, damage: error.description)
        }
    }

    /// Opens the database in `folder`. One that is damaged is set aside, and a new one begun that takes over what can be read.
    ///
    /// - Parameter damage: What is known to be wrong with the file: it is set aside unseen.
    init(
        _ configuration: OutboxConfiguration, in folder: StateFolder, frontier: Frontier = Frontier(),
        damage: String? = nil
    ) throws(OutboxError) {
        let path = folder.database
        self.frontier = frontier
        values = configuration.values
        let formerEpoch = folder.knownEpoch
        // Nothing is in it, though an epoch was begun here: what is left of its log is all that may still hold something. Beside an
        // empty file SQLite removes it.
        var lostLog = formerEpoch > 0 && folder.databaseBytes == 0 ? folder.copyLogAside() : nil
        let (database, found) = try Self.openOrBeginAnew(folder, configuration, damage: damage)
        do throws(SQLiteFault) {
            if lostLog == nil, found == nil, formerEpoch > 0, (try? database.integer(Self.storedEpoch)) ?? 0 == 0 {
                lostLog = folder.copyLogAside()
            }
            guard try Schema.migrate(database) != nil else {
                throw SQLiteFault(code: Self.newerVersion, message: "")
            }
            canVacuum = try Self.allowVacuum(database)
            statements = try Statements(database)
            pageCount = try database.prepare("PRAGMA page_count")
            freePages = try database.prepare("PRAGMA freelist_count")
            pageSize = try database.integer("PRAGMA page_size")
            // Beyond the operator's limit there must be room to journal, but never without end.
            let pages = configuration.maximumBytes / max(512, pageSize)
            try database.run("PRAGMA max_page_count = \(max(64, pages + pages / 2))")
        } catch {
            if error.code == Self.newerVersion {
                throw OutboxError(.tooNew, "\(path) was written by a newer version of the agent; install that one")
            }
            throw OutboxError(error, doing: "cannot open", path: path)
        }
        epoch = try Self.settleEpoch(database, folder, path)
        mark = CommitMark(path: folder.markFile)
        self.folder = folder
        self.database = database
        watch = PlaceWatch(folder: folder.path)
        file = StateFolder.file(at: path)
        log = StateFolder.file(at: folder.log)
        do throws(SQLiteFault) {
            if let found {
                let salvaged = Salvage.carry(from: found.aside, into: self)
                folder.salvaged()
                replacement = Replacement(
                    cause: found.cause, aside: found.aside, formerEpoch: formerEpoch, epoch: epoch,
                    salvaged: salvaged, at: WallInstant(milliseconds: Boottime.wallMilliseconds()))
            }
            try load(inFlight: configuration.inFlight)
            try lookAtMark(formerEpoch, lostLog)
            // Without a mark, as before there was one, the epoch tells.
            if replacement == nil, formerEpoch > 0, epoch > formerEpoch {
                replacement = Replacement(
                    cause: "the database was gone, or an older one was in its place", aside: lostLog,
                    formerEpoch: formerEpoch, epoch: epoch, salvaged: everything,
                    at: WallInstant(milliseconds: Boottime.wallMilliseconds()))
            }
        } catch { throw OutboxError(error, doing: "cannot read", path: path) }
    }

    /// Not one of SQLite's.
    private static let newerVersion: Int32 = -2

    /// Whether the file that is open, its log and the folder are still where they were. Cheap where nobody has touched a name:
    /// asked before each commit and after it.
    var isInPlace: Bool {
        if wasInPlace, let watch, !watch.hasSeenChange() { return true }
        wasInPlace = isFoundInPlace
        return wasInPlace
    }

    private var isFoundInPlace: Bool {
        guard StateFolder.file(at: folder.database) == file, folder.isInPlace else { return false }
        let found = StateFolder.file(at: folder.log)
        if log == nil { log = found }
        return found == log
    }

    /// The database as it is, or, where it is damaged, a new one in its place with a word about where the old one is.
    private static func openOrBeginAnew(
        _ folder: StateFolder, _ configuration: OutboxConfiguration, damage: String?
    ) throws(OutboxError) -> (Database, (cause: String, aside: String)?) {
        let path = folder.database
        do throws(SQLiteFault) {
            // What was set aside and not taken over was that one: what stands in its place since is a beginning.
            if let damage, folder.unsalvaged == nil { throw SQLiteFault(code: SQLITE_CORRUPT, message: damage) }
            let whole = folder.isSuspect || folder.databaseBytes <= configuration.checkedBytes
            let database = try open(path, whole: whole)
            folder.clearSuspicion()
            // Killed, or without room on the disk, before it was done.
            return (database, folder.unsalvaged.map { ("it was set aside before, and not read", $0) })
        } catch {
            guard error.isCorruption else { throw OutboxError(error, doing: "cannot open", path: path) }
            let former = folder.unsalvaged
            let aside = try folder.moveAside(salvaging: true)
            do throws(SQLiteFault) { return (try open(path, whole: false), (error.message, former ?? aside)) } catch {
                throw OutboxError(error, doing: "cannot begin", path: path)
            }
        }
    }

    private static func open(_ path: String, whole: Bool) throws(SQLiteFault) -> Database {
        let database = try Database(path: path)
        // Before there is any table: free pages can then be given back to the disk bit by bit. It writes.
        if try database.integer("PRAGMA page_count") == 0 { try database.run("PRAGMA auto_vacuum = INCREMENTAL") }
        guard try database.text("PRAGMA journal_mode = WAL") == "wal" else {
            throw SQLiteFault(code: SQLITE_IOERR, message: "no write-ahead log on this file system")
        }
        try database.run(
            """
            PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216; PRAGMA secure_delete = FAST;
            PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000
            """)
        try requireSynchronous(2, of: database)
        if whole, let said = try database.text("PRAGMA quick_check(1)"), said != "ok" {
            throw SQLiteFault(code: SQLITE_CORRUPT, message: said)
        }
        return database
    }

    /// A file that was begun without it has to be written anew once: only where little is in it, as a start waits for that.
    private static func allowVacuum(_ database: Database) throws(SQLiteFault) -> Bool {
        if try database.integer("PRAGMA auto_vacuum") == 2 { return true }
        let pages = try database.integer("PRAGMA page_count") - database.integer("PRAGMA freelist_count")
        guard try pages * database.integer("PRAGMA page_size") <= 16 << 20 else { return false }
        try database.run("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
        return try database.integer("PRAGMA auto_vacuum") == 2
    }

    /// A setting that was silently not taken would lose what was acknowledged.
    private static func requireSynchronous(_ level: Int64, of database: Database) throws(SQLiteFault) {
        let found = try database.integer("PRAGMA synchronous")
        guard found == level else {
            throw SQLiteFault(code: SQLITE_IOERR, message: "synchronous is \(found), not \(level)")
        }
    }

    /// Makes the next commit sync before it returns, or not. Source: <https://www.sqlite.org/pragma.html#pragma_synchronous>
    func setDurability(_ durability: Durability) throws(SQLiteFault) {
        let full = durability == .full
        guard full != isFull else { return }
        try database.run(full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
        isFull = full
        if full { try Self.requireSynchronous(2, of: database) }
    }

    /// A stream that no cursor has.
    func freeStream(besides taken: [Int64]) -> Int64 {
        let used = Set(cursors.values.joined().map(\.stream) + taken)
        return (1..<Place.streamLimit).first { !used.contains($0) } ?? Place.streamLimit
    }

    /// Bytes of the database that hold something.
    func usedBytes() throws(SQLiteFault) -> Int64 {
        var pages: Int64 = 0
        if try pageCount.step() { pages = pageCount.integer(0) }
        pageCount.reset()
        if try freePages.step() { pages -= freePages.integer(0) }
        freePages.reset()
        return pages * pageSize
    }

    private static let storedEpoch = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch'"

    /// The epoch of the file. A new file begins a larger one than any known, and so does an old one that was put back.
    private static func settleEpoch(
        _ database: Database, _ folder: StateFolder, _ path: String
    ) throws(OutboxError) -> Int64 {
        let known = folder.knownEpoch
        do throws(SQLiteFault) {
            let found = try database.integer(Self.storedEpoch)
            let stored = StateFolder.epochs.contains(found) ? found : 0
            if stored > 0 && stored >= known {
                if known != stored { try folder.rememberOrFault(stored) }
                return stored
            }
            return try beginEpoch(database, folder, after: max(known, stored))
        } catch {
            throw OutboxError(error, doing: "cannot begin an epoch in", path: path)
        }
    }

    private static func beginEpoch(
        _ database: Database, _ folder: StateFolder, after former: Int64
    ) throws(SQLiteFault) -> Int64 {
        let begun = CloudEvent.epoch(
            madeAt: WallInstant(milliseconds: Boottime.wallMilliseconds()), after: former)
        // The file first: an epoch that was begun twice would use its numbers twice.
        try folder.rememberOrFault(begun)
        try database.transaction { () throws(SQLiteFault) in
            try database.run("INSERT OR REPLACE INTO meta(key, value) VALUES ('epoch', '\(begun)')")
            try database.run("DELETE FROM meta WHERE key LIKE 'chain.%'")
        }
        return begun
    }

    // MARK: The mark

    private var position: Int64 {
        cursors.values.joined().reduce(lastSignal) { $0 + ($1.epoch == epoch ? $1.next - 1 : 0) }
    }

    /// Notes that what is in the database now is on disk.
    func noteMark() { mark.note(CommitMark.Value(epoch: epoch, position: position)) }

    /// A database that is behind its mark has lost commits that were answered: what it holds is sound and is kept, and what
    /// comes now gets a new epoch. One that lost all of it has begun one already: that is told alike.
    private func lookAtMark(_ formerEpoch: Int64, _ lostLog: String?) throws(SQLiteFault) {
        guard replacement == nil, let noted = mark.value, noted.epoch == formerEpoch else { return }
        let isOfIt = epoch == noted.epoch
        guard !isOfIt || noted.position > position else { return }
        var salvaged = Salvaged()
        salvaged.messages = Int(clamping: cursors.values.joined().reduce(0) { $0 + $1.waiting })
        // Signals and messages together: which they were, nobody knows any more.
        salvaged.lost = Int(clamping: noted.position - (isOfIt ? position : 0))
        var aside = lostLog
        if isOfIt {
            // Before anything is written: that goes over what is left of the log.
            aside = folder.copyLogAside()
            epoch = try Self.beginEpoch(database, folder, after: epoch)
            chains = [:]
        }
        replacement = Replacement(
            cause: isOfIt
                ? "the end of its log is missing: commits that were answered are gone"
                : "it is empty, or older than what was answered", aside: aside, formerEpoch: formerEpoch, epoch: epoch,
            salvaged: salvaged, at: WallInstant(milliseconds: Boottime.wallMilliseconds()))
    }

    /// Pages of the file that hold nothing.
    func freePageCount() throws(SQLiteFault) -> Int64 {
        defer { freePages.reset() }
        return try freePages.step() ? freePages.integer(0) : 0
    }

    private func load(inFlight: Int64) throws(SQLiteFault) {
        let meta = try database.prepare("SELECT key, value FROM meta WHERE key NOT LIKE 'fact.%'")
        while try meta.step() {
            let key = meta.text(0)
            if key.hasPrefix("chain.") { chains[String(key.dropFirst(6))] = meta.text(1) }
            if key == "last_change" { lastChange = Int64(meta.text(1)) ?? 0 }
            if key == "last_signal" { lastSignal = Int64(meta.text(1)) ?? 0 }
        }
        meta.reset()
        let rows = try database.prepare(
            "SELECT topic, epoch, next_seq, acked_seq, stream FROM cursor ORDER BY topic, epoch")
        while try rows.step() {
            var cursor = Cursor(
                epoch: rows.integer(1), stream: rows.integer(4), next: rows.integer(2), acked: rows.integer(3))
            let isNextSane = (1..<1 << Place.seqBits).contains(cursor.next)
            if !isNextSane { cursor.next = 1 }
            // A commit writes its runs alone: they know better than the cursor, which is of the last settlement.
            let newest = statements.newestRun
            newest.bind(1, Place.of(cursor.stream, 0))
            newest.bind(2, Place.end(of: cursor.stream))
            let isAny = try newest.step()
            if isAny {
                cursor.next = max(cursor.next, Place.seq(newest.integer(0)) + 1)
                lastChange = max(lastChange, newest.integer(1))
            }
            newest.reset()
            let isAckedSane = (0..<cursor.next).contains(cursor.acked)
            // Changed on the disk. The runs know where it is; without one nobody does, and no number may be given twice.
            guard isAny || (isNextSane && isAckedSane) else {
                throw SQLiteFault(code: SQLITE_CORRUPT, message: "a topic's cursor says what cannot be")
            }
            if !isAckedSane { cursor.acked = try settled(before: cursor) }
            cursors[rows.text(0), default: []].append(cursor)
            if cursor.waiting > 0 {
                unknownUpTo[cursor.stream] = try onTheirWay(cursor, inFlight)
                let missing = try missing(in: cursor.stream, after: cursor.acked)
                if missing > 0 { self.missing[cursor.stream] = missing }
            }
        }
        rows.reset()
        lastSignal = max(lastSignal, try database.integer("SELECT max(number) FROM journal"))
        lastSignal = max(lastSignal, try database.integer("SELECT max(number) FROM snapshot"))
    }
}

extension StateFolder {
    fileprivate func rememberOrFault(_ epoch: Int64) throws(SQLiteFault) {
        do throws(OutboxError) { try remember(epoch: epoch) } catch {
            throw SQLiteFault(
                code: error.code == .diskFull ? SQLITE_FULL : SQLITE_IOERR, message: error.description)
        }
    }
}
