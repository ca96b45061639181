import CRdKafka
import Loop

/// Looking at a cluster: brokers, topics, and why nobody answers.
extension Instance {
    /// The longest that one call waits, so that a cancelled task and an error that will not go away are seen soon.
    private static let slice: Int64 = 300

    func brokers(_ bootstrap: String, within milliseconds: Int64) throws(KafkaError) -> [BrokerRecord] {
        try metadata(nil, bootstrap, within: milliseconds) { found in
            UnsafeBufferPointer(start: found.brokers, count: Int(found.broker_cnt))
                .map { BrokerRecord(id: $0.id, address: "\($0.host.map { String(cString: $0) } ?? ""):\($0.port)") }
                .sorted { $0.id < $1.id }
        }
    }

    func records(
        of topics: [String], _ bootstrap: String, within milliseconds: Int64
    ) throws(KafkaError) -> [String: TopicRecord] {
        let end = Boottime.milliseconds() + milliseconds
        var records: [String: TopicRecord] = [:]
        for topic in topics {
            guard !isDestroyed else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
            guard let handle = rd_kafka_topic_new(pointer.raw, topic, nil) else {
                records[topic] = .failed(KafkaError(rd_kafka_last_error()))
                continue
            }
            defer { rd_kafka_topic_destroy(handle) }
            records[topic] = try metadata(handle, bootstrap, within: end - Boottime.milliseconds()) { found in
                guard found.topic_cnt > 0, let answer = found.topics?.pointee else { return .missing }
                return Self.record(of: answer)
            }
        }
        return records
    }

    private static func record(of answer: rd_kafka_metadata_topic) -> TopicRecord {
        switch answer.err {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return .missing
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return .notAuthorised
        case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
            let partitions = UnsafeBufferPointer(start: answer.partitions, count: Int(answer.partition_cnt))
            let records = partitions.map { partition in
                PartitionRecord(
                    id: partition.id, leader: partition.leader < 0 ? nil : partition.leader,
                    replicas: Array(
                        UnsafeBufferPointer(start: partition.replicas, count: Int(partition.replica_cnt))),
                    inSync: Array(UnsafeBufferPointer(start: partition.isrs, count: Int(partition.isr_cnt))))
            }
            return .there(records.sorted { $0.id < $1.id })
        default: return .failed(KafkaError(answer.err))
        }
    }

    /// Asks for one topic, or with nil for none, which gives the brokers alone.
    private func metadata<Value>(
        _ topic: OpaquePointer?, _ bootstrap: String, within milliseconds: Int64,
        _ read: (rd_kafka_metadata) -> Value
    ) throws(KafkaError) -> Value {
        var waiting = Waiting(for: milliseconds)
        while true {
            guard !isDestroyed else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
            var found: UnsafePointer<rd_kafka_metadata>?
            let patience = Int32(max(1, min(Self.slice, waiting.left)))
            let code = rd_kafka_metadata(pointer.raw, 0, topic, &found, patience)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR, let found {
                defer { rd_kafka_metadata_destroy(found) }
                return read(found.pointee)
            }
            takeErrors(&waiting)
            try waiting.goOn(after: code, bootstrap)
        }
    }

    /// What went wrong meanwhile, off the main queue.
    private func takeErrors(_ waiting: inout Waiting) {
        guard let queue = rd_kafka_queue_get_main(pointer.raw) else { return }
        defer { rd_kafka_queue_destroy(queue) }
        for _ in 0..<1000 {
            guard let event = rd_kafka_queue_poll(queue, 0) else { return }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { continue }
            waiting.note(
                KafkaError(
                    code: rd_kafka_event_error(event).rawValue, String(cString: rd_kafka_event_error_string(event))))
        }
    }
}

/// Waiting for a broker that answers, and what was said meanwhile.
struct Waiting {
    /// Once all addresses have failed, this long from the beginning is enough: a broker that is being restarted is not waited for.
    static let enough: Int64 = 5000

    private let start = Boottime.milliseconds()
    private let limit: Int64
    /// By address, the last of each.
    private var said: [(address: String, error: KafkaError)] = []
    private var areAllDown = false
    private var refusal: KafkaError?

    init(for milliseconds: Int64) { limit = max(0, milliseconds) }

    var left: Int64 { start + limit - Boottime.milliseconds() }

    mutating func note(_ error: KafkaError) {
        if error.isAllBrokersDown {
            areAllDown = true
            return
        }
        if error.isOfAuthority || error.isOfCertificate { refusal = error }
        let address = Self.address(in: error.description)
        if let known = said.firstIndex(where: { $0.address == address }) {
            said[known].error = error
        } else if said.count < 16 {
            said.append((address, error))
        }
    }

    /// `sasl_ssl://host:9093/bootstrap: Connect to … failed` begins with the address.
    private static func address(in text: String) -> String {
        let first = text.prefix { $0 != " " }
        let bare = first.firstRange(of: "://").map { first[$0.upperBound...] } ?? first
        return String(bare.prefix { $0 != "/" }.reversed().drop { $0 == ":" }.reversed())
    }

    /// What it is and what to do, where that is known; else librdkafka's words.
    private static func sentence(_ error: KafkaError) -> String {
        guard let fault = LinkFault(error), fault.cause != .other else { return error.description }
        return fault.sentence
    }

    /// - Throws: when it is over: the time, the task, or all hope.
    mutating func goOn(after code: rd_kafka_resp_err_t, _ bootstrap: String) throws(KafkaError) {
        if let refusal { throw KafkaError(code: refusal.code, Self.sentence(refusal)) }
        let waited = Boottime.milliseconds() - start
        guard Task.isCancelled || waited >= limit || (areAllDown && waited >= Self.enough) else { return }
        if Task.isCancelled { throw KafkaError(code: RD_KAFKA_RESP_ERR__INTR.rawValue, "given up") }
        let reasons = said.map { Self.sentence($0.error) }
        let why = reasons.isEmpty ? "nothing was heard of any" : reasons.joined(separator: "; ")
        throw KafkaError(
            code: (said.last?.error.code).map { Int32($0) } ?? code.rawValue,
            "no broker of \(bootstrap) answered within \((waited + 500) / 1000) s: \(why)")
    }
}
