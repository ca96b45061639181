import LaneTesting

@testable import Verify

extension Verifier {
    /// Verifies logs of one topic each.
    static func of(_ logs: [LaneLog], _ change: (inout Settings) -> Void = { _ in }) throws -> Verifier {
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

    mutating func take(_ record: LaneLog.Record, _ topic: Int, _ offset: Int64) {
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
