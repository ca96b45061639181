import Agent
import Delivery
import FaultParts
import Foundation
import Kafka
import Lane
import Loop
import Outbox
import Telemetry

/// What stands in for the agent in two control runs: the same agent, but for the part that publishes.
///
/// Its own pump is left without brokers. Another one takes each message for delivered as soon as librdkafka has it in memory,
/// and does not look at reports: as forwarders do that lose messages. Both use the same outbox.
///
///     faults hasty CONFIGURATION BOOTSTRAP
enum Hasty {
    static func run(_ path: String, _ bootstrap: String) async throws -> Never {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        guard var configuration = ConfigurationFile(file: path, bytes: bytes).configuration else {
            throw Fault("\(path) is wrong")
        }
        guard let rules = RuleFiles.load(configuration.ruleFiles).rules else { throw Fault("the rules are wrong") }
        var producer = KafkaSettings.producer(configuration)
        producer.settings += [
            .init("bootstrap.servers", bootstrap), .init("queue.buffering.max.messages", "100000"),
            .init("queue.buffering.max.kbytes", "1000000"),
        ]
        for place in configuration.kafka.indices where configuration.kafka[place].key == "bootstrap.servers" {
            configuration.kafka[place].value = "127.0.0.1:9"
        }
        let zone = StoreZone(name: "UTC")
        let log = Log(level: .warning, sink: LogFormat.text(colour: false).sink(), context: [:])
        let outbox = try Outbox(OutboxConfiguration(folder: configuration.stateFolder))
        let agent = LaneAgent(configuration, rules: rules, outbox: outbox, localTime: zone) { log.note($0) }
        try await agent.start()
        let pages = AgentPages(agent, log: log)
        try await pages.start()
        let pump = try await HastyPump(outbox, producer)
        while true {
            try await pump.turn()
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

@LoopActor final class HastyPump {
    private let outbox: Outbox
    private let producer: Producer
    private var sent: [String: Position] = [:]

    init(_ outbox: Outbox, _ configuration: ClientConfiguration) throws {
        self.outbox = outbox
        producer = try Producer(configuration) { _ in }
    }

    /// Hands over what is there, and forgets it.
    func turn() async throws {
        for depth in try await outbox.depths() where depth.rows > 0 {
            let after = sent[depth.topic] ?? depth.settled
            let parcels = try await outbox.lease(topic: depth.topic, after: after, limit: 500)
            let messages = parcels.map {
                Message(topic: $0.topic, key: $0.key, value: $0.value, headers: $0.headers.bytes)
            }
            let count = producer.send(messages) { UInt64($0) }.sent
            guard count > 0 else { continue }
            sent[depth.topic] = parcels[count - 1].position
            try await outbox.settle([Mark(topic: depth.topic, position: parcels[count - 1].position)])
        }
    }
}
