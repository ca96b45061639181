import CSQLite
import Lane
import Loop

/// What an operator may set.
public struct OutboxConfiguration: Hashable, Sendable {
    /// The state folder, made with mode 0700 where it is missing.
    public var folder: String
    /// Past this many bytes in use new events are refused with `OutboxError.full`; nothing is ever dropped to make room.
    public var maximumBytes: Int64
    /// A database up to this size is looked through at every start, a larger one after damage was seen only.
    public var checkedBytes: Int64

    public init(folder: String, maximumBytes: Int64 = 512 << 20, checkedBytes: Int64 = 64 << 20) {
        self.folder = folder
        self.maximumBytes = maximumBytes
        self.checkedBytes = checkedBytes
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
    let epoch: Int64
    /// Per topic, older epochs first; the current epoch's, where there is one, is last.
    var cursors: [String: [Cursor]] = [:]
    /// SHA-256 of the last value of each chained topic, in hexadecimal.
    var chains: [String: String] = [:]
    var lastSignal: Int64 = 0
    var lastChange: Int64 = 0
    let notices: [Notice]
    private var isFull = true
    private let pageCount: Statement
    private let freePages: Statement
    private let pageSize: Int64

    init(_ configuration: OutboxConfiguration) throws(OutboxError) {
        let folder = try StateFolder(configuration.folder)
        let path = folder.database
        let (database, notice) = try Self.openOrBeginAnew(folder, configuration)
        notices = notice.map { [$0] } ?? []
        do throws(SQLiteFault) {
            guard try Schema.migrate(database) != nil else {
                throw SQLiteFault(code: Self.newerVersion, message: "")
            }
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
        self.folder = folder
        self.database = database
        do throws(SQLiteFault) { try load() } catch { throw OutboxError(error, doing: "cannot read", path: path) }
    }

    /// Not one of SQLite's.
    private static let newerVersion: Int32 = -2

    /// The database as it is, or, where it is damaged, a new one in its place with a word about where the old one is.
    private static func openOrBeginAnew(
        _ folder: StateFolder, _ configuration: OutboxConfiguration
    ) throws(OutboxError) -> (Database, Notice?) {
        let path = folder.database
        do throws(SQLiteFault) {
            let whole = folder.isSuspect || folder.databaseBytes <= configuration.checkedBytes
            let database = try open(path, whole: whole)
            folder.clearSuspicion()
            return (database, nil)
        } catch {
            guard error.isCorruption else { throw OutboxError(error, doing: "cannot open", path: path) }
            let aside = try folder.moveAside()
            let notice = Notice(
                .error, "the outbox was damaged: moved aside, a new one begun",
                [.init("outbox.aside", aside), .init("outbox.fault", error.message)])
            do throws(SQLiteFault) { return (try open(path, whole: false), notice) } catch {
                throw OutboxError(error, doing: "cannot begin", path: path)
            }
        }
    }

    private static func open(_ path: String, whole: Bool) throws(SQLiteFault) -> Database {
        let database = try Database(path: path)
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

    /// The epoch of the file. A new file begins a larger one than any known, and so does an old one that was put back.
    private static func settleEpoch(
        _ database: Database, _ folder: StateFolder, _ path: String
    ) throws(OutboxError) -> Int64 {
        let known = folder.knownEpoch
        do throws(SQLiteFault) {
            let stored = try database.integer("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch'")
            if stored > 0 && stored >= known {
                if known != stored { try folder.rememberOrFault(stored) }
                return stored
            }
            let begun = CloudEvent.epoch(
                madeAt: WallInstant(milliseconds: Boottime.wallMilliseconds()), after: max(known, stored))
            // The file first: an epoch that was begun twice would use its numbers twice.
            try folder.rememberOrFault(begun)
            try database.transaction { () throws(SQLiteFault) in
                try database.run("INSERT OR REPLACE INTO meta(key, value) VALUES ('epoch', '\(begun)')")
                try database.run("DELETE FROM meta WHERE key LIKE 'chain.%'")
            }
            return begun
        } catch {
            throw OutboxError(error, doing: "cannot begin an epoch in", path: path)
        }
    }

    private func load() throws(SQLiteFault) {
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
            // A commit writes its runs alone: they know better than the cursor, which is of the last settlement.
            let newest = statements.newestRun
            newest.bind(1, Place.of(cursor.stream, 0))
            newest.bind(2, Place.end(of: cursor.stream))
            if try newest.step() {
                cursor.next = max(cursor.next, Place.seq(newest.integer(0)) + 1)
                lastChange = max(lastChange, newest.integer(1))
            }
            newest.reset()
            cursors[rows.text(0), default: []].append(cursor)
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
