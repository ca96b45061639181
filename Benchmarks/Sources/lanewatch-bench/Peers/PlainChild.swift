import CRdKafka
import Delivery
import Glibc
import Loop

/// `lanewatch-bench plain BOOTSTRAP TOPIC ours|wide TEMPLATE [KEY=VALUE …]`: librdkafka and nothing else, as a process of its own.
///
/// Reads `FIRST COUNT RATE` a line, sends the lines FIRST … of the template, RATE a second (0: as fast as they are taken), says
/// `taken` when all were taken by librdkafka, after it with a rate the moments in boot nanoseconds when each was handed over,
/// and `done` when all are acknowledged.
enum PlainChild {
    static let templateNumber = 146_389_364

    static func run(_ words: [String]) {
        guard words.count >= 4, let template = Template(file: words[3], of: templateNumber) else { return }
        var settings = ProducerDefaults.configuration(
            clientID: "plain",
            overrides: [
                .init("bootstrap.servers", words[0]), .init("broker.address.family", "v4"),
                // Ours pushes what it hands over; with our linger a plain one would only wait.
                .init("linger.ms", "0"),
            ]
        ).settings
        if words[2] == "wide" {
            settings += [
                .init("queue.buffering.max.messages", "200000"), .init("queue.buffering.max.kbytes", "1000000"),
                .init("batch.num.messages", "10000"), .init("linger.ms", "5"),
            ]
        }
        for word in words.dropFirst(4) {
            let parts = word.split(separator: "=", maxSplits: 1).map { String($0) }
            if parts.count == 2 { settings.append(.init(parts[0], parts[1])) }
        }
        guard let configuration = rd_kafka_conf_new() else { return }
        for setting in settings { rd_kafka_conf_set(configuration, setting.key, setting.value, nil, 0) }
        rd_kafka_conf_set_log_cb(configuration, nil)
        guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0),
            let topic = rd_kafka_topic_new(handle, words[1], nil)
        else { return }
        while let line = readLine() {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 3 else { return }
            send(handle, topic, template, first: numbers[0], count: numbers[1], rate: numbers[2])
        }
        rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        rd_kafka_flush(handle, 2000)
    }

    private static func send(
        _ handle: OpaquePointer, _ topic: OpaquePointer, _ template: Template, first: Int, count: Int, rate: Int
    ) {
        var sent: [Int64] = []
        let begin = Boottime.nanoseconds()
        for i in 0..<count {
            if rate > 0 {
                Pace.wait(until: begin + Int64(i) * 1_000_000_000 / Int64(rate)) { rd_kafka_poll(handle, 0) }
                sent.append(Boottime.nanoseconds())
            }
            let value = template.line(first + i)
            while true {
                let code = value.withUnsafeBytes { value in
                    rd_kafka_produce(
                        topic, RD_KAFKA_PARTITION_UA, Int32(RD_KAFKA_MSG_F_COPY),
                        UnsafeMutableRawPointer(mutating: value.baseAddress), value.count, "lane", 4, nil)
                }
                if code == 0 { break }
                // Full: reports make room.
                rd_kafka_poll(handle, 10)
            }
            if i % 100 == 0 { rd_kafka_poll(handle, 0) }
        }
        say("taken")
        for moment in sent { say(String(moment)) }
        rd_kafka_flush(handle, 120_000)
        say("done")
    }

    private static func say(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(1, bytes, bytes.count)
    }
}
