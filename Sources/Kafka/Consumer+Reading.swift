import CRdKafka
import Loop

extension Consumer {
    /// How far a read is, for each span.
    private struct Course {
        /// The offset that is awaited next.
        var next: [Int64]
        var isDone: [Bool]
        var left: Int

        init(_ spans: ArraySlice<Span>) {
            next = spans.map(\.begin)
            isDone = spans.map { $0.count == 0 }
            left = isDone.count { !$0 }
        }

        mutating func end(_ place: Int) {
            guard !isDone[place] else { return }
            isDone[place] = true
            left -= 1
        }
    }

    private struct Key: Hashable {
        var topic: OpaquePointer
        var partition: Int32
    }

    /// Reads `spans` to their ends and calls `body` with each record: of one partition in order, of several mixed. `body`
    /// returns whether to go on.
    /// - Throws: a topic is gone or may not be read; no record came for `patienceMilliseconds`, with the reason where
    ///   librdkafka knows one. What was read before was told to `body`.
    public func read(_ spans: [Span], _ body: (ConsumedRecord) -> Bool) throws(KafkaError) {
        var begin = 0
        while begin < spans.count {
            let end = min(begin + Self.partitionsAtOnce, spans.count)
            guard try read(group: spans[begin..<end], body) else { return }
            begin = end
        }
    }

    private func read(
        group: ArraySlice<Span>, _ body: (ConsumedRecord) -> Bool
    ) throws(KafkaError) -> Bool {
        var course = Course(group)
        guard course.left > 0 else { return true }
        guard let queue = rd_kafka_queue_new(handle) else { throw KafkaError(RD_KAFKA_RESP_ERR__FAIL) }
        defer { rd_kafka_queue_destroy(queue) }
        var places: [Key: Int] = [:]
        var started: [Key] = []
        defer { for key in started { rd_kafka_consume_stop(key.topic, key.partition) } }
        for (place, span) in group.enumerated() where span.count > 0 {
            let key = Key(topic: try topic(span.topic), partition: span.partition)
            guard rd_kafka_consume_start_queue(key.topic, span.partition, span.begin, queue) == 0 else {
                throw failure(rd_kafka_last_error())
            }
            places[key] = place
            started.append(key)
        }
        let capacity = 1000
        let room = UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>.allocate(capacity: capacity)
        room.initialize(repeating: nil, count: capacity)
        defer { room.deallocate() }
        var deadline = Boottime.milliseconds() + Self.patienceMilliseconds
        var last: (key: Key, place: Int)?
        while course.left > 0 {
            let count = rd_kafka_consume_batch_queue(queue, 200, room, capacity)
            guard count >= 0 else { throw failure(rd_kafka_last_error()) }
            var stopped: KafkaError?
            var goesOn = true
            var moved = false
            for index in 0..<count {
                guard let message = room[index] else { continue }
                defer { rd_kafka_message_destroy(message) }
                guard stopped == nil, goesOn, let topic = message.pointee.rkt else { continue }
                let key = Key(topic: topic, partition: message.pointee.partition)
                if last?.key != key {
                    guard let place = places[key] ?? place(of: key, in: group) else { continue }
                    places[key] = place
                    last = (key, place)
                }
                guard let place = last?.place else { continue }
                let end = group[group.startIndex + place].end
                guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                    // Behind the end, or a broker that is new as leader and does not know yet how far readers may go.
                    if message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                        if message.pointee.offset >= end { course.end(place) }
                    } else if let error = lasting(message) {
                        stopped = error
                    }
                    continue
                }
                let offset = message.pointee.offset
                moved = true
                if offset < end, !course.isDone[place], offset >= course.next[place] {
                    course.next[place] = offset + 1
                    goesOn = body(ConsumedRecord(message: message, span: group.startIndex + place))
                }
                if offset >= end - 1 { course.end(place) }
            }
            if let stopped { throw stopped }
            guard goesOn else { return false }
            note()
            if moved {
                deadline = Boottime.milliseconds() + Self.patienceMilliseconds
            } else if Boottime.milliseconds() >= deadline {
                throw stalled(group, course.next, course.isDone)
            }
        }
        return true
    }

    /// Nothing promises that a message's topic is the very handle that reading was begun with: then its name tells.
    private func place(of key: Key, in group: ArraySlice<Span>) -> Int? {
        guard let name = rd_kafka_topic_name(key.topic).map({ String(cString: $0) }) else { return nil }
        return group.enumerated().first { $0.element.topic == name && $0.element.partition == key.partition }?.offset
    }

    /// The error of `message` where trying again will not help; nil otherwise, and it is kept as the reason.
    private func lasting(_ message: UnsafePointer<rd_kafka_message_t>) -> KafkaError? {
        let text = rd_kafka_message_errstr(message).map { String(cString: $0) }
        let plain = KafkaError(message.pointee.err)
        let error = KafkaError(code: plain.code, text ?? plain.description)
        if error.isOfTopic || error.isOfAuthority || message.pointee.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET {
            return error
        }
        keep(error)
        return nil
    }

    private func stalled(_ group: ArraySlice<Span>, _ next: [Int64], _ isDone: [Bool]) -> KafkaError {
        let open = zip(group, zip(next, isDone)).first { !$0.1.1 }
        guard let open else { return failure(RD_KAFKA_RESP_ERR__TIMED_OUT) }
        let reason = said.map { ": \(LinkFault($0)?.sentence ?? $0.description)" } ?? ""
        return KafkaError(
            code: RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue,
            "nothing came of \(open.0.topic) partition \(open.0.partition) from offset \(open.1.0) on (up to "
                + "\(open.0.end)) for \(Self.patienceMilliseconds / 1000) s\(reason)")
    }

    // MARK: All at once

    /// All records of `topics`, topic by topic, partition by partition, in order, read on a thread of its own. For what
    /// fits into memory: tests, small topics.
    /// - Throws: `_QUEUE_FULL` past `limit` records.
    public static func records(
        of topics: [String], _ configuration: ClientConfiguration, limit: Int = 1_000_000
    ) async throws(KafkaError) -> [KeptRecord] {
        let reader = RecordReader()
        return try await reader.records(of: topics, configuration, limit: limit).get()
    }
}

/// A thread on which a consumer may block.
private actor RecordReader {
    private nonisolated let executor = ThreadExecutor(name: "kafka-read")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    deinit { executor.stop() }

    func records(
        of topics: [String], _ configuration: ClientConfiguration, limit: Int
    ) -> Result<[KeptRecord], KafkaError> {
        do throws(KafkaError) {
            let consumer = try Consumer(configuration)
            defer { consumer.close() }
            var spans: [Consumer.Span] = []
            for topic in topics { spans += try consumer.spans(of: topic) }
            var kept = [[KeptRecord]](repeating: [], count: spans.count)
            var count = 0
            try consumer.read(spans) { record in
                kept[record.span].append(KeptRecord(record, topic: spans[record.span].topic))
                count += 1
                return count <= limit
            }
            guard count <= limit else {
                throw KafkaError(
                    code: RD_KAFKA_RESP_ERR__QUEUE_FULL.rawValue, "more than \(limit) records: read them by spans")
            }
            return .success(kept.flatMap { $0 })
        } catch { return .failure(error) }
    }
}
