import CLinux
import CSQLite
import Glibc
import Lane
import Loop

/// An outbox's file as somebody else reads it: a state folder beside or without its agent, or a file that was set aside.
///
/// It changes nothing and holds nothing up: each call is one short read, which in a write-ahead log waits for no writer and
/// lets none wait. Not thread-safe.
public final class OutboxReader {
    public let path: String
    public let epoch: Int64
    private let database: Database
    /// Of a copy, removed with the value.
    private let folder: String?

    /// The outbox of a state folder; nil where the folder has none.
    /// - Throws: `.system` where it may not be read, `.corrupt`, `.tooNew`.
    public static func live(folder: String) throws(OutboxError) -> OutboxReader? {
        let path = folder + "/outbox.sqlite"
        guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        return try OutboxReader(reading: path, named: path, folder: nil)
    }

    /// A file that nobody writes, such as one that was set aside, with the log beside it. A copy is read: the file stays as it is.
    public static func copy(of path: String) throws(OutboxError) -> OutboxReader {
        var template = Array("/var/tmp/lanewatch-outbox-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw refusal("cannot make a folder for a copy in /var/tmp") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(OutboxError) {
            try copy(path, folder + "/copy.sqlite")
            if access(path + "-wal", F_OK) == 0 { try copy(path + "-wal", folder + "/copy.sqlite-wal") }
            return try OutboxReader(reading: folder + "/copy.sqlite", named: path, folder: folder)
        } catch {
            remove(folder)
            throw error
        }
    }

    private init(reading file: String, named path: String, folder: String?) throws(OutboxError) {
        self.path = path
        self.folder = folder
        do throws(SQLiteFault) {
            database = try Database(path: file, readOnly: folder == nil)
            let version = Int(try database.integer("PRAGMA user_version"))
            guard version >= 2, version <= Schema.newest else {
                throw SQLiteFault(code: Self.otherVersion, message: "\(version)")
            }
            epoch = try database.integer("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch'")
        } catch {
            if error.code == Self.otherVersion {
                throw OutboxError(
                    .tooNew, "\(path) is of version \(error.message), and this program reads 2 to \(Schema.newest)")
            }
            throw Self.error(error, path)
        }
    }

    deinit { if let folder { Self.remove(folder) } }

    /// Not one of SQLite's.
    private static let otherVersion: Int32 = -3

    // MARK: Reading

    /// A topic's part of an epoch.
    private struct Stream {
        var topic: String
        var cursor: Cursor
    }

    public func contents(listing: Int) throws(OutboxError) -> OutboxContents {
        var contents = OutboxContents()
        contents.epoch = epoch
        contents.fileBytes = OutboxContents.bytes(of: path)
        try reading { () throws(SQLiteFault) in
            contents.depths = try depths()
            contents.quarantine = try database.quarantineSize()
            contents.letters = try database.deadLetters(limit: listing)
            let pages = try database.integer("PRAGMA page_count") - database.integer("PRAGMA freelist_count")
            contents.usedBytes = pages * (try database.integer("PRAGMA page_size"))
        }
        return contents
    }

    /// The dead letter at `mark`, whole; nil where there is none.
    public func deadLetter(_ mark: Mark) throws(OutboxError) -> Parcel? {
        var parcel: Parcel?
        try reading { () throws(SQLiteFault) in parcel = try database.deadLetter(mark) }
        return parcel
    }

    /// What waits on `topic` behind `position`, in order, as `Outbox.lease` gives it.
    public func parcels(
        topic: String, after position: Position, limit: Int = 500, bytes: Int = 1 << 20
    ) throws(OutboxError) -> [Parcel] {
        var parcels: [Parcel] = []
        try reading { () throws(SQLiteFault) in
            var size = 0
            let runs = try database.prepare(
                "SELECT created, messages FROM run WHERE place > ? AND place <= ? ORDER BY place")
            defer { database.drop(runs) }
            for stream in try streams() where stream.topic == topic && stream.cursor.epoch >= position.epoch {
                let cursor = stream.cursor
                let after = max(cursor.acked, cursor.epoch == position.epoch ? position.seq : 0)
                runs.bind(1, Place.of(cursor.stream, after))
                runs.bind(2, Place.end(of: cursor.stream))
                defer { runs.reset() }
                while size < bytes, parcels.count < limit, try runs.step() {
                    let created = WallInstant(milliseconds: runs.integer(0))
                    runs.withBytes(1) { run in
                        guard var reader = RunReader(run) else { return }
                        while size < bytes, parcels.count < limit, let message = reader.message() {
                            guard message.seq > after else { continue }
                            size += message.headers.bytes.count + (message.value?.count ?? 0)
                            parcels.append(
                                Parcel(message, topic: topic, epoch: cursor.epoch, key: reader.key, created: created))
                        }
                    }
                }
            }
        }
        return parcels
    }

