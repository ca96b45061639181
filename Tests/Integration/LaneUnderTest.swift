import Feeds
import Foundation
import Kafka
import Lane
import Testing

/// A whole lane: the agent as a process of its own, with its folder, its socket, and an embedded Kafka in this process.
final class LaneUnderTest {
    let folder: URL
    let cluster: MockCluster
    let metricsPort: Int
    private(set) var agent: Program?
    private let bed: Bed?
    /// What the agent is started through, such as a time namespace: a program and its arguments. It must end in the agent
    /// itself, with its process id.
    var through: [String] = []
    var environment: [String: String] = [:]

    static let topics = [
        "sco.interventions", "sco.interventions.payment", "sco.rules.shadow", "sco.lane-state", "sco.device-health",
        "sco.audit",
    ]

    /// - Parameters:
    ///   - rules: The rule file's text.
    ///   - extra: More lines of the configuration.
    ///   - kafka: More lines of `kafka:`.
    ///   - bootstrap: Another cluster than the embedded one.
    init(
        rules: String, lane: String = "L07", extra: String = "", kafka: String = "", bootstrap: String? = nil,
        bed: Bed? = nil
    ) throws {
        folder = try Places.folder()
        cluster = try MockCluster(brokers: 3)
        for topic in Self.topics { try cluster.createTopic(topic, partitions: 4, replicas: 3) }
        metricsPort = try Self.freePort()
        self.bed = bed
        try rules.write(to: folder.appending(path: "rules.yaml"), atomically: true, encoding: .utf8)
        let text = """
            format: 1
            store: "0042"
            lane: "\(lane)"
            state: state
            rules: rules.yaml
            socket: {path: pos.sock, staff_users: ["\(getuid())"]}
            control: {path: control.sock}
            metrics: {port: \(metricsPort)}
            log: {level: debug, format: json}
            kafka:
              bootstrap.servers: "\(bootstrap ?? cluster.bootstrap)"
              broker.address.family: v4
            \(kafka)
            \(extra)
            """
        try text.write(to: folder.appending(path: "lanewatch.yaml"), atomically: true, encoding: .utf8)
    }

    deinit {
        agent?.signal(SIGKILL)
        try? FileManager.default.removeItem(at: folder)
    }

    var configurationPath: String { folder.appending(path: "lanewatch.yaml").path }
    var controlPath: String { folder.appending(path: "control.sock").path }
    var socketPath: String { folder.appending(path: "pos.sock").path }
    var databasePath: String { folder.appending(path: "state/outbox.sqlite").path }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard port else { throw TestFault("no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Starts the agent and waits until its socket answers.
    func start(seconds: Double = 20) throws {
        try launch()
        try awaitReady(seconds: seconds)
    }

    /// Starts the agent, and does not wait.
    func launch() throws {
        if let bed {
            bed.command("start agent \(Places.lanewatch) run --config \(configurationPath)")
        } else {
            let words = through + [Places.lanewatch, "run", "--config", configurationPath]
            agent = try Program(words[0], Array(words.dropFirst()), environment: environment)
        }
    }

    /// The agent's process id, wherever it was started.
    func agentPid() throws -> Int32 {
        if let agent, bed == nil { return agent.pid }
        let pgrep = try #require(Places.find("pgrep"))
        let found = try Program.run(pgrep, ["-f", "^\(Places.lanewatch) run --config \(configurationPath)"]).output
        return try #require(found.first.flatMap { Int32($0) })
    }

    func awaitReady(seconds: Double) throws {
        let end = Date(timeIntervalSinceNow: seconds)
        while Date() < end {
            if (try? SignalClient(path: socketPath)) != nil { return }
            usleep(5000)
        }
        throw TestFault("the agent is not ready: \(log.suffix(5).joined(separator: "\n"))")
    }

    func kill() throws {
        if let bed {
            bed.command("kill agent KILL")
            bed.command("reap agent 5000")
        } else {
            agent?.signal(SIGKILL)
            guard agent?.awaitEnd(seconds: 10) != nil else { throw TestFault("the agent survives SIGKILL") }
        }
    }

    /// What the agent wrote on standard error, over all of its lives.
    var log: [String] { bed?.output(of: "agent") ?? agent?.lines ?? [] }

    /// Sends one line and waits for its answer.
    func send(_ line: String) throws -> SignalClient.Answer {
        var client = try SignalClient(path: socketPath)
        return try client.send(Array(line.utf8), timeout: .seconds(10))
    }

    /// A page of the agent's HTTP server.
    func page(_ path: String) throws -> String {
        let curl = try #require(Places.find("curl"))
        let (code, lines) = try Program.run(curl, ["-s", "-m", "5", "http://127.0.0.1:\(metricsPort)\(path)"])
        guard code == 0 else { throw TestFault("curl \(path): exit code \(code)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The value of a metric; the sum over its series, or over those with `label`.
    func metric(_ name: String, label: String? = nil) throws -> Double {
        try page("/metrics").split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix(name + " ") || line.hasPrefix(name + "{"), label.map({ line.contains($0) }) ?? true,
                let last = line.split(separator: " ").last, let value = Double(last)
            else { return sum }
            return sum + value
        }
    }

    /// Waits until nothing is undelivered.
    func awaitDrained(seconds: Double) throws {
        let end = Date(timeIntervalSinceNow: seconds)
        var depth = -1.0
        while Date() < end {
            depth = (try? metric("lanewatch_outbox_messages")) ?? -1
            if depth == 0 { return }
            usleep(50_000)
        }
        let delivery = ((try? page("/metrics")) ?? "").split(separator: "\n").filter {
            $0.hasPrefix("lanewatch_delivery") || $0.hasPrefix("lanewatch_outbox") || $0.hasPrefix("lanewatch_topics")
        }
        throw TestFault(
            "after \(seconds) s the outbox still holds \(depth) messages; \(delivery); the log: \(log.suffix(25).joined(separator: "\n"))"
        )
    }

    func records(_ topic: String) throws -> [Record] { try Kcat.read(cluster.bootstrap, topic) }
}

/// The test bed of pretended devices: `Tests/Bed/bed.py`, spoken to over its standard input.
final class Bed {
    private let program: Program
    private var read = 0

    init() throws {
        let script = Places.repository.appending(path: "Tests/Bed/bed.py").path
        program = try Program("/usr/bin/python3", ["-B", "-u", script])
        guard let greeting = program.awaitLine(seconds: 20, { $0.hasPrefix("ok bed") }) else {
            throw TestFault("the bed does not start: \(program.lines)")
        }
        read = greeting.index + 1
    }

    deinit {
        program.send("end")
        program.closeInput()
        if program.awaitEnd(seconds: 5) == nil { program.signal(SIGKILL) }
    }

    /// Sends a command and waits for its answer: `ok …`, `error …` or `grab N`. An error fails the test.
    @discardableResult
    func command(_ line: String, seconds: Double = 30) -> String {
        program.send(line)
        let answer = program.awaitLine(from: read, seconds: seconds) {
            $0.hasPrefix("ok") || $0.hasPrefix("error") || $0.hasPrefix("grab")
        }
        guard let answer else {
            Issue.record("the bed does not answer to: \(line)")
            return ""
        }
        read = answer.index + 1
        if answer.line.hasPrefix("error") { Issue.record("the bed says \(answer.line) to: \(line)") }
        return answer.line
    }

    /// All lines that the program `name` wrote.
    func output(of name: String) -> [String] {
        program.lines.compactMap { $0.hasPrefix("child \(name) ") ? String($0.dropFirst(7 + name.count)) : nil }
    }
}
