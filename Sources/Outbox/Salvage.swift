import CSQLite
import Lane
import Loop

/// Takes over what a damaged file still holds: messages keep their epoch, their place and their id, and are sent before those of
/// the new epoch. Where a stretch is lost, a message in its place says so. One transaction a topic, the most worth first.
///
/// A damaged tree is read from both ends: what lies between the two faults is lost. What the new file has no room for stays in
/// the old one.
enum Salvage {
    static func carry(from path: String, into opened: Opened) -> Salvaged {
        var salvaged = Salvaged()
        guard let old = try? Database(path: path, readOnly: true),
            let version = try? old.integer("PRAGMA user_version"),
            version == 2 || version == Int64(Schema.newest)
        else { return salvaged }
        func part(_ body: (inout Salvaged) throws(SQLiteFault) -> Void) {
            var taken = salvaged
            do throws(SQLiteFault) {
                try opened.database.transaction { () throws(SQLiteFault) in try body(&taken) }
                salvaged = taken
            } catch {
                salvaged.isCutShort = true
            }
            opened.database.checkpoint()
        }
        part { (salvaged) throws(SQLiteFault) in
            try carryCheckpoint(old, opened, &salvaged)
            try carryDeadLetters(old, opened, &salvaged)
        }
        let found = cursors(of: old)
        for value in TopicValue.allCases.reversed() {
            for (topic, cursor) in found where opened.value(of: topic) == value {
                part { (salvaged) throws(SQLiteFault) in try carry(topic, cursor, old, opened, &salvaged) }
            }
        }
        return salvaged
    }

    private static func cursors(of old: Database) -> [(String, Cursor)] {
        var found: [(String, Cursor)] = []
        guard let rows = try? old.prepare("SELECT topic, epoch, next_seq, acked_seq, stream FROM cursor") else {
            return []
        }
        while (try? rows.step()) == true {
            let cursor = Cursor(
                epoch: rows.integer(1), stream: rows.integer(4), next: rows.integer(2), acked: rows.integer(3))
            let isSane =
                cursor.epoch > 0 && cursor.epoch <= 999_999 && (1...Place.streamLimit).contains(cursor.stream)
                && cursor.acked >= 0 && cursor.next > cursor.acked && cursor.next < 1 << Place.seqBits
                && TopicNames.fault(of: rows.text(0)) == nil
            if isSane { found.append((rows.text(0), cursor)) }
        }
        rows.reset()
        return found.sorted { ($0.0, $0.1.epoch) < ($1.0, $1.1.epoch) }
    }

    // MARK: Messages

    private struct Run {
        var place: Int64
        var created: Int64
        var change: Int64
        var bytes: [UInt8]
        var parcels: [Parcel]
    }

    private static func carry(
        _ topic: String, _ cursor: Cursor, _ old: Database, _ opened: Opened, _ salvaged: inout Salvaged
    ) throws(SQLiteFault) {
        // One that is begun anew has nothing of this epoch: an epoch is never begun twice.
        // And a topic that has gone on, or was taken over before an interruption, takes nothing before what it has.
        let has = opened.statements.hasTopic
        has.bind(1, topic)
        has.bind(2, cursor.epoch)
        defer { has.reset() }
        guard cursor.epoch < opened.epoch, try !has.step() else { return }
        let taken = try opened.database.integer("SELECT max(stream) FROM cursor")
        let stream = taken + 1
        guard stream < Place.streamLimit else { return }
        var next = cursor.acked + 1
        var last: (parcel: Parcel, run: Run)?
        var isAny = false
        try forEachRun(cursor, old) { (run) throws(SQLiteFault) in
            guard let first = run.parcels.first(where: { $0.position.seq >= next }), let end = run.parcels.last else {
                return
            }
            let told = DroppedMessages(first)
            if first.position.seq > next, (told?.first ?? .max) > next {
                try tell(
                    next, first.position.seq - 1, topic, cursor.epoch, stream, like: first, run, opened, &salvaged)
            }
            opened.statements.insertRun.bind(1, Place.of(stream, end.position.seq))
            opened.statements.insertRun.bind(2, run.created)
            opened.statements.insertRun.bind(3, 0)
            opened.statements.insertRun.bind(4, copying: run.bytes)
            try opened.statements.insertRun.execute()
            if let told, run.parcels.count == 1 {
                opened.statements.insertTold.bind(1, Place.of(stream, end.position.seq))
                opened.statements.insertTold.bind(2, told.reasons[.age] ?? 0)
                opened.statements.insertTold.bind(3, told.reasons[.full] ?? 0)
                opened.statements.insertTold.bind(4, told.reasons[.damaged] ?? 0)
                try opened.statements.insertTold.execute()
            }
            salvaged.messages += run.parcels.count { $0.position.seq >= next }
            next = end.position.seq + 1
            last = (end, run)
            isAny = true
        }
        let head = max(cursor.next, next)
        if let last, head > next {
            try tell(
                next, head - 1, topic, cursor.epoch, stream, like: last.parcel, last.run, opened, &salvaged)
        } else if last == nil {
            salvaged.lost += Int(clamping: cursor.next - 1 - cursor.acked)
        }
        guard isAny else { return }
        try opened.set(Cursor(epoch: cursor.epoch, stream: stream, next: head, acked: cursor.acked), of: topic)
    }

