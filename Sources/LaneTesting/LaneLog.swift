import Lane

/// What a lane writes on a topic, as the agent does, and may then be spoiled: the log as it ought to be read.
public struct LaneLog: Sendable {
    public struct Record: Sendable {
        public var partition: Int32 = 0
        public var key: [UInt8]?
        public var headers: [(String, String)]
        public var value: [UInt8]?
        public var timestamp: Int64?

        public init(
            partition: Int32 = 0, key: [UInt8]?, headers: [(String, String)], value: [UInt8]?, timestamp: Int64?
        ) {
            self.partition = partition
            self.key = key
            self.headers = headers
            self.value = value
            self.timestamp = timestamp
        }
    }

    public static let wall = WallInstant(milliseconds: 1_795_248_843_120)
    public static let digest = "sha256:" + String(repeating: "ab", count: 32)

    public let identity: LaneIdentity
    public let topic: String
    public var epoch: Int64 = 60_381
    public var records: [Record] = []
    private var seq: Int64 = 0
    private var link = String(repeating: "0", count: 64)

    public init(_ topic: String = "sco.device-health", store: String = "0042", lane: String = "07") {
        self.topic = topic
        identity = LaneIdentity(store: store, lane: lane)
    }

    /// The next message of the lane on this topic.
    public mutating func add(
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

    /// The lane's state: nothing is open, no device is known.
    public mutating func addLaneState() {
        add(type: "sco.lane.state.v1") { json in
            json.member("at", Self.wall)
            json.name("open")
            json.array { _ in }
            json.name("devices")
            json.object { _ in }
            json.member("version", "1")
        }
    }

    /// An intervention's message.
    public mutating func add(_ change: Change) {
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

    public mutating func skip(_ count: Int64) { seq += count }

    public mutating func begin(epoch: Int64) {
        self.epoch = epoch
        seq = 0
        link = String(repeating: "0", count: 64)
    }

    public mutating func setHeader(_ place: Int, _ name: String, _ value: String?) {
        records[place].headers.removeAll { $0.0 == name }
        if let value { records[place].headers.append((name, value)) }
    }

    /// Changes the value as text, for example to leave a member out.
    public mutating func change(_ place: Int, _ old: String, _ new: String) {
        let text = String(decoding: records[place].value ?? [], as: UTF8.self)
        records[place].value = Array(text.replacing(old, with: new, maxReplacements: 1).utf8)
    }
}
