import Foundation
import Loop
import Testing

@testable import Kafka

/// Against librdkafka's mock, which knows metadata and none of the admin API; what needs a broker is in `RealKafkaTopicsTests`.
@Suite(.timeLimit(.minutes(2))) struct AdminTests {
    private func admin(_ bootstrap: String, _ more: KeyValuePairs<String, String> = [:]) throws -> Admin {
        var configuration = ClientConfiguration([
            "bootstrap.servers": bootstrap, "reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "200",
        ])
        configuration.settings += more.map { .init($0.key, $0.value) }
        return try Admin(configuration)
    }

    @Test func brokersAndPartitionsAreTold() async throws {
        let cluster = try MockCluster(brokers: 3)
        try cluster.createTopic("t", partitions: 5, replicas: 3)
        let admin = try admin(cluster.bootstrap)
        let brokers = try await admin.brokers()
        #expect(brokers.map(\.id) == [1, 2, 3])
        #expect(brokers.map(\.address) == cluster.bootstrap.split(separator: ",").map(String.init))
        guard case .there(let partitions)? = try await admin.records(of: ["t"])["t"] else {
            Issue.record("t is not there")
            return
        }
        #expect(partitions.map(\.id) == [0, 1, 2, 3, 4])
        #expect(partitions.allSatisfy { $0.replicas.count == 3 && $0.inSync.count == 3 && $0.leader != nil })
        await admin.close()
    }

    /// 29 is TOPIC_AUTHORIZATION_FAILED, 3 UNKNOWN_TOPIC_OR_PART.
    @Test func eachTopicHasItsOwnAnswer() async throws {
        let cluster = try MockCluster()
        for topic in ["a", "b", "c"] { try cluster.createTopic(topic) }
        cluster.setError(of: "b", 29)
        cluster.setError(of: "c", 3)
        let admin = try admin(cluster.bootstrap)
        let records = try await admin.records(of: ["a", "b", "c"])
        guard case .there? = records["a"] else {
            Issue.record("a is not there")
            return
        }
        #expect(records["b"] == .notAuthorised && records["c"] == .missing)
    }

    @Test func aClusterWithoutTheAdminAPISaysSo() async throws {
        let cluster = try MockCluster()
        let admin = try admin(cluster.bootstrap)
        await #expect(throws: KafkaError.self) {
            _ = try await admin.create([NewTopic("t", partitions: 1, replicas: 1)], within: 3000)
        }
        await #expect(throws: KafkaError.self) { _ = try await admin.settings(ofTopics: ["t"], within: 3000) }
        await #expect(throws: KafkaError.self) { _ = try await admin.delete(["t"], within: 3000) }
    }

    @Test func nobodyThereIsToldWithWhatEachAddressSaid() async throws {
        let admin = try admin("127.0.0.1:1,no-such-host.invalid:9092")
        do {
            _ = try await admin.brokers(within: 4000)
            Issue.record("there is no broker")
        } catch {
            let said = error.description
            #expect(said.hasPrefix("no broker of 127.0.0.1:1,no-such-host.invalid:9092 answered within "), "\(said)")
            #expect(said.contains("nobody listens at 127.0.0.1:1"), "\(said)")
            #expect(said.contains("the name of no-such-host.invalid:9092 has no address"), "\(said)")
            #expect(!said.contains("bootstrap:"), "\(said)")
        }
    }

    /// Brokers send words of their own, which end on a terminal.
    @Test func whatABrokerSaysIsNotObeyedByATerminal() {
        let error = KafkaError(code: 58, "h:1/1: Authentication failed: \u{1B}[2J\u{9B}2J\r\nok")
        #expect(error.description == "h:1/1: Authentication failed:  [2J 2J  ok")
    }

    /// A port that is open and silent: the limit ends it. A cancelled task does not wait for that.
    @Test func silenceHasALimitAndCanBeGivenUp() async throws {
        let silent = try SilentPort()
        let admin = try admin("127.0.0.1:\(silent.port)")
        await #expect(throws: KafkaError.self) { _ = try await admin.brokers(within: 500) }
        let task = Task { try await admin.brokers(within: 90_000) }
        task.cancel()
        do {
            _ = try await task.value
            Issue.record("nobody answers")
        } catch {
            #expect((error as? KafkaError)?.description == "given up")
        }
    }

    @Test func afterTheEndNothingIsAsked() async throws {
        let cluster = try MockCluster()
        let admin = try admin(cluster.bootstrap)
        await admin.close()
        await admin.close()
        await #expect(throws: KafkaError.self) { _ = try await admin.brokers() }
        await #expect(throws: KafkaError.self) { _ = try await admin.settings(ofTopics: ["t"]) }
    }

    @Test func wrongSettingsAreToldBeforeAnybodyIsAsked() {
        #expect(throws: KafkaError.self) { _ = try Admin(ClientConfiguration(["no.such.setting": "1"])) }
        #expect(throws: KafkaError.self) { try admin("127.0.0.1:1", ["security.protocol": "plain"]) }
    }

    /// What is a producer's own is left out, so that the client does not complain of it.
    @Test func aProducersSettingsWillDo() async throws {
        let cluster = try MockCluster()
        let admin = try Admin(safe(cluster.bootstrap))
        #expect(try await admin.brokers().count == 1)
        await admin.close()
    }

    /// The kernel takes connections, nobody reads.
    private final class SilentPort {
        private let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port: Int

        init() throws {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let raw = raw
            let isBound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(raw, $0, length) == 0 && listen(raw, 8) == 0 && getsockname(raw, $0, &length) == 0
                }
            }
            guard isBound else { throw POSIXError(.EADDRINUSE) }
            port = Int(UInt16(bigEndian: address.sin_port))
        }

        deinit { close(raw) }
    }
}
