import CSQLite
import Foundation

/// Looks into an agent's state folder without the project's own code: how much waits, what is set aside.
public struct StateReader: Sendable {
    public let folder: String

    public init(folder: String) { self.folder = folder }

    public var database: String { folder + "/outbox.sqlite" }

    /// Rows with messages that wait, of all topics.
    public var runs: Int? { integer("SELECT count(*) FROM run") }

    /// The last settled sequence number of `topic` in its newest epoch.
    public func settled(_ topic: String) -> Allowance.Position? {
        guard let epoch = integer("SELECT max(epoch) FROM cursor WHERE topic = ?1", topic),
            let seq = integer("SELECT acked_seq FROM cursor WHERE topic = ?1 ORDER BY epoch DESC LIMIT 1", topic)
        else { return nil }
        return Allowance.Position(epoch: epoch, seq: seq)
    }

    /// The numbers in messages that are in the quarantine.
    public var withheld: Set<Int> {
        var numbers: Set<Int> = []
        query("SELECT payload FROM dead_letter", nil) { statement in
            guard let bytes = sqlite3_column_blob(statement, 0) else { return }
            let count = Int(sqlite3_column_bytes(statement, 0))
            let payload = [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
            if let number = Ledger.number(in: payload[...]) { numbers.insert(number) }
        }
        return numbers
    }

    /// Files that the agent moved out of the way, with their logs.
    public var filesSetAside: [String] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.contains("damaged") || $0.contains("aside") }.map { folder + "/" + $0 }.sorted()
    }

    /// The numbers that stand anywhere in them: such a file may be too damaged to be opened.
    public var numbersSetAside: Set<Int> {
        filesSetAside.reduce(into: []) { all, name in
            guard let bytes = FileManager.default.contents(atPath: name) else { return }
            all.formUnion(Ledger.numbers(anywhereIn: [UInt8](bytes)))
        }
    }

    private func integer(_ sql: String, _ text: String? = nil) -> Int? {
        var value: Int?
        query(sql, text) { statement in
            if sqlite3_column_type(statement, 0) != SQLITE_NULL { value = Int(sqlite3_column_int64(statement, 0)) }
        }
        return value
    }

    private func query(_ sql: String, _ text: String?, _ row: (OpaquePointer) -> Void) {
        var handle: OpaquePointer?
        defer { sqlite3_close(handle) }
        guard sqlite3_open_v2(database, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { return }
        sqlite3_busy_timeout(handle, 1000)
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, let statement else { return }
        if let text {
            let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            sqlite3_bind_text(statement, 1, text, -1, transient)
        }
        while sqlite3_step(statement) == SQLITE_ROW { row(statement) }
    }
}
