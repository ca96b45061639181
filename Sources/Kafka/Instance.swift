import CRdKafka
import Loop

/// A librdkafka handle with a thread for the calls that block: asking for metadata, and the end.
///
/// They run one after another, so nothing is asked of a handle that is destroyed. Everything else on a handle is
/// thread-safe and is called from the loop. Source: rdkafka.h, "librdkafka is fully thread-safe".
actor Instance {
    // @unchecked: a pointer to an object that may be used from any thread.
    struct Pointer: @unchecked Sendable { let raw: OpaquePointer }

    private nonisolated let executor = ThreadExecutor(name: "kafka-ask")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Valid until `destroy` was called.
    nonisolated let pointer: Pointer
    private(set) var isDestroyed = false

    init(_ pointer: Pointer) { self.pointer = pointer }

    deinit { executor.stop() }

    /// Asks a broker for `topic`; waits for one to be connected, at most `milliseconds`.
    func state(of topic: String, within milliseconds: Int32) -> TopicState {
        guard !isDestroyed else { return .unreachable(KafkaError(RD_KAFKA_RESP_ERR__DESTROY)) }
        return TopicState(of: topic, asking: pointer.raw, within: milliseconds)
    }

    /// Ends the instance: waits for its threads, and for `push`, which has done its work. Topic handles and queues must have been
    /// given back.
    func destroy(after push: Push? = nil) {
        guard !isDestroyed else { return }
        isDestroyed = true
        push?.end()
        rd_kafka_destroy(pointer.raw)
    }
}

extension TopicState {
    /// Asks a broker for `topic`; blocks until one is connected, at most `milliseconds`.
    init(of topic: String, asking client: OpaquePointer, within milliseconds: Int32) {
        guard let handle = rd_kafka_topic_new(client, topic, nil) else {
            self = .unknown
            return
        }
        defer { rd_kafka_topic_destroy(handle) }
        var found: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client, 0, handle, &found, milliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let found else {
            self = .unreachable(KafkaError(code))
            return
        }
        defer { rd_kafka_metadata_destroy(found) }
        guard found.pointee.topic_cnt > 0, let answer = found.pointee.topics?.pointee else {
            self = .unknown
            return
        }
        let partitions = Int(answer.partition_cnt)
        switch answer.err {
        case RD_KAFKA_RESP_ERR_NO_ERROR: self = .ready(partitions: partitions)
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: self = .unknown
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: self = .notAuthorised
        // Being created, or its leader is being chosen: it is there, and librdkafka waits for the leader itself.
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE where partitions > 0: self = .ready(partitions: partitions)
        default: self = .unreachable(KafkaError(answer.err))
        }
    }
}
