import CSQLite
import Lane
import Loop

/// What the lane has accepted and not yet delivered, in one SQLite file, with the engine's checkpoint beside it.
///
/// An actor on a thread of its own ("outbox"): a commit waits for the disk and must hold up nothing else. Calls run in
/// the order they arrive. Each writes in one transaction: all of it or nothing is there after a crash.
public actor Outbox {
    /// The largest value an event may have, in bytes. A broker's default limit is 1 MB for the whole message.
    public static let largestValue = 900_000

    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What opening found: a damaged file that was moved aside.
    public nonisolated let notices: [Notice]
    public nonisolated let epoch: Int64
    private nonisolated let path: String
    private let maximumBytes: Int64
    private var opened: Opened?
    private var json = JSONWriter()
    private var counts = OutboxCounts()

    /// Opens the state folder, or makes it; blocks for the disk, so call it before the lane's loop is in use.
    ///
    /// A damaged file is moved aside and a new one begun with a larger epoch: see `notices`.
    /// - Throws: `.locked` when another agent runs on it, `.tooNew`, `.diskFull`, `.system`.
    public init(_ configuration: OutboxConfiguration) throws(OutboxError) {
        let opened = try Opened(configuration)
        notices = opened.notices
        epoch = opened.epoch
        path = opened.folder.database
        maximumBytes = configuration.maximumBytes
        self.opened = opened
        executor = ThreadExecutor(name: "outbox")
    }

    deinit { executor.stop() }

    /// Closes the file and lets go of the folder. Every later call throws `.misuse`.
    public func close() { opened = nil }

    /// Records `commit`: all of it or nothing. Returns once it is as durable as asked.
    ///
    /// Engine events whose change was taken by an earlier commit are skipped, so all events of one change belong into
    /// one commit. Events that no message can be made of are refused alone, counted, and told in the result.
    /// - Throws: `.full` past the operator's limit, `.diskFull`, `.corrupt`, `.system`, `.misuse`; the caller keeps
    ///   `commit` and may try again where `isRetriable`.
    public func commit(_ commit: Commit) throws(OutboxError) -> Committed {
        let opened = try current()
        let began = Boottime.monotonicNanoseconds()
        var result = Committed()
        var cursors = opened.cursors
        var chains = opened.chains
        var lastChange = opened.lastChange
        let created = Boottime.wallMilliseconds()
        let hasChanges = commit.events.contains { $0.change != nil }
        try during("cannot commit to") { () throws(SQLiteFault) in
            try opened.setDurability(hasChanges ? .full : commit.durability)
            if !commit.events.isEmpty, try opened.usedBytes() > maximumBytes {
                throw SQLiteFault(code: Self.fullByLimit, message: "")
            }
            try opened.database.transaction { () throws(SQLiteFault) in
                try write(commit.journal, opened.statements)
                for event in commit.events {
                    if let change = event.change {
                        guard change > opened.lastChange else {
                            result.skipped += 1
                            continue
                        }
                        lastChange = max(lastChange, change)
                    }
                    try keep(event.event, created, opened, &cursors, &chains, &result)
                }
                try writeMeta(opened, result, cursors, chains, lastChange)
                try write(commit.facts, commit.snapshot, opened)
            }
        }
        opened.cursors = cursors
        opened.chains = chains
        opened.lastChange = lastChange
        opened.lastSignal = max(opened.lastSignal, commit.journal.last?.number ?? 0, commit.snapshot?.number ?? 0)
        result.nanoseconds = Boottime.monotonicNanoseconds() - began
        counts.take(commit, result)
        return result
    }

    /// Counted since start. In = added + skipped + refused.
    public func totals() -> OutboxCounts { counts }

    // MARK: Within the transaction

    private func write(_ journal: [StampedSignal], _ statements: Statements) throws(SQLiteFault) {
        for signal in journal {
            json.removeAll()
            SignalLine.write(signal, lane: nil, journal: true, into: &json)
            statements.insertSignal.bind(1, signal.number)
            try json.bytes.withUnsafeBufferPointer { (line) throws(SQLiteFault) in
                statements.insertSignal.bindUncopied(text: 2, UnsafeRawBufferPointer(line))
                try statements.insertSignal.execute()
            }
        }
    }

    private func keep(
        _ event: CloudEvent, _ created: Int64, _ opened: Opened, _ cursors: inout [String: [Cursor]],
        _ chains: inout [String: String], _ result: inout Committed
    ) throws(SQLiteFault) {
        var value = event.value
        if let refusal = Self.refusal(of: event) {
            result.refused.append(refusal)
            return
        }
        if event.isChained, let plain = value {
            let linked = Self.link(plain, to: chains[event.topic])
            chains[event.topic] = SHA256.hex(linked)
            value = linked
        }
        var of = cursors[event.topic] ?? []
        if of.last?.epoch != opened.epoch { of.append(Cursor(epoch: opened.epoch, next: 1, acked: 0)) }
        let seq = of[of.count - 1].next
        of[of.count - 1].next = seq + 1
        cursors[event.topic] = of
        let id = (event.id ?? Self.id(of: event, epoch: opened.epoch, seq: seq)).description
        var headers = HeaderBlock(event.headers)
        headers.append("ce_id", id)
        headers.append("ce_sequence", CloudEvent.sequence(epoch: opened.epoch, seq: seq))
        let insert = opened.statements.insertEvent
        insert.bind(1, event.topic)
        insert.bind(2, opened.epoch)
        insert.bind(3, seq)
        insert.bind(4, id)
        insert.bind(5, event.key)
        insert.bind(8, created)
        try headers.bytes.withUnsafeBufferPointer { (headers) throws(SQLiteFault) in
            insert.bindUncopied(6, UnsafeRawBufferPointer(headers))
            guard let value else {
                insert.bindUncopied(7, nil)
                return try insert.execute()
            }
            try value.withUnsafeBufferPointer { (value) throws(SQLiteFault) in
                insert.bindUncopied(7, UnsafeRawBufferPointer(value))
                try insert.execute()
            }
        }
        let position = Position(epoch: opened.epoch, seq: seq)
        result.heads[event.topic] = position
        result.added += 1
        guard result.fresh.count < Committed.freshLimit else { return }
        result.fresh.append(
            Parcel(
                topic: event.topic, position: position, key: event.key, id: id, headers: headers, value: value,
                created: WallInstant(milliseconds: created)))
    }

    private func writeMeta(
        _ opened: Opened, _ result: Committed, _ cursors: [String: [Cursor]], _ chains: [String: String],
        _ lastChange: Int64
    ) throws(SQLiteFault) {
        for topic in result.heads.keys {
            guard let cursor = cursors[topic]?.last else { continue }
            try opened.set(cursor, of: topic)
            if let chain = chains[topic], chain != opened.chains[topic] {
                try opened.setMeta("chain.\(topic)", Array(chain.utf8))
            }
        }
        if lastChange != opened.lastChange { try opened.setMeta("last_change", Array(String(lastChange).utf8)) }
    }

    private func write(
        _ facts: [String: [UInt8]?], _ snapshot: Snapshot?, _ opened: Opened
    ) throws(SQLiteFault) {
        for (name, value) in facts { try opened.setMeta("fact.\(name)", value) }
        guard let snapshot else { return }
        let statements = opened.statements
        statements.insertSnapshot.bind(1, snapshot.number)
        statements.insertSnapshot.bind(2, copying: snapshot.engine)
        try statements.insertSnapshot.execute()
        statements.dropSnapshots.bind(1, snapshot.number)
        try statements.dropSnapshots.execute()
        statements.dropJournal.bind(1, snapshot.number)
        try statements.dropJournal.execute()
    }

    // MARK: Shared with Outbox+Leasing

    func current() throws(OutboxError) -> Opened {
        guard let opened else { throw OutboxError(.misuse, "the outbox is closed") }
        return opened
    }

    func count(settled: Int = 0, deadLetters: Int = 0) {
        counts.settled += settled
        counts.deadLetters += deadLetters
    }

    /// Runs `body` and says what failed in the outbox's own words.
    func during(_ doing: StaticString, _ body: () throws(SQLiteFault) -> Void) throws(OutboxError) {
        do throws(SQLiteFault) { try body() } catch {
            if error.code == Self.fullByLimit {
                counts.full += 1
                throw OutboxError(
                    .full,
                    "\(path) holds \(maximumBytes) bytes, its limit, and takes no event until some are delivered; "
                        + "bring the brokers back, or raise the limit",
                    isRetriable: true)
            }
            counts.failed += 1
            if error.isCorruption { opened?.folder.markSuspect() }
            throw OutboxError(error, doing: doing, path: path)
        }
    }

    /// Not one of SQLite's.
    private static let fullByLimit: Int32 = -1

    // MARK: What an event becomes

    private static func refusal(of event: CloudEvent) -> OutboxError? {
        if let count = event.value?.count, count > largestValue {
            return OutboxError(
                .tooLarge, "an event for \(event.topic) has \(count) bytes; at most \(largestValue) can be sent",
                topic: event.topic)
        }
        if event.topic.isEmpty || event.key.isEmpty {
            return OutboxError(
                .malformed, "an event has no \(event.topic.isEmpty ? "topic" : "key")", topic: event.topic)
        }
        if event.isChained, let first = event.value?.first, first != UInt8(ascii: "{") {
            return OutboxError(
                .malformed, "an event for \(event.topic) is no JSON object and cannot be chained", topic: event.topic)
        }
        return nil
    }

    /// `value` with the hash of its predecessor as first member; 64 zeros for the first of an epoch.
    static func link(_ value: [UInt8], to previous: String?) -> [UInt8] {
        var linked: [UInt8] = []
        linked.reserveCapacity(value.count + 80)
        linked.append(contentsOf: "{\"previous\":\"".utf8)
        linked.append(contentsOf: (previous ?? String(repeating: "0", count: 64)).utf8)
        linked.append(UInt8(ascii: "\""))
        let rest = value.dropFirst().drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        if rest.first != UInt8(ascii: "}") { linked.append(UInt8(ascii: ",")) }
        linked.append(contentsOf: rest)
        return linked
    }

    /// The id of an event that is known by its place alone.
    static func id(of event: CloudEvent, epoch: Int64, seq: Int64) -> LaneUUID {
        LaneUUID(hashing: [event["ce_source"] ?? "", event.topic, String(epoch), String(seq)])
    }
}

extension Opened {
    func set(_ cursor: Cursor, of topic: String) throws(SQLiteFault) {
        statements.setCursor.bind(1, topic)
        statements.setCursor.bind(2, cursor.epoch)
        statements.setCursor.bind(3, cursor.next)
        statements.setCursor.bind(4, cursor.acked)
        try statements.setCursor.execute()
    }

    func setMeta(_ key: String, _ value: [UInt8]?) throws(SQLiteFault) {
        guard let value else {
            statements.dropMeta.bind(1, key)
            return try statements.dropMeta.execute()
        }
        statements.setMeta.bind(1, key)
        statements.setMeta.bind(2, copying: value)
        try statements.setMeta.execute()
    }
}
