import CLinux
import CRdKafka
import Glibc
import Loop

/// One librdkafka producer. Its events come on the lane's loop, woken by an eventfd: nothing polls, nothing here blocks.
///
/// After use it must be closed by `close()`. A fatal error leaves an instance of no use: close it and make another.
@LoopActor public final class Producer {
    private let instance: Instance
    private let push: Push?
    /// As many messages are sent at once without a push.
    private let fullBatch: Int
    /// `acks` is not 0.
    private let asksForAnswers: Bool
    private let queue: OpaquePointer
    private let wake: Descriptor
    private let sink: @LoopActor (ProducerEvent) -> Void
    private var topics: [String: OpaquePointer] = [:]
    private var pins: [String: Int32] = [:]
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var isClosed = false

    /// Messages sent and not reported yet.
    public private(set) var outstanding = 0
    /// By the last statistics (`statistics.interval.ms`).
    public private(set) var brokers = BrokerCount()
    /// Whether a broker answered since all were last down: a belief, as TCP knows no better.
    public private(set) var isConnected = false
    /// The error that ended this instance, in the broker's terms.
    public private(set) var fatal: KafkaError?

    /// Makes the producer and starts its threads; connections come by themselves.
    /// - Throws: what librdkafka says of a setting, with which it was.
    public init(
        _ configuration: ClientConfiguration, sink: @escaping @LoopActor (ProducerEvent) -> Void
    ) throws(KafkaError) {
        let (built, faults) = configuration.build()
        guard let built, faults.isEmpty else {
            if let built { rd_kafka_conf_destroy(built) }
            throw faults.first ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        }
        // Without the queue log lines would go to stderr.
        _ = rd_kafka_conf_set(built, "log.queue", "true", nil, 0)
        rd_kafka_conf_set_events(
            built, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS)
        let raw = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard raw >= 0 else {
            rd_kafka_conf_destroy(built)
            throw KafkaError(code: RD_KAFKA_RESP_ERR__FAIL.rawValue, SystemError("eventfd").description)
        }
        let wake = raw
        let handle: Instance.Pointer
        do throws(KafkaError) { handle = Instance.Pointer(raw: try configuration.instance(built)) } catch {
            _ = CLinux.close(wake)
            throw error
        }
        guard let queue = rd_kafka_queue_get_main(handle.raw) else {
            _ = CLinux.close(wake)
            throw KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        }
        rd_kafka_set_log_queue(handle.raw, queue)
        self.instance = Instance(handle)
        // With nothing to linger for there is nothing to push.
        let isLingering = configuration["linger.ms"].flatMap { Double($0) } ?? 5 > 0
        push = isLingering ? Push(handle) : nil
        asksForAnswers = !["acks", "request.required.acks"].contains { configuration[$0] == "0" }
        fullBatch = configuration["batch.num.messages"].flatMap { Int($0) } ?? 10_000
        self.queue = queue
        self.wake = Descriptor(owning: wake)
        self.sink = sink
        // librdkafka writes these 8 bytes when the queue turns from empty to not empty, and only then.
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(queue, wake, &one, 8)
        do throws(SystemError) {
            try EventLoop.shared.watch(wake, for: .readable) { [weak self] _ in self?.drain() }
        } catch {
            close()
            throw KafkaError(code: RD_KAFKA_RESP_ERR__FAIL.rawValue, error.description)
        }
        // What came before it was enabled gave no sign.
        signalSelf()
    }

    // MARK: Sending

    /// From now on messages of `topic` go to `partition`, whatever their key; with nil, to that of their key.
    public func pin(_ topic: String, to partition: Int32?) { pins[topic] = partition }

    /// Hands `message` over. Its report comes later, with `opaque`, however it ends.
    /// - Throws: `isQueueFull` when it has to wait for reports; anything else is about this message or the instance.
    public func send(_ message: Message, opaque: UInt64) throws(KafkaError) {
        if let fault = send([message], opaque: { _ in opaque }).fault { throw fault }
    }

    /// Hands `messages` over, in order, until one is not taken. Their reports come later, each with what `opaque` gave for its
    /// place, however they end.
    ///
    /// The sending thread wakes with the first: what takes long is done before it for all of them, and it is told when all are
    /// there (`Push`), so that they are sent together and not in a dozen requests.
    /// - Returns: how many were taken, and what was wrong with the one behind them; see `send`.
    public func send(
        _ messages: [Message], opaque: (Int) -> UInt64
    ) -> (sent: Int, fault: KafkaError?) {
        guard !isClosed else { return (0, KafkaError(RD_KAFKA_RESP_ERR__DESTROY)) }
        let headers = messages.map { $0.headers.isEmpty ? nil : Self.headers($0.headers) }
        for place in messages.indices {
            do throws(KafkaError) { try send(messages[place], headers[place], opaque(place)) } catch {
                // Headers are taken over only where produceva succeeds.
                for left in headers[place...] { if let left { rd_kafka_headers_destroy(left) } }
                if place > 0 { push?.push() }
                return (place, error)
            }
            outstanding += 1
        }
        if messages.count < fullBatch { push?.push() }
        return (messages.count, nil)
    }

