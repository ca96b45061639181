import Glibc
import Kafka
import Lane
import Loop

/// The shipped binary as a process of its own, with an embedded cluster in this one.
final class AgentProcess {
    let folder = Folder()
    let cluster: MockCluster
    let pid: pid_t
    private let metricsPort: UInt16 = 19_464

    var socketPath: String { folder.path + "/pos.sock" }

    init?(_ program: String, rules: String) throws {
        cluster = try MockCluster(brokers: 3)
        for topic in TopicNames().all { try cluster.createTopic(topic, partitions: 3, replicas: 3) }
        try folder.write("rules.yaml", rules)
        try folder.write(
            "lanewatch.yaml",
            """
            format: 1
            store: "1"
            lane: bench
            state: state
            rules: rules.yaml
            socket: {path: pos.sock, lines_per_second: 1000000}
            metrics: {port: \(metricsPort)}
            log: {level: warning, format: json}
            kafka: {bootstrap.servers: "\(cluster.bootstrap)", broker.address.family: v4}

            """)
        let words: [String] = [program, "run", "--config", folder.path + "/lanewatch.yaml"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        guard posix_spawn(&child, program, nil, nil, arguments, environ) == 0 else { return nil }
        pid = child
        let end = Boottime.milliseconds() + 15_000
        while Peer(socketPath) == nil {
            guard Boottime.milliseconds() < end else { return nil }
            usleep(10_000)
        }
    }

    deinit {
        kill(pid, SIGTERM)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// Time on a processor so far, of all threads, in seconds: by the scheduler's own count, as ticks are too coarse for threads
    /// that sleep and wake a thousand times a second. Source: Documentation/scheduler/sched-stats.rst.
    /// Threads of one name together.
    var threadSeconds: [String: Double] { Self.threadSeconds(of: pid) }

    static func threadSeconds(of pid: pid_t) -> [String: Double] {
        var seconds: [String: Double] = [:]
        guard let folder = opendir("/proc/\(pid)/task") else { return [:] }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard Int(name) != nil else { continue }
            let first = Text.file("/proc/\(pid)/task/\(name)/schedstat").split(separator: " ").first
            let thread = Text.file("/proc/\(pid)/task/\(name)/comm").split(whereSeparator: \.isNewline).first ?? "?"
            seconds[String(thread), default: 0] += (first.flatMap { Double($0) } ?? 0) / 1e9
        }
        return seconds
    }

    /// The value of a metric.
    func metric(_ name: String) -> Double? {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = metricsPort.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(raw, $0, size) }
        }
        guard code == 0 else { return nil }
        let request = Array("GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".utf8)
        guard write(raw, request, request.count) == request.count else { return nil }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(raw, &piece, piece.count)
            if count <= 0 { break }
            answer += piece[0..<count]
        }
        for line in String(decoding: answer, as: UTF8.self).split(whereSeparator: \.isNewline)
        where line.hasPrefix(name + " ") {
            return line.split(separator: " ").last.flatMap { Double($0) }
        }
        return nil
    }

    /// Waits until the outbox is empty; the seconds it took, or nil when it was not within `seconds`.
    func drained(within seconds: Double) -> Double? {
        let begin = Boottime.nanoseconds()
        while Double(Boottime.nanoseconds() - begin) / 1e9 < seconds {
            if metric("lanewatch_outbox_messages") == 0 { return Double(Boottime.nanoseconds() - begin) / 1e9 }
            usleep(25_000)
        }
        return nil
    }
}

enum Text {
    static func file(_ path: String) -> String {
        let raw = open(path, O_RDONLY)
        guard raw >= 0 else { return "" }
        defer { close(raw) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(raw, &piece, piece.count)
            if count <= 0 { break }
            bytes += piece[0..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
