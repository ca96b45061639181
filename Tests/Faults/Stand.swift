import FaultParts
import Foundation
import KafkaBed

/// Three real brokers behind the proxy, started once and used by one run after the other.
///
/// Clients come as `lane` by SASL PLAIN, so that what they may do can be taken away; tools and readers use the inner
/// listeners, which let everybody in and do not pass the proxy.
final class Stand: Sendable {
    static let properties = """
        listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
        sasl.enabled.mechanisms=PLAIN
        listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_lane="lane-secret";
        authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
        allow.everyone.if.no.acl.found=true
        super.users=User:ANONYMOUS

        """

    static let login = [
        "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "lane",
        "sasl.password": "lane-secret",
    ]

    let kafka: KafkaBed
    let proxy: Proxy

    private init(_ kafka: KafkaBed, _ proxy: Proxy) {
        self.kafka = kafka
        self.proxy = proxy
    }

    /// - Parameter lanewatch: the agent's program, which also makes topics.
    static func start(_ lanewatch: String) async throws -> Stand {
        let proxy = try Proxy(count: 3)
        let kafka = try await Cleanup.shared.starting {
            let kafka = try await KafkaBed(nodes: 3, properties: properties, shownPorts: proxy.ports)
            Cleanup.shared.atEnd { await kafka.end() }
            return kafka
        }
        proxy.lead(to: (0..<3).map { kafka.port + $0 })
        let stand = Stand(kafka, proxy)
        try await stand.awaitWhole(nil)
        // Those of all runs together, where each lane has messages of its own.
        let folder = try Places.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try LaneProcess(
            folder: folder, program: lanewatch, lane: "first", topic: "sco.interventions", bootstrap: stand.bootstrap,
            kafka: login
        ).makeTopics()
        return stand
    }

    func end() async {
        proxy.end()
        await kafka.end()
    }

    var bootstrap: String { proxy.ports.map { "127.0.0.1:\($0)" }.joined(separator: ",") }
    var inner: String { (0..<3).map { "127.0.0.1:\(kafka.port + 10 + $0)" }.joined(separator: ",") }

    /// Waits until three brokers are there and `topic` has all its replicas.
    func awaitWhole(_ topic: String?, seconds: Double = 120) async throws {
        let end = Date(timeIntervalSinceNow: seconds)
        var seen = ""
        while Date() < end {
            let words = ["timeout", "20", "kcat", "-b", inner, "-L"] + (topic.map { ["-t", $0] } ?? [])
            let result = try Command.run(words)
            seen = String(decoding: result.output, as: UTF8.self)
            let partitions = seen.split(separator: "\n").filter { $0.contains("isrs: ") }
            let areWhole = partitions.allSatisfy { line in
                line.split(separator: "isrs: ").last.map { $0.split(separator: ",").count == 3 } ?? false
            }
            if result.code == 0, seen.contains(" 3 brokers:"), areWhole, topic == nil || !partitions.isEmpty { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw Fault("after \(seconds) s the brokers are not whole: \(seen)")
    }

    /// The node that leads the topic's first partition.
    func leader(_ topic: String) async throws -> String { String(try await kafka.leader(of: topic)) }

    func topicTool(_ words: String...) async throws {
        try await tool("org.apache.kafka.tools.TopicCommand", words)
    }

    func accessTool(_ words: [String]) async throws { try await tool("org.apache.kafka.tools.AclCommand", words) }

    private func tool(_ name: String, _ words: [String]) async throws {
        // KafkaBed takes words one by one.
        let result = try Command.run(
            ["timeout", "120", Places.scripts + "/kafka", "tool", name, "--bootstrap-server", "@"] + words,
            environment: ["KAFKA_DATA": kafka.folder + "/kafka", "KAFKA_PORT": String(kafka.port)])
        guard result.code == 0 else {
            throw Fault(
                "\(name) \(words.joined(separator: " ")): \(result.errors) \(String(decoding: result.output, as: UTF8.self))"
            )
        }
    }

    /// Another broker leads the topic's only partition from now on.
    func moveLeader(_ topic: String, folder: String) async throws {
        let now = try await kafka.leader(of: topic)
        let order = [now % 3 + 1, (now + 1) % 3 + 1, now]
        let plan = folder + "/reassignment.json"
        try "{\"version\":1,\"partitions\":[{\"topic\":\"\(topic)\",\"partition\":0,\"replicas\":\(order)}]}"
            .write(toFile: plan, atomically: true, encoding: .utf8)
        try await tool(
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            ["--reassignment-json-file", plan, "--execute"])
        try await tool(
            "org.apache.kafka.tools.LeaderElectionCommand",
            ["--election-type", "preferred", "--topic", topic, "--partition", "0"])
    }
}

enum Places {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let scripts = repository + "/scripts"

    /// A fresh folder for a run.
    static func folder() throws -> String {
        var template = Array("/tmp/lanewatch-faults-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Fault("mkdtemp: \(String(cString: strerror(errno)))") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
