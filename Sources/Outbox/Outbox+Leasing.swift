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
                let after = recovered.snapshot?.number ?? 0
                journal.withBytes(1) { lines in
                    for line in lines.split(separator: 0x0A) {
                        let line = UnsafeRawBufferPointer(rebasing: line)
                        guard let signal = Self.signal(line) else {
                            recovered.unreadable += 1
                            continue
                        }
                        // The snapshot may have come in the midst of a row.
                        if signal.number > after { recovered.journal.append(signal) }
                    }
                }
            }
            journal.reset()
            let facts = try database.prepare("SELECT substr(key, 6), value FROM meta WHERE key LIKE 'fact.%'")
            while try facts.step() { recovered.facts[facts.text(0)] = facts.bytes(1) ?? [] }
            facts.reset()
        }
        return recovered
    }

    private static func signal(_ line: UnsafeRawBufferPointer) -> StampedSignal? {
        guard let parsed = try? SignalLine(parsing: line), let number = parsed.number, let at = parsed.at,
            let wall = parsed.wall, let feed = parsed.feed
        else { return nil }
        return StampedSignal(
            number: number, at: at, wall: wall,
            signal: Signal(parsed.type, parsed.attributes, feed: feed, traceparent: parsed.traceparent))
    }

    /// The messages of `topic` that come after `position`, in order: at most `limit`, and no more once `bytes` of
    /// headers and values are together (one is always given). Older epochs come first. They count as handed over from now on.
    public func lease(
        topic: String, after position: Position, limit: Int, bytes: Int = 1 << 20
    ) throws(OutboxError) -> [Parcel] {
        var damaged: [DamagedRun] = []
        var parcels = try read(topic, after: position, limit: limit, bytes: bytes, &damaged)
        if !damaged.isEmpty, try tell(damaged, topic, like: parcels.first) {
            parcels = try read(topic, after: position, limit: limit, bytes: bytes, &damaged)
        }
        if let last = parcels.last { frontier.hand(topic, last.position) }
        return parcels
    }

    /// As `lease`, for whoever only looks: what it returns may be given up later.
    public func peek(
        topic: String, after position: Position, limit: Int, bytes: Int = 1 << 20
    ) throws(OutboxError) -> [Parcel] {
        var damaged: [DamagedRun] = []
        return try read(topic, after: position, limit: limit, bytes: bytes, &damaged)
    }

    /// As `peek`, and says which runs on the way are damaged.
    func read(
        _ topic: String, after position: Position, limit: Int, bytes: Int, _ damaged: inout [DamagedRun]
    ) throws(OutboxError) -> [Parcel] {
        let opened = try current()
        var parcels: [Parcel] = []
        damaged = []
        try during("cannot read") { () throws(SQLiteFault) in
            var size = 0
            for cursor in opened.cursors[topic] ?? [] where cursor.epoch >= position.epoch && cursor.waiting > 0 {
                let after = max(cursor.acked, cursor.epoch == position.epoch ? position.seq : 0)
                let runs = opened.statements.runs
                runs.bind(1, Place.of(cursor.stream, after))
                runs.bind(2, Place.end(of: cursor.stream))
                defer { runs.reset() }
                var before = after
                while size < bytes, parcels.count < limit, try runs.step() {
                    let place = runs.integer(0)
                    let created = WallInstant(milliseconds: runs.integer(1))
                    defer { before = Place.seq(place) }
                    runs.withBytes(2) { run in
                        guard var reader = RunReader(run) else {
                            damaged.append(
                                DamagedRun(
                                    cursor: cursor, before: before, place: place, created: created.milliseconds))
                            return
                        }
                        while size < bytes, parcels.count < limit, let message = reader.message() {
                            guard message.seq > after else { continue }
                            let parcel = Parcel(
                                message, topic: topic, epoch: cursor.epoch, key: reader.key, created: created)
                            size += message.headers.bytes.count + (message.value?.count ?? 0)
                            parcels.append(parcel)
                        }
                    }
                }
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
        let missingBefore = opened.missing
        do throws(OutboxError) {
            try during("cannot settle in") { () throws(SQLiteFault) in
                try opened.setDurability(.relaxed)
                try opened.database.transaction { () throws(SQLiteFault) in
                    for mark in marks { settled += try settle(mark, opened, &cursors) }
                    // The runs that said it may be gone.
                    if settled > 0 { try opened.setLastChange(opened.lastChange) }
                }
            }
        } catch {
            opened.missing = missingBefore
            throw error
        }
        opened.cursors = cursors
        let missing = opened.missing.values.reduce(0, +)
        if missing != board.current.missing { board.update { $0.missing = Int(clamping: missing) } }
        checkpointIfDue(opened)
        count(settled: settled)
        if settled > 0 { vacuumIfWorth() }
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
            // A run goes with the last of its messages.
            opened.statements.settle.bind(1, Place.of(of[place].stream, 0))
            opened.statements.settle.bind(2, Place.of(of[place].stream, to))
            try opened.statements.settle.execute()
            settled += Int(to - of[place].acked)
            of[place].acked = to
            try opened.set(of[place], of: mark.topic)
            // One that tells of itself alone too: its stream will be another topic's.
            opened.statements.dropTold.bind(1, Place.of(of[place].stream, 0))
            opened.statements.dropTold.bind(2, Place.of(of[place].stream, to))
            try opened.statements.dropTold.execute()
            // What was only told of was not there to be settled.
            if let before = opened.missing[of[place].stream] {
                let left = try opened.missing(in: of[place].stream, after: to)
                settled -= Int(before - left)
                opened.missing[of[place].stream] = left > 0 ? left : nil
            }
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
        if case .open(let opened) = hold, !opened.isInPlace { try recreate(opened) }
        let opened = try current()
        var depths: [TopicDepth] = []
        try during("cannot read") { () throws(SQLiteFault) in
            for (topic, cursors) in opened.cursors {
                guard let last = cursors.last else { continue }
                let first = cursors.first { $0.waiting > 0 } ?? last
                var depth = TopicDepth(
                    topic: topic, settled: Position(epoch: first.epoch, seq: first.acked),
                    head: Position(epoch: last.epoch, seq: last.next - 1),
                    rows: Int(cursors.reduce(0) { $0 + $1.waiting - (opened.missing[$1.stream] ?? 0) }), oldest: nil)
                if withOldest && depth.rows > 0 {
                    let runs = opened.statements.runs
                    runs.bind(1, Place.of(first.stream, first.acked))
                    runs.bind(2, Place.end(of: first.stream))
                    if try runs.step() { depth.oldest = WallInstant(milliseconds: runs.integer(1)) }
                    runs.reset()
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
}

extension Parcel {
    /// A copy of what stands in a run.
    init(_ message: RunReader.Message, topic: String, epoch: Int64, key: String, created: WallInstant) {
        self.init(
            topic: topic, position: Position(epoch: epoch, seq: message.seq), key: key, uuid: message.id,
            headers: message.headers, value: message.value.map { Array($0) }, created: created
        )
    }
}
