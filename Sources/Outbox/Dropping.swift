import Lane

/// Gives up messages within a transaction, the least worth and the oldest first, and tells so in their place.
///
/// A range of whole runs goes at once. What tells of it takes the place of the last message of the range; told ranges that
/// adjoin become one.
struct Dropping {
    /// What one range frees at most, in bytes of messages and in runs: a commit that somebody waits for is behind it.
    private static let chunkBytes: Int64 = 4 << 20
    private static let chunkRuns = 4096

    private let opened: Opened
    private let at: WallInstant
    /// Messages given up, told ones not counted again.
    private(set) var drops: [Drop: Int] = [:]
    private(set) var topics: Set<String> = []

    init(_ opened: Opened, at: WallInstant) {
        self.opened = opened
        self.at = at
    }

    /// Runs that may go: what is before them stays, or is settled.
    private struct Range {
        var topic: String
        var cursor: Cursor
        /// The last message that stays, or is settled.
        var before: Int64
        var firstPlace: Int64
        var lastPlace: Int64
        var firstCreated: Int64
        var lastCreated: Int64
        var change: Int64
    }

    /// Gives up until no more than `limit` bytes are in use, or nothing may go any more.
    /// - Returns: whether there is room.
    mutating func makeRoom(limit: Int64) throws(SQLiteFault) -> Bool {
        // A little more than needed, so that not every commit has to: but for that nothing of more value goes.
        let goal = limit - min(max(limit / 16, 64 << 10), 4 << 20)
        var used = try opened.usedBytes()
        for value in TopicValue.allCases where used > limit {
            while used > goal, let range = try oldest(of: value, bytes: used - goal) {
                guard try drop(range, .full) else { break }
                used = try opened.usedBytes()
            }
        }
        return used <= limit
    }

    /// Gives up what was kept before `cutoff` (wall time in milliseconds), at most some MiB.
    /// - Returns: whether there may be more of it.
    mutating func giveUp(before cutoff: Int64) throws(SQLiteFault) -> Bool {
        for topic in opened.cursors.keys.sorted() {
            if let range = try candidates(of: topic, bytes: Self.chunkBytes, before: cutoff) {
                if try drop(range, .age) { return true }
            }
        }
        return false
    }

    /// The oldest messages that may go of all topics of that value.
    private func oldest(of value: TopicValue, bytes: Int64) throws(SQLiteFault) -> Range? {
        var found: Range?
        for topic in opened.cursors.keys where opened.value(of: topic) == value {
            guard let range = try candidates(of: topic, bytes: min(bytes, Self.chunkBytes), before: .max) else {
                continue
            }
            if let known = found, (known.firstCreated, known.topic) <= (range.firstCreated, range.topic) { continue }
            found = range
        }
        return found
    }

    /// The first runs of `topic` that may go, older than `cutoff`, as many as hold so many bytes.
    private func candidates(
        of topic: String, bytes: Int64, before cutoff: Int64
    ) throws(SQLiteFault) -> Range? {
        let cursors = opened.cursors[topic] ?? []
        let newest = opened.value(of: topic) == .state ? try opened.newestPlace(of: cursors.last) : nil
        for cursor in cursors {
            let floor = opened.floor(of: topic, cursor)
            guard floor < .max else { continue }
            let rows = opened.statements.runSizes
            rows.bind(1, Place.of(cursor.stream, floor))
            rows.bind(2, Place.end(of: cursor.stream))
            defer { rows.reset() }
            var found: Range?
            var before = floor
            var size: Int64 = 0
            var count = 0
            var gains = false
            while size < bytes, count < Self.chunkRuns, try rows.step() {
                let (place, created) = (rows.integer(0), rows.integer(1))
                // Part of it may be on its way: it stays whole.
                if found == nil, floor > cursor.acked, try opened.firstSequence(at: place) ?? .max <= floor {
                    before = Place.seq(place)
                    continue
                }
                guard created < cutoff, place != newest else { break }
                if found == nil {
                    found = Range(
                        topic: topic, cursor: cursor, before: before, firstPlace: place, lastPlace: place,
                        firstCreated: created, lastCreated: created, change: rows.integer(2))
                }
                found?.lastPlace = place
                found?.lastCreated = created
                found?.change = rows.integer(2)
                // A message that tells of others is not worth giving up by itself.
                if rows.integer(4) == 0 {
                    size += rows.integer(3)
                    gains = true
                }
                count += 1
            }
            if let found, gains { return found }
        }
        return nil
    }

    /// - Returns: false where the range cannot be given up.
    private mutating func drop(_ range: Range, _ reason: DropReason) throws(SQLiteFault) -> Bool {
        let epoch = range.cursor.epoch
        let last = Place.seq(range.lastPlace)
        let end = try opened.messages(at: range.lastPlace)?.last
        let start = try opened.messages(at: range.firstPlace)?.first { $0.position.seq > range.before }
        // Damaged runs go as others do; made like one that is whole.
        var like = end ?? start
        if like == nil, let newest = try opened.newestPlace(of: range.cursor) {
            like = try opened.messages(at: newest)?.last
        }
        guard let like,
            opened.frontier.drop(
                range.topic, Position(epoch: epoch, seq: range.before + 1), Position(epoch: epoch, seq: last))
        else { return false }
        let earlier = start.flatMap { DroppedMessages($0) }
        var reasons = try opened.toldReasons(from: range.firstPlace, to: range.lastPlace)
        let fresh = last - range.before - reasons.values.reduce(0, +)
        reasons[reason, default: 0] += fresh
        let digest: String
        if let end {
            digest = DroppedMessages.digest(of: end.value ?? [], type: end.headers["ce_type"])
        } else {
            digest = try opened.link(behind: range.lastPlace)
        }
        let told = DroppedMessages(
            first: range.before + 1, last: last, reasons: reasons,
            firstKept: earlier?.firstKept ?? WallInstant(milliseconds: range.firstCreated),
            lastKept: WallInstant(milliseconds: range.lastCreated),
            sha256: digest,
            previous: earlier.map(\.previous) ?? start.flatMap { DroppedMessages.previous(of: $0.value ?? []) })
        try opened.replace(
            from: range.firstPlace, to: range.lastPlace, by: told, topic: range.topic, epoch: epoch, like: like, at: at,
            created: range.lastCreated, change: range.change)
        drops[Drop(topic: range.topic, reason: reason), default: 0] += Int(clamping: fresh)
        topics.insert(range.topic)
        return true
    }
}

