import Foundation
import Glibc

/// A real Apache Kafka of `KAFKA_HOME` in a folder and on ports of its own, run by `scripts/kafka`.
///
/// Whoever makes one ends it: `end()` leaves no process and no file.
public struct KafkaBed: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// A folder with an Apache Kafka's `libs/`; nil where the environment names none. Suites that need it are left out then.
    public static let home: String? = ProcessInfo.processInfo.environment["KAFKA_HOME"].flatMap {
        $0.isEmpty ? nil : $0
    }

    public let folder: String
    /// Clients' port of node 1; the others follow. Between brokers 10 more, between controllers 20 more.
    public let port: Int
    public let nodes: Int
    /// What clients are given: `host:port,…`.
    public let bootstrap: String
    private let environment: [String: String]

    /// Starts `nodes` (1 or 3) and waits until they serve.
    /// - Parameters:
    ///   - properties: settings of Kafka's own that come last and win, a line each.
    ///   - format: words for the storage formatter: `["--add-scram", "SCRAM-SHA-512=[name=lane,password=…]"]`, without blanks in them.
    ///   - shownPorts: a port a node that clients are told instead: of a proxy between.
    public init(
        nodes: Int = 3, properties: String? = nil, format: [String] = [], shownPorts: [Int]? = nil,
        port: Int? = nil
    ) async throws {
        guard Self.home != nil else { throw Failure(description: "KAFKA_HOME is not set") }
        var template = Array("/tmp/lanewatch-kafka-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.nodes = nodes
        self.port = port ?? Self.freePorts()
        var environment = ["KAFKA_DATA": folder + "/kafka", "KAFKA_PORT": String(self.port)]
        if let properties {
            let file = folder + "/properties"
            try properties.write(toFile: file, atomically: true, encoding: .utf8)
            environment["KAFKA_PROPERTIES"] = file
        }
        if !format.isEmpty { environment["KAFKA_FORMAT"] = format.joined(separator: " ") }
        if let shownPorts { environment["KAFKA_SHOWN"] = shownPorts.map(String.init).joined(separator: ",") }
        self.environment = environment
        do { bootstrap = try await Self.call(["start", String(nodes)], environment) } catch {
            _ = try? await Self.call(["remove"], environment)
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
    }

    /// `scripts/kafka` with `words`; what it printed.
    /// - Throws: what it wrote to standard error, where it failed.
    @discardableResult
    public func call(_ words: String...) async throws -> String { try await Self.call(words, environment) }

    /// One of Kafka's own tools; `@` stands for the brokers' inner addresses.
    @discardableResult
    public func tool(_ words: String...) async throws -> String { try await tool(words) }

    @discardableResult
    public func tool(_ words: [String]) async throws -> String {
        try await Self.call(["tool"] + words, environment)
    }

    /// Makes a topic with as many replicas as there are nodes; `settings` are the topic's own, `retention.ms=1000`.
    public func create(_ topic: String, partitions: Int = 1, _ settings: String...) async throws {
        let words = [
            "tool", "TopicCommand", "--bootstrap-server", "@", "--create", "--topic", topic,
            "--partitions", String(partitions), "--replication-factor", String(nodes),
        ]
        _ = try await Self.call(words + settings.flatMap { ["--config", $0] }, environment)
    }

    /// The node that leads `partition` of `topic`, asked over the inner listeners.
    public func leader(of topic: String, partition: Int = 0) async throws -> Int {
        let inner = (0..<nodes).map { "127.0.0.1:\(port + 10 + $0)" }.joined(separator: ",")
        let text = try await Self.run(["timeout", "20", "kcat", "-b", inner, "-L", "-t", topic], [:])
        for line in text.split(separator: "\n") where line.contains("partition \(partition), leader ") {
            let number = line.split(separator: "leader ").last.map { $0.prefix { $0.isNumber } }
            if let number, let leader = Int(number) { return leader }
        }
        throw Failure(description: "no leader of \(topic) in: \(text)")
    }

    /// Whatever state it is in: nothing runs any more, nothing is left.
    public func end() async {
        _ = try? await Self.call(["remove"], environment)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The repository's folder: this file lies in Tests/KafkaBed.
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    private static func call(_ words: [String], _ environment: [String: String]) async throws -> String {
        let text = try await run(["timeout", "-k", "5", "300", root + "/scripts/kafka"] + words, environment)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Through files: a broker that is started inherits what is open, and would hold a pipe for ever.
    private static func run(_ words: [String], _ more: [String: String]) async throws -> String {
        let output = NSTemporaryDirectory() + "lanewatch-kafka-bed-\(UUID().uuidString)"
        defer { for name in [output, output + ".err"] { try? FileManager.default.removeItem(atPath: name) } }
        for name in [output, output + ".err"] { _ = FileManager.default.createFile(atPath: name, contents: nil) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(more) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: output + ".err"))
        let code: Int32 = try await withCheckedThrowingContinuation { done in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        guard code == 0 else {
            let said = (try? String(contentsOfFile: output + ".err", encoding: .utf8)) ?? ""
            throw Failure(description: "\(words.joined(separator: " ")): exit \(code)\n\(said)\(text)")
        }
        return text
    }

    /// The first of some tens of ports in a row that nobody listens on.
    private static func freePorts() -> Int {
        for _ in 0..<200 {
            let first = Int.random(in: 400..<650) * 30 + 8000
            if (0..<24).allSatisfy({ isFree(first + $0) }) { return first }
        }
        return 19_092
    }

    private static func isFree(_ port: Int) -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard raw >= 0 else { return false }
        defer { _ = close(raw) }
        var one: Int32 = 1
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
