/// A record to send.
public struct Message: Sendable {
    public var topic: String
    /// Decides the partition; never empty, or order is lost.
    public var key: String
    /// Nil is a tombstone.
    public var value: [UInt8]?
    /// For each header the name's length (2 bytes, big-endian), the name, the value's length (4 bytes, big-endian), the
    /// value: as the outbox keeps them. What does not fit this form is left out from there on.
    public var headers: [UInt8]

    public init(topic: String, key: String, value: [UInt8]?, headers: [UInt8] = []) {
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
    }

    public init(topic: String, key: String, value: [UInt8]?, named headers: KeyValuePairs<String, String>) {
        self.init(topic: topic, key: key, value: value)
        for (name, value) in headers {
            let name = Array(name.utf8.prefix(0xFFFF))
            let value = Array(value.utf8)
            self.headers += [UInt8(name.count >> 8), UInt8(name.count & 0xFF)] + name
            self.headers += [24, 16, 8, 0].map { UInt8(value.count >> $0 & 0xFF) } + value
        }
    }

    /// Calls `body` with each header's name and value in place.
    static func forEachHeader(
        _ block: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) {
        var place = 0
        func take(_ lengthBytes: Int) -> UnsafeRawBufferPointer? {
            guard block.count - place >= lengthBytes else { return nil }
            var length = 0
            for _ in 0..<lengthBytes {
                length = length << 8 | Int(block[place])
                place += 1
            }
            guard block.count - place >= length else { return nil }
            defer { place += length }
            return UnsafeRawBufferPointer(rebasing: block[place..<place + length])
        }
        while let name = take(2), let value = take(4) { body(name, value) }
    }
}

/// What became of a message.
public struct DeliveryReport: Sendable {
    /// As it was given to `Producer.send`.
    public var opaque: UInt64
    /// Nil: the brokers have it, in as many replicas as the topic asks for, and said so of this message.
    public var error: KafkaError?
    /// Whether a broker may have it although an error came.
    public var isPossiblyPersisted: Bool
    public var partition: Int32
    public var offset: Int64
}

/// What a producer says.
public enum ProducerEvent: Sendable {
    /// In the order librdkafka gives them; of one partition in the order they were sent.
    case reports([DeliveryReport])
    /// Of the instance, not of a message: `_ALL_BROKERS_DOWN`, `_AUTHENTICATION`, `_RESOLVE`, `_SSL`, …; fatal where
    /// `isFatal`. librdkafka goes on trying after all that are not.
    case error(KafkaError)
    /// A line of librdkafka's log; `level` is syslog's, 0 to 7.
    case log(level: Int, facility: String, text: String)
    /// librdkafka's statistics, JSON. Source: STATISTICS.md.
    case statistics([UInt8])
}

/// What the cluster says of a topic.
public enum TopicState: Hashable, Sendable {
    case ready(partitions: Int)
    /// Not there.
    case unknown
    case notAuthorised
    /// No broker answered in time, or with another error: the topic may be well.
    case unreachable(KafkaError)
}

/// Brokers by the last statistics.
public struct BrokerCount: Hashable, Sendable {
    public var up = 0
    public var known = 0

    public init(up: Int = 0, known: Int = 0) {
        self.up = up
        self.known = known
    }

    /// Counts the members of `brokers` in librdkafka's statistics. Those of the bootstrap list (`nodeid` -1) count only
    /// as long as no other is known.
    init(statistics: UnsafeRawBufferPointer) {
        var bootstrap = BrokerCount()
        var isBootstrap: Bool?
        var place = 0
        func matches(_ text: StaticString) -> Bool {
            guard statistics.count - place >= text.utf8CodeUnitCount else { return false }
            for i in 0..<text.utf8CodeUnitCount where statistics[place + i] != text.utf8Start[i] { return false }
            return true
        }
        while place < statistics.count {
            defer { place += 1 }
            guard statistics[place] == UInt8(ascii: "\"") else { continue }
            if matches("\"nodeid\":") { isBootstrap = place + 9 < statistics.count && statistics[place + 9] == 0x2D }
            guard let isNone = isBootstrap, matches("\"state\":\"") else { continue }
            isBootstrap = nil
            let isUp = matches("\"state\":\"UP\"")
            if isNone {
                bootstrap.known += 1
                if isUp { bootstrap.up += 1 }
            } else {
                known += 1
                if isUp { up += 1 }
            }
        }
        if known == 0 { self = bootstrap }
    }
}