    private static func tell(
        _ first: Int64, _ last: Int64, _ topic: String, _ epoch: Int64, _ stream: Int64, like parcel: Parcel,
        _ run: Run,
        _ opened: Opened, _ salvaged: inout Salvaged
    ) throws(SQLiteFault) {
        let created = WallInstant(milliseconds: run.created)
        // The message behind the hole names the digest of the last one in it.
        let named = parcel.position.seq > last ? DroppedMessages.previous(of: parcel.value ?? []) : nil
        let before =
            parcel.position.seq < first
            ? DroppedMessages.digest(of: parcel.value ?? [], type: parcel.headers["ce_type"]) : nil
        let isChained = DroppedMessages.previous(of: parcel.value ?? []) != nil
        let told = DroppedMessages(
            first: first, last: last, reasons: [.damaged: last - first + 1], firstKept: created, lastKept: created,
            sha256: named ?? String(repeating: "0", count: 64), previous: isChained ? before : nil)
        let place = Place.of(stream, last)
        try opened.replace(
            from: place, to: place, by: told, topic: topic, epoch: epoch, like: parcel,
            at: WallInstant(milliseconds: Boottime.wallMilliseconds()), created: run.created, change: 0)
        salvaged.lost += Int(clamping: last - first + 1)
    }

    /// The runs of a stream that are whole, in order, as far as the tree can be read from either end.
    private static func forEachRun(
        _ cursor: Cursor, _ old: Database, _ body: (Run) throws(SQLiteFault) -> Void
    ) throws(SQLiteFault) {
        let columns = "SELECT place, created, change, messages FROM run WHERE place > ? AND place <= ? ORDER BY place"
        guard let forward = try? old.prepare(columns), let backward = try? old.prepare("\(columns) DESC") else {
            return
        }
        let (start, end) = (Place.of(cursor.stream, cursor.acked), Place.end(of: cursor.stream))
        forward.bind(1, start)
        forward.bind(2, end)
        var reached = start
        var isWhole = false
        while true {
            guard let isRow = try? forward.step() else { break }
            guard isRow else {
                isWhole = true
                break
            }
            guard forward.integer(0) > reached else { break }
            reached = forward.integer(0)
            if let run = run(forward, cursor) { try body(run) }
        }
        forward.reset()
        guard !isWhole else { return }
        // Only the places: what lies between may be more than fits into memory.
        backward.bind(1, reached)
        backward.bind(2, end)
        var places: [Int64] = []
        while places.count < 1_000_000, (try? backward.step()) == true {
            let place = backward.integer(0)
            guard place > reached, place < places.last ?? .max else { break }
            places.append(place)
        }
        backward.reset()
        guard let one = try? old.prepare("SELECT place, created, change, messages FROM run WHERE place = ?") else {
            return
        }
        for place in places.reversed() {
            one.bind(1, place)
            if (try? one.step()) == true, let run = run(one, cursor) { try body(run) }
            one.reset()
        }
    }

