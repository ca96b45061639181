import Lane

/// What stands in a topic's stream in the place of messages that were given up: `sco.messages.dropped.v1`.
///
/// It has the place of the last of them, so that a consumer that meets the gap has its explanation in the very next message.
public struct DroppedMessages: Hashable, Sendable {
    public static let type = "sco.messages.dropped.v1"

    /// Sequence numbers within the epoch of the message itself; all between are meant.
    public var first: Int64
    public var last: Int64
    /// Why, and how many of each.
    public var reasons: [DropReason: Int64]
    /// When the first and the last of them were kept.
    public var firstKept: WallInstant
    public var lastKept: WallInstant
    /// Of the value of the last, in hexadecimal: what the next message of a chained topic names.
    public var sha256: String
    /// What the first of them named, where the topic is chained.
    public var previous: String?

    public var count: Int64 { last - first + 1 }

    /// Reads what `parcel` tells; nil where it tells of nothing given up.
    public init?(_ parcel: Parcel) {
        guard parcel.headers["ce_type"] == Self.type, let value = parcel.value else { return nil }
        self.init(value: value)
    }

    /// `value` as `json` writes it.
    public init?(value: [UInt8]) {
        guard let json = try? JSONValue(parsing: value),
            let first = json["first"]?.text.flatMap({ CloudEvent.parseSequence($0) }),
            let last = json["last"]?.text.flatMap({ CloudEvent.parseSequence($0) }),
            let firstKept = json["firstKept"]?.text.flatMap({ WallInstant(rfc3339: $0) }),
            let lastKept = json["lastKept"]?.text.flatMap({ WallInstant(rfc3339: $0) }),
            let sha256 = json["sha256"]?.text, first.epoch == last.epoch, first.seq <= last.seq
        else { return nil }
        self.first = first.seq
        self.last = last.seq
        reasons = [:]
        for reason in DropReason.allCases {
            if let count = json["reasons"]?[reason.rawValue]?.int { reasons[reason] = count }
        }
        self.firstKept = firstKept
        self.lastKept = lastKept
        self.sha256 = sha256
        previous = json["previous"]?.text
    }

    init(
        first: Int64, last: Int64, reasons: [DropReason: Int64], firstKept: WallInstant, lastKept: WallInstant,
        sha256: String, previous: String?
    ) {
        self.first = first
        self.last = last
        self.reasons = reasons
        self.firstKept = firstKept
        self.lastKept = lastKept
        self.sha256 = sha256
        self.previous = previous
    }

    /// `earlier`, which adjoins, and this one as one.
    func joined(to earlier: DroppedMessages) -> DroppedMessages {
        var joined = self
        joined.first = earlier.first
        joined.reasons = earlier.reasons.merging(reasons) { $0 + $1 }
        joined.firstKept = earlier.firstKept
        joined.previous = earlier.previous
        return joined
    }

    /// The data. `source` is the lane's, `/stores/STORE/lanes/LANE`.
    func json(epoch: Int64, source: String, at: WallInstant) -> [UInt8] {
        let parts = source.split(separator: "/", omittingEmptySubsequences: false)
        var json = JSONWriter()
        json.object { json in
            if let previous { json.member("previous", previous) }
            json.member("store", parts.count > 2 ? String(parts[2]) : "")
            json.member("lane", parts.count > 4 ? String(parts[4]) : "")
            json.member("first", CloudEvent.sequence(epoch: epoch, seq: first))
            json.member("last", CloudEvent.sequence(epoch: epoch, seq: last))
            json.member("count", count)
            json.name("reasons")
            json.object { json in
                for reason in DropReason.allCases {
                    if let count = reasons[reason] { json.member(reason.rawValue, count) }
                }
            }
            json.member("firstKept", firstKept)
            json.member("lastKept", lastKept)
            json.member("sha256", sha256)
            json.member("at", at)
        }
        return json.bytes
    }

    /// The headers, made of those of a message of the same lane and topic.
    static func headers(
        like headers: HeaderBlock, id: LaneUUID, epoch: Int64, seq: Int64, last: WallInstant, at: WallInstant
    ) -> HeaderBlock {
        let kept = headers.headers
        var block = HeaderBlock(reserving: 768)
        func take(_ name: String, else other: String? = nil) {
            if let value = kept.first(where: { $0.name == name })?.value ?? other { block.append(name, value) }
        }
        block.append("content-type", "application/json")
        take("ce_specversion", else: "1.0")
        block.append("ce_type", type)
        take("ce_source", else: "")
        block.append("ce_subject", "outbox")
        block.append("ce_time", last.rfc3339)
        block.append("ce_recordedtime", at.rfc3339)
        take("ce_partitionkey")
        block.append("ce_dataschema", "urn:lanewatch:schema:\(type)")
        block.append("ce_id", id.description)
        block.append("ce_sequence", CloudEvent.sequence(epoch: epoch, seq: seq))
        return block
    }

    /// The chain's link, where `value` begins with one.
    static func previous(of value: [UInt8]) -> String? {
        let start = Array("{\"previous\":\"".utf8)
        guard value.starts(with: start), value.count >= start.count + 64 else { return nil }
        let link = value[start.count..<start.count + 64]
        return link.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
            ? String(decoding: link, as: UTF8.self) : nil
    }

    /// The digest that the message after `value` names. A message that stands for another says that one's.
    static func digest(of value: [UInt8], type: String?) -> String {
        if type == Self.type || type == "sco.message.withheld.v1",
            let told = (try? JSONValue(parsing: value))?["sha256"]?.text
        {
            return told
        }
        return SHA256.hex(value)
    }
}
