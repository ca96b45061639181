import CRdKafka
import Loop

/// Reads stretches of topics, from an offset to an offset, and leaves no trace in the cluster: no group, no commits.
///
/// Every call blocks; one thread at a time, which may not be the lane's loop. `Consumer.records` has a thread of its own.
/// Only committed records are read where the configuration says nothing else. After use `close()`.
///
/// Memory: at most `partitionsAtOnce` partitions are fetched at a time, each with about 4 MB ahead of the reader.
/// Source: rdkafka.h, "Simple Consumer API (legacy)": the part that needs no group, as kcat uses it.
public final class Consumer {
    let handle: OpaquePointer
    private let main: OpaquePointer
    private var topics: [String: OpaquePointer] = [:]
    private var isClosed = false
    /// The last that librdkafka said of the connection: why nothing comes.
    private(set) var said: KafkaError?

    public static let partitionsAtOnce = 16
    /// A read in which nothing comes for so long ends with an error.
    public static let patienceMilliseconds: Int64 = 30_000

    /// A part of a partition: `begin` is its first offset, `end` the one behind its last.
    public struct Span: Hashable, Sendable {
        public var topic: String
        public var partition: Int32
        public var begin: Int64
        public var end: Int64

        public init(topic: String, partition: Int32, begin: Int64, end: Int64) {
            self.topic = topic
            self.partition = partition
            self.begin = begin
            self.end = end
        }

        /// Offsets, which is at least as many as records.
        public var count: Int64 { max(0, end - begin) }
    }

    /// Makes the client and starts its threads; connections come by themselves.
    /// - Parameter configuration: of the connection; what concerns producers alone is left out.
    /// - Throws: what librdkafka says of a setting, with which it was.
    public init(_ configuration: ClientConfiguration) throws(KafkaError) {
        var settings = ClientConfiguration([
            "isolation.level": "read_committed", "fetch.wait.max.ms": "100",
        ])
        settings.settings += configuration.connection.settings
        // Without these the reader has no end, or no bounds.
        settings.settings +=
            ClientConfiguration([
                "enable.partition.eof": "true", "auto.offset.reset": "earliest", "statistics.interval.ms": "0",
                "queued.max.messages.kbytes": "4096", "fetch.message.max.bytes": "1048576",
                "enable.auto.commit": "false",
                "enable.auto.offset.store": "false",
            ]).settings
        let (built, faults) = settings.build()
        guard let built, faults.isEmpty else {
            if let built { rd_kafka_conf_destroy(built) }
            throw faults.first ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        }
        // What matters comes as an event; its log would go to stderr.
        rd_kafka_conf_set_log_cb(built, nil)
        rd_kafka_conf_set_events(built, RD_KAFKA_EVENT_ERROR)
        handle = try settings.instance(built, RD_KAFKA_CONSUMER)
        guard let main = rd_kafka_queue_get_main(handle) else {
            rd_kafka_destroy(handle)
            throw KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        }
        self.main = main
    }

    /// Ends its threads; waits for them.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics = [:]
        rd_kafka_queue_destroy(main)
        rd_kafka_destroy(handle)
    }

    deinit { close() }

    // MARK: Asking

    /// The cluster's topics by name, without its own (`__…`).
    public func topicNames(within milliseconds: Int32 = 10_000) throws(KafkaError) -> [String] {
        var found: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle, 1, nil, &found, milliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let found else { throw failure(code) }
        defer { rd_kafka_metadata_destroy(found) }
        let topics = UnsafeBufferPointer(start: found.pointee.topics, count: Int(found.pointee.topic_cnt))
        return topics.compactMap { topic in topic.topic.map { String(cString: $0) } }
            .filter { !$0.hasPrefix("__") }.sorted()
    }

    /// Whether `topic` is there, and with how many partitions.
    public func state(of topic: String, within milliseconds: Int32 = 10_000) -> TopicState {
        let state = TopicState(of: topic, asking: handle, within: milliseconds)
        if case .unreachable(let error) = state {
            note()
            return .unreachable(said ?? error)
        }
        return state
    }

    /// The first offset that is kept and the one that the next record gets: of those readers may see.
    public func watermarks(
        of topic: String, _ partition: Int32, within milliseconds: Int32 = 10_000
    ) throws(KafkaError) -> (low: Int64, high: Int64) {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_query_watermark_offsets(handle, topic, partition, &low, &high, milliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw failure(code) }
        return (low, high)
    }

    /// All that is in `topic` now, a span a partition.
    /// - Parameter since: Unix milliseconds: only from the first record on whose timestamp is at least this.
    public func spans(
        of topic: String, since: Int64? = nil, within milliseconds: Int32 = 10_000
    ) throws(KafkaError) -> [Span] {
        let partitions: Int
        switch state(of: topic, within: milliseconds) {
        case .ready(let count): partitions = count
        case .unknown: throw KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        case .notAuthorised: throw KafkaError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        case .unreachable(let error): throw error
        }
        var spans: [Span] = []
        for partition in 0..<Int32(partitions) {
            let (low, high) = try watermarks(of: topic, partition, within: milliseconds)
            spans.append(Span(topic: topic, partition: partition, begin: low, end: high))
        }
        guard let since, !spans.isEmpty else { return spans }
        let begins = try offsets(of: topic, partitions, at: since, within: milliseconds)
        for place in spans.indices {
            // Nothing is that young: the span is empty.
            spans[place].begin = max(spans[place].begin, begins[place] ?? spans[place].end)
        }
        return spans
    }

    /// For each partition the first offset whose timestamp is at least `at`, Unix milliseconds; nil where there is none.
    private func offsets(
        of topic: String, _ partitions: Int, at: Int64, within milliseconds: Int32
    ) throws(KafkaError) -> [Int64?] {
        guard let list = rd_kafka_topic_partition_list_new(Int32(partitions)) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for partition in 0..<Int32(partitions) {
            rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = at
        }
        let code = rd_kafka_offsets_for_times(handle, list, milliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw failure(code) }
        var offsets: [Int64?] = []
        for one in UnsafeBufferPointer(start: list.pointee.elems, count: Int(list.pointee.cnt)) {
            guard one.err == RD_KAFKA_RESP_ERR_NO_ERROR else { throw failure(one.err) }
            offsets.append(one.offset >= 0 ? one.offset : nil)
        }
        return offsets
    }

    // MARK: What is shared with reading

    func topic(_ name: String) throws(KafkaError) -> OpaquePointer {
        if let known = topics[name] { return known }
        guard let made = rd_kafka_topic_new(handle, name, nil) else { throw KafkaError(rd_kafka_last_error()) }
        topics[name] = made
        return made
    }

    /// Takes what librdkafka says of the connection, at most a thousand events.
    func note() {
        for _ in 0..<1000 {
            guard let event = rd_kafka_queue_poll(main, 0) else { return }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { continue }
            let error = KafkaError(
                code: rd_kafka_event_error(event).rawValue, String(cString: rd_kafka_event_error_string(event)))
            // "All brokers are down" says less than the reason that came before it.
            if said == nil || !error.isAllBrokersDown { said = error }
        }
    }

    func keep(_ error: KafkaError) { said = error }

    /// `code`, or the reason why nobody answered where one is known.
    func failure(_ code: rd_kafka_resp_err_t) -> KafkaError {
        note()
        let isSilence = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT
        if isSilence, let said { return said }
        return KafkaError(code)
    }
}
