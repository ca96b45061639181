import CRdKafka
import Loop

/// Looks at a cluster and makes topics, as far as librdkafka 2.0.2 can.
///
/// Every call waits on a thread of the admin's own, at most as long as it is told, and ends early when its task is cancelled. Calls
/// run one after another; any thread may call. Asking never makes a topic, also where brokers make those that they are asked for.
/// Source: rdkafka.h, "Admin API".
public final class Admin: Sendable {
    private let instance: Instance
    /// Where it was told to begin: `host:port,…`.
    public let bootstrap: String

    /// - Parameter configuration: of any client; what concerns producers alone is left out.
    /// - Throws: what librdkafka says of a setting.
    public init(_ configuration: ClientConfiguration) throws(KafkaError) {
        var configuration = configuration.connection
        // A consumer's setting, so this is a consumer, of no group: a producer has topics made by asking for them.
        configuration.settings.append(.init("allow.auto.create.topics", "false"))
        let (built, faults) = configuration.build()
        guard let built, faults.isEmpty else {
            if let built { rd_kafka_conf_destroy(built) }
            throw faults.first ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        }
        // Log lines go to nobody; errors stay in the main queue until somebody wants to know why.
        rd_kafka_conf_set_log_cb(built, nil)
        rd_kafka_conf_set_events(built, RD_KAFKA_EVENT_ERROR)
        instance = Instance(Instance.Pointer(raw: try configuration.instance(built, RD_KAFKA_CONSUMER)))
        bootstrap = configuration["bootstrap.servers"] ?? configuration["metadata.broker.list"] ?? ""
    }

    deinit { Task { [instance] in await instance.destroy() } }

    /// Ends connections and threads; later calls fail.
    public func close() async { await instance.destroy() }

    /// The brokers that the cluster has now, by number.
    /// - Throws: why no broker answered within `milliseconds`: what each address said. A wrong password or certificate ends
    ///   the wait at once.
    public func brokers(within milliseconds: Int64 = 15_000) async throws(KafkaError) -> [BrokerRecord] {
        try await instance.brokers(bootstrap, within: milliseconds)
    }

    /// What the cluster says of each of `topics`.
    public func records(
        of topics: [String], within milliseconds: Int64 = 15_000
    ) async throws(KafkaError) -> [String: TopicRecord] {
        try await instance.records(of: topics, bootstrap, within: milliseconds)
    }

    /// The settings that hold for each of `topics`, the brokers' defaults included; of a topic by itself why not.
    /// Source: KIP-133, DescribeConfigs.
    public func settings(
        ofTopics topics: [String], within milliseconds: Int64 = 15_000
    ) async throws(KafkaError) -> [String: Result<[String: String], KafkaError>] {
        try await instance.settings(RD_KAFKA_RESOURCE_TOPIC, topics, within: milliseconds)
    }

    /// The settings of one broker.
    public func settings(
        ofBroker id: Int32, within milliseconds: Int64 = 15_000
    ) async throws(KafkaError) -> [String: String] {
        let all = try await instance.settings(RD_KAFKA_RESOURCE_BROKER, ["\(id)"], within: milliseconds)
        switch all["\(id)"] {
        case .success(let settings): return settings
        case .failure(let error): throw error
        case nil: throw KafkaError(RD_KAFKA_RESP_ERR__NOENT)
        }
    }

    /// Makes `topics`; each succeeds or fails by itself.
    /// - Parameter isTrial: the cluster says what would come of it, and nothing is made.
    /// - Returns: those that failed, with the broker's reason. `KafkaError.isTopicThere`: there was one.
    public func create(
        _ topics: [NewTopic], isTrial: Bool = false, within milliseconds: Int64 = 15_000
    ) async throws(KafkaError) -> [String: KafkaError] {
        try await instance.create(topics, isTrial: isTrial, within: milliseconds)
    }

    /// Gives `topic` more partitions, `count` in all. Keys go to other partitions from then on: docs/reference/topics.md.
    public func addPartitions(
        to topic: String, count: Int, within milliseconds: Int64 = 15_000
    ) async throws(KafkaError) {
        if let fault = try await instance.addPartitions(topic, count, within: milliseconds)[topic] { throw fault }
    }

    /// Deletes `topics` with all that is in them.
    /// - Returns: those that failed.
    public func delete(
        _ topics: [String], within milliseconds: Int64 = 15_000
    ) async throws(KafkaError) -> [String: KafkaError] {
        try await instance.delete(topics, within: milliseconds)
    }
}
