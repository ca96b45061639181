import CSQLite

/// One SQLite connection and its prepared statements. Owned by one actor; everything is closed with it.
///
/// Statements are finalised before the connection is closed. Source: <https://www.sqlite.org/c3ref/close.html>
final class Database {
    private let handle: OpaquePointer
    private var statements: [Statement] = []
    private var begin: Statement?
    private var end: Statement?
    /// Pages in the write-ahead log after the last commit; the library writes it within the commit.
    private let loggedPages: UnsafeMutablePointer<Int32>
    /// Where a reader holds the log, another look is worth it only once it has grown.
    private var checkpointAt: Int32 = 1000

    /// Opens or creates the file `path` for this process's one writer.
    init(path: String, readOnly: Bool = false) throws(SQLiteFault) {
        var opened: OpaquePointer?
        let access = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let code = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let fault = SQLiteFault(code: code, message: opened.map { String(cString: sqlite3_errmsg($0)) } ?? "")
            sqlite3_close(opened)
            throw fault
        }
        // A file that may only be read is opened all the same, and then every commit fails.
        guard readOnly || sqlite3_db_readonly(opened, "main") == 0 else {
            sqlite3_close(opened)
            throw SQLiteFault(code: SQLITE_READONLY, message: "the file cannot be written")
        }
        lw_leave_log(opened)
        handle = opened
        loggedPages = .allocate(capacity: 1)
        loggedPages.initialize(to: 0)
        // In the place of the automatic checkpoint, which would hold up a commit that somebody waits for.
        sqlite3_wal_hook(
            handle,
            { pages, _, _, count in
                pages?.assumingMemoryBound(to: Int32.self).pointee = count
                return SQLITE_OK
            }, loggedPages)
        sqlite3_extended_result_codes(handle, 1)
        // Only a reader of the command line can hold the file: a moment is enough.
        sqlite3_busy_timeout(handle, 2000)
    }

    deinit {
        for statement in statements { statement.finalize() }
        sqlite3_close(handle)
        loggedPages.deallocate()
    }

    /// The log is as long as SQLite lets it grow by default: time for a checkpoint.
    var isCheckpointDue: Bool { loggedPages.pointee >= checkpointAt }

    /// Pages in the log after the last commit; the library makes room in it only once no reader needs them.
    var logPages: Int32 { loggedPages.pointee }

    /// Brings the log's pages into the file. What a reader still needs stays in the log, until the next time; so does all
    /// where it fails: nothing is lost by that, and the commits say what is wrong with the disk.
    /// - Returns: whether all of it is in the file, so that the log begins anew.
    @discardableResult
    func checkpoint() -> Bool {
        var (pages, done): (Int32, Int32) = (-1, -1)
        let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, &pages, &done)
        let isWhole = code == SQLITE_OK && pages == done
        checkpointAt = isWhole ? 1000 : loggedPages.pointee + 1000
        if isWhole { loggedPages.pointee = 0 }
        return isWhole
    }

    /// Brings all of the log into the file and cuts it. Fails while somebody reads.
    func checkpointWhole() throws(SQLiteFault) {
        guard sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil) == SQLITE_OK else {
            throw fault()
        }
        (loggedPages.pointee, checkpointAt) = (0, 1000)
    }

    /// Runs `sql`, one or more statements without results.
    func run(_ sql: String) throws(SQLiteFault) {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw fault() }
    }

    /// A statement kept until the connection is closed.
    func prepare(_ sql: String) throws(SQLiteFault) -> Statement {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil) == SQLITE_OK,
            let prepared
        else { throw fault() }
        let statement = Statement(prepared, of: handle)
        statements.append(statement)
        return statement
    }

    /// Finalises a statement of `prepare` that is not needed again.
    func drop(_ statement: Statement) {
        statement.finalize()
        statements.removeAll { $0 === statement }
    }

    /// The first column of the first row of `sql`; 0 without a row.
    func integer(_ sql: String) throws(SQLiteFault) -> Int64 {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else { throw fault() }
        let statement = Statement(prepared, of: handle)
        defer { statement.finalize() }
        return try statement.step() ? statement.integer(0) : 0
    }

    /// The first column of the first row of `sql` as text; nil without a row.
    func text(_ sql: String) throws(SQLiteFault) -> String? {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else { throw fault() }
        let statement = Statement(prepared, of: handle)
        defer { statement.finalize() }
        return try statement.step() ? statement.text(0) : nil
    }

    /// Runs `body` in one transaction: committed when it returns, rolled back when it or the commit fails.
    func transaction(_ body: () throws(SQLiteFault) -> Void) throws(SQLiteFault) {
        if begin == nil { begin = try prepare("BEGIN IMMEDIATE") }
        if end == nil { end = try prepare("COMMIT") }
        try begin?.execute()
        do throws(SQLiteFault) {
            try body()
            try end?.execute()
        } catch {
            // Some failures (a full disk) have rolled back already; then there is nothing left to undo.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    private func fault() -> SQLiteFault {
        SQLiteFault(
            code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)),
            systemCode: sqlite3_system_errno(handle))
    }
}

