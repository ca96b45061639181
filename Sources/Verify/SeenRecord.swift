/// A record as it was read: valid only within the call that takes it.
public struct SeenRecord {
    /// The topic's place among those that are verified.
    public var topic: Int
    public var partition: Int32
    public var offset: Int64
    /// Unix milliseconds: when the producer got it or the broker appended it.
    public var timestamp: Int64?
    public var key: UnsafeRawBufferPointer?
    /// Nil is a tombstone.
    public var value: UnsafeRawBufferPointer?
    var envelope = Envelope()

    public init(
        topic: Int, partition: Int32, offset: Int64, timestamp: Int64?, key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
    }

    public mutating func add(header name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        envelope.add(name, value)
    }

    /// 64 bits that are equal for the same message sent again, and differ for any other.
    var print: UInt64 {
        var hasher = Hasher()
        for part in [envelope.id, envelope.type, envelope.time, value] {
            hasher.combine(part?.count)
            if let part { hasher.combine(bytes: part) }
        }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
