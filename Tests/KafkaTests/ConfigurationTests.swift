import Loop
import Testing

@testable import Kafka

@Suite struct ConfigurationTests {
    @Test func anUnknownKeyIsNamedWithItsPlace() throws {
        let faults = ClientConfiguration(["acks": "all", "retires": "3", "acks ": "1"]).faults()
        #expect(faults.map { $0.setting?.key } == ["retires", "acks "])
        #expect(faults.map { $0.setting?.index } == [1, 2])
        #expect(faults.first?.description.contains("retires") == true)
        #expect(faults.first?.description.contains("No such configuration property") == true)
    }

    @Test func aWrongValueIsNamedWithWhatIsRight() throws {
        let fault = try #require(ClientConfiguration(["compression.type": "zip"]).faults().first)
        #expect(fault.setting?.key == "compression.type")
        #expect(fault.description.contains("zip"))
    }

    @Test func settingsThatDoNotGoTogetherAreFound() throws {
        let fault = try #require(ClientConfiguration(["enable.idempotence": "true", "acks": "1"]).faults().first)
        #expect(fault.description.contains("acks"))
    }

    @Test func theLaterOfTwoCounts() {
        let configuration = ClientConfiguration(["linger.ms": "0", "linger.ms": "5"])
        #expect(configuration["linger.ms"] == "5" && configuration["x"] == nil)
        #expect(configuration.faults().isEmpty)
    }

    /// No text of ours or of librdkafka's may carry what was given as a secret.
    @Test(arguments: [
        "sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.client.secret",
    ])
    func secretsStayOutOfErrors(key: String) {
        let secret = "hunter2-do-not-show"
        let all = ClientConfiguration([
            .init(key, secret), .init("security.protocol", "sasl_ssl"), .init("sasl.mechanisms", "PLAIN"),
            .init("sasl.username", "lane"), .init("ssl.ca.location", "/nonexistent"),
        ])
        for fault in all.faults() { #expect(!fault.description.contains(secret)) }
    }

    @Test @LoopActor func aProducerIsNotMadeOfWrongSettings() {
        #expect { try Producer(ClientConfiguration(["nope": "1"])) { _ in } } throws: {
            ($0 as? KafkaError)?.setting?.key == "nope"
        }
        #expect(throws: KafkaError.self) {
            try Producer(ClientConfiguration(["enable.idempotence": "true", "acks": "0"])) { _ in }
        }
    }

    @Test func scramOnAnOldLibraryIsWarnedOf() throws {
        let scram = [ClientConfiguration.Setting("sasl.mechanisms", "SCRAM-SHA-512")]
        let said = try #require(LibraryVersion(2, 0, 2).scramWarning(for: scram))
        #expect(said.contains("2.0.2") && said.contains("Kafka 4") && said.contains("mutual TLS"))
        #expect(LibraryVersion(2, 6, 1).scramWarning(for: scram) == nil)
        #expect(LibraryVersion(2, 0, 2).scramWarning(for: [.init("sasl.mechanisms", "PLAIN")]) == nil)
        #expect(LibraryVersion(2, 0, 2).scramWarning(for: []) == nil)
    }

    @Test func aLibraryThatCanCrashIsWarnedOf() throws {
        for version in [LibraryVersion(2, 3, 0), LibraryVersion(2, 8, 0), LibraryVersion(2, 9, 9)] {
            let said = try #require(version.crashWarning)
            #expect(said.contains(version.description) && said.contains("2.10.0"))
        }
        for version in [LibraryVersion(2, 0, 2), LibraryVersion(2, 10, 0), LibraryVersion(2, 16, 0)] {
            #expect(version.crashWarning == nil)
        }
    }

    @Test func theVersionIsReadFromTheLoadedLibrary() {
        #expect(LibraryVersion.current >= LibraryVersion(2, 0, 2))
        #expect(!LibraryVersion(2, 0, 2).hasExponentialRetry && LibraryVersion(2, 3, 0).hasExponentialRetry)
    }
}

@Suite struct MessageTests {
    @Test func headersOfAnyBytesAreReadWithinTheirBounds() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                Bool.random(using: &random) ? UInt8.random(in: 0...3, using: &random) : UInt8.random(in: 0...255)
            }
            var seen = 0
            bytes.withUnsafeBytes { block in
                Message.forEachHeader(block) { name, value in seen += 6 + name.count + value.count }
            }
            #expect(seen <= bytes.count)
        }
    }

    @Test func brokersAreCountedFromStatistics() {
        func count(_ json: String) -> BrokerCount {
            Array(json.utf8).withUnsafeBytes { BrokerCount(statistics: $0) }
        }
        let bootstrap =
            #"{"brokers":{"a:1/bootstrap":{"name":"a:1/bootstrap","nodeid":-1,"source":"configured","state":"UP"}}}"#
        #expect(count(bootstrap) == BrokerCount(up: 1, known: 1))
        let learned =
            #"{"brokers":{"a":{"nodeid":-1,"state":"UP"},"b":{"nodeid":1,"state":"UP"},"c":{"nodeid":2,"state":"TRY_CONNECT"}},"#
            + #""eos":{"idemp_state":"Assigned","state":"x"}}"#
        #expect(count(learned) == BrokerCount(up: 1, known: 2))
        #expect(count("") == BrokerCount() && count("\"nodeid\":") == BrokerCount())
    }
}