/// A prepared statement. Places of `bind` count from 1, of columns from 0, as in C.
final class Statement {
    private let statement: OpaquePointer
    private let connection: OpaquePointer

    fileprivate init(_ statement: OpaquePointer, of connection: OpaquePointer) {
        self.statement = statement
        self.connection = connection
    }

    fileprivate func finalize() { sqlite3_finalize(statement) }

    func bind(_ place: Int32, _ value: Int64) { sqlite3_bind_int64(statement, place, value) }

    /// Copied by SQLite: for the short ones. Long ones go through `bindUncopied`.
    func bind(_ place: Int32, _ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            // An empty string may have no address, and SQLite would take nil for NULL.
            utf8.withMemoryRebound(to: CChar.self) { chars in
                _ = lw_bind_text(statement, place, chars.baseAddress ?? Statement.noChars, Int32(chars.count))
            }
        }
    }

    func bind(_ place: Int32, copying bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            _ = lw_bind_blob(statement, place, buffer.baseAddress ?? Statement.noBytes, Int32(buffer.count))
        }
    }

    /// Binds without a copy: `bytes` must live until the statement is reset. Nil is NULL.
    func bindUncopied(_ place: Int32, _ bytes: UnsafeRawBufferPointer?) {
        guard let bytes else {
            sqlite3_bind_null(statement, place)
            return
        }
        sqlite3_bind_blob(statement, place, bytes.baseAddress ?? Statement.noBytes, Int32(bytes.count), nil)
    }

    /// Binds UTF-8 as text without a copy: `utf8` must live until the statement is reset.
    func bindUncopied(text place: Int32, _ utf8: UnsafeRawBufferPointer) {
        let chars = utf8.assumingMemoryBound(to: CChar.self)
        sqlite3_bind_text(statement, place, chars.baseAddress ?? Statement.noChars, Int32(chars.count), nil)
    }

    /// Whether there is a row. After a failure the statement is reset.
    func step() throws(SQLiteFault) -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let fault = SQLiteFault(
                code: sqlite3_extended_errcode(connection), message: String(cString: sqlite3_errmsg(connection)),
                systemCode: sqlite3_system_errno(connection))
            sqlite3_reset(statement)
            throw fault
        }
    }

    /// Steps a statement without results and resets it.
    func execute() throws(SQLiteFault) {
        _ = try step()
        sqlite3_reset(statement)
    }

    /// Ends a read, lets go of what was bound. Without it an open read keeps the log from being taken up.
    func reset() { sqlite3_reset(statement) }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func text(_ column: Int32) -> String {
        guard let chars = sqlite3_column_text(statement, column) else { return "" }
        return String(
            decoding: UnsafeBufferPointer(start: chars, count: Int(sqlite3_column_bytes(statement, column))),
            as: UTF8.self)
    }

    /// A copy of the blob; nil for NULL.
    func bytes(_ column: Int32) -> [UInt8]? {
        guard sqlite3_column_type(statement, column) != SQLITE_NULL else { return nil }
        guard let start = sqlite3_column_blob(statement, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }

    /// Calls `body` with the blob in place; it is valid until the next step.
    func withBytes<T>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        let start = sqlite3_column_blob(statement, column)
        return body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }

    // Never written, never freed: addresses that are not nil, for values of no length.
    nonisolated(unsafe) private static let noBytes: UnsafeRawPointer = UnsafeRawPointer(
        UnsafeMutablePointer<UInt8>.allocate(capacity: 1))
    nonisolated(unsafe) private static let noChars: UnsafePointer<CChar> = UnsafePointer(
        UnsafeMutablePointer<CChar>.allocate(capacity: 1))
}

/// A result code of SQLite with its text. Source: <https://www.sqlite.org/rescode.html>
struct SQLiteFault: Error {
    /// The extended code; the primary one is its low byte.
    var code: Int32
    var message: String
    /// `errno` of the call that failed, where one did.
    var systemCode: Int32 = 0

    var primary: Int32 { code & 0xFF }
    /// The file is not a database, or not a whole one.
    var isCorruption: Bool { primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB }
}
