import Lane
import Loop

/// Runs that a disk has changed within a file that SQLite takes for sound.
extension Outbox {
    /// A run that is not what was written, and the message before it.
    struct DamagedRun {
        var cursor: Cursor
        var before: Int64
        var place: Int64
        var created: Int64
    }

    /// Puts what tells of them into the place of runs that were damaged; it is made like `message`, or like any that is readable.
    /// - Returns: false where nothing can be told, as nothing of the lane is readable.
    func tell(_ damaged: [DamagedRun], _ topic: String, like message: Parcel?) throws(OutboxError) -> Bool {
        let opened = try current()
        var found = message
        if found == nil { found = try anyMessage(opened) }
        guard let message = found else { return false }
        let now = WallInstant(milliseconds: Boottime.wallMilliseconds())
        var count = 0
        var links: [(previous: String?, sha256: String)] = []
        for run in damaged { links.append(try chainLinks(around: run, topic, opened)) }
        try during("cannot tell of damage in") { () throws(SQLiteFault) in
            try opened.setDurability(.full)
            try opened.database.transaction { () throws(SQLiteFault) in
                for (run, link) in zip(damaged, links) {
                    let kept = WallInstant(milliseconds: run.created)
                    let last = Place.seq(run.place)
                    let told = DroppedMessages(
                        first: run.before + 1, last: last, reasons: [.damaged: last - run.before], firstKept: kept,
                        lastKept: kept, sha256: link.sha256, previous: link.previous)
                    try opened.replace(
                        from: run.place, to: run.place, by: told, topic: topic, epoch: run.cursor.epoch, like: message,
                        at: now, created: run.created, change: opened.lastChange)
                    count += Int(clamping: told.count)
                }
            }
            for run in damaged {
                let stream = run.cursor.stream
                opened.missing[stream] = try opened.missing(in: stream, after: run.cursor.acked)
            }
        }
        let missing = opened.missing.values.reduce(0, +)
        board.update { state in
            state.missing = Int(clamping: missing)
            state.dropped[Drop(topic: topic, reason: .damaged), default: 0] += count
        }
        untold[Drop(topic: topic, reason: .damaged), default: 0] += count
        return true
    }

    /// What a chain goes on with over a damaged run, as far as what is around it says: 64 zeros where nothing does.
    private func chainLinks(
        around run: DamagedRun, _ topic: String, _ opened: Opened
    ) throws(OutboxError) -> (previous: String?, sha256: String) {
        let unknown = String(repeating: "0", count: 64)
        guard let newest = opened.chains[topic] else { return (nil, unknown) }
        func message(at seq: Int64) throws(OutboxError) -> Parcel? {
            var damaged: [DamagedRun] = []
            let before = Position(epoch: run.cursor.epoch, seq: seq - 1)
            let found = try read(topic, after: before, limit: 1, bytes: 1, &damaged).first
            return found?.position.seq == seq && found?.position.epoch == run.cursor.epoch ? found : nil
        }
        let before = run.before > run.cursor.acked ? try message(at: run.before) : nil
        let next = try message(at: Place.seq(run.place) + 1)
        let isNewest = run.cursor.epoch == opened.epoch && Place.seq(run.place) == run.cursor.next - 1
        let named = next.flatMap { DroppedMessages.previous(of: $0.value ?? []) }
        return (
            before.map { DroppedMessages.digest(of: $0.value ?? [], type: $0.headers["ce_type"]) },
            named ?? (isNewest ? newest : unknown)
        )
    }

    private func anyMessage(_ opened: Opened) throws(OutboxError) -> Parcel? {
        var damaged: [DamagedRun] = []
        for topic in opened.cursors.keys.sorted() {
            if let found = try read(topic, after: .start, limit: 1, bytes: 1, &damaged).first { return found }
        }
        return nil
    }
}