    private func streams() throws(SQLiteFault) -> [Stream] {
        let rows = try database.prepare(
            "SELECT topic, epoch, next_seq, acked_seq, stream FROM cursor ORDER BY topic, epoch")
        let newest = try database.prepare(
            "SELECT place FROM run WHERE place > ? AND place <= ? ORDER BY place DESC LIMIT 1")
        defer {
            database.drop(rows)
            database.drop(newest)
        }
        var found: [Stream] = []
        while try rows.step() {
            var cursor = Cursor(
                epoch: rows.integer(1), stream: rows.integer(4), next: rows.integer(2), acked: rows.integer(3))
            newest.bind(1, Place.of(cursor.stream, 0))
            newest.bind(2, Place.end(of: cursor.stream))
            if try newest.step() { cursor.next = max(cursor.next, Place.seq(newest.integer(0)) + 1) }
            newest.reset()
            found.append(Stream(topic: rows.text(0), cursor: cursor))
        }
        return found
    }

    private func depths() throws(SQLiteFault) -> [TopicDepth] {
        var depths: [TopicDepth] = []
        for stream in try streams() {
            let (topic, cursor) = (stream.topic, stream.cursor)
            let head = Position(epoch: cursor.epoch, seq: cursor.next - 1)
            let settled = Position(epoch: cursor.epoch, seq: cursor.acked)
            var oldest: WallInstant?
            let waiting = Int(clamping: cursor.waiting - (try missing(in: cursor)))
            if cursor.waiting > 0 {
                let first = try database.prepare("SELECT created FROM run WHERE place > ? ORDER BY place LIMIT 1")
                defer { database.drop(first) }
                first.bind(1, Place.of(cursor.stream, cursor.acked))
                if try first.step() { oldest = WallInstant(milliseconds: first.integer(0)) }
            }
            if let place = depths.firstIndex(where: { $0.topic == topic }) {
                // Of an older epoch something waits still, or nothing does.
                if depths[place].rows == 0 { depths[place].settled = settled }
                depths[place].head = head
                depths[place].rows += waiting
                depths[place].oldest = depths[place].oldest ?? oldest
            } else {
                depths.append(
                    TopicDepth(topic: topic, settled: settled, head: head, rows: waiting, oldest: oldest))
            }
        }
        return depths
    }

    /// Messages that were given up and are told of by one that waits.
    private func missing(in cursor: Cursor) throws(SQLiteFault) -> Int64 {
        guard cursor.waiting > 0, try database.integer("PRAGMA user_version") >= 3 else { return 0 }
        let sum = try database.prepare(
            "SELECT total(age + full + damaged - 1) FROM told WHERE place > ? AND place <= ?")
        defer { database.drop(sum) }
        sum.bind(1, Place.of(cursor.stream, cursor.acked))
        sum.bind(2, Place.end(of: cursor.stream))
        return try sum.step() ? sum.integer(0) : 0
    }

    /// One moment of the file, whatever is written meanwhile.
    private func reading(_ body: () throws(SQLiteFault) -> Void) throws(OutboxError) {
        do throws(SQLiteFault) {
            try database.run("BEGIN")
            do throws(SQLiteFault) { try body() } catch {
                try? database.run("ROLLBACK")
                throw error
            }
            try database.run("COMMIT")
        } catch {
            throw Self.error(error, path)
        }
    }

    private static func error(_ fault: SQLiteFault, _ path: String) -> OutboxError {
        if fault.isCorruption {
            return OutboxError(
                .corrupt, "\(path) is damaged: \(fault.message); \"sqlite3 FILE .recover\" of a copy may save more",
                underlying: fault.code)
        }
        if [SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH].contains(fault.primary) {
            return OutboxError(
                .system, "\(path) cannot be read: \(fault.message); be root or the agent's user", underlying: fault.code
            )
        }
        return OutboxError(fault, doing: "cannot read", path: path)
    }

    // MARK: The copy

    private static func refusal(_ what: String) -> OutboxError {
        let code = errno
        return OutboxError(.system, "\(what): \(SystemError.text(of: code))", underlying: code)
    }

    private static func copy(_ from: String, _ to: String) throws(OutboxError) {
        let source = lw_open(from, O_RDONLY | O_CLOEXEC, 0)
        guard source >= 0 else { throw refusal("cannot open \(from)") }
        defer { _ = close(source) }
        let target = lw_open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw refusal("cannot make \(to)") }
        defer { _ = close(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count >= 0 else { throw refusal("cannot read \(from)") }
            guard count > 0 else { return }
            var written = 0
            while written < count {
                let done = buffer.withUnsafeBytes {
                    write(target, $0.baseAddress.map { $0 + written }, count - written)
                }
                guard done > 0 else { throw refusal("cannot write a copy of \(from)") }
                written += done
            }
        }
    }

    private static func remove(_ folder: String) {
        for name in ["copy.sqlite", "copy.sqlite-wal", "copy.sqlite-shm"] { _ = unlink("\(folder)/\(name)") }
        _ = rmdir(folder)
    }
}
