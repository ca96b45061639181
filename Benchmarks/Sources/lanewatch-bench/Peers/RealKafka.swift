import CRdKafka
import Glibc
import Kafka
import Loop

/// A real Apache Kafka, run by `scripts/kafka`, with a switch in the path of those clients that are to lose it.
final class RealKafka {
    struct Failure: Error, CustomStringConvertible { let description: String }

    static var home: String? { getenv("KAFKA_HOME").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }

    let nodes: Int
    let folder = Scratch()
    let path: PathSwitch
    /// For those that nothing is to come between.
    let direct: String
    /// Through the switch.
    let switched: String

    /// - Parameter nodes: 1 or 3; with three each topic has three replicas, of which two must have a message.
    init(nodes: Int) throws {
        guard Self.home != nil else {
            throw Failure(description: "set KAFKA_HOME to a folder with the libs/ of an Apache Kafka")
        }
        self.nodes = nodes
        // Nodes have 30 ports in a row: clients', then inner ones 10 further on, then controllers' 20 further on.
        let port = try Ports.free(24)
        path = try PathSwitch((0..<nodes).map { (listen: try Ports.free(1), to: port + $0) })
        direct = (0..<nodes).map { "127.0.0.1:\(port + 10 + $0)" }.joined(separator: ",")
        switched = path.ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        setenv("KAFKA_DATA", folder.path + "/kafka", 1)
        setenv("KAFKA_PORT", String(port), 1)
        setenv("KAFKA_SHOWN", path.ports.map { String($0) }.joined(separator: ","), 1)
        try call("start", String(nodes))
    }

    private func call(_ words: String...) throws {
        let log = folder.path + "/kafka.log"
        let run = ProgramRun(["scripts/kafka"] + words, output: log, errors: log, limit: 180)
        guard run?.code == 0 else {
            throw Failure(description: "scripts/kafka \(words.joined(separator: " ")): \(Text.file(log))")
        }
    }

    /// Ends it and leaves nothing. Called once.
    func end() {
        path.close()
        try? call("remove")
        folder.remove()
    }

    /// Makes `topics` of one partition each.
    func create(_ topics: [String]) throws {
        guard let configuration = rd_kafka_conf_new() else { return }
        rd_kafka_conf_set(configuration, "bootstrap.servers", direct, nil, 0)
        rd_kafka_conf_set_log_cb(configuration, nil)
        guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else { return }
        let queue = rd_kafka_queue_new(handle)
        defer {
            rd_kafka_queue_destroy(queue)
            rd_kafka_destroy(handle)
        }
        var wanted: [OpaquePointer?] = topics.map { rd_kafka_NewTopic_new($0, 1, Int32(nodes), nil, 0) }
        defer { for topic in wanted { rd_kafka_NewTopic_destroy(topic) } }
        rd_kafka_CreateTopics(handle, &wanted, wanted.count, nil, queue)
        guard let event = rd_kafka_queue_poll(queue, 30_000) else {
            throw Failure(description: "topics are not made within 30 s")
        }
        defer { rd_kafka_event_destroy(event) }
        guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw Failure(description: "topics are not made: \(String(cString: rd_kafka_event_error_string(event)))")
        }
    }
}

enum Ports {
    /// The first of `count` ports in a row that nobody listens on.
    static func free(_ count: Int) throws -> Int {
        for _ in 0..<500 {
            let first = Int.random(in: 10_000..<30_000)
            if (0..<count).allSatisfy({ Socket.listening(first + $0).map { close($0) } != nil }) { return first }
        }
        throw RealKafka.Failure(description: "no free ports")
    }
}

enum Socket {
    private static func withAddress<R>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32) {
        var one: Int32 = 1
        setsockopt(descriptor, level, name, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A listening socket on loopback; nil where the port is taken.
    static func listening(_ port: Int) -> Int32? {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        setOption(raw, SOL_SOCKET, SO_REUSEADDR)
        guard withAddress(port, { bind(raw, $0, $1) }) == 0, listen(raw, 64) == 0 else {
            close(raw)
            return nil
        }
        return raw
    }

    static func connected(_ port: Int) -> Int32? {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        guard withAddress(port, { connect(raw, $0, $1) }) == 0 else {
            close(raw)
            return nil
        }
        setOption(raw, Int32(IPPROTO_TCP), TCP_NODELAY)
        return raw
    }

    static func setNoDelay(_ descriptor: Int32) { setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY) }
}
