import Kafka

/// How the agent's producer is set. Each line's reason stands in docs/explanation/delivery.md.
public enum ProducerDefaults {
    /// The settings for `clientID`, then `overrides`, of which each wins over its default.
    public static func configuration(
        clientID: String, overrides: [ClientConfiguration.Setting], version: LibraryVersion = .current
    ) -> ClientConfiguration {
        var configuration = ClientConfiguration([
            "acks": "all",
            "enable.idempotence": "true",
            // A message that is refused for good ends the instance instead of opening a gap.
            "enable.gapless.guarantee": "true",
            // The outbox decides what is late: with any limit the oldest fail while younger ones go out.
            "message.timeout.ms": "0",
            // Until a group is handed over whole; then it is pushed, and nothing waits. See docs/decisions/0011-linger.md.
            "linger.ms": "1",
            "queue.buffering.max.messages": "2000",
            "queue.buffering.max.kbytes": "8192",
            "batch.num.messages": "500",
            "compression.type": "lz4",
            "message.max.bytes": "1000000",
            "retry.backoff.ms": "250",
            "reconnect.backoff.ms": "200",
            "reconnect.backoff.max.ms": "2000",
            // Without it 44 ms a message over TLS before librdkafka 2.14.
            "socket.nagle.disable": "true",
            "socket.keepalive.enable": "true",
            "connections.max.idle.ms": "180000",
            "socket.timeout.ms": "30000",
            "request.timeout.ms": "15000",
            "socket.connection.setup.timeout.ms": "10000",
            "topic.metadata.refresh.interval.ms": "60000",
            "topic.metadata.propagation.max.ms": "30000",
            // The partition that Java, Go and Python clients choose for the same key.
            "partitioner": "murmur2_random",
            // A topic that is missing is made by somebody who knows how, not by brokers that are asked for it: librdkafka calls
            // it a consumer's setting, and a producer follows it too (RealKafkaTopicsTests).
            "allow.auto.create.topics": "false",
            "statistics.interval.ms": "10000",
            // Without it a connection that is ended by the other side is no error either: plain text to a TLS listener.
            "log.connection.close": "true",
        ])
        // An unknown setting is an error before 2.3.
        if version.hasExponentialRetry { configuration.settings.append(.init("retry.backoff.max.ms", "15000")) }
        configuration.settings.append(.init("client.id", clientID))
        configuration.settings += overrides
        return configuration
    }

    /// What `configuration` promises less than the defaults do: a sentence each, for the check of a configuration.
    public static func weaknesses(of configuration: ClientConfiguration) -> [String] {
        var found: [String] = []
        func look(_ key: String, _ good: [String], _ price: String) {
            guard let value = configuration[key], !good.contains(value.lowercased()) else { return }
            found.append("\(key)=\(value): \(price)")
        }
        look("acks", ["all", "-1"], "a message may be lost with one broker although it counts as delivered")
        look("enable.idempotence", ["true"], "messages may be doubled and change places when a broker is slow")
        look("enable.gapless.guarantee", ["true"], "a refused message leaves a gap: later ones overtake it")
        look("message.timeout.ms", ["0"], "in a longer outage the oldest messages fail while younger ones go out")
        look("delivery.timeout.ms", ["0"], "in a longer outage the oldest messages fail while younger ones go out")
        look(
            "allow.auto.create.topics", ["false"],
            "a topic that is missing may come into being with the brokers' defaults, often with one replica")
        look("partitioner", ["murmur2_random", "murmur2"], "other clients look for this lane in another partition")
        return found
    }
}
