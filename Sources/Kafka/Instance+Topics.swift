import CRdKafka
import Loop

/// Asking the admin API, and waiting for its answer on this thread.
extension Instance {
    func settings(
        _ kind: rd_kafka_ResourceType_t, _ names: [String], within milliseconds: Int64
    ) throws(KafkaError) -> [String: Result<[String: String], KafkaError>] {
        var found: [String: Result<[String: String], KafkaError>] = [:]
        // A request may ask for any number of topics, but for one broker.
        let resources = names.map { rd_kafka_ConfigResource_new(kind, $0) }
        defer { for one in resources { rd_kafka_ConfigResource_destroy(one) } }
        let event = try ask(
            RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, resources, rd_kafka_DescribeConfigs, within: milliseconds)
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        guard let result = rd_kafka_event_DescribeConfigs_result(event),
            let answers = rd_kafka_DescribeConfigs_result_resources(result, &count)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__FAIL) }
        for answer in UnsafeBufferPointer(start: answers, count: count) {
            guard let answer, let name = rd_kafka_ConfigResource_name(answer) else { continue }
            let code = rd_kafka_ConfigResource_error(answer)
            found[String(cString: name)] =
                code == RD_KAFKA_RESP_ERR_NO_ERROR
                ? .success(Self.entries(of: answer))
                : .failure(Self.error(code, rd_kafka_ConfigResource_error_string(answer)))
        }
        return found
    }

    private static func entries(of resource: OpaquePointer) -> [String: String] {
        var count = 0
        var found: [String: String] = [:]
        guard let entries = rd_kafka_ConfigResource_configs(resource, &count) else { return [:] }
        for entry in UnsafeBufferPointer(start: entries, count: count) {
            // A secret has no value here; a setting that is not set neither.
            guard let entry, let name = rd_kafka_ConfigEntry_name(entry), let value = rd_kafka_ConfigEntry_value(entry)
            else { continue }
            found[String(cString: name)] = String(cString: value)
        }
        return found
    }

    func create(
        _ topics: [NewTopic], isTrial: Bool, within milliseconds: Int64
    ) throws(KafkaError) -> [String: KafkaError] {
        var faults: [String: KafkaError] = [:]
        var made: [OpaquePointer?] = []
        defer { for one in made { rd_kafka_NewTopic_destroy(one) } }
        for topic in topics {
            let (handle, said) = withErrorText {
                rd_kafka_NewTopic_new(
                    topic.name, Int32(clamping: topic.partitions), Int32(clamping: topic.replicas), $0, $1)
            }
            guard let handle else {
                faults[topic.name] = KafkaError(code: RD_KAFKA_RESP_ERR__INVALID_ARG.rawValue, said)
                continue
            }
            made.append(handle)
            for setting in topic.settings { _ = rd_kafka_NewTopic_set_config(handle, setting.key, setting.value) }
        }
        guard !made.isEmpty else { return faults }
        let event = try ask(
            RD_KAFKA_ADMIN_OP_CREATETOPICS, made, rd_kafka_CreateTopics, isTrial: isTrial, within: milliseconds)
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        let answers = rd_kafka_event_CreateTopics_result(event)
            .flatMap { rd_kafka_CreateTopics_result_topics($0, &count) }
        return faults.merging(Self.faults(answers, count)) { $1 }
    }

    func addPartitions(
        _ topic: String, _ count: Int, within milliseconds: Int64
    ) throws(KafkaError) -> [String: KafkaError] {
        let (handle, said) = withErrorText { rd_kafka_NewPartitions_new(topic, count, $0, $1) }
        guard let handle else { throw KafkaError(code: RD_KAFKA_RESP_ERR__INVALID_ARG.rawValue, said) }
        defer { rd_kafka_NewPartitions_destroy(handle) }
        let event = try ask(
            RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, [handle], rd_kafka_CreatePartitions, within: milliseconds)
        defer { rd_kafka_event_destroy(event) }
        var answered = 0
        let answers = rd_kafka_event_CreatePartitions_result(event)
            .flatMap { rd_kafka_CreatePartitions_result_topics($0, &answered) }
        return Self.faults(answers, answered)
    }

    func delete(_ topics: [String], within milliseconds: Int64) throws(KafkaError) -> [String: KafkaError] {
        let handles = topics.map { rd_kafka_DeleteTopic_new($0) }
        defer { for one in handles { rd_kafka_DeleteTopic_destroy(one) } }
        let event = try ask(RD_KAFKA_ADMIN_OP_DELETETOPICS, handles, rd_kafka_DeleteTopics, within: milliseconds)
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        let answers = rd_kafka_event_DeleteTopics_result(event)
            .flatMap { rd_kafka_DeleteTopics_result_topics($0, &count) }
        return Self.faults(answers, count)
    }

    // MARK: The way of every request

    /// Every request of the admin API: the instance, what is asked for and how many of it, options, where the answer goes.
    private typealias Send = (
        OpaquePointer?, UnsafeMutablePointer<OpaquePointer?>?, Int, OpaquePointer?, OpaquePointer?
    ) -> Void

    /// Sends what `send` sends, and waits for its answer, which the caller destroys. `asked` stays the caller's.
    private func ask(
        _ operation: rd_kafka_admin_op_t, _ asked: [OpaquePointer?], _ send: Send, isTrial: Bool = false,
        within milliseconds: Int64
    ) throws(KafkaError) -> OpaquePointer {
        guard !isDestroyed else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
        return try Self.ask(pointer, operation, asked, send, isTrial: isTrial, within: milliseconds)
    }

    private static func ask(
        _ pointer: Pointer, _ operation: rd_kafka_admin_op_t, _ asked: [OpaquePointer?], _ send: Send, isTrial: Bool,
        within milliseconds: Int64
    ) throws(KafkaError) -> OpaquePointer {
        guard let options = rd_kafka_AdminOptions_new(pointer.raw, operation),
            let queue = rd_kafka_queue_new(pointer.raw)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__FAIL) }
        defer {
            // What comes after this is thrown away with it.
            rd_kafka_queue_destroy(queue)
            rd_kafka_AdminOptions_destroy(options)
        }
        let limit = Int32(clamping: max(1, milliseconds))
        _ = rd_kafka_AdminOptions_set_request_timeout(options, limit, nil, 0)
        if isTrial { _ = rd_kafka_AdminOptions_set_validate_only(options, 1, nil, 0) }
        // How long the controller waits until all brokers know of it: most of what we wait.
        if operation != RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS {
            _ = rd_kafka_AdminOptions_set_operation_timeout(options, max(1, limit / 4 * 3), nil, 0)
        }
        // Copied before the call is back. Source: rdkafka.h.
        var asked = asked
        asked.withUnsafeMutableBufferPointer { send(pointer.raw, $0.baseAddress, $0.count, options, queue) }
        let end = Boottime.milliseconds() + milliseconds + 1000
        while Boottime.milliseconds() < end {
            guard !Task.isCancelled else { throw KafkaError(code: RD_KAFKA_RESP_ERR__INTR.rawValue, "given up") }
            guard let event = rd_kafka_queue_poll(queue, 200) else { continue }
            let code = rd_kafka_event_error(event)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return event }
            let error = error(code, rd_kafka_event_error_string(event))
            rd_kafka_event_destroy(event)
            throw error
        }
        throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT)
    }

    private static func faults(
        _ answers: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
    ) -> [String: KafkaError] {
        var faults: [String: KafkaError] = [:]
        for answer in UnsafeBufferPointer(start: answers, count: count) {
            guard let answer, let name = rd_kafka_topic_result_name(answer) else { continue }
            let code = rd_kafka_topic_result_error(answer)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            faults[String(cString: name)] = error(code, rd_kafka_topic_result_error_string(answer))
        }
        return faults
    }

    /// The broker's own words, where it has some: they name the setting.
    private static func error(_ code: rd_kafka_resp_err_t, _ said: UnsafePointer<CChar>?) -> KafkaError {
        let text = said.map { String(cString: $0) } ?? ""
        return text.isEmpty ? KafkaError(code) : KafkaError(code: code.rawValue, text)
    }
}
