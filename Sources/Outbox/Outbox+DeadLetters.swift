import CSQLite
import Lane
import Loop

/// Messages that no broker takes: out of the stream, never out of the house.
extension Outbox {
    /// Keeps the message at `mark` whole among the dead letters, with `reason`, and puts `substitute` into its place in the
    /// stream: the sequence stays, so that no gap opens. One transaction, on disk when it returns.
    /// - Returns: false when no message is there any more.
    /// - Throws: `.quarantineFull` past `limit`; nothing was changed.
    @discardableResult
    public func moveToDeadLetters(
        _ mark: Mark, reason: String, substitute: Substitute, limit: QuarantineSize = .limit
    ) throws(OutboxError) -> Bool {
        let opened = try current()
        var outcome = Outcome.gone
        try during("cannot move a dead letter in") { () throws(SQLiteFault) in
            try opened.setDurability(.full)
            try opened.database.transaction { () throws(SQLiteFault) in
                outcome = try replace(mark, reason, substitute, limit, opened)
            }
        }
        if outcome == .full {
            throw OutboxError(
                .quarantineFull,
                "the quarantine holds \(limit.messages) messages or \(limit.bytes) bytes, its limit; look at it with "
                    + "\"lanewatch outbox\", then release or discard some",
                topic: mark.topic, isRetriable: true)
        }
        if outcome == .moved { count(deadLetters: 1) }
        return outcome == .moved
    }

    private enum Outcome { case gone, full, moved }

    private func replace(
        _ mark: Mark, _ reason: String, _ substitute: Substitute, _ limit: QuarantineSize, _ opened: Opened
    ) throws(SQLiteFault) -> Outcome {
        let cursor = opened.cursors[mark.topic]?.first { $0.epoch == mark.position.epoch }
        guard let cursor, mark.position.seq > cursor.acked else { return .gone }
        let runs = opened.statements.runs
        runs.bind(1, Place.of(cursor.stream, mark.position.seq - 1))
        runs.bind(2, Place.end(of: cursor.stream))
        defer { runs.reset() }
        guard try runs.step() else { return .gone }
        let place = runs.integer(0)
        let created = WallInstant(milliseconds: runs.integer(1))
        let (run, found) = runs.withBytes(2) { bytes -> (RunWriter?, Parcel?) in
            guard var reader = RunReader(bytes) else { return (nil, nil) }
            var run = RunWriter(key: reader.key, first: reader.next)
            var found: Parcel?
            while let message = reader.message() {
                let parcel = Parcel(
                    message, topic: mark.topic, epoch: cursor.epoch, key: reader.key, created: created)
                if message.seq == mark.position.seq {
                    found = parcel
                    run.append(substitute.id, substitute.headers, substitute.value)
                } else {
                    run.append(message.id, parcel.headers, parcel.value)
                }
            }
            return (run, found)
        }
        runs.reset()
        guard let run, let found else { return .gone }
        let bytes = found.headers.bytes.count + (found.value?.count ?? 0)
        guard try !opened.database.quarantineSize().isFull(for: bytes, limit) else { return .full }
        try insert(found, reason, opened)
        opened.statements.replace.bind(1, place)
        opened.statements.replace.bind(2, copying: run.bytes)
        try opened.statements.replace.execute()
        return .moved
    }

    private func insert(_ parcel: Parcel, _ reason: String, _ opened: Opened) throws(SQLiteFault) {
        let copy = opened.statements.insertDeadLetter
        copy.bind(1, parcel.topic)
        copy.bind(2, parcel.position.epoch)
        copy.bind(3, parcel.position.seq)
        copy.bind(4, parcel.id)
        copy.bind(5, parcel.key)
        copy.bind(6, copying: parcel.headers.bytes)
        if let value = parcel.value { copy.bind(7, copying: value) } else { copy.bindUncopied(7, nil) }
        copy.bind(8, parcel.created.milliseconds)
        copy.bind(9, reason)
        copy.bind(10, Boottime.wallMilliseconds())
        try copy.execute()
    }

    /// Takes the dead letter at `mark` out of the quarantine and keeps `events`, all of it or nothing: the message itself
    /// where it is sent again, and what is to be told of it. On disk when it returns.
    /// - Returns: nil where there is no such dead letter (any more); nothing was changed then.
    public func resolve(_ mark: Mark, keeping events: [CloudEvent]) throws(OutboxError) -> Committed? {
        let opened = try current()
        var result = Committed()
        var isThere = false
        var additions = Additions(opened, created: Boottime.wallMilliseconds())
        try during("cannot take a dead letter out of") { () throws(SQLiteFault) in
            try opened.setDurability(.full)
            let remove = try opened.database.prepare(
                "DELETE FROM dead_letter WHERE topic = ? AND epoch = ? AND seq = ? RETURNING 1")
            defer { opened.database.drop(remove) }
            remove.bind(1, mark.topic)
            remove.bind(2, mark.position.epoch)
            remove.bind(3, mark.position.seq)
            try opened.database.transaction { () throws(SQLiteFault) in
                isThere = try remove.step()
                remove.reset()
                guard isThere else { return }
                for event in events { try additions.keep(event, &result) }
                try additions.finish(&result)
            }
        }
        guard isThere else { return nil }
        additions.adopt()
        count(added: events.count)
        checkpointIfDue(opened)
        return result
    }

    /// The dead letters, oldest first, without their values.
    public func deadLetters(limit: Int = 100) throws(OutboxError) -> [DeadLetter] {
        let opened = try current()
        var letters: [DeadLetter] = []
        try during("cannot read") { () throws(SQLiteFault) in letters = try opened.database.deadLetters(limit: limit) }
        return letters
    }

    /// The dead letter at `mark`, whole; nil where there is none.
    public func deadLetter(_ mark: Mark) throws(OutboxError) -> Parcel? {
        let opened = try current()
        var parcel: Parcel?
        try during("cannot read") { () throws(SQLiteFault) in parcel = try opened.database.deadLetter(mark) }
        return parcel
    }

    public func quarantineSize() throws(OutboxError) -> QuarantineSize {
        let opened = try current()
        var size = QuarantineSize()
        try during("cannot read") { () throws(SQLiteFault) in size = try opened.database.quarantineSize() }
        return size
    }
}
