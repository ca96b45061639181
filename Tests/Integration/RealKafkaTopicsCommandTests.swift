import Foundation
import Kafka
import KafkaBed
import Lane
import Loop
import Testing

extension Integration {
    /// `lanewatch topics` as an operator calls it, on one real broker that lets in who has a password and may do what its rules
    /// allow. What docs/how-to/set-up-kafka.md gives an agent is what is given here.
    @Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(10))) struct RealKafkaTopicsCommand {
        private let folder: URL

        init() throws { folder = try Places.folder() }

        private static let properties = """
            listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
            sasl.enabled.mechanisms=PLAIN
            listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
            user_lane="lane-secret" user_setup="setup-secret";
            authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
            super.users=User:ANONYMOUS;User:setup

            """

        private func configure(_ bootstrap: String, user: String = "setup", _ extra: String = "") throws {
            let text = """
                format: 1
                store: "0042"
                lane: "07"
                state: state
                rules: rules.yaml
                kafka:
                  bootstrap.servers: "\(bootstrap)"
                  security.protocol: sasl_plaintext
                  sasl.mechanism: PLAIN
                  sasl.username: \(user)
                  sasl.password: \(user)-secret
                topics: {shadow: false}
                \(extra)

                """
            try text.write(to: folder.appending(path: "lanewatch.yaml"), atomically: true, encoding: .utf8)
            let rules = """
                format: 1
                rules:
                  - {id: own, on: help.requested, severity: info, clear_after: 1m, topic: sco.own}

                """
            try rules.write(to: folder.appending(path: "rules.yaml"), atomically: true, encoding: .utf8)
        }

        private func topics(_ words: String...) throws -> (code: Int32, text: String) {
            let config = folder.appending(path: "lanewatch.yaml").path
            let (code, lines) = try Program.run(
                Places.lanewatch, ["topics"] + words + ["--config", config, "--timeout", "60s"], seconds: 120)
            return (code, lines.joined(separator: "\n"))
        }

        /// The lines of `check --json`: the level and key of each difference, by topic.
        private func differences() throws -> (code: Int32, found: [String: [String]]) {
            let (code, text) = try topics("check", "--json")
            var found: [String: [String]] = [:]
            for line in text.split(separator: "\n") {
                let value = try JSONValue(parsing: String(line))
                for one in value["differences"]?.elements ?? [] {
                    found[value["topic"]?.text ?? "", default: []].append(
                        "\(one["level"]?.text ?? "") \(one["key"]?.text ?? "")")
                }
            }
            return (code, found)
        }

        private static let all = [
            "sco.interventions", "sco.lane-state", "sco.device-health", "sco.audit", "sco.attendant", "sco.own",
        ]
        private static let oneBroker = "topic_settings: {partitions: 3, replicas: 1, min_insync: 1}"

        @Test func fromNothingToWhatIsNeededAndWhatIsWrong() async throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            let cluster = try await KafkaBed(nodes: 1, properties: Self.properties)
            do {
                try missingAndMade(cluster)
                try await spoilt(cluster)
                try await rights(cluster)
            } catch {
                await cluster.end()
                throw error
            }
            await cluster.end()
        }

        private func missingAndMade(_ cluster: KafkaBed) throws {
            try configure(cluster.bootstrap)
            var missing = try differences()
            #expect(missing.code == 1)
            #expect(missing.found == Dictionary(uniqueKeysWithValues: Self.all.map { ($0, ["error missing"]) }))
            // Three replicas on one broker: the cluster says no, and the way out is told.
            let wide = try topics("create", "--dry-run")
            #expect(
                wide.code == 1 && wide.text.contains("say topic_settings: {replicas: 1, min_insync: 1}"), "\(wide.text)"
            )
            try configure(cluster.bootstrap, Self.oneBroker)
            let trial = try topics("create", "--dry-run")
            #expect(trial.code == 0 && trial.text.contains("would be made"), "\(trial.text)")
            #expect(
                trial.text.contains("kafka-topics.sh --bootstrap-server \(cluster.bootstrap) --create --topic sco.own"))
            missing = try differences()
            #expect(missing.found.count == Self.all.count)
            let made = try topics("create")
            #expect(made.code == 0, "\(made.text)")
            #expect(made.text.components(separatedBy: " made").count - 1 == Self.all.count)
            let again = try topics("create")
            #expect(again.code == 0 && again.text.components(separatedBy: "is there").count - 1 == Self.all.count)
            let good = try topics("check")
            #expect(good.code == 0 && good.text.hasSuffix("6 topics, all as needed"), "\(good.text)")
        }

        /// An operator's slips, by Kafka's own tools.
        private func spoilt(_ cluster: KafkaBed) async throws {
            for (topic, change) in [
                ("sco.interventions", "cleanup.policy=compact"), ("sco.audit", "retention.ms=60000"),
                ("sco.own", "max.message.bytes=1000,unclean.leader.election.enable=true"),
                ("sco.device-health", "message.timestamp.type=CreateTime,retention.ms=-1"),
            ] {
                try await cluster.tool(
                    "ConfigCommand", "--bootstrap-server", "@", "--alter", "--entity-type", "topics",
                    "--entity-name", topic, "--add-config", change)
            }
            try await cluster.tool(
                "TopicCommand", "--bootstrap-server", "@", "--alter", "--topic", "sco.attendant",
                "--partitions", "5")
            try await cluster.tool(
                "TopicCommand", "--bootstrap-server", "@", "--delete", "--topic",
                "sco.lane-state")
            let found = try differences()
            #expect(found.code == 1)
            #expect(
                found.found == [
                    "sco.interventions": ["error cleanup.policy"], "sco.audit": ["warning retention.ms"],
                    "sco.own": ["error unclean.leader.election.enable", "error max.message.bytes"],
                    "sco.device-health": ["note retention.ms", "warning message.timestamp.type"],
                    "sco.attendant": ["note partitions"], "sco.lane-state": ["error missing"],
                ])
            // What is there stays as it is; the remedies that are told mend it.
            #expect(try topics("create").code == 0)
            #expect(try differences().found.count == 5)
            let text = try topics("check").text
            for line in text.split(separator: "\n") where line.contains("mend: kafka-configs.sh") {
                let words = line.components(separatedBy: "kafka-configs.sh --bootstrap-server \(cluster.bootstrap) ")[1]
                try await cluster.tool(
                    ["ConfigCommand", "--bootstrap-server", "@"]
                        + words.split(separator: " ").map(String.init))
            }
            let mended = try differences()
            #expect(mended.code == 0)
            #expect(
                mended.found == ["sco.attendant": ["note partitions"], "sco.device-health": ["note retention.ms"]])
        }

        /// What an agent may do, one right after the other.
        private func rights(_ cluster: KafkaBed) async throws {
            func allow(_ operation: String, _ topics: [String] = Self.all) async throws {
                try await cluster.tool(
                    [
                        "AclCommand", "--bootstrap-server", "@", "--add", "--allow-principal",
                        "User:lane", "--operation", operation,
                    ] + topics.flatMap { ["--topic", $0] })
            }
            try configure(cluster.bootstrap, user: "lane", Self.oneBroker)
            let hidden = try differences()
            #expect(hidden.code == 1)
            for topic in Self.all { #expect(hidden.found[topic] == ["error not-authorised"], "\(topic)") }
            let refused = try topics("create")
            #expect(refused.code == 1 && refused.text.contains("--allow-principal User:lane --operation Create"))
            #expect(!refused.text.contains("lane-secret"))
            // Writing is enough for an agent, idempotence included: no right on the cluster.
            try await allow("Write")
            let unread = try differences()
            #expect(unread.code == 1)
            for topic in Self.all { #expect(unread.found[topic]?.last == "warning settings", "\(unread.found)") }
            try await deliver(cluster)
            // To look, settings may be read too; of the cluster itself that is a note.
            try await allow("DescribeConfigs")
            let seen = try differences()
            #expect(seen.code == 0)
            #expect(seen.found[""] == ["note broker-settings"], "\(seen.found)")
            try configure(cluster.bootstrap, user: "nobody", Self.oneBroker)
            let stranger = try topics("check")
            #expect(stranger.code == 2 && stranger.text.contains("The cluster refuses this client"), "\(stranger.text)")
            #expect(!stranger.text.contains("nobody-secret"))
        }

        private func deliver(_ cluster: KafkaBed) async throws {
            let reports = try await Self.send(
                Message(topic: "sco.own", key: "0042/07", value: [65]),
                ClientConfiguration([
                    "bootstrap.servers": cluster.bootstrap, "security.protocol": "sasl_plaintext",
                    "sasl.mechanism": "PLAIN", "sasl.username": "lane", "sasl.password": "lane-secret", "acks": "all",
                    "enable.idempotence": "true", "message.timeout.ms": "60000",
                ]))
            #expect(reports.count == 1 && reports.allSatisfy { $0.error == nil }, "\(reports)")
        }

        @LoopActor private static func send(
            _ message: Message, _ configuration: ClientConfiguration
        ) async throws -> [DeliveryReport] {
            var reports: [DeliveryReport] = []
            let producer = try Producer(configuration) { if case .reports(let new) = $0 { reports += new } }
            try producer.send(message, opaque: 1)
            _ = await producer.flush(within: 60_000)
            producer.close()
            await producer.ended()
            return reports
        }

        @Test func nobodyThereIsTwo() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            try configure("127.0.0.1:1")
            let config = folder.appending(path: "lanewatch.yaml").path
            let (code, lines) = try Program.run(
                Places.lanewatch, ["topics", "check", "--timeout", "1s", "--config", config])
            #expect(code == 2)
            #expect(
                lines.contains {
                    $0.contains("no broker of 127.0.0.1:1 answered within")
                        && $0.contains("nobody listens at 127.0.0.1:1; correct bootstrap.servers")
                }, "\(lines)")
            #expect(try topics("create", "--dry").code == 2)
        }
    }
}
