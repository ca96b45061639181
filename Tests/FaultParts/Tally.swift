import Foundation

/// What became of one run.
public struct Entry: Codable, Hashable, Sendable {
    public var row: String
    public var seed: UInt64
    public var at: Date
    /// Whether it was as it must be: clean, or for a control caught.
    public var isGood: Bool
    public var verdict: Verdict
    /// From the end of the fault until nothing waited any more.
    public var drainSeconds: Double
    /// Agents killed, and producers made anew.
    public var kills: Int
    public var recreations: Int
    /// The database behind examples/consumer; nil where it was not asked.
    public var consumer: String?
    public var remark: String

    public init(row: String, seed: UInt64, at: Date, isGood: Bool, verdict: Verdict) {
        self.row = row
        self.seed = seed
        self.at = at
        self.isGood = isGood
        self.verdict = verdict
        drainSeconds = 0
        kills = 0
        recreations = 0
        remark = ""
    }
}

/// Runs made so far, a line of JSON each in a file that only grows: a long series can be broken off and taken up again.
public struct Tally {
    public private(set) var entries: [Entry] = []
    private let path: String?

    /// - Parameter path: nil keeps nothing beyond this process.
    /// - Throws: where the file is there and holds something else, with the line.
    public init(path: String?) throws {
        self.path = path
        guard let path, FileManager.default.fileExists(atPath: path) else { return }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() where !line.isEmpty {
            do { entries.append(try Self.decoder.decode(Entry.self, from: Data(line.utf8))) } catch {
                // The last line may have been cut by a power failure or a kill: it is made again.
                if number == lines.count - 1 { continue }
                throw Fault("\(path):\(number + 1): no run of this harness; name another file")
            }
        }
        // A half line must not swallow the next whole one.
        if !text.isEmpty, !text.hasSuffix("\n") {
            try Self.encode(entries).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
    }

    public mutating func add(_ entry: Entry) throws {
        entries.append(entry)
        guard let path else { return }
        if !FileManager.default.fileExists(atPath: path) {
            guard FileManager.default.createFile(atPath: path, contents: nil) else {
                throw Fault("the tally \(path) cannot be written")
            }
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: Self.encode([entry]))
        try file.synchronize()
    }

    public func runs(of row: String) -> Int { entries.count { $0.row == row } }

    /// Rows that are to be run again, the least run first; of those run as often, in an order that `chance` decides.
    public func next(_ wanted: [(row: String, times: Int)], _ chance: inout Chance) -> String? {
        let open = wanted.map { (row: $0.row, done: runs(of: $0.row), times: $0.times) }.filter { $0.done < $0.times }
        guard let least = open.map(\.done).min() else { return nil }
        return open.filter { $0.done == least }.randomElement(using: &chance)?.row
    }

    private static func encode(_ entries: [Entry]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys]
        return try entries.reduce(into: Data()) { all, entry in
            all.append(try encoder.encode(entry))
            all.append(10)
        }
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}
