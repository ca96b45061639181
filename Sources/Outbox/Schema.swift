import Lane

/// The tables, and how older files become newer ones. `PRAGMA user_version` counts the steps taken.
///
/// - `run`: messages that wait. `place` is a `Place`; `created` is wall time in milliseconds; `change` is the highest change
///   taken when it was written; `messages` is what `RunWriter` writes. A commit adds one row a topic, or a few where it
///   brings much.
/// - `cursor`: per topic and epoch its stream and the last settled sequence number. `next_seq` is as it was at the last
///   settlement: runs that are still there may go beyond.
/// - `journal`, `snapshot`: the engine's checkpoint is the one snapshot and the signals accepted after it. A row of the
///   journal holds the signals of a commit, a line each; `number` is that of the last.
/// - `told`: for each run that holds the one message that tells of others given up: how many of them, it included, by reason.
/// - `dead_letter`: messages that the broker will never take, whole, with the reason. `headers` is a `HeaderBlock`.
/// - `meta`: `epoch`, `last_signal`, `last_change` (runs may know of a higher one), `chain.<topic>`, and the agent's own
///   facts as `fact.<name>`.
enum Schema {
    static let newest = 3

    /// Brings the file to the newest version. Each step is one transaction.
    /// - Returns: the version found, or nil where it is newer than this agent knows.
    static func migrate(_ database: Database) throws(SQLiteFault) -> Int? {
        let found = Int(try database.integer("PRAGMA user_version"))
        guard found <= newest else { return nil }
        for version in found..<newest {
            try database.transaction { () throws(SQLiteFault) in
                switch version {
                case 0: try first(database)
                case 1: try runsOfMessages(database)
                default: try toldMessages(database)
                }
                try database.run("PRAGMA user_version = \(version + 1)")
            }
        }
        return found
    }

