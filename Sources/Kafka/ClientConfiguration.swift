import CRdKafka

/// Settings for librdkafka in the order they are applied: of two with one key the later wins.
/// Source: CONFIGURATION.md of librdkafka.
public struct ClientConfiguration: Hashable, Sendable {
    public struct Setting: Hashable, Sendable, CustomStringConvertible {
        public var key: String
        public var value: String
        public init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }

        /// Whether the value may be a password or a private key: it is shown nowhere.
        public var isSecret: Bool { Self.isSecret(key) }

        public static func isSecret(_ key: String) -> Bool {
            let key = key.lowercased()
            return ["password", "secret", "pem", "jaas", "token", "sasl.oauthbearer.config"].contains {
                key.contains($0)
            }
        }

        /// `key=value`, without a secret.
        public var description: String { "\(key)=\(isSecret ? "…" : value)" }
    }

    public var settings: [Setting]

    public init(_ settings: [Setting]) { self.settings = settings }

    public init(_ pairs: KeyValuePairs<String, String>) { settings = pairs.map { Setting($0.key, $0.value) } }

    /// The same connection for a client that does not produce: without what concerns producers alone. A consumer that is
    /// given those says so on its log, for each.
    public var connection: ClientConfiguration {
        ClientConfiguration(settings.filter { !Self.isOfProducer($0.key) })
    }

    private static func isOfProducer(_ key: String) -> Bool {
        let keys: Set<String> = [
            "acks", "request.required.acks", "enable.idempotence", "enable.gapless.guarantee", "message.timeout.ms",
            "delivery.timeout.ms", "request.timeout.ms", "linger.ms", "compression.codec", "compression.type",
            "compression.level", "message.send.max.retries", "retries", "partitioner", "msg_order_cmp",
            "queuing.strategy", "delivery.report.only.error", "sticky.partitioning.linger.ms",
        ]
        let prefixes = ["queue.buffering.", "batch.", "transaction", "dr_"]
        return keys.contains(key) || prefixes.contains { key.hasPrefix($0) }
    }

    /// The value that counts for `key`.
    public subscript(key: String) -> String? { settings.last { $0.key == key }?.value }

    /// Tries every setting, without a connection.
    /// - Returns: all that is wrong, each with its `setting`.
    public func faults() -> [KafkaError] {
        let (configuration, faults) = build()
        guard let configuration else { return faults }
        guard faults.isEmpty else {
            rd_kafka_conf_destroy(configuration)
            return faults
        }
        // Its log would go to stderr; what matters comes back as text.
        rd_kafka_conf_set_log_cb(configuration, nil)
        // Nobody is called, and no password shown to a broker; a resolver that is silent would hold up the end of the trial.
        rd_kafka_conf_set(configuration, "bootstrap.servers", "", nil, 0)
        // Only a new instance shows which do not go together (acks=1 with idempotence) and which files are missing.
        do throws(KafkaError) {
            let handle = try instance(configuration)
            rd_kafka_destroy(handle)
            return []
        } catch {
            return [error]
        }
    }

    /// librdkafka's object with all that is right in it, and what is not.
    func build() -> (OpaquePointer?, [KafkaError]) {
        guard let configuration = rd_kafka_conf_new() else { return (nil, []) }
        CertificateCheck.install(in: configuration)
        var faults: [KafkaError] = []
        for (index, setting) in settings.enumerated() {
            let (result, said) = withErrorText { text, size in
                rd_kafka_conf_set(configuration, setting.key, setting.value, text, size)
            }
            guard result != RD_KAFKA_CONF_OK else { continue }
            faults.append(
                KafkaError(
                    code: RD_KAFKA_RESP_ERR__INVALID_ARG.rawValue, Self.masked(said, setting), settingIndex: index,
                    settingKey: setting.key))
        }
        return (configuration, faults)
    }

    /// Takes over `configuration` and makes the producer, or the client of another `kind`.
    func instance(
        _ configuration: OpaquePointer, _ kind: rd_kafka_type_t = RD_KAFKA_PRODUCER
    ) throws(KafkaError) -> OpaquePointer {
        let (made, said) = withErrorText { text, size in rd_kafka_new(kind, configuration, text, size) }
        if let made { return made }
        // Not taken over where nothing was made. Source: rdkafka.h, rd_kafka_new.
        let code = rd_kafka_last_error().rawValue
        rd_kafka_conf_destroy(configuration)
        // The text names keys between backquotes; the first of ours is where the operator must look.
        let named = settings.indices.last { said.contains("`\(settings[$0].key)`") }
        throw KafkaError(
            code: code, said, settingIndex: named ?? 0, settingKey: named.map { settings[$0].key })
    }

    /// librdkafka's words about `setting`, without a value that may be a secret.
    private static func masked(_ text: String, _ setting: Setting) -> String {
        guard setting.isSecret, !setting.value.isEmpty else { return text }
        return text.split(separator: setting.value, omittingEmptySubsequences: false).joined(separator: "…")
    }
}

/// Calls `body` with room for librdkafka's error text.
func withErrorText<T>(_ body: (UnsafeMutablePointer<CChar>?, Int) -> T) -> (T, String) {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
        text.initialize(repeating: 0)
        let result = body(text.baseAddress, text.count)
        return (result, text.baseAddress.map { String(cString: $0) } ?? "")
    }
}
