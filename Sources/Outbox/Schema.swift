/// The tables, and how older files become newer ones. `PRAGMA user_version` counts the steps taken.
///
/// - `outbox`: messages that wait. `headers` is a `HeaderBlock`; `created` is wall time in milliseconds.
/// - `cursor`: per topic and epoch the next sequence number and the last settled one.
/// - `journal`, `snapshot`: the engine's checkpoint is the one snapshot and the signals accepted after it.
/// - `dead_letter`: messages that the broker will never take, whole, with the reason.
/// - `meta`: `epoch`, `last_signal`, `last_change`, `chain.<topic>`, and the agent's own facts as `fact.<name>`.
enum Schema {
    static let steps: [String] = [
        """
        CREATE TABLE outbox(
            topic TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL,
            headers BLOB NOT NULL, payload BLOB, created INTEGER NOT NULL, PRIMARY KEY(topic, epoch, seq));
        CREATE TABLE cursor(
            topic TEXT NOT NULL, epoch INTEGER NOT NULL, next_seq INTEGER NOT NULL, acked_seq INTEGER NOT NULL,
            PRIMARY KEY(topic, epoch)) WITHOUT ROWID;
        CREATE TABLE journal(number INTEGER PRIMARY KEY, signal TEXT NOT NULL);
        CREATE TABLE snapshot(number INTEGER PRIMARY KEY, engine BLOB NOT NULL);
        CREATE TABLE dead_letter(
            topic TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL,
            headers BLOB NOT NULL, payload BLOB, created INTEGER NOT NULL, reason TEXT NOT NULL,
            moved INTEGER NOT NULL, PRIMARY KEY(topic, epoch, seq));
        CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
        """
    ]

    /// Brings the file to the newest version. Each step is one transaction.
    /// - Returns: the version found, or nil where it is newer than this agent knows.
    static func migrate(_ database: Database) throws(SQLiteFault) -> Int? {
        let found = Int(try database.integer("PRAGMA user_version"))
        guard found <= steps.count else { return nil }
        for (place, step) in steps.enumerated().dropFirst(found) {
            try database.transaction { () throws(SQLiteFault) in
                try database.run(step)
                try database.run("PRAGMA user_version = \(place + 1)")
            }
        }
        return found
    }
}

/// The statements of the outbox, prepared once and kept.
struct Statements {
    let insertSignal: Statement
    let insertEvent: Statement
    let setCursor: Statement
    let dropCursor: Statement
    let setMeta: Statement
    let dropMeta: Statement
    let insertSnapshot: Statement
    let dropSnapshots: Statement
    let dropJournal: Statement
    let lease: Statement
    let settle: Statement
    let oldest: Statement
    let copyToDeadLetter: Statement
    let replace: Statement

    init(_ database: Database) throws(SQLiteFault) {
        insertSignal = try database.prepare("INSERT INTO journal(number, signal) VALUES (?, ?)")
        insertEvent = try database.prepare(
            """
            INSERT INTO outbox(topic, epoch, seq, id, key, headers, payload, created)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """)
        setCursor = try database.prepare(
            "INSERT OR REPLACE INTO cursor(topic, epoch, next_seq, acked_seq) VALUES (?, ?, ?, ?)")
        dropCursor = try database.prepare("DELETE FROM cursor WHERE topic = ? AND epoch = ?")
        setMeta = try database.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)")
        dropMeta = try database.prepare("DELETE FROM meta WHERE key = ?")
        insertSnapshot = try database.prepare("INSERT OR REPLACE INTO snapshot(number, engine) VALUES (?, ?)")
        dropSnapshots = try database.prepare("DELETE FROM snapshot WHERE number <> ?")
        dropJournal = try database.prepare("DELETE FROM journal WHERE number <= ?")
        lease = try database.prepare(
            """
            SELECT epoch, seq, id, key, headers, payload, created FROM outbox
            WHERE topic = ? AND (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?
            """)
        settle = try database.prepare("DELETE FROM outbox WHERE topic = ? AND epoch = ? AND seq <= ?")
        oldest = try database.prepare("SELECT created FROM outbox WHERE topic = ? ORDER BY epoch, seq LIMIT 1")
        copyToDeadLetter = try database.prepare(
            """
            INSERT OR REPLACE INTO dead_letter(topic, epoch, seq, id, key, headers, payload, created, reason, moved)
            SELECT topic, epoch, seq, id, key, headers, payload, created, ?4, ?5 FROM outbox
            WHERE topic = ?1 AND epoch = ?2 AND seq = ?3
            """)
        replace = try database.prepare(
            "UPDATE outbox SET headers = ?4, payload = ?5 WHERE topic = ?1 AND epoch = ?2 AND seq = ?3")
    }
}
