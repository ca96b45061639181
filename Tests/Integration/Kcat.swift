import Foundation
import KafkaBed
import Lane
import Testing

/// What an independent consumer, kcat, reads from a topic.
struct Record {
    var partition: Int64
    var offset: Int64
    var key: String
    var headers: [(name: String, value: String)]
    var value: JSONValue?

    subscript(header: String) -> String { headers.first { $0.name == header }?.value ?? "" }
    /// `seq` of `ce_sequence`.
    var seq: Int64 { Int64(self["ce_sequence"].suffix(14)) ?? -1 }
    var epoch: String { String(self["ce_sequence"].dropLast(14)) }
    var id: String { self["ce_source"] + " " + self["ce_id"] }
    var rule: String { value?["rule"]?.text ?? "" }
    var state: String { value?["state"]?.text ?? "" }
}

enum Kcat {
    /// All records of `topic`, partition by partition, each from its beginning.
    static func read(_ bootstrap: String, _ topic: String) throws -> [Record] {
        let path = try #require(Places.find("kcat"))
        let (code, lines) = try Program.run(
            path,
            [
                "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "fetch.wait.max.ms=10",
                "-X",
                "broker.address.family=v4",
            ],
            seconds: 60)
        guard code == 0 else { throw TestFault("kcat: \(lines.suffix(3).joined(separator: " | "))") }
        return try lines.compactMap { line in
            guard line.hasPrefix("{") else { return nil }
            let value = try JSONValue(parsing: line)
            let flat = value["headers"]?.elements?.compactMap(\.text) ?? []
            let headers = stride(from: 0, to: flat.count - 1, by: 2).map { (name: flat[$0], value: flat[$0 + 1]) }
            let payload = value["payload"]?.text
            RecordShelf.keep(topic: topic, key: value["key"]?.text, headers: headers, value: payload)
            return Record(
                partition: value["partition"]?.int ?? -1, offset: value["offset"]?.int ?? -1,
                key: value["key"]?.text ?? "", headers: headers, value: try payload.map { try JSONValue(parsing: $0) })
        }
    }

    /// First appearances by (source, id), in the order of the log.
    static func deduplicated(_ records: [Record]) -> [Record] {
        var seen: Set<String> = []
        return records.filter { seen.insert($0.id).inserted }
    }
}
