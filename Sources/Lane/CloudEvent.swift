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
    /// `content-type` and `ce_*`, in the order they are written.
    public var headers: [Header]
    /// The record value: the data as JSON. Nil is a tombstone for compacted topics.
    public var value: [UInt8]?
    /// The topic's messages are chained: the outbox puts `"previous":"…"` first into the object.
    public var isChained: Bool

    public init(
        topic: String, key: String, id: LaneUUID?, headers: [Header], value: [UInt8]?, isChained: Bool = false
    ) {
        self.topic = topic
        self.key = key
        self.id = id
        self.headers = headers
        self.value = value
        self.isChained = isChained
    }

    public subscript(header: String) -> String? { headers.first { $0.name == header }?.value }

    /// `ce_sequence`: epoch × 10^14 + seq in decimal, zero-padded to at least 20 digits.
    ///
    /// An epoch in seconds of the wall clock makes it 24 digits, more than 64 bits hold: so it is written, never
    /// computed, and texts of one length sort as their numbers do. Both are at least 0; `seq` is below 10^14.
    public static func sequence(epoch: Int64, seq: Int64) -> String {
        let low = String(max(0, seq))
        let high = epoch > 0 ? String(epoch) : ""
        let digits = high + String(repeating: "0", count: max(0, 14 - low.count)) + low
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
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
