import Foundation
import Kafka
import KafkaBed
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// TLS, mutual TLS and SASL against a real broker, and what is said when they do not go together.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(10))) @LoopActor
struct RealKafkaLinkTests {
    private static let password = "pa55-of-the-lane"

    private static func jaas(_ password: String) -> String {
        """
        sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,SCRAM-SHA-256
        listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
        listener.name.client.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
        listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_lane="\(password)";

        """
    }

    @LoopActor private final class Notices {
        var all: [Notice] = []
    }

    private func isDelivered(_ pump: Pump) -> Bool { pump.counts.acknowledged == 1 }

    private func saysDown(_ cause: LinkFault.Cause) -> @LoopActor (Pump) -> Bool {
        { $0.link.state == .down && $0.link.fault?.cause == cause }
    }

    /// Kafka's version by the name of its jar.
    private var isKafka4: Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: (KafkaBed.home ?? "") + "/libs")) ?? []
        return !names.contains { $0.hasPrefix("kafka-clients-3.") }
    }

    @Test func saslOverTLSAndEveryWayToGetItWrong() async throws {
        let folder = try Folder()
        let certificates = try Certificates(in: folder.path)
        try certificates.make("broker")
        try certificates.authority("other")
        let properties = certificates.properties("SASL_SSL", "broker") + Self.jaas(Self.password)
        let bed = try await KafkaBed(
            nodes: 1, properties: properties,
            format: ["SCRAM-SHA-512", "SCRAM-SHA-256"].flatMap {
                ["--add-scram", "\($0)=[name=lane,password=\(Self.password)]"]
            })
        do {
            try await bed.create("t")
            let ca = certificates.path("ca.pem")
            try await plain(bed, ca)
            try await scram(bed, ca)
            try await wrongAuthority(bed, certificates.path("other.pem"))
            try await wrongProtocol(bed, ca)
            try await rotation(bed, certificates, folder)
        } catch {
            await bed.end()
            throw error
        }
        await bed.end()
    }

    private func plain(_ bed: KafkaBed, _ ca: String) async throws {
        let right = try await run(
            bed.bootstrap,
            [
                ("security.protocol", "sasl_ssl"), ("ssl.ca.location", ca), ("sasl.mechanism", "PLAIN"),
                ("sasl.username", "lane"),
                ("sasl.password", Self.password),
            ], until: isDelivered)
        #expect(right.isDone, "PLAIN over TLS: \(right.link) \(right.notices)")
        let wrong = try await run(
            bed.bootstrap,
            [
                ("security.protocol", "sasl_ssl"), ("ssl.ca.location", ca), ("sasl.mechanism", "PLAIN"),
                ("sasl.username", "lane"),
                ("sasl.password", "not-" + Self.password),
            ], seconds: 30, until: saysDown(.credentials))
        #expect(wrong.isDone, "a wrong password: \(wrong.link)")
        #expect(wrong.link.sentence.contains(bed.bootstrap) && wrong.link.sentence.contains("name or password"))
        let told = wrong.notices.filter { $0.message == "no link to Kafka: messages are kept" }
        #expect(told.count == 1, "one line, not a flood: \(wrong.notices.map(\.message))")
        #expect(!wrong.notices.description.contains(Self.password))
    }

    /// SCRAM with a librdkafka that can: accepted. With an older one a Kafka 4 refuses the right password, and that is said.
    private func scram(_ bed: KafkaBed, _ ca: String) async throws {
        let isAccepted = LibraryVersion.current.hasScramForKafka4 || !isKafka4
        for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
            let settings: [(String, String)] = [
                ("security.protocol", "sasl_ssl"), ("ssl.ca.location", ca), ("sasl.mechanism", mechanism),
                ("sasl.username", "lane"), ("sasl.password", Self.password),
            ]
            let found = try await run(
                bed.bootstrap, settings, until: isAccepted ? isDelivered : saysDown(.credentials))
            #expect(found.isDone, "\(mechanism) with librdkafka \(LibraryVersion.current): \(found.link)")
            guard !isAccepted else { continue }
            let told = found.notices.first { $0.message == "no link to Kafka: messages are kept" }
            #expect(told?.fields.contains { $0.key == "remedy" && $0.value.contains("Debian 13") } == true)
        }
    }

    private func wrongAuthority(_ bed: KafkaBed, _ other: String) async throws {
        let found = try await run(
            bed.bootstrap,
            [
                ("security.protocol", "sasl_ssl"), ("ssl.ca.location", other), ("sasl.mechanism", "PLAIN"),
                ("sasl.username", "lane"),
                ("sasl.password", Self.password),
            ], seconds: 30, until: saysDown(.untrusted))
        #expect(found.isDone, "another authority: \(found.link)")
        #expect(found.acknowledged == 0)
    }

    private func wrongProtocol(_ bed: KafkaBed, _ ca: String) async throws {
        let clear = try await run(bed.bootstrap, [], seconds: 30, until: saysDown(.tlsWanted))
        #expect(clear.isDone, "plain text to TLS: \(clear.link)")
        let inner = "127.0.0.1:\(bed.port + 10)"
        let tls = try await run(
            inner, [("security.protocol", "ssl"), ("ssl.ca.location", ca)], seconds: 30,
            until: saysDown(.tlsUnknown))
        #expect(tls.isDone, "TLS to plain text: \(tls.link)")
        let nobody = try await run(
            bed.bootstrap, [("security.protocol", "ssl"), ("ssl.ca.location", ca)], seconds: 30,
            until: saysDown(.loginWanted))
        #expect(nobody.isDone, "without a login: \(nobody.link)")
    }

    /// The broker's password changes; later the lane's file does. Nobody restarts anything on the lane.
    private func rotation(_ bed: KafkaBed, _ certificates: Certificates, _ folder: Folder) async throws {
        let file = folder.path + "/password"
        try Self.password.write(toFile: file, atomically: true, encoding: .utf8)
        let ours = try Folder()
        let outbox = try ours.outbox()
        let ca = certificates.path("ca.pem")
        @Sendable func configuration() -> ClientConfiguration {
            ProducerDefaults.configuration(
                clientID: "lane-agent-0042-08",
                overrides: [
                    .init("bootstrap.servers", bed.bootstrap), .init("security.protocol", "sasl_ssl"),
                    .init("ssl.ca.location", ca), .init("sasl.mechanism", "PLAIN"), .init("sasl.username", "lane"),
                    .init("sasl.password", (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""),
                ])
        }
        var settings = PumpConfiguration(producer: configuration())
        settings.look = 2000
        settings.credentials = { ProducerCredentials(producer: configuration(), mark: configuration().hashValue) }
        let notices = Notices()
        let pump = Pump(settings, outbox: outbox) { notices.all.append($0) }
        try await pump.start()
        pump.wake(try await outbox.commit(Commit(events: [event("t", 1)])).heads)
        #expect(await until(within: 60) { pump.counts.acknowledged == 1 })
        #expect(pump.counts.recreations == 0)
        let properties = certificates.properties("SASL_SSL", "broker") + Self.jaas("new-" + Self.password)
        try properties.write(toFile: bed.folder + "/properties", atomically: true, encoding: .utf8)
        try await bed.call("restart", "1")
        pump.wake(try await outbox.commit(Commit(events: [event("t", 2)])).heads)
        #expect(await until(within: 60) { pump.link.state == .down && pump.link.fault?.cause == .credentials })
        #expect(pump.counts.acknowledged == 1)
        try ("new-" + Self.password).write(toFile: file, atomically: true, encoding: .utf8)
        #expect(await until(within: 60) { pump.counts.acknowledged == 2 })
        #expect(pump.link.state == .up)
        #expect(pump.counts.recreations == 1)
        #expect(notices.all.contains { $0.message == "credentials have changed: the producer is made anew" })
        #expect(await until { notices.all.contains { $0.message == "the link to Kafka is back" } })
        await pump.stop()
        await outbox.close()
    }

    @Test func mutualTLSAndCertificatesThatAreRefused() async throws {
        let folder = try Folder()
        let certificates = try Certificates(in: folder.path)
        try certificates.authority("other")
        try certificates.make("broker")
        try certificates.make("lane", hosts: "DNS:lane")
        try certificates.make("foreign", of: "other", hosts: "DNS:lane")
        try certificates.make("expired", hosts: "DNS:lane", days: -1)
        let bed = try await KafkaBed(
            nodes: 1, properties: certificates.properties("SSL", "broker", clientAuth: "required"))
        do {
            try await bed.create("t")
            for (name, isGood) in [("lane", true), ("foreign", false), ("expired", false), ("", false)] {
                var settings: [(String, String)] = [
                    ("security.protocol", "ssl"), ("ssl.ca.location", certificates.path("ca.pem")),
                ]
                if !name.isEmpty {
                    settings += [
                        ("ssl.certificate.location", certificates.path("\(name).pem")),
                        ("ssl.key.location", certificates.path("\(name).key")),
                    ]
                }
                let found = try await run(
                    bed.bootstrap, settings, until: isGood ? isDelivered : saysDown(.clientCertificate))
                #expect(found.isDone, "\(name): \(found.link)")
                #expect(found.acknowledged == (isGood ? 1 : 0))
            }
        } catch {
            await bed.end()
            throw error
        }
        await bed.end()
    }

    /// A pump that sends one message over `settings`, until `isDone` says so.
    private func run(
        _ bootstrap: String, _ settings: [(String, String)], topic: String = "t", seconds: Int64 = 30,
        until isDone: @escaping @LoopActor (Pump) -> Bool
    ) async throws -> (isDone: Bool, link: Link, notices: [Notice], acknowledged: Int) {
        let folder = try Folder()
        let outbox = try folder.outbox()
        let all = settings.map { ClientConfiguration.Setting($0.0, $0.1) } + [.init("bootstrap.servers", bootstrap)]
        let notices = Notices()
        let pump = Pump(
            PumpConfiguration(
                producer: ProducerDefaults.configuration(clientID: "lane-agent-0042-07", overrides: all)),
            outbox: outbox
        ) { notices.all.append($0) }
        try await pump.start()
        pump.wake(try await outbox.commit(Commit(events: [event(topic, 1)])).heads)
        let met = await until(within: seconds) { isDone(pump) }
        let link = pump.link
        await pump.stop()
        await outbox.close()
        return (met, link, notices.all, pump.counts.acknowledged)
    }
}
