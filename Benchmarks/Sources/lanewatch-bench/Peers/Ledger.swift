import CRdKafka
import Glibc
import Loop
import Synchronization

/// What came of a run's lines, by the one consumer of all topics.
///
/// A line is known by its number. Each writer's numbers follow each other, so that a line that comes after a later one of its
/// writer is out of order.
final class Ledger: Sendable {
    struct Range: Sendable {
        var first: Int
        var count: Int
    }

    private struct State {
        var arrivals: [Int64]
        /// The highest number that came, a range.
        var newest: [Int]
        var arrived = 0
        var repeated = 0
        var reordered = 0
        var firstAt: Int64 = 0
        var lastAt: Int64 = 0
    }

    let ranges: [Range]
    private let first: Int
    private let end: Int
    private let state: Mutex<State>

    /// - Parameter ranges: one a writer, without holes between them.
    init(_ ranges: [Range]) {
        self.ranges = ranges
        first = ranges.first?.first ?? 0
        end = ranges.last.map { $0.first + $0.count } ?? 0
        state = Mutex(State(arrivals: [Int64](repeating: 0, count: end - first), newest: ranges.map { $0.first - 1 }))
    }

    func note(_ number: Int, at moment: Int64) {
        guard number >= first, number < end else { return }
        state.withLock { state in
            guard state.arrivals[number - first] == 0 else {
                state.repeated += 1
                return
            }
            state.arrivals[number - first] = moment
            state.arrived += 1
            if state.firstAt == 0 { state.firstAt = moment }
            state.lastAt = moment
            guard let range = ranges.firstIndex(where: { number < $0.first + $0.count }) else { return }
            if number < state.newest[range] { state.reordered += 1 } else { state.newest[range] = number }
        }
    }

    var arrived: Int { state.withLock { $0.arrived } }
    var repeated: Int { state.withLock { $0.repeated } }
    var reordered: Int { state.withLock { $0.reordered } }
    /// Boot time in ns of the first and the last arrival.
    var firstAt: Int64 { state.withLock { $0.firstAt } }
    var lastAt: Int64 { state.withLock { $0.lastAt } }

    func arrival(of number: Int) -> Int64? {
        state.withLock { state in
            let moment = state.arrivals[number - first]
            return moment == 0 ? nil : moment
        }
    }

    /// How many of the first `accepted[i]` lines of each range did not come.
    func lost(of accepted: [Int]) -> Int {
        state.withLock { state in
            zip(ranges, accepted).reduce(0) { sum, pair in
                let begin = pair.0.first - first
                return sum + state.arrivals[begin..<begin + pair.1].count { $0 == 0 }
            }
        }
    }

    /// Waits until `count` came, or nothing more comes for `patience` seconds, or `limit` seconds are over.
    func wait(for count: Int, patience: Double, limit: Double) {
        let begin = Boottime.nanoseconds()
        var seen = (count: -1, at: begin)
        while true {
            let now = Boottime.nanoseconds()
            let arrived = self.arrived
            if arrived >= count || Double(now - begin) / 1e9 > limit { return }
            if arrived != seen.count { seen = (arrived, now) }
            if Double(now - seen.at) / 1e9 > patience { return }
            usleep(2000)
        }
    }
}

/// A message as it came, whole.
struct Sample: Sendable {
    var value: [UInt8]
    var headers: [(name: String, value: String)]
}

/// The one consumer: reads all topics from their beginning, on a thread of its own, and tells the ledger what came when.
final class TopicReader: Sendable {
    private struct State {
        var ledger: Ledger?
        var samples: [Sample] = []
        var wantedSamples = 0
        var isStopping = false
    }

    private let state = Mutex(State())
    private let left = Countdown(1)

    init(_ bootstrap: String, topics: [String]) throws {
        guard let configuration = rd_kafka_conf_new() else { throw RealKafka.Failure(description: "no consumer") }
        let settings = [
            ("bootstrap.servers", bootstrap), ("group.id", "bench"), ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"), ("broker.address.family", "v4"), ("socket.nagle.disable", "true"),
            // A fetch is answered as soon as there is a byte; after an empty one the next comes at once.
            ("fetch.wait.max.ms", "500"), ("fetch.error.backoff.ms", "10"), ("queued.max.messages.kbytes", "131072"),
        ]
        for (key, value) in settings { rd_kafka_conf_set(configuration, key, value, nil, 0) }
        rd_kafka_conf_set_log_cb(configuration, nil)
        guard let raw = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, nil, 0) else {
            throw RealKafka.Failure(description: "no consumer")
        }
        rd_kafka_poll_set_consumer(raw)
        let list = rd_kafka_topic_partition_list_new(Int32(topics.count))
        for topic in topics {
            rd_kafka_topic_partition_list_add(list, topic, 0).pointee.offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
        }
        rd_kafka_assign(raw, list)
        rd_kafka_topic_partition_list_destroy(list)
        let handle = Handle(raw: raw)
        startThread(name: "reader") { self.run(handle) }
    }

    private struct Handle: @unchecked Sendable {
        // @unchecked: rd_kafka_t is made for several threads.
        let raw: OpaquePointer
    }

    func follow(_ ledger: Ledger) { state.withLock { $0.ledger = ledger } }

    /// The next `count` messages, whole; nil where they do not come within `seconds`.
    func sample(_ count: Int, within seconds: Double, _ body: () -> Void) -> [Sample]? {
        state.withLock { state in
            state.samples = []
            state.wantedSamples = count
        }
        body()
        let end = Boottime.nanoseconds() + Int64(seconds * 1e9)
        while Boottime.nanoseconds() < end {
            let samples = state.withLock { $0.samples }
            if samples.count == count { return samples }
            usleep(5000)
        }
        return nil
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        left.wait(15)
    }

    private func run(_ handle: Handle) {
        while !state.withLock({ $0.isStopping }) {
            guard let message = rd_kafka_consumer_poll(handle.raw, 200) else { continue }
            defer { rd_kafka_message_destroy(message) }
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, let payload = message.pointee.payload else {
                continue
            }
            let now = Boottime.nanoseconds()
            let value = UnsafeRawBufferPointer(start: payload, count: message.pointee.len)
            guard let number = Lines.number(of: value) else { continue }
            let (ledger, wanted) = state.withLock { ($0.ledger, $0.samples.count < $0.wantedSamples) }
            if wanted { keep(message, value) }
            ledger?.note(number, at: now)
        }
        rd_kafka_consumer_close(handle.raw)
        rd_kafka_destroy(handle.raw)
        _ = left.isLast()
    }

    private func keep(_ message: UnsafePointer<rd_kafka_message_t>, _ value: UnsafeRawBufferPointer) {
        var sample = Sample(value: Array(value), headers: [])
        var headers: OpaquePointer?
        if rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers {
            var place = 0
            var name: UnsafePointer<CChar>?
            var bytes: UnsafeRawPointer?
            var size = 0
            while rd_kafka_header_get_all(headers, place, &name, &bytes, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
                let text = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size), as: UTF8.self)
                sample.headers.append((name.map { String(cString: $0) } ?? "", text))
                place += 1
            }
        }
        state.withLock { $0.samples.append(sample) }
    }
}
