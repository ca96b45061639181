import Lane

/// What a commit adds to its topics, within its transaction: places, ids, chains, and the runs that hold the messages.
struct Additions {
    private struct Topic {
        let name: String
        var cursor: Cursor
        /// The file knows nothing of it yet.
        let isNew: Bool
        var chain: String?
        var run: RunWriter?
    }

    private let opened: Opened
    private let created: Int64
    /// The highest change that the outbox will have taken with this commit.
    var lastChange: Int64
    private var topics: [Topic] = []
    /// Something says `lastChange`.
    private var hasRun = false

    /// `created` is wall time in milliseconds.
    init(_ opened: Opened, created: Int64) {
        self.opened = opened
        self.created = created
        lastChange = opened.lastChange
    }

    /// Gives `event` its place in its topic, and makes a message of it.
    mutating func keep(_ event: CloudEvent, _ result: inout Committed) throws(SQLiteFault) {
        let place = place(of: event.topic)
        var value = event.value
        if event.isChained, let plain = value {
            let linked = Self.link(plain, to: topics[place].chain)
            topics[place].chain = SHA256.hex(linked)
            value = linked
        }
        let seq = topics[place].cursor.next
        topics[place].cursor.next = seq + 1
        let id = event.id ?? Self.id(of: event, epoch: opened.epoch, seq: seq)
        var headers = event.block
        headers.append("ce_id", id.description)
        headers.append("ce_sequence", CloudEvent.sequence(epoch: opened.epoch, seq: seq))
        if let run = topics[place].run, run.isFull || run.key != event.key { try write(place) }
        if topics[place].run == nil { topics[place].run = RunWriter(key: event.key, first: seq) }
        topics[place].run?.append(id, headers, value)
        result.added += 1
        guard result.fresh.count < Committed.freshLimit else { return }
        result.fresh.append(
            Parcel(
                topic: event.topic, position: Position(epoch: opened.epoch, seq: seq), key: event.key, uuid: id,
                headers: headers, value: value, created: WallInstant(milliseconds: created)))
    }

    /// Writes what is left, and what is to be remembered.
    mutating func finish(_ result: inout Committed) throws(SQLiteFault) {
        for place in topics.indices {
            try write(place)
            let topic = topics[place]
            result.heads[topic.name] = Position(epoch: opened.epoch, seq: topic.cursor.next - 1)
            // The runs tell where the topic is; only where they lie has to be written down, once.
            if topic.isNew { try opened.set(topic.cursor, of: topic.name) }
            if let chain = topic.chain, chain != opened.chains[topic.name] {
                try opened.setMeta("chain.\(topic.name)", Array(chain.utf8))
            }
        }
        if lastChange != opened.lastChange, !hasRun { try opened.setLastChange(lastChange) }
    }

    /// Takes over into memory what was committed.
    func adopt() {
        for topic in topics {
            var cursors = opened.cursors[topic.name] ?? []
            if topic.isNew { cursors.append(topic.cursor) } else { cursors[cursors.count - 1] = topic.cursor }
            opened.cursors[topic.name] = cursors
            if let chain = topic.chain { opened.chains[topic.name] = chain }
        }
        opened.lastChange = lastChange
    }

    private mutating func place(of name: String) -> Int {
        if let known = topics.firstIndex(where: { $0.name == name }) { return known }
        let last = opened.cursors[name]?.last
        if let last, last.epoch == opened.epoch {
            topics.append(Topic(name: name, cursor: last, isNew: false, chain: opened.chains[name]))
        } else {
            let stream = opened.freeStream(besides: topics.map(\.cursor.stream))
            let cursor = Cursor(epoch: opened.epoch, stream: stream, next: 1, acked: 0)
            topics.append(Topic(name: name, cursor: cursor, isNew: true, chain: opened.chains[name]))
        }
        return topics.count - 1
    }

    private mutating func write(_ place: Int) throws(SQLiteFault) {
        guard let run = topics[place].run else { return }
        topics[place].run = nil
        hasRun = true
        try opened.statements.insertRun.insert(
            run, stream: topics[place].cursor.stream, created: created, change: lastChange)
    }

    // MARK: What an event becomes

    /// `value` with the hash of its predecessor as first member; 64 zeros for the first of an epoch.
    private static func link(_ value: [UInt8], to previous: String?) -> [UInt8] {
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
    private static func id(of event: CloudEvent, epoch: Int64, seq: Int64) -> LaneUUID {
        LaneUUID(hashing: [event["ce_source"] ?? "", event.topic, String(epoch), String(seq)])
    }
}

extension Opened {
    func setLastChange(_ number: Int64) throws(SQLiteFault) {
        try setMeta("last_change", Array(String(number).utf8))
    }
}
