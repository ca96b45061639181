import Glibc
import Lane

/// A message that no broker takes, as lists show it: all but its value.
public struct DeadLetter: Hashable, Sendable {
    public var topic: String
    /// Where it was in the stream, and where its substitute is.
    public var position: Position
    /// `ce_id`: it keeps it.
    public var id: LaneUUID
    public var headers: HeaderBlock
    /// Of headers and value.
    public var bytes: Int
    /// Wall clock when it was accepted, and when it was taken out of the stream.
    public var created: WallInstant
    public var moved: WallInstant
    /// What the broker said.
    public var reason: String

    public init(
        topic: String, position: Position, id: LaneUUID, headers: HeaderBlock, bytes: Int, created: WallInstant,
        moved: WallInstant, reason: String
    ) {
        self.topic = topic
        self.position = position
        self.id = id
        self.headers = headers
        self.bytes = bytes
        self.created = created
        self.moved = moved
        self.reason = reason
    }

    public var mark: Mark { Mark(topic: topic, position: position) }
}

/// How much is among the dead letters.
public struct QuarantineSize: Hashable, Sendable {
    public var messages = 0
    public var bytes: Int64 = 0

    public init(messages: Int = 0, bytes: Int64 = 0) {
        self.messages = messages
        self.bytes = bytes
    }

    /// How much it may be: a hundred thousandth of what a lane sends in years, and a fraction of the outbox.
    public static let limit = QuarantineSize(messages: 1000, bytes: 64 << 20)

    /// Whether one more of `bytes` goes beyond `limit`.
    func isFull(for bytes: Int, _ limit: QuarantineSize) -> Bool {
        messages >= limit.messages || self.bytes + Int64(bytes) > limit.bytes
    }
}

/// What stands in the place of a message that is taken out of its stream.
public struct Substitute: Hashable, Sendable {
    /// Its own: what has the message's id is the message.
    public var id: LaneUUID
    /// Whole, `ce_id` and `ce_sequence` included.
    public var headers: HeaderBlock
    public var value: [UInt8]

    public init(id: LaneUUID, headers: HeaderBlock, value: [UInt8]) {
        self.id = id
        self.headers = headers
        self.value = value
    }
}

extension OutboxContents {
    /// Bytes of the file at `path` and of the log beside it.
    static func bytes(of path: String) -> Int64 {
        [path, path + "-wal"].reduce(0) { sum, path in
            var status = stat()
            return stat(path, &status) == 0 ? sum + Int64(status.st_size) : sum
        }
    }
}

extension Database {
    /// The dead letters, oldest first, without their values.
    func deadLetters(limit: Int) throws(SQLiteFault) -> [DeadLetter] {
        let rows = try prepare(
            """
            SELECT topic, epoch, seq, id, headers, ifnull(length(payload), 0), created, moved, reason
            FROM dead_letter ORDER BY moved, topic, epoch, seq LIMIT ?
            """)
        defer { drop(rows) }
        rows.bind(1, Int64(limit))
        var found: [DeadLetter] = []
        while try rows.step() {
            let headers = HeaderBlock(kept: rows.bytes(4) ?? [])
            found.append(
                DeadLetter(
                    topic: rows.text(0), position: Position(epoch: rows.integer(1), seq: rows.integer(2)),
                    id: LaneUUID(rows.text(3)) ?? LaneUUID(high: 0, low: 0), headers: headers,
                    bytes: headers.bytes.count + Int(rows.integer(5)),
                    created: WallInstant(milliseconds: rows.integer(6)),
                    moved: WallInstant(milliseconds: rows.integer(7)), reason: rows.text(8)))
        }
        return found
    }

    /// The dead letter at `mark`, whole; nil where there is none.
    func deadLetter(_ mark: Mark) throws(SQLiteFault) -> Parcel? {
        let rows = try prepare(
            "SELECT id, key, headers, payload, created FROM dead_letter WHERE topic = ? AND epoch = ? AND seq = ?")
        defer { drop(rows) }
        rows.bind(1, mark.topic)
        rows.bind(2, mark.position.epoch)
        rows.bind(3, mark.position.seq)
        guard try rows.step() else { return nil }
        return Parcel(
            topic: mark.topic, position: mark.position, key: rows.text(1),
            uuid: LaneUUID(rows.text(0)) ?? LaneUUID(high: 0, low: 0),
            headers: HeaderBlock(kept: rows.bytes(2) ?? []), value: rows.bytes(3),
            created: WallInstant(milliseconds: rows.integer(4)))
    }

    func quarantineSize() throws(SQLiteFault) -> QuarantineSize {
        QuarantineSize(
            messages: Int(try integer("SELECT count(*) FROM dead_letter")),
            bytes: try integer("SELECT sum(length(headers) + ifnull(length(payload), 0)) FROM dead_letter"))
    }
}
