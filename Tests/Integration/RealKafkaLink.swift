import Foundation
import KafkaBed
import Lane
import Testing

extension Integration {
    /// The agent itself over SASL_SSL to a real broker: it delivers, and its password is nowhere to be seen.
    @Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(6))) struct RealKafkaLink {
        private static let password = "pa55-nobody-may-see"

        private func cluster(_ certificates: Certificates) async throws -> KafkaBed {
            let jaas = """
                sasl.enabled.mechanisms=PLAIN
                listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_lane="\(Self.password)";

                """
            let bed = try await KafkaBed(
                nodes: 1, properties: certificates.properties("SASL_SSL", "broker") + jaas)
            for topic in LaneUnderTest.topics { try await bed.create(topic) }
            return bed
        }

        private func lane(_ bed: KafkaBed, _ certificates: Certificates, password: String) throws -> LaneUnderTest {
            let lane = try LaneUnderTest(
                rules: Kill.rules, extra: "backlog: {age: 3s}",
                kafka: """
                      security.protocol: sasl_ssl
                      ssl.ca.location: \(certificates.path("ca.pem"))
                      sasl.mechanism: PLAIN
                      sasl.username: lane
                      sasl.password: {credential: kafka-password}
                    """, bootstrap: bed.bootstrap)
            let credentials = lane.folder.appending(path: "credentials")
            try FileManager.default.createDirectory(at: credentials, withIntermediateDirectories: true)
            try (password + "\n").write(
                to: credentials.appending(path: "kafka-password"), atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: credentials.appending(path: "kafka-password").path)
            lane.environment["CREDENTIALS_DIRECTORY"] = credentials.path
            return lane
        }

        private func doctor(_ lane: LaneUnderTest, _ words: String...) throws -> (code: Int32, output: [String]) {
            try Program.run(
                Places.lanewatch, ["doctor", "--config", lane.configurationPath, "--timeout", "5s"] + words,
                environment: lane.environment, seconds: 120)
        }

        /// Everything that others can see of the agent.
        private func isSeen(_ secret: String, _ lane: LaneUnderTest) throws -> [String] {
            var places: [String] = []
            func look(_ name: String, _ bytes: Data) {
                if bytes.range(of: Data(secret.utf8)) != nil { places.append(name) }
            }
            let pid = try lane.agentPid()
            for name in ["cmdline", "environ", "status"] {
                look(name, try #require(try FileHandle(forReadingAtPath: "/proc/\(pid)/\(name)")?.readToEnd()))
            }
            look("log", Data(lane.log.joined(separator: "\n").utf8))
            for page in ["/metrics", "/healthz"] { look(page, Data(try lane.page(page).utf8)) }
            let state = lane.folder.appending(path: "state")
            for name in try FileManager.default.contentsOfDirectory(atPath: state.path) {
                look("state/\(name)", FileManager.default.contents(atPath: state.appending(path: name).path) ?? Data())
            }
            return places
        }

        @Test func itDeliversOverTLSWithAPasswordThatNobodySees() async throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let certificates = try Certificates(in: folder.path)
            try certificates.make("broker")
            let bed = try await cluster(certificates)
            do {
                try rightPassword(bed, certificates)
                try wrongPassword(bed, certificates)
            } catch {
                await bed.end()
                throw error
            }
            await bed.end()
        }

        private func rightPassword(_ bed: KafkaBed, _ certificates: Certificates) throws {
            let lane = try lane(bed, certificates, password: Self.password)
            try lane.start()
            _ = try lane.send(#"{"type":"item.refused","code":"1","ack":true}"#)
            try lane.awaitDrained(seconds: 60)
            #expect(try lane.page("/healthz") == "ok\n")
            #expect(try lane.metric("lanewatch_kafka_link", label: "state=\"up\"") == 1)
            #expect(try isSeen(Self.password, lane) == [])
            let (code, output) = try doctor(lane)
            let text = output.joined(separator: "\n")
            #expect(code == 0, "\(text)")
            #expect(
                text.contains("ok    broker \(bed.bootstrap): 127.0.0.1: TLSv1.3, certificate /CN=broker of /CN=ca"))
            #expect(text.contains("ok    login \(bed.bootstrap): sasl_ssl"))
            #expect(text.contains("ok    topic sco.interventions"))
            #expect(text.contains("ok    agent: runs"))
            #expect(!text.contains(Self.password))
            lane.agent?.signal(SIGTERM)
            #expect(lane.agent?.awaitEnd(seconds: 6) == 0)
        }

        /// Seen within 30 s on every page; the file is mended, and nobody restarts anything.
        private func wrongPassword(_ bed: KafkaBed, _ certificates: Certificates) throws {
            let wrong = "wrong-" + Self.password
            let lane = try lane(bed, certificates, password: wrong)
            try lane.start()
            _ = try lane.send(#"{"type":"item.refused","code":"1","ack":true}"#)
            let end = Date(timeIntervalSinceNow: 30)
            var health = ""
            while !health.contains("name or password"), Date() < end {
                health = try lane.page("/healthz")
                usleep(100_000)
            }
            #expect(health.contains("\"degraded\"") && health.contains(bed.bootstrap), "\(health)")
            #expect(try lane.metric("lanewatch_kafka_link_fault", label: "cause=\"credentials\"") == 1)
            var signals = 0.0
            while signals == 0, Date() < end {
                signals = try lane.metric("lanewatch_signals_total", label: "type=\"backlog.high\"")
                usleep(100_000)
            }
            #expect(signals == 1)
            #expect(lane.log.filter { $0.contains("no link to Kafka") }.count == 1)
            let (code, output) = try doctor(lane, "--json")
            let login = output.first { $0.contains("\"login ") } ?? ""
            #expect(
                code == 1 && login.contains("\"verdict\":\"fail\"") && login.contains("name or password"), "\(output)")
            #expect(try output.allSatisfy { try JSONValue(parsing: $0)["check"] != nil })
            #expect(!output.joined().contains(Self.password))
            #expect(try isSeen(Self.password, lane) == [])
            let file = lane.folder.appending(path: "credentials/kafka-password")
            try Self.password.write(to: file, atomically: true, encoding: .utf8)
            try lane.awaitDrained(seconds: 60)
            #expect(try lane.page("/healthz") == "ok\n")
            #expect(try isSeen(Self.password, lane) == [])
            lane.agent?.signal(SIGTERM)
            #expect(lane.agent?.awaitEnd(seconds: 6) == 0)
        }
    }
}