extension Opened {
    func value(of topic: String) -> TopicValue { values[topic] ?? .intervention }

    /// Up to here a topic's messages of that epoch may be on their way, or are settled; `.max` where all of them may be.
    ///
    /// An agent that was killed does not know what its last life had on the way: as much as may be at once stays.
    fileprivate func floor(of topic: String, _ cursor: Cursor) -> Int64 {
        let handed = frontier.handed(topic)
        if handed.epoch > cursor.epoch { return .max }
        return max(
            cursor.acked, handed.epoch == cursor.epoch ? handed.seq : 0, unknownUpTo[cursor.stream] ?? 0)
    }

    fileprivate func newestPlace(of cursor: Cursor?) throws(SQLiteFault) -> Int64? {
        guard let cursor else { return nil }
        statements.newestRun.bind(1, Place.of(cursor.stream, 0))
        statements.newestRun.bind(2, Place.end(of: cursor.stream))
        defer { statements.newestRun.reset() }
        return try statements.newestRun.step() ? statements.newestRun.integer(0) : nil
    }

    fileprivate func firstSequence(at place: Int64) throws(SQLiteFault) -> Int64? {
        statements.runAt.bind(1, place)
        defer { statements.runAt.reset() }
        guard try statements.runAt.step() else { return nil }
        return statements.runAt.withBytes(1) { RunReader($0)?.next }
    }

    /// The messages of the run at `place`; nil where it is not there, empty where it is damaged.
    func messages(at place: Int64) throws(SQLiteFault) -> [Parcel]? {
        statements.runAt.bind(1, place)
        defer { statements.runAt.reset() }
        guard try statements.runAt.step() else { return nil }
        let created = WallInstant(milliseconds: statements.runAt.integer(0))
        return statements.runAt.withBytes(1) { bytes in
            guard var reader = RunReader(bytes) else { return [] }
            var found: [Parcel] = []
            while let message = reader.message() {
                found.append(Parcel(message, topic: "", epoch: 0, key: reader.key, created: created))
            }
            return found
        }
    }

    /// The digest that the message behind the run at `place` names; 64 zeros where none does.
    fileprivate func link(behind place: Int64) throws(SQLiteFault) -> String {
        statements.runs.bind(1, place)
        statements.runs.bind(2, Place.end(of: place >> Place.seqBits))
        defer { statements.runs.reset() }
        let unknown = String(repeating: "0", count: 64)
        guard try statements.runs.step() else { return unknown }
        return statements.runs.withBytes(2) { bytes in
            guard var reader = RunReader(bytes), let next = reader.message()?.value else { return unknown }
            return DroppedMessages.previous(of: Array(next)) ?? unknown
        }
    }

    /// What messages of that range tell of, themselves included.
    fileprivate func toldReasons(from first: Int64, to last: Int64) throws(SQLiteFault) -> [DropReason: Int64] {
        let sums = statements.toldReasons
        sums.bind(1, first)
        sums.bind(2, last)
        defer { sums.reset() }
        guard try sums.step() else { return [:] }
        var reasons: [DropReason: Int64] = [:]
        for (column, reason) in [DropReason.age, .full, .damaged].enumerated() where sums.integer(Int32(column)) > 0 {
            reasons[reason] = sums.integer(Int32(column))
        }
        return reasons
    }

    /// Puts the one message `told` into the place of the runs from `first` to `last`; it is made like `message`.
    func replace(
        from first: Int64, to last: Int64, by told: DroppedMessages, topic: String, epoch: Int64, like message: Parcel,
        at: WallInstant, created: Int64, change: Int64
    ) throws(SQLiteFault) {
        let source = message.headers["ce_source"] ?? ""
        let id = LaneUUID(hashing: [source, topic, String(epoch), String(told.last), DroppedMessages.type])
        let headers = DroppedMessages.headers(
            like: message.headers, id: id, epoch: epoch, seq: told.last, last: told.lastKept, at: at)
        for statement in [statements.dropRuns, statements.dropTold] {
            statement.bind(1, first)
            statement.bind(2, last)
            try statement.execute()
        }
        var run = RunWriter(key: message.key, first: told.last)
        run.append(id, headers, told.json(epoch: epoch, source: source, at: at))
        try statements.insertRun.insert(run, stream: last >> Place.seqBits, created: created, change: change)
        statements.insertTold.bind(1, last)
        statements.insertTold.bind(2, told.reasons[.age] ?? 0)
        statements.insertTold.bind(3, told.reasons[.full] ?? 0)
        statements.insertTold.bind(4, told.reasons[.damaged] ?? 0)
        try statements.insertTold.execute()
    }

    /// Messages of a stream behind `acked` that are told of, and are not there.
    func missing(in stream: Int64, after acked: Int64) throws(SQLiteFault) -> Int64 {
        let sum = statements.missing
        sum.bind(1, Place.of(stream, acked))
        sum.bind(2, Place.end(of: stream))
        defer { sum.reset() }
        return try sum.step() ? sum.integer(0) : 0
    }
}
