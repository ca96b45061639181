import Foundation

/// A record of a topic's log as a reader outside of the project, kcat, gives it; of its value only what is judged.
public struct Record: Hashable, Sendable {
    public enum Kind: String, Sendable { case raised, updated, cleared, withheld, dropped, other }

    public var partition: Int
    public var offset: Int
    public var source: String
    public var id: String
    public var kind: Kind
    /// `ce_sequence`: epoch and number in the epoch.
    public var epoch: Int
    public var seq: Int
    /// Of the signal that made it; nil where the value names none.
    public var number: Int?
    /// It stands in the place of another message.
    public var standsIn: Bool { kind == .dropped || kind == .withheld }
    /// The sequences that a message of the kind `dropped` tells of, in its own epoch: given up, or not readable any more.
    public var told: ClosedRange<Int>?

    public init(
        partition: Int = 0, offset: Int, source: String = "/stores/0042/lanes/1", id: String, kind: Kind,
        epoch: Int = 1, seq: Int, number: Int?
    ) {
        self.partition = partition
        self.offset = offset
        self.source = source
        self.id = id
        self.kind = kind
        self.epoch = epoch
        self.seq = seq
        self.number = number
    }

    /// A line that kcat wrote by `format`; nil where it is none.
    public init?(line: ArraySlice<UInt8>) {
        let parts = line.split(separator: 9, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let partition = Int(String(decoding: parts[0], as: UTF8.self)),
            let offset = Int(String(decoding: parts[1], as: UTF8.self))
        else { return nil }
        self.partition = partition
        self.offset = offset
        var headers: [String: String] = [:]
        // A log has some ten thousand records, of which four headers each are wanted.
        for header in parts[2].split(separator: UInt8(ascii: ",")) where header.starts(with: Self.ours) {
            guard let equals = header.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: header[..<equals], as: UTF8.self)
            guard Self.wanted.contains(name) else { continue }
            headers[name] = String(decoding: header[(equals + 1)...], as: UTF8.self)
        }
        let sequence = headers["ce_sequence"] ?? ""
        guard sequence.count == 20, let epoch = Int(sequence.dropLast(14)), let seq = Int(sequence.suffix(14)) else {
            return nil
        }
        self.epoch = epoch
        self.seq = seq
        source = headers["ce_source"] ?? ""
        id = headers["ce_id"] ?? ""
        let type = (headers["ce_type"] ?? "").split(separator: ".")
        kind = type.count > 2 ? Kind(rawValue: String(type[2])) ?? .other : .other
        number = Ledger.number(in: parts[3])
        if kind == .dropped { told = Self.told(String(decoding: parts[3], as: UTF8.self)) }
    }

    private static let ours = Array("ce_".utf8)
    private static let wanted: Set<String> = ["ce_source", "ce_id", "ce_type", "ce_sequence"]

    private static func told(_ value: String) -> ClosedRange<Int>? {
        let ends = ["\"first\":\"", "\"last\":\""].compactMap { name -> Int? in
            value.range(of: name).flatMap { Int(value[$0.upperBound...].prefix(20).suffix(14)) }
        }
        guard ends.count == 2, ends[0] <= ends[1] else { return nil }
        return ends[0]...ends[1]
    }

    static let format = "%p\t%o\t%h\t%s\n"
}

/// Reads a topic from its beginning to its end.
public enum LogReader {
    /// Takes a record as it is: its kind, key, headers and value.
    public typealias Keep = (Record.Kind, _ key: String, _ headers: [(name: String, value: String)], _ value: String) ->
        Void

    /// - Parameters:
    ///   - lane: Whose records alone are wanted; of all lanes where it is nil.
    ///   - keep: Is given each of them.
    /// - Throws: what kcat said, or that a record is none of ours.
    public static func records(_ bootstrap: String, _ topic: String, of lane: String? = nil, keep: Keep? = nil) throws
        -> [Record]
    {
        let result = try Command.run(
            [
                "timeout", "-k", "5", "120", "kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
                "-X", "broker.address.family=v4", "-X", "fetch.wait.max.ms=10", "-X",
                "topic.metadata.refresh.interval.ms=500",
                "-f", "%k\t" + Record.format,
            ])
        guard result.code == 0 else { throw Fault("kcat \(topic): exit \(result.code): \(result.errors)") }
        var records: [Record] = []
        for line in result.output.split(separator: 10) {
            // Before what a record is read from stands its key.
            let key = line.prefix { $0 != 9 }
            guard let record = Record(line: line.dropFirst(key.count + 1)) else {
                throw Fault(
                    "\(topic) holds what is no message of an agent: \(String(decoding: line.prefix(200), as: UTF8.self))"
                )
            }
            guard lane.map({ record.source.hasSuffix("/lanes/\($0)") }) ?? true else { continue }
            records.append(record)
            if let keep { give(record, key, line, to: keep) }
        }
        return records
    }
}

extension LogReader {
    private static func give(_ record: Record, _ key: ArraySlice<UInt8>, _ line: ArraySlice<UInt8>, to keep: Keep) {
        let parts = line.split(separator: 9, maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 5 else { return }
        let headers = parts[3].split(separator: UInt8(ascii: ",")).map { header in
            let name = header.prefix { $0 != UInt8(ascii: "=") }
            return (
                name: String(decoding: name, as: UTF8.self),
                value: String(decoding: header.dropFirst(name.count + 1), as: UTF8.self)
            )
        }
        keep(record.kind, String(decoding: key, as: UTF8.self), headers, String(decoding: parts[4], as: UTF8.self))
    }
}

/// Why a run could not be made or judged: a fault of the bed, not of what is tested.
public struct Fault: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}
