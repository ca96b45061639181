import FaultParts
import Foundation
import Glibc

/// The agent as a process of its own, with a configuration, rules and a folder made for one run.
final class LaneProcess {
    static let rules = """
        format: 1
        rules:
          - {id: refused, on: item.refused, same: code, severity: info, clear_after: 500ms}
        """

    let folder: String
    let lane: String
    let topic: String
    let metricsPort: Int
    /// What the agent is started with: a program and its arguments. It must end in the agent itself, with its process id.
    var through: [String] = []
    var environment: [String: String] = [:]
    /// Put for `lanewatch run --config`: the arguments of a program that stands in for the agent.
    var standIn: [String]?
    private let program: String
    private var process: Process?

    init(folder: String, program: String, lane: String, topic: String, bootstrap: String, kafka: [String: String])
        throws
    {
        self.folder = folder
        self.program = program
        self.lane = lane
        self.topic = topic
        metricsPort = try Page.freePort()
        let settings = kafka.sorted { $0.key < $1.key }.map { "  \($0.key): \"\($0.value)\"" }
        let text = """
            format: 1
            store: "0042"
            lane: "\(lane)"
            state: state
            rules: rules.yaml
            rollout: false
            socket: {path: pos.sock}
            control: false
            metrics: {port: \(metricsPort)}
            log: {level: warning, format: text}
            topics: {interventions: \(topic)}
            topic_settings: {partitions: 1}
            kafka:
              bootstrap.servers: "\(bootstrap)"
              broker.address.family: v4
            \(settings.joined(separator: "\n"))

            """
        try text.write(toFile: folder + "/lanewatch.yaml", atomically: true, encoding: .utf8)
        try Self.rules.write(toFile: folder + "/rules.yaml", atomically: true, encoding: .utf8)
        guard mkdir(folder + "/state", 0o700) == 0 else { throw Fault("mkdir \(folder)/state") }
    }

    var socket: String { folder + "/pos.sock" }
    var log: String { folder + "/agent.log" }
    var state: StateReader { StateReader(folder: folder + "/state") }
    var pid: Int32 { process?.isRunning == true ? process?.processIdentifier ?? 0 : 0 }

    /// `lanewatch topics create`: those of this lane that are not there.
    func makeTopics() throws {
        let words = [
            "timeout", "60", program, "topics", "create", "--timeout", "50s", "--config", folder + "/lanewatch.yaml",
        ]
        let made = try Command.run(words)
        guard made.code == 0 else {
            throw Fault("lanewatch topics create: \(made.errors) \(String(decoding: made.output, as: UTF8.self))")
        }
    }

    /// Starts it, and does not wait.
    func launch() throws {
        guard pid == 0 else { throw Fault("the agent runs already") }
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try output.seekToEnd()
        let words = through + (standIn ?? [program, "run", "--config", folder + "/lanewatch.yaml"])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try output.close()
        self.process = process
        Cleanup.shared.add(process.processIdentifier)
    }

    /// Waits until it watches: its page answers.
    func awaitReady(seconds: Double = 30) async throws {
        let end = Date(timeIntervalSinceNow: seconds)
        while Date() < end {
            if Page.get(port: metricsPort, "/metrics") != nil { return }
            guard pid != 0 else { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Fault("the agent is not ready\(pid == 0 ? ": it ended" : " after \(seconds) s"): \(logEnd)")
    }

    /// SIGKILL, or another signal that ends it, and waits for its end.
    func end(_ signal: Int32 = SIGKILL, seconds: Double = 15) async throws {
        guard let process else { return }
        if process.isRunning { Foundation.kill(process.processIdentifier, signal) }
        let end = Date(timeIntervalSinceNow: seconds)
        while process.isRunning {
            guard Date() < end else {
                Foundation.kill(process.processIdentifier, SIGKILL)
                throw Fault("the agent did not end \(seconds) s after signal \(signal): \(logEnd)")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        Cleanup.shared.remove(process.processIdentifier)
        self.process = nil
    }

    func metric(_ name: String) -> Double? {
        Page.get(port: metricsPort, "/metrics").flatMap { Page.metric(name, in: $0) }
    }

    var logEnd: String {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(6).joined(separator: " | ")
    }
}
