import CSQLite
import Lane
import Loop

extension Outbox {
    /// The engine's checkpoint and what was accepted after it. Read once at the start.
    public func recover() throws(OutboxError) -> Recovered {
        let opened = try current()
        var recovered = Recovered(
            epoch: opened.epoch, snapshot: nil, journal: [], lastSignal: opened.lastSignal,
            lastChange: opened.lastChange, facts: [:], unreadable: 0)
        try during("cannot read") { () throws(SQLiteFault) in
            let database = opened.database
            let snapshot = try database.prepare("SELECT number, engine FROM snapshot ORDER BY number DESC LIMIT 1")
            if try snapshot.step() {
                recovered.snapshot = Snapshot(number: snapshot.integer(0), engine: snapshot.bytes(1) ?? [])
            }
            snapshot.reset()
            let journal = try database.prepare("SELECT number, signal FROM journal WHERE number > ? ORDER BY number")
            journal.bind(1, recovered.snapshot?.number ?? 0)
            while try journal.step() {
                let number = journal.integer(0)
                if let signal = journal.withBytes(1, { Self.signal(number: number, line: $0) }) {
                    recovered.journal.append(signal)
                } else {
                    recovered.unreadable += 1
                }
            }
            journal.reset()
            let facts = try database.prepare("SELECT substr(key, 6), value FROM meta WHERE key LIKE 'fact.%'")
            while try facts.step() { recovered.facts[facts.text(0)] = facts.bytes(1) ?? [] }
            facts.reset()
        }
        return recovered
    }

    private static func signal(number: Int64, line: UnsafeRawBufferPointer) -> StampedSignal? {
        guard let parsed = try? SignalLine(parsing: line), let at = parsed.at, let wall = parsed.wall,
            let feed = parsed.feed
        else { return nil }
        return StampedSignal(
            number: number, at: at, wall: wall,
            signal: Signal(parsed.type, parsed.attributes, feed: feed, traceparent: parsed.traceparent))
    }

    /// The messages of `topic` that come after `position`, in order: at most `limit`, and no more once `bytes` of
    /// headers and values are together (one is always given). Older epochs come first.
    public func lease(
        topic: String, after position: Position, limit: Int, bytes: Int = 1 << 20
    ) throws(OutboxError) -> [Parcel] {
        let opened = try current()
        var parcels: [Parcel] = []
        try during("cannot read") { () throws(SQLiteFault) in
            let lease = opened.statements.lease
            lease.bind(1, topic)
            lease.bind(2, position.epoch)
            lease.bind(3, position.seq)
            lease.bind(4, Int64(limit))
            defer { lease.reset() }
            var size = 0
            while size < bytes, try lease.step() {
                let parcel = Parcel(
                    topic: topic, position: Position(epoch: lease.integer(0), seq: lease.integer(1)),
                    key: lease.text(3), id: lease.text(2), headers: HeaderBlock(kept: lease.bytes(4) ?? []),
                    value: lease.bytes(5), created: WallInstant(milliseconds: lease.integer(6)))
                size += parcel.headers.bytes.count + (parcel.value?.count ?? 0)
                parcels.append(parcel)
            }
        }
        return parcels
    }

    /// Forgets the messages of each topic up to its mark: the broker has them. Not synced: a mark lost in a power cut
    /// is only a message sent twice.
    public func settle(_ marks: [Mark]) throws(OutboxError) {
        let opened = try current()
        var cursors = opened.cursors
        var settled = 0
        try during("cannot settle in") { () throws(SQLiteFault) in
            try opened.setDurability(.relaxed)
            try opened.database.transaction { () throws(SQLiteFault) in
                for mark in marks { settled += try settle(mark, opened, &cursors) }
            }
        }
        opened.cursors = cursors
        count(settled: settled)
    }

    private func settle(
        _ mark: Mark, _ opened: Opened, _ cursors: inout [String: [Cursor]]
    ) throws(SQLiteFault) -> Int {
        guard var of = cursors[mark.topic] else { return 0 }
        var settled = 0
        for place in of.indices where of[place].epoch <= mark.position.epoch {
            // A mark in a later epoch stands behind everything of the earlier ones.
            let last = of[place].next - 1
            let to = of[place].epoch == mark.position.epoch ? min(mark.position.seq, last) : last
            guard to > of[place].acked else { continue }
            opened.statements.settle.bind(1, mark.topic)
            opened.statements.settle.bind(2, of[place].epoch)
            opened.statements.settle.bind(3, to)
            try opened.statements.settle.execute()
            settled += Int(to - of[place].acked)
            of[place].acked = to
            try opened.set(of[place], of: mark.topic)
        }
        for old in of.dropLast() where old.waiting == 0 && old.epoch < opened.epoch {
            opened.statements.dropCursor.bind(1, mark.topic)
            opened.statements.dropCursor.bind(2, old.epoch)
            try opened.statements.dropCursor.execute()
        }
        cursors[mark.topic] = of.enumerated().filter { place, cursor in
            place == of.count - 1 || cursor.waiting > 0 || cursor.epoch >= opened.epoch
        }.map(\.element)
        return settled
    }

