import Kafka
import Lane
import Outbox

/// What stands in the stream where a message that no broker takes was: same sequence, same id, a few bytes.
///
/// The message itself stays whole among the outbox's dead letters. On a chained topic `previous` is kept, and `sha256`
/// is what the next message names, so that a verifier's chain holds.
enum Quarantine {
    static let type = "sco.message.withheld.v1"

    static func isSubstitute(_ parcel: Parcel) -> Bool { parcel.headers["ce_type"] == type }

    static func substitute(for parcel: Parcel, because error: KafkaError) -> (headers: HeaderBlock, value: [UInt8]) {
        let original = parcel.headers.headers
        let headers = HeaderBlock(
            original.filter { $0.name != "ce_dataschema" }.map { header in
                header.name == "ce_type" ? CloudEvent.Header("ce_type", type) : header
            })
        var json = JSONWriter()
        json.object { json in
            if let previous = previous(of: parcel.value ?? []) { json.member("previous", previous) }
            json.member("withheld", original.first { $0.name == "ce_type" }?.value ?? "")
            json.member("reason", error.name)
            json.member("bytes", parcel.value?.count ?? 0)
            json.member("sha256", SHA256.hex(parcel.value ?? []))
        }
        return (headers, json.bytes)
    }

    /// The chain's link, where the value begins with one.
    private static func previous(of value: [UInt8]) -> String? {
        let start = Array("{\"previous\":\"".utf8)
        guard value.starts(with: start), value.count >= start.count + 64 else { return nil }
        let link = value[start.count..<start.count + 64]
        return link.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
            ? String(decoding: link, as: UTF8.self) : nil
    }
}
