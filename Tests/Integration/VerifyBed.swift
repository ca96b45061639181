import Foundation
import Kafka
import KafkaBed
import Lane
import LaneTesting
import Loop
import Testing

/// Puts logs on a cluster and asks `lanewatch verify` of them.
enum VerifyBed {
    /// Sends the records of `logs` in their order; keys decide the partition.
    @LoopActor static func publish(_ logs: [LaneLog], to bootstrap: String, isRight: Bool = false) async throws {
        var reports: [DeliveryReport] = []
        let producer = try Producer(
            ClientConfiguration([
                "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": "true", "message.timeout.ms": "0",
                "partitioner": "murmur2_random", "broker.address.family": "v4",
            ])
        ) { event in
            if case .reports(let new) = event { reports += new }
        }
        for log in logs {
            let messages = log.records.map { record in
                Message(
                    topic: log.topic, key: String(decoding: record.key ?? [], as: UTF8.self), value: record.value,
                    headers: HeaderBlock(record.headers.map { CloudEvent.Header($0.0, $0.1) }).bytes)
            }
            let (sent, fault) = producer.send(messages) { UInt64($0) }
            try #require(sent == messages.count, "\(String(describing: fault))")
            try #require(await producer.flush(within: 60_000))
            for record in log.records where isRight {
                RecordShelf.keep(
                    topic: log.topic, key: record.key.map { String(decoding: $0, as: UTF8.self) },
                    headers: record.headers.map { (name: $0.0, value: $0.1) },
                    value: record.value.map { String(decoding: $0, as: UTF8.self) })
            }
        }
        producer.close()
        await producer.ended()
        try #require(reports.allSatisfy { $0.error == nil })
    }

    struct Answer: Sendable {
        var code: Int32
        var lines: [String]
        var last: String { lines.last ?? "" }

        /// The JSON object of a topic's only lane.
        func stream(_ topic: String) throws -> JSONValue {
            let all = try lines.filter { $0.hasPrefix("{") }.map { try JSONValue(parsing: $0) }
            return try #require(all.first { $0["topic"]?.text == topic }, "\(lines)")
        }

        func faults(_ topic: String) throws -> String { try stream(topic)["faults"]?.written ?? "" }
    }

    /// Runs `lanewatch verify` on a thread of its own: a mock cluster in this process has to answer meanwhile.
    static func verify(_ words: String...) async throws -> Answer {
        try await withCheckedThrowingContinuation { done in
            Thread {
                done.resume(
                    with: Result {
                        let (code, lines) = try Program.run(Places.lanewatch, ["verify"] + words, seconds: 120)
                        return Answer(code: code, lines: lines)
                    })
            }.start()
        }
    }

    /// A lane's log of `count` messages, all of them right.
    static func log(_ topic: String, _ count: Int = 50, lane: String = "07") -> LaneLog {
        var log = LaneLog(topic, lane: lane)
        for _ in 0..<count { log.add() }
        return log
    }

    static func audit(_ topic: String = "sco.audit", _ count: Int = 20) -> LaneLog {
        var log = LaneLog(topic)
        for _ in 0..<count {
            log.add(type: "sco.config.applied.v1", chained: true) { json in
                json.member("config", LaneLog.digest)
                json.member("at", LaneLog.wall)
            }
        }
        return log
    }
}
