import CRdKafka
import Glibc
import Loop
import Synchronization

/// Plain librdkafka, as its introduction shows it: rd_kafka_produce, a delivery report callback, a thread that polls.
/// The floor that delivery is measured against.
final class PlainProducer: @unchecked Sendable {
    // @unchecked: rd_kafka_t is made for several threads; the times are guarded by their Mutex.
    private let handle: OpaquePointer
    private let topic: OpaquePointer
    private let times: Times
    private let count: Int

    private final class Times: Sendable {
        let values = Mutex<[Int64]>([])
    }

    init?(_ settings: [(String, String)], topic name: String, count: Int) {
        self.count = count
        guard let configuration = rd_kafka_conf_new() else { return nil }
        for (key, value) in settings { rd_kafka_conf_set(configuration, key, value, nil, 0) }
        rd_kafka_conf_set_log_cb(configuration, nil)
        rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, opaque in
            guard let message, let opaque, message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else { return }
            let times = Unmanaged<Times>.fromOpaque(opaque).takeUnretainedValue()
            times.values.withLock { $0[Int(bitPattern: message.pointee._private)] = Boottime.nanoseconds() }
        }
        let times = Times()
        times.values.withLock { $0 = [Int64](repeating: 0, count: count) }
        self.times = times
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(times).toOpaque())
        guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0),
            let topic = rd_kafka_topic_new(handle, name, nil)
        else { return nil }
        self.handle = handle
        self.topic = topic
    }

    /// Sends `count` values of `bytes` bytes, `rate` a second (0: at once); the milliseconds from send to report.
    func run(bytes: Int, rate: Int) -> Samples {
        let value = [UInt8](repeating: 0x61, count: bytes)
        var sent = [Int64](repeating: 0, count: count)
        let begin = Boottime.nanoseconds()
        for i in 0..<count {
            if rate > 0 {
                Pace.wait(until: begin + Int64(i) * 1_000_000_000 / Int64(rate)) { rd_kafka_poll(self.handle, 0) }
            }
            sent[i] = Boottime.nanoseconds()
            _ = value.withUnsafeBytes { value in
                rd_kafka_produce(
                    topic, RD_KAFKA_PARTITION_UA, Int32(RD_KAFKA_MSG_F_COPY),
                    UnsafeMutableRawPointer(mutating: value.baseAddress),
                    value.count, "lane", 4, UnsafeMutableRawPointer(bitPattern: i))
            }
        }
        rd_kafka_flush(handle, 20_000)
        var samples = Samples()
        times.values.withLock { times in
            for i in 0..<count where times[i] > 0 { samples.add(Double(times[i] - sent[i]) / 1e6) }
        }
        return samples
    }

    deinit {
        rd_kafka_topic_destroy(topic)
        rd_kafka_destroy(handle)
    }
}

enum Pace {
    /// Waits until CLOCK_BOOTTIME shows `moment`, calling `meanwhile` every 100 µs or so.
    static func wait(until moment: Int64, _ meanwhile: () -> Void = {}) {
        while true {
            meanwhile()
            let left = moment - Boottime.nanoseconds()
            if left <= 0 { return }
            usleep(useconds_t(min(100, left / 1000 + 1)))
        }
    }
}
