/// A message as it is kept in the outbox and published: CloudEvents 1.0, Kafka protocol binding, binary mode.
///
/// `ce_id` and `ce_sequence` are not among the headers while the event waits to be kept: the outbox gives the sequence,
/// and with it the id where `id` is nil.
public struct CloudEvent: Hashable, Sendable {
    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: String
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The whole Kafka topic name.
    public var topic: String
    /// The record key: the lane's partition key.
    public var key: String
    /// The event's id where what it tells decides it (interventions: hash of id and revision); nil where its place in
    /// the topic does.
    public var id: LaneUUID?
    /// `content-type` and `ce_*`, in the order they are written, as they are kept and sent.
    public var block: HeaderBlock
    /// The record value: the data as JSON. Nil is a tombstone for compacted topics.
    public var value: [UInt8]?
    /// The topic's messages are chained: the outbox puts `"previous":"…"` first into the object.
    public var isChained: Bool

    public init(
        topic: String, key: String, id: LaneUUID?, headers: [Header], value: [UInt8]?, isChained: Bool = false
    ) {
        self.init(topic: topic, key: key, id: id, block: HeaderBlock(headers), value: value, isChained: isChained)
    }

    public init(
        topic: String, key: String, id: LaneUUID?, block: HeaderBlock, value: [UInt8]?, isChained: Bool = false
    ) {
        self.topic = topic
        self.key = key
        self.id = id
        self.block = block
        self.value = value
        self.isChained = isChained
    }

    /// `block`, taken apart.
    public var headers: [Header] {
        get { block.headers }
        set { block = HeaderBlock(newValue) }
    }

    public subscript(header: String) -> String? { block[header] }

    /// `ce_sequence`: epoch × 10^14 + seq in 20 digits, which sort as text and as numbers. Both are clamped to what fits:
    /// 6 digits of epoch, 14 of seq.
    public static func sequence(epoch: Int64, seq: Int64) -> String {
        String(unsafeUninitializedCapacity: 20) { out in
            func pad(_ number: Int64, _ places: Range<Int>) {
                var rest = number
                for place in places.reversed() {
                    out[place] = UInt8(48 + rest % 10)
                    rest /= 10
                }
            }
            pad(min(max(0, epoch), 999_999), 0..<6)
            pad(min(max(0, seq), 99_999_999_999_999), 6..<20)
            return 20
        }
    }

    /// The epoch that a database made at `wall` begins: hours since 2020-01-01, or one more than the last known epoch
    /// where that is larger. Hours, not seconds, because six digits are what `ce_sequence` has for it; they last until 2134
    /// (`docs/decisions/0003-epoch-in-hours.md`).
    public static func epoch(madeAt wall: WallInstant, after last: Int64?) -> Int64 {
        let hours = (wall.milliseconds - 1_577_836_800_000) / 3_600_000
        return min(max(1, hours, (last ?? 0) + 1), 999_999)
    }

    /// Reads what `sequence` writes; nil for anything else.
    public static func parseSequence(_ text: String) -> (epoch: Int64, seq: Int64)? {
        let digits = text.utf8
        guard digits.count >= 20, digits.allSatisfy({ $0 >= 48 && $0 <= 57 }),
            let epoch = Int64(text.dropLast(14)), let seq = Int64(text.suffix(14))
        else { return nil }
        return (epoch, seq)
    }
}