    /// Where each topic stands. Reads no table, or one row a topic where `withOldest`.
    public func depths(withOldest: Bool = false) throws(OutboxError) -> [TopicDepth] {
        let opened = try current()
        var depths: [TopicDepth] = []
        try during("cannot read") { () throws(SQLiteFault) in
            for (topic, cursors) in opened.cursors {
                guard let last = cursors.last else { continue }
                let first = cursors.first { $0.waiting > 0 } ?? last
                var depth = TopicDepth(
                    topic: topic, settled: Position(epoch: first.epoch, seq: first.acked),
                    head: Position(epoch: last.epoch, seq: last.next - 1),
                    rows: Int(cursors.reduce(0) { $0 + $1.waiting }), oldest: nil)
                if withOldest && depth.rows > 0 {
                    let oldest = opened.statements.oldest
                    oldest.bind(1, topic)
                    if try oldest.step() { depth.oldest = WallInstant(milliseconds: oldest.integer(0)) }
                    oldest.reset()
                }
                depths.append(depth)
            }
        }
        return depths.sorted { $0.topic < $1.topic }
    }

    /// Bytes of the database in use: what `maximumBytes` limits.
    public func usedBytes() throws(OutboxError) -> Int64 {
        let opened = try current()
        var bytes: Int64 = 0
        try during("cannot read") { () throws(SQLiteFault) in bytes = try opened.usedBytes() }
        return bytes
    }

    /// Keeps the message at `mark` whole among the dead letters, with `reason`, and puts `headers` and `value` into its
    /// place in the stream: sequence and id stay, so that no gap opens. One transaction, on disk when it returns.
    /// - Returns: false when no message is there any more.
    @discardableResult
    public func moveToDeadLetters(
        _ mark: Mark, reason: String, headers: HeaderBlock, value: [UInt8]
    ) throws(OutboxError) -> Bool {
        let opened = try current()
        var isThere = false
        try during("cannot move a dead letter in") { () throws(SQLiteFault) in
            try opened.setDurability(.full)
            let before = try opened.database.integer("SELECT total_changes()")
            try opened.database.transaction { () throws(SQLiteFault) in
                for statement in [opened.statements.copyToDeadLetter, opened.statements.replace] {
                    statement.bind(1, mark.topic)
                    statement.bind(2, mark.position.epoch)
                    statement.bind(3, mark.position.seq)
                }
                let copy = opened.statements.copyToDeadLetter
                copy.bind(4, reason)
                copy.bind(5, Boottime.wallMilliseconds())
                try copy.execute()
                opened.statements.replace.bind(4, copying: headers.bytes)
                opened.statements.replace.bind(5, copying: value)
                try opened.statements.replace.execute()
            }
            isThere = try opened.database.integer("SELECT total_changes()") > before
        }
        if isThere { count(deadLetters: 1) }
        return isThere
    }

    /// The dead letters, oldest first, each with its reason.
    public func deadLetters(limit: Int = 100) throws(OutboxError) -> [(parcel: Parcel, reason: String)] {
        let opened = try current()
        var letters: [(parcel: Parcel, reason: String)] = []
        try during("cannot read") { () throws(SQLiteFault) in
            let rows = try opened.database.prepare(
                """
                SELECT topic, epoch, seq, id, key, headers, payload, created, reason FROM dead_letter
                ORDER BY moved, topic, epoch, seq LIMIT ?
                """)
            rows.bind(1, Int64(limit))
            while try rows.step() {
                let parcel = Parcel(
                    topic: rows.text(0), position: Position(epoch: rows.integer(1), seq: rows.integer(2)),
                    key: rows.text(4), id: rows.text(3), headers: HeaderBlock(kept: rows.bytes(5) ?? []),
                    value: rows.bytes(6), created: WallInstant(milliseconds: rows.integer(7)))
                letters.append((parcel, rows.text(8)))
            }
            rows.reset()
        }
        return letters
    }
}
