import CSQLite
import Glibc

/// What the outbox could not do. Nothing was written when one is thrown.
public struct OutboxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Open: new codes may come.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        /// Another agent holds the state folder.
        public static let locked = Code(rawValue: "locked")
        /// The operator's limit of bytes is reached: no new events until some are delivered.
        public static let full = Code(rawValue: "full")
        /// The disk or its quota is full.
        public static let diskFull = Code(rawValue: "disk_full")
        /// The database is damaged. The next start looks through it and moves it aside.
        public static let corrupt = Code(rawValue: "corrupt")
        /// The file system lets nothing be written.
        public static let readOnly = Code(rawValue: "read_only")
        /// The write-ahead log has grown past its bound because somebody reads the database without an end.
        public static let logFull = Code(rawValue: "log_full")
        /// The file was found damaged or gone, and a new one was begun: the same commit succeeds, and should bring a snapshot.
        public static let replaced = Code(rawValue: "replaced")
        /// The system refused to read or write.
        public static let system = Code(rawValue: "io")
        /// Written by a newer version of the agent.
        public static let tooNew = Code(rawValue: "too_new")
        /// A value over `Outbox.largestValue`, refused alone.
        public static let tooLarge = Code(rawValue: "too_large")
        /// An event that no message can be made of: refused alone.
        public static let malformed = Code(rawValue: "malformed")
        /// The dead letters have reached their limit: nothing more is taken out of the stream until some are dealt with.
        public static let quarantineFull = Code(rawValue: "quarantine_full")
        /// Against the contract of a call, such as a signal number used twice.
        public static let misuse = Code(rawValue: "misuse")
    }

    public var code: Code
    /// One sentence: what, where, the way out. No customers' data.
    public var description: String
    /// The topic of a refused event.
    public var topic: String?
    /// The library's or the system's code; 0 where the outbox itself refuses.
    public var underlying: Int32
    /// Whether the same call may succeed later.
    public var isRetriable: Bool

    public init(
        _ code: Code, _ description: String, topic: String? = nil, underlying: Int32 = 0, isRetriable: Bool = false
    ) {
        self.code = code
        self.description = description
        self.topic = topic
        self.underlying = underlying
        self.isRetriable = isRetriable
    }

    /// What SQLite said while `doing`.
    init(_ fault: SQLiteFault, doing: StaticString, path: String) {
        let said = "\(doing) \(path): \(fault.message) (\(fault.code))"
        switch fault.primary {
        case SQLITE_FULL:
            self.init(
                .diskFull, "\(said); free some space, nothing was lost", underlying: fault.code, isRetriable: true)
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            self.init(
                .corrupt, "\(said); a restart of the agent moves the file aside and begins a new one",
                underlying: fault.code)
        case SQLITE_CONSTRAINT, SQLITE_MISUSE, SQLITE_ERROR, SQLITE_RANGE:
            self.init(.misuse, said, underlying: fault.code)
        case SQLITE_READONLY:
            self.init(
                .readOnly,
                "\(said); the file system is mounted read-only, or the file is another user's: the kernel's log tells of "
                    + "the disk's errors; mount it writable, it then goes on by itself",
                underlying: fault.code, isRetriable: true)
        case SQLITE_CANTOPEN:
            self.init(
                .system, "\(said); the folder and its files must be there and belong to the agent's user",
                underlying: fault.code, isRetriable: true)
        case SQLITE_PERM, SQLITE_AUTH:
            self.init(
                .system, "\(said); the folder and its files must belong to the agent's user", underlying: fault.code)
        case SQLITE_IOERR where fault.systemCode == EROFS:
            self.init(
                .readOnly,
                "\(said): the file system is mounted read-only; the kernel's log tells of the disk's errors; mount it "
                    + "writable, it then goes on by itself", underlying: fault.code, isRetriable: true)
        case SQLITE_IOERR where [ENOSPC, EDQUOT, EFBIG].contains(fault.systemCode):
            self.init(
                .diskFull, "\(said); free some space, nothing was lost", underlying: fault.code, isRetriable: true)
        default:
            // IOERR, BUSY, LOCKED, NOMEM, …: the medium or the moment.
            self.init(.system, said, underlying: fault.code, isRetriable: true)
        }
    }
}
