import CLinux
import Glibc
import Lane
import Loop

/// The folder of the agent's state: `outbox.sqlite`, `lock`, `epoch`, `mark`. Mode 0700, files 0600.
///
/// Holding one holds the lock: one agent a folder. The lock goes with the value, and with the process however it ends.
/// Source: flock(2).
final class StateFolder {
    let path: String
    private let lock: Descriptor

    var database: String { path + "/outbox.sqlite" }
    private var epochFile: String { path + "/epoch" }
    private var suspectFile: String { path + "/suspect" }
    /// See `CommitMark`.
    var markFile: String { path + "/mark" }

    init(_ path: String) throws(OutboxError) {
        lock = Descriptor(owning: try Self.takeLock(path))
        self.path = path
        try touch()
        sync()
    }

    /// Said, not left to the closing: a child that is just being started holds a copy of the descriptor until it runs.
    deinit { unlock() }

    /// Lets another agent have the folder.
    func unlock() { _ = flock(lock.raw, LOCK_UN) }

    /// The locked descriptor of `lock`.
    private static func takeLock(_ path: String) throws(OutboxError) -> Int32 {
        if mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw refusal("cannot make the state folder \(path)")
        }
        let raw = lw_open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw refusal("cannot open \(path)/lock") }
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            _ = close(raw)
            throw OutboxError(
                .locked, "another agent runs on the state folder \(path); stop it, or give this one its own folder",
                underlying: code)
        }
        return raw
    }

    /// Makes the database file where it is missing: SQLite would use the mask of the process. Its log takes this mode.
    private func touch() throws(OutboxError) {
        let file = lw_open(database, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.refusal("cannot open \(database)") }
        _ = close(file)
    }

    func refusal(_ what: String) -> OutboxError { Self.refusal(what) }

    /// Makes the bytes of `path` durable.
    func persist(_ path: String) throws(OutboxError) {
        let raw = lw_open(path, O_RDWR | O_CLOEXEC, 0)
        guard raw >= 0 else { throw Self.refusal("cannot open \(path)") }
        let file = Descriptor(owning: raw)
        guard fsync(file.raw) == 0 else { throw Self.refusal("cannot write \(path)") }
    }

    private static func refusal(_ what: String) -> OutboxError {
        let code = errno
        let isFull = code == ENOSPC || code == EDQUOT
        let remedy =
            isFull
            ? "free some space"
            : code == EROFS
                ? "its file system is mounted read-only: look at the kernel's log for the disk's errors, and mount it writable"
                : "the folder must belong to the agent's user and be writable"
        return OutboxError(
            isFull ? .diskFull : code == EROFS ? .readOnly : .system,
            "\(what): \(SystemError.text(of: code)); \(remedy)", underlying: code, isRetriable: isFull || code == EROFS)
    }

    /// Makes new and renamed names durable. Source: fsync(2), "does not necessarily ensure that the entry in the
    /// directory containing the file has also reached disk".
    func sync() {
        let raw = lw_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard raw >= 0 else { return }
        _ = fsync(raw)
        _ = close(raw)
    }

    var databaseBytes: Int64 { Self.bytes(of: database) }
    var log: String { database + "-wal" }

    /// A name for what is set aside that no file has, nor has had its log.
    private func freeAside() -> String {
        var stamp = Boottime.wallMilliseconds()
        while ["", ".log"].contains(where: { access("\(database).damaged-\(stamp)\($0)", F_OK) == 0 }) { stamp += 1 }
        return "\(database).damaged-\(stamp)"
    }

    /// Copies the log as it is, with what SQLite does not read of it and writes over next, and says where to; nil where
    /// there is none, or no room. The open database is not touched: its locks lie on other files.
    func copyLogAside() -> String? {
        let from = lw_open(log, O_RDONLY | O_CLOEXEC, 0)
        guard from >= 0 else { return nil }
        let source = Descriptor(owning: from)
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var count = read(source.raw, &chunk, chunk.count)
        guard count > 0 else { return nil }
        let aside = freeAside() + ".log"
        let to = lw_open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard to >= 0 else { return nil }
        let target = Descriptor(owning: to)
        while count > 0 {
            guard write(target.raw, chunk, count) == count else {
                _ = unlink(aside)
                return nil
            }
            count = read(source.raw, &chunk, chunk.count)
        }
        _ = fsync(target.raw)
        sync()
        return aside
    }

    /// Moves the database and its log out of the way, and says where to. Never over a file that is there.
    /// - Parameter salvaging: What can be read of it is to be taken over: that is remembered until `salvaged`.
    @discardableResult func moveAside(salvaging: Bool) throws(OutboxError) -> String {
        let aside = freeAside()
        // What is still to be taken over stays so: nothing was committed to the file that was begun in its place.
        if salvaging, unsalvaged == nil {
            // A link holds its text in its inode: it can be made on a full disk.
            _ = unlink(salvageLink)
            guard symlink(aside, salvageLink) == 0 else { throw Self.refusal("cannot make \(salvageLink)") }
        }
        guard rename(database, aside) == 0 else { throw Self.refusal("cannot move \(database) aside") }
        for suffix in ["-wal", "-shm"] { _ = rename(database + suffix, aside + suffix) }
        _ = unlink(suspectFile)
        try touch()
        sync()
        return aside
    }

    private var salvageLink: String { path + "/salvage" }

    /// A file that was set aside, and from which nothing was taken over yet.
    var unsalvaged: String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(salvageLink, &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        let found = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return access(found, F_OK) == 0 ? found : nil
    }

    func salvaged() { _ = unlink(salvageLink) }

    // MARK: What lies in the folder

    /// Which file stands at a path: device and inode; nil where there is none.
    struct FileID: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    static func file(at path: String) -> FileID? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    static func bytes(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// What is wrong with the file system, as an `errno`: EROFS, ENOSPC, or 0. SQLite does not always say it.
    static func diskFault(at path: String) -> Int32 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        // ST_RDONLY, which comes as a number or as an enumeration, as other headers have it. Source: statvfs(3).
        if status.f_flag & 1 != 0 { return EROFS }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize) < 65_536 ? ENOSPC : 0
    }

    /// Whether the lock that is held is the folder's: not, where the folder was taken away or another put in its place.
    var isInPlace: Bool {
        var status = stat()
        guard fstat(lock.raw, &status) == 0 else { return false }
        return Self.file(at: path + "/lock")
            == FileID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// Files that were set aside, and the bytes of them and their logs.
    func aside() -> (files: [String], bytes: Int64) {
        guard let folder = opendir(path) else { return ([], 0) }
        defer { closedir(folder) }
        let prefix = "outbox.sqlite.damaged-"
        var (files, bytes): ([String], Int64) = ([], 0)
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(prefix) else { continue }
            bytes += Self.bytes(of: "\(path)/\(name)")
            if !name.hasSuffix("-wal"), !name.hasSuffix("-shm") { files.append("\(path)/\(name)") }
        }
        return (files.sorted(), bytes)
    }

    // MARK: The epoch, beside the database because it must outlive it

    /// What `ce_sequence` has digits for.
    static let epochs: ClosedRange<Int64> = 1...999_999

    /// The epoch last begun here; 0 when unknown, or when it cannot be one.
    var knownEpoch: Int64 {
        let raw = lw_open(epochFile, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else { return 0 }
        defer { _ = close(raw) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = read(raw, &buffer, buffer.count)
        guard count > 0 else { return 0 }
        let digits = buffer[0..<count].prefix { $0 >= 48 && $0 <= 57 }
        let epoch = Int64(String(decoding: digits, as: UTF8.self)) ?? 0
        return Self.epochs.contains(epoch) ? epoch : 0
    }

    func remember(epoch: Int64) throws(OutboxError) {
        let temporary = epochFile + ".new"
        let raw = lw_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw Self.refusal("cannot write \(temporary)") }
        let file = Descriptor(owning: raw)
        let text = Array("\(epoch)\n".utf8)
        guard write(file.raw, text, text.count) == text.count, fsync(file.raw) == 0,
            rename(temporary, epochFile) == 0
        else { throw Self.refusal("cannot write \(epochFile)") }
        sync()
    }

    // MARK: Suspicion: damage seen while running is looked for whole at the next start

    var isSuspect: Bool { access(suspectFile, F_OK) == 0 }

    func markSuspect() {
        let raw = lw_open(suspectFile, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if raw >= 0 { _ = close(raw) }
    }

    func clearSuspicion() { _ = unlink(suspectFile) }
}