    private func send(_ message: Message, _ headers: OpaquePointer?, _ opaque: UInt64) throws(KafkaError) {
        let topic = try handle(of: message.topic)
        let partition = pins[message.topic]
        var key = message.key
        let error = key.withUTF8 { key in
            guard let value = message.value else { return produce(topic, partition, key, nil, headers, opaque) }
            return value.withUnsafeBufferPointer { value in
                // An empty value must have an address: without one it would be a tombstone.
                let start = UnsafeMutableRawPointer(mutating: value.baseAddress ?? key.baseAddress)
                return produce(
                    topic, partition, key, UnsafeMutableRawBufferPointer(start: start, count: value.count), headers,
                    opaque)
            }
        }
        // (Given one by one, 2.0.2 frees headers twice: #4627.)
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw KafkaError(
            code: rd_kafka_error_code(error).rawValue, String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0)
    }

    private func produce(
        _ topic: OpaquePointer, _ partition: Int32?, _ key: UnsafeBufferPointer<UInt8>,
        _ value: UnsafeMutableRawBufferPointer?, _ headers: OpaquePointer?, _ opaque: UInt64
    ) -> OpaquePointer? {
        withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 7) { vus in
            var count = 0
            func add(_ type: rd_kafka_vtype_t, _ value: rd_kafka_vu_s.__Unnamed_union_u) {
                vus.initializeElement(at: count, to: rd_kafka_vu_t(vtype: type, u: value))
                count += 1
            }
            add(RD_KAFKA_VTYPE_RKT, .init(rkt: topic))
            let key = UnsafeMutableRawPointer(mutating: key.baseAddress).map { (pointer: $0, size: key.count) }
            add(RD_KAFKA_VTYPE_KEY, .init(mem: .init(ptr: key?.pointer, size: key?.size ?? 0)))
            add(RD_KAFKA_VTYPE_VALUE, .init(mem: .init(ptr: value?.baseAddress, size: value?.count ?? 0)))
            add(RD_KAFKA_VTYPE_MSGFLAGS, .init(i: RD_KAFKA_MSG_F_COPY))
            add(RD_KAFKA_VTYPE_OPAQUE, .init(ptr: UnsafeMutableRawPointer(bitPattern: UInt(opaque))))
            if let partition { add(RD_KAFKA_VTYPE_PARTITION, .init(i32: partition)) }
            if let headers { add(RD_KAFKA_VTYPE_HEADERS, .init(headers: headers)) }
            return rd_kafka_produceva(instance.pointer.raw, vus.baseAddress, count)
        }
    }

    private static func headers(_ block: [UInt8]) -> OpaquePointer? {
        let headers = rd_kafka_headers_new(16)
        block.withUnsafeBytes { block in
            Message.forEachHeader(block) { name, value in
                name.withMemoryRebound(to: CChar.self) { name in
                    _ = rd_kafka_header_add(headers, name.baseAddress, name.count, value.baseAddress, value.count)
                }
            }
        }
        return headers
    }

    private func handle(of topic: String) throws(KafkaError) -> OpaquePointer {
        if let known = topics[topic] { return known }
        guard let made = rd_kafka_topic_new(instance.pointer.raw, topic, nil) else {
            throw KafkaError(rd_kafka_last_error())
        }
        topics[topic] = made
        return made
    }

    // MARK: Asking and ending

    /// Asks the cluster for `topic`, on another thread; waits at most `milliseconds` for a broker.
    public func state(of topic: String, within milliseconds: Int32 = 5000) async -> TopicState {
        let state = await instance.state(of: topic, within: milliseconds)
        if case .unreachable = state { return state }
        isConnected = true
        return state
    }

    /// Gives back all messages without an answer: their reports come as errors for which `isPurge`.
    public func purge() {
        guard !isClosed else { return }
        rd_kafka_purge(
            instance.pointer.raw,
            RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
    }

    /// Waits until every message is reported, at most `milliseconds`.
    /// - Returns: whether all were.
    public func flush(within milliseconds: Int64) async -> Bool {
        guard outstanding > 0, !isClosed else { return outstanding == 0 }
        let deadline = EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self] in self?.wakeWaiters() }
        await withCheckedContinuation { waiters.append($0) }
        EventLoop.shared.cancel(deadline)
        return outstanding == 0
    }

    /// No event comes any more, nothing is sent. What was not reported counts as not delivered.
    public func close() {
        guard !isClosed else { return }
        release()
        wakeWaiters()
        isEnding = true
        Task { [instance, push] in
            await instance.destroy(after: push)
            isEnding = false
            wakeWaiters()
        }
    }

    /// Gives back everything but the handle, in the order that librdkafka wants.
    private func release() {
        isClosed = true
        EventLoop.shared.unwatch(wake.raw)
        rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics = [:]
        rd_kafka_queue_destroy(queue)
    }

    // Forgotten without `close`: librdkafka must not go on writing to a descriptor that will soon be another's.
    isolated deinit {
        guard !isClosed else { return }
        release()
        Task { [instance, push] in await instance.destroy(after: push) }
    }

    private var isEnding = false

    /// Waits until the threads of a closed producer have ended, at most `milliseconds`.
    /// - Returns: whether they have.
    @discardableResult
    public func ended(within milliseconds: Int64 = 10_000) async -> Bool {
        guard isEnding else { return isClosed }
        let deadline = EventLoop.shared.schedule(inMilliseconds: milliseconds) { [self] in wakeWaiters() }
        await withCheckedContinuation { waiters.append($0) }
        EventLoop.shared.cancel(deadline)
        return !isEnding
    }

    private func wakeWaiters() {
        let woken = waiters
        waiters = []
        for waiter in woken { waiter.resume() }
    }

    // MARK: Events

    private func signalSelf() {
        var one: UInt64 = 1
        _ = write(wake.raw, &one, 8)
    }

    /// Takes what is there; after a thousand events others come first.
    private func drain() {
        var counter: UInt64 = 0
        _ = read(wake.raw, &counter, 8)
        for _ in 0..<1000 {
            guard !isClosed, let event = rd_kafka_queue_poll(queue, 0) else { return }
            take(event)
            rd_kafka_event_destroy(event)
        }
        if !isClosed { signalSelf() }
    }

    private func take(_ event: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR: takeReports(event)
        case RD_KAFKA_EVENT_ERROR: takeError(event)
        case RD_KAFKA_EVENT_LOG:
            var facility: UnsafePointer<CChar>?
            var text: UnsafePointer<CChar>?
            var level: Int32 = 0
            guard rd_kafka_event_log(event, &facility, &text, &level) == 0, let facility, let text else { return }
            sink(.log(level: Int(level), facility: String(cString: facility), text: String(cString: text)))
        case RD_KAFKA_EVENT_STATS:
            guard let text = rd_kafka_event_stats(event) else { return }
            let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text))
            brokers = BrokerCount(statistics: bytes)
            sink(.statistics(Array(bytes)))
        default: return
        }
    }

    private func takeReports(_ event: OpaquePointer) {
        var reports: [DeliveryReport] = []
        reports.reserveCapacity(rd_kafka_event_message_count(event))
        while let message = rd_kafka_event_message_next(event) {
            let code = message.pointee.err
            // Whoever wants no acknowledgement gets no offset.
            let isUnproven = asksForAnswers && message.pointee.offset == Int64(RD_KAFKA_OFFSET_INVALID)
            reports.append(
                DeliveryReport(
                    opaque: UInt64(UInt(bitPattern: message.pointee._private)),
                    error: code != RD_KAFKA_RESP_ERR_NO_ERROR ? KafkaError(code) : isUnproven ? .unproven : nil,
                    isPossiblyPersisted: rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED,
                    partition: message.pointee.partition, offset: message.pointee.offset))
        }
        outstanding -= reports.count
        if reports.contains(where: { $0.error == nil }) { isConnected = true }
        sink(.reports(reports))
        if outstanding == 0 { wakeWaiters() }
    }

    private func takeError(_ event: OpaquePointer) {
        let code = rd_kafka_event_error(event)
        var error = KafkaError(code: code.rawValue, String(cString: rd_kafka_event_error_string(event)))
        // The event carries the cause's number in some versions and _FATAL in others.
        if rd_kafka_event_error_is_fatal(event) != 0 || code == RD_KAFKA_RESP_ERR__FATAL {
            let (cause, said) = withErrorText { rd_kafka_fatal_error(instance.pointer.raw, $0, $1) }
            error = KafkaError(code: cause.rawValue, said, isFatal: true)
            fatal = error
        }
        if error.isAllBrokersDown { isConnected = false }
        sink(.error(error))
    }
}
