import Kafka
import Lane
import Outbox

/// What stands in the stream where a message that no broker takes was, and what the message becomes when it is sent again.
///
/// The id is the message, the sequence is the place. So the substitute keeps the sequence and has an id of its own, and the
/// message, whole among the outbox's dead letters, keeps its id: sent again, it is new to whoever deduplicates by id,
/// and known to whoever has its copy from another topic. On a chained topic `previous` is kept, and `sha256` is what the
/// next message names, so that a verifier's chain holds. Why: docs/decisions/0009-released-messages.md.
public enum Quarantine {
    static let type = "sco.message.withheld.v1"
    /// Of a message that is sent again: the `ce_sequence` it had before.
    public static let releasedFrom = "ce_releasedfrom"

    /// It stands for other messages: in quarantine, nothing in the stream would tell of those any more.
    static func isSubstitute(_ parcel: Parcel) -> Bool {
        let found = parcel.headers["ce_type"]
        return found == type || found == DroppedMessages.type
    }

    /// The headers that say where a message belongs. What else it has may be what the broker refused.
    private static let kept: Set<String> = [
        "content-type", "ce_specversion", "ce_source", "ce_subject", "ce_time", "ce_recordedtime", "ce_partitionkey",
        "ce_sequence",
    ]

    static func substitute(for parcel: Parcel, because error: KafkaError) -> Substitute {
        let original = parcel.headers.headers
        func header(_ name: String) -> String { original.first { $0.name == name }?.value ?? "" }
        // The same whenever it is made: of the place, and no hash of a message.
        let id = LaneUUID(hashing: [
            "withheld", header("ce_source"), parcel.topic, String(parcel.position.epoch), String(parcel.position.seq),
        ])
        var headers = HeaderBlock(original.filter { kept.contains($0.name) })
        headers.append("ce_type", type)
        headers.append("ce_dataschema", "urn:lanewatch:schema:\(type)")
        headers.append("ce_id", id.description)
        let value = parcel.value ?? []
        let data = (try? JSONValue(parsing: value)) ?? .null
        var json = JSONWriter()
        json.object { json in
            if let previous = previous(of: value) { json.member("previous", previous) }
            for name in ["store", "lane", "rules"] { if let text = data[name]?.text { json.member(name, text) } }
            json.member("id", parcel.id)
            json.member("withheld", header("ce_type"))
            json.member("reason", error.name)
            json.member("bytes", value.count)
            json.member("sha256", SHA256.hex(value))
        }
        return Substitute(id: id, headers: headers, value: json.bytes)
    }

    /// `parcel`, out of the dead letters, as the next message of its topic: same id, same data. On a chained topic it gets
    /// the link of its new place.
    public static func released(_ parcel: Parcel) -> CloudEvent {
        let isChained = parcel.value.flatMap { previous(of: $0) } != nil
        var headers = HeaderBlock(
            parcel.headers.headers.filter { !["ce_id", "ce_sequence", releasedFrom].contains($0.name) })
        let before = parcel.headers[releasedFrom] ?? parcel.headers["ce_sequence"]
        if let before { headers.append(releasedFrom, before) }
        return CloudEvent(
            topic: parcel.topic, key: parcel.key, id: parcel.uuid, block: headers,
            value: isChained ? parcel.value.map(unlinked) : parcel.value, isChained: isChained)
    }

    private static let linkStart = Array("{\"previous\":\"".utf8)

    /// The chain's link, where the value begins with one.
    private static func previous(of value: [UInt8]) -> String? {
        guard value.starts(with: linkStart), value.count >= linkStart.count + 65 else { return nil }
        let link = value[linkStart.count..<linkStart.count + 64]
        return link.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
            ? String(decoding: link, as: UTF8.self) : nil
    }

    /// `value` without the link that it begins with.
    private static func unlinked(_ value: [UInt8]) -> [UInt8] {
        // The link, its quotation mark, and the comma where something follows.
        var rest = value.dropFirst(linkStart.count + 65)
        if rest.first == UInt8(ascii: ",") { rest = rest.dropFirst() }
        return [UInt8(ascii: "{")] + rest
    }
}
