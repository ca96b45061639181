import CRdKafka

/// librdkafka's own brokers on loopback ports: for a trial without a cluster, and for tests.
///
/// Other processes can connect to it. It keeps about 5 MB a partition, then drops the oldest; it checks no sequences and
/// knows no groups: it proves nothing about duplicates. Calls wait a moment for its thread; any thread may call.
/// Source: rdkafka_mock.h.
public final class MockCluster: @unchecked Sendable {
    // @unchecked: both are pointers to objects that librdkafka locks itself, set once.
    private let handle: OpaquePointer
    private let cluster: OpaquePointer

    /// Requests by the protocol's number.
    public struct Request: RawRepresentable, Sendable {
        public let rawValue: Int16
        public init(rawValue: Int16) { self.rawValue = rawValue }
        public static let produce = Request(rawValue: 0)
        public static let metadata = Request(rawValue: 3)
        public static let initProducerID = Request(rawValue: 22)
    }

    /// Brokers have the numbers from 1 on.
    public init(brokers: Int = 1) throws(KafkaError) {
        let configuration = rd_kafka_conf_new()
        rd_kafka_conf_set_log_cb(configuration, nil)
        let (made, said) = withErrorText { rd_kafka_new(RD_KAFKA_PRODUCER, configuration, $0, $1) }
        guard let made else {
            rd_kafka_conf_destroy(configuration)
            throw KafkaError(code: rd_kafka_last_error().rawValue, said)
        }
        guard let cluster = rd_kafka_mock_cluster_new(made, Int32(brokers)) else {
            rd_kafka_destroy(made)
            throw KafkaError(code: RD_KAFKA_RESP_ERR__FAIL.rawValue, "no mock cluster: are loopback ports free?")
        }
        handle = made
        self.cluster = cluster
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(handle)
    }

    /// `bootstrap.servers` for its clients: host:port, separated by commas.
    public var bootstrap: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

    /// Topics that are asked for are made by themselves, with 4 partitions; this makes one with as many as wanted.
    public func createTopic(_ name: String, partitions: Int = 1, replicas: Int = 1) throws(KafkaError) {
        try check(rd_kafka_mock_topic_create(cluster, name, Int32(partitions), Int32(replicas)))
    }

    /// A broker that is down closes its connections and takes no new one.
    public func setDown(_ broker: Int32, _ isDown: Bool) throws(KafkaError) {
        try check(
            isDown
                ? rd_kafka_mock_broker_set_down(cluster, broker) : rd_kafka_mock_broker_set_up(cluster, broker))
    }

    /// The next requests of this kind are answered with `codes`, one each; 0 is success.
    public func answer(_ request: Request, with codes: [Int32]) {
        let codes = codes.map { rd_kafka_resp_err_t(rawValue: $0) }
        codes.withUnsafeBufferPointer { codes in
            rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, codes.baseAddress)
        }
    }

    /// Takes back what `answer` ordered and was not used.
    public func clearAnswers(_ request: Request) {
        rd_kafka_mock_clear_request_errors(cluster, request.rawValue)
    }

    /// Every request about `topic` is answered with `code` until it is set to 0.
    public func setError(of topic: String, _ code: Int32) {
        rd_kafka_mock_topic_set_error(cluster, topic, rd_kafka_resp_err_t(rawValue: code))
    }

    /// Answers of `broker` take this long.
    public func setRoundTrip(_ broker: Int32, milliseconds: Int32) throws(KafkaError) {
        try check(rd_kafka_mock_broker_set_rtt(cluster, broker, milliseconds))
    }

    public func setLeader(of topic: String, partition: Int32 = 0, _ broker: Int32) throws(KafkaError) {
        try check(rd_kafka_mock_partition_set_leader(cluster, topic, partition, broker))
    }

    private func check(_ code: rd_kafka_resp_err_t) throws(KafkaError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code) }
    }
}
