import Lane

@testable import Verify

/// A lane that writes as the agent does, and a log that can be spoiled.
struct Log {
    struct Record {
        var partition: Int32 = 0
        var key: [UInt8]?
        var headers: [(String, String)]
        var value: [UInt8]?
        var timestamp: Int64?
    }

    static let wall = WallInstant(milliseconds: 1_795_248_843_120)
    static let digest = "sha256:" + String(repeating: "ab", count: 32)

    let identity: LaneIdentity
    let topic: String
    var epoch: Int64 = 60_381
    var records: [Record] = []
    private var seq: Int64 = 0
    private var link = String(repeating: "0", count: 64)

    init(_ topic: String = "sco.device-health", store: String = "0042", lane: String = "07") {
        self.topic = topic
        identity = LaneIdentity(store: store, lane: lane)
    }

    /// The next message of the lane on this topic.
    mutating func add(
        type: String = "sco.device.attached.v1", chained: Bool = false, id: LaneUUID? = nil,
        members: ((inout JSONWriter) -> Void)? = nil
    ) {
        seq += 1
        let messages = LaneMessages(identity: identity, rulesDigest: Self.digest)
        let event = messages.event(
            topic: topic, type: type, subject: "scanner", time: Self.wall, recorded: Self.wall, chained: chained
        ) { json in
            if let members { return members(&json) }
            json.member("device", "scanner")
            json.member("port", "1-1")
            json.member("class", "scanner")
            json.member("at", Self.wall)
        }
        append(event, id: id)
    }

    /// An intervention's message.
    mutating func add(_ change: Change) {
        seq += 1
        append(LaneMessages(identity: identity, rulesDigest: Self.digest).event(for: change, recorded: Self.wall))
    }

    private mutating func append(_ event: CloudEvent, id: LaneUUID? = nil) {
        let made = LaneUUID(hashing: [identity.source, topic, String(epoch), String(seq)])
        var headers = event.headers.map { ($0.name, $0.value) }
        headers.append(("ce_id", (id ?? event.id ?? made).description))
        headers.append(("ce_sequence", CloudEvent.sequence(epoch: epoch, seq: seq)))
        var value = event.value
        if event.isChained, let bytes = value {
            let text = String(decoding: bytes, as: UTF8.self)
            value = Array("{\"previous\":\"\(link)\",\(text.dropFirst())".utf8)
            link = SHA256.hex(value ?? [])
        }
        records.append(
            Record(
                key: Array(event.key.utf8), headers: headers, value: value, timestamp: Self.wall.milliseconds + 40))
    }

    mutating func skip(_ count: Int64) { seq += count }

    mutating func begin(epoch: Int64) {
        self.epoch = epoch
        seq = 0
        link = String(repeating: "0", count: 64)
    }

    mutating func setHeader(_ place: Int, _ name: String, _ value: String?) {
        records[place].headers.removeAll { $0.0 == name }
        if let value { records[place].headers.append((name, value)) }
    }

    /// Changes the value as text, for example to leave a member out.
    mutating func change(_ place: Int, _ old: String, _ new: String) {
        let text = String(decoding: records[place].value ?? [], as: UTF8.self)
        records[place].value = Array(text.replacing(old, with: new, maxReplacements: 1).utf8)
    }
}

extension Verifier {
    /// Verifies logs of one topic each.
    static func of(_ logs: [Log], _ change: (inout Settings) -> Void = { _ in }) throws -> Verifier {
        var settings = Settings()
        change(&settings)
        let topics = Array(Set(logs.map(\.topic))).sorted()
        var verifier = Verifier(topics: topics, settings: settings, schemas: try Schemas())
        for log in logs {
            for (offset, record) in log.records.enumerated() {
                verifier.take(record, topics.firstIndex(of: log.topic) ?? 0, Int64(offset))
            }
        }
        return verifier
    }

    mutating func take(_ record: Log.Record, _ topic: Int, _ offset: Int64) {
        func bytes<T>(_ array: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
            guard let array else { return body(nil) }
            return array.withUnsafeBytes { buffer in
                // An empty array may have no address, and none is a tombstone.
                buffer.baseAddress == nil
                    ? withUnsafeBytes(of: 0) { body(UnsafeRawBufferPointer(start: $0.baseAddress, count: 0)) }
                    : body(buffer)
            }
        }
        var flat: [UInt8] = []
        var parts: [(Range<Int>, Range<Int>)] = []
        for (name, value) in record.headers {
            let start = flat.count
            flat += Array(name.utf8)
            let middle = flat.count
            flat += Array(value.utf8)
            parts.append((start..<middle, middle..<flat.count))
        }
        bytes(record.key) { key in
            bytes(record.value) { value in
                flat.withUnsafeBytes { all in
                    var seen = SeenRecord(
                        topic: topic, partition: record.partition, offset: offset, timestamp: record.timestamp,
                        key: key,
                        value: value)
                    for (name, value) in parts {
                        seen.add(
                            header: UnsafeRawBufferPointer(rebasing: all[name]),
                            UnsafeRawBufferPointer(rebasing: all[value]))
                    }
                    take(seen)
                }
            }
        }
    }
}