    /// Nil where the row does not hold what its place says.
    private static func run(_ row: Statement, _ cursor: Cursor) -> Run? {
        let place = row.integer(0)
        guard let bytes = row.bytes(3) else { return nil }
        let created = WallInstant(milliseconds: row.integer(1))
        var parcels: [Parcel] = []
        bytes.withUnsafeBytes { bytes in
            guard var reader = RunReader(bytes) else { return }
            while let message = reader.message() {
                parcels.append(
                    Parcel(message, topic: "", epoch: cursor.epoch, key: reader.key, created: created))
            }
        }
        guard let first = parcels.first?.position.seq, let last = parcels.last?.position.seq, first > 0,
            last == Place.seq(place)
        else { return nil }
        return Run(place: place, created: created.milliseconds, change: row.integer(2), bytes: bytes, parcels: parcels)
    }

    // MARK: The rest

    private struct Kept {
        var snapshots: [(number: Int64, engine: [UInt8])] = []
        var journal: [(number: Int64, lines: String)] = []
        var facts: [(name: String, value: [UInt8])] = []
        var lastChange: Int64 = 0
    }

    /// The snapshot and the journal where both are whole: half of them would be an engine that nobody has seen.
    private static func carryCheckpoint(
        _ old: Database, _ opened: Opened, _ salvaged: inout Salvaged
    ) throws(SQLiteFault) {
        let isEmpty = try opened.database.integer(
            "SELECT NOT EXISTS(SELECT 1 FROM snapshot UNION ALL SELECT 1 FROM journal)")
        guard isEmpty == 1, let kept = try? checkpoint(of: old) else { return }
        for (name, value) in kept.facts { try opened.setMeta(name, value) }
        try opened.setLastChange(kept.lastChange)
        for (number, engine) in kept.snapshots {
            opened.statements.insertSnapshot.bind(1, number)
            opened.statements.insertSnapshot.bind(2, copying: engine)
            try opened.statements.insertSnapshot.execute()
        }
        for (number, lines) in kept.journal {
            opened.statements.insertSignals.bind(1, number)
            opened.statements.insertSignals.bind(2, lines)
            try opened.statements.insertSignals.execute()
        }
        salvaged.hasCheckpoint = !kept.snapshots.isEmpty || !kept.journal.isEmpty
    }

    private static func checkpoint(of old: Database) throws(SQLiteFault) -> Kept {
        var kept = Kept()
        let snapshot = try old.prepare("SELECT number, engine FROM snapshot")
        while try snapshot.step() { kept.snapshots.append((snapshot.integer(0), snapshot.bytes(1) ?? [])) }
        snapshot.reset()
        let journal = try old.prepare("SELECT number, signal FROM journal ORDER BY number")
        while try journal.step() { kept.journal.append((journal.integer(0), journal.text(1))) }
        journal.reset()
        let meta = try old.prepare("SELECT key, value FROM meta WHERE key LIKE 'fact.%' OR key LIKE 'last_%'")
        while try meta.step() { kept.facts.append((meta.text(0), meta.bytes(1) ?? [])) }
        meta.reset()
        // A settlement writes it down; runs may know of a higher one.
        kept.lastChange = max(
            try old.integer("SELECT max(change) FROM run"),
            try old.integer("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_change'"))
        return kept
    }

    private static func carryDeadLetters(
        _ old: Database, _ opened: Opened, _ salvaged: inout Salvaged
    ) throws(SQLiteFault) {
        guard
            let rows = try? old.prepare(
                "SELECT topic, epoch, seq, id, key, headers, payload, created, reason, moved FROM dead_letter")
        else { return }
        let insert = opened.statements.insertDeadLetter
        while (try? rows.step()) == true {
            insert.bind(1, rows.text(0))
            insert.bind(2, rows.integer(1))
            insert.bind(3, rows.integer(2))
            insert.bind(4, rows.text(3))
            insert.bind(5, rows.text(4))
            insert.bind(6, copying: rows.bytes(5) ?? [])
            if let value = rows.bytes(6) { insert.bind(7, copying: value) } else { insert.bindUncopied(7, nil) }
            insert.bind(8, rows.integer(7))
            insert.bind(9, rows.text(8))
            insert.bind(10, rows.integer(9))
            try insert.execute()
            salvaged.deadLetters += 1
        }
        rows.reset()
    }
}