    static func first(_ database: Database) throws(SQLiteFault) {
        try database.run(
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
            """)
    }

    /// A row a message became a row a commit and topic.
    static func runsOfMessages(_ database: Database) throws(SQLiteFault) {
        try database.run(
            """
            ALTER TABLE cursor ADD COLUMN stream INTEGER NOT NULL DEFAULT 0;
            UPDATE cursor SET stream = 1 + (
                SELECT count(*) FROM cursor AS other WHERE (other.topic, other.epoch) < (cursor.topic, cursor.epoch));
            CREATE TABLE run(
                place INTEGER PRIMARY KEY, created INTEGER NOT NULL, change INTEGER NOT NULL, messages BLOB NOT NULL);
            """)
        let insert = try database.prepare(insertRun)
        let rows = try database.prepare(messagesInOrder)
        while try rows.step() {
            // Each a run of its own: there are few, and they are sent in a moment.
            var run = RunWriter(key: rows.text(3), first: rows.integer(1))
            run.append(
                LaneUUID(rows.text(2)) ?? LaneUUID(high: 0, low: 0), HeaderBlock(kept: rows.bytes(4) ?? []),
                rows.bytes(5))
            try insert.insert(run, stream: rows.integer(0), created: rows.integer(6), change: 0)
        }
        rows.reset()
        try database.run("DROP TABLE outbox")
    }

    static func toldMessages(_ database: Database) throws(SQLiteFault) {
        try database.run(
            """
            CREATE TABLE told(
                place INTEGER PRIMARY KEY, age INTEGER NOT NULL, full INTEGER NOT NULL, damaged INTEGER NOT NULL)
            """)
    }

    /// Of the first version, as they are to lie. Along the keys of both tables: a sort would hold all that waits in memory.
    static let messagesInOrder = """
        SELECT stream, seq, id, key, headers, payload, created
        FROM cursor CROSS JOIN outbox USING (topic, epoch) ORDER BY cursor.topic, cursor.epoch, outbox.seq
        """

    static let insertRun = "INSERT INTO run(place, created, change, messages) VALUES (?, ?, ?, ?)"
}

extension Statement {
    /// Runs `Schema.insertRun`.
    func insert(_ run: RunWriter, stream: Int64, created: Int64, change: Int64) throws(SQLiteFault) {
        bind(1, Place.of(stream, run.last))
        bind(2, created)
        bind(3, change)
        try run.bytes.withUnsafeBufferPointer { (bytes) throws(SQLiteFault) in
            bindUncopied(4, UnsafeRawBufferPointer(bytes))
            try execute()
        }
    }
}

/// The statements of the outbox, prepared once and kept.
struct Statements {
    let insertSignals: Statement
    let insertRun: Statement
    let setCursor: Statement
    let dropCursor: Statement
    let setMeta: Statement
    let dropMeta: Statement
    let insertSnapshot: Statement
    let dropSnapshots: Statement
    let dropJournal: Statement
    let runs: Statement
    let newestRun: Statement
    let settle: Statement
    let insertDeadLetter: Statement
    let replace: Statement
    let runSizes: Statement
    let runAt: Statement
    let dropRuns: Statement
    let insertTold: Statement
    let dropTold: Statement
    let toldReasons: Statement
    let missing: Statement
    let hasTopic: Statement
    let toldCounts: Statement

    init(_ database: Database) throws(SQLiteFault) {
        insertSignals = try database.prepare("INSERT INTO journal(number, signal) VALUES (?, ?)")
        insertRun = try database.prepare(Schema.insertRun)
        setCursor = try database.prepare(
            "INSERT OR REPLACE INTO cursor(topic, epoch, next_seq, acked_seq, stream) VALUES (?, ?, ?, ?, ?)")
        dropCursor = try database.prepare("DELETE FROM cursor WHERE topic = ? AND epoch = ?")
        setMeta = try database.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)")
        dropMeta = try database.prepare("DELETE FROM meta WHERE key = ?")
        insertSnapshot = try database.prepare("INSERT OR REPLACE INTO snapshot(number, engine) VALUES (?, ?)")
        dropSnapshots = try database.prepare("DELETE FROM snapshot WHERE number <> ?")
        dropJournal = try database.prepare("DELETE FROM journal WHERE number <= ?")
        runs = try database.prepare(
            "SELECT place, created, messages FROM run WHERE place > ? AND place <= ? ORDER BY place")
        newestRun = try database.prepare(
            "SELECT place, change FROM run WHERE place > ? AND place <= ? ORDER BY place DESC LIMIT 1")
        settle = try database.prepare("DELETE FROM run WHERE place > ? AND place <= ?")
        insertDeadLetter = try database.prepare(
            """
            INSERT OR REPLACE INTO dead_letter(topic, epoch, seq, id, key, headers, payload, created, reason, moved)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        replace = try database.prepare("UPDATE run SET messages = ?2 WHERE place = ?1")
        runSizes = try database.prepare(
            """
            SELECT run.place, created, change, length(messages), told.place IS NOT NULL
            FROM run LEFT JOIN told ON told.place = run.place WHERE run.place > ? AND run.place <= ? ORDER BY run.place
            """)
        runAt = try database.prepare("SELECT created, messages FROM run WHERE place = ?")
        dropRuns = try database.prepare("DELETE FROM run WHERE place >= ? AND place <= ?")
        insertTold = try database.prepare("INSERT INTO told(place, age, full, damaged) VALUES (?, ?, ?, ?)")
        dropTold = try database.prepare("DELETE FROM told WHERE place >= ? AND place <= ?")
        toldReasons = try database.prepare(
            "SELECT total(age), total(full), total(damaged) FROM told WHERE place >= ? AND place <= ?")
        hasTopic = try database.prepare("SELECT 1 FROM cursor WHERE topic = ? AND epoch >= ? LIMIT 1")
        toldCounts = try database.prepare(
            "SELECT place, age + full + damaged FROM told WHERE place > ? AND place <= ? ORDER BY place")
        missing = try database.prepare(
            "SELECT total(age + full + damaged - 1) FROM told WHERE place > ? AND place <= ?")
    }
}
