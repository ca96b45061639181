import Foundation
import Kafka
import KafkaBed
import Lane
import LaneTesting
import Testing

/// Only where `KAFKA_HOME` names an Apache Kafka: each fault made on purpose, and `lanewatch verify` has to name it.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(8))) struct RealKafkaVerifyTests {
    @Test func eachFaultOfAStreamIsNamed() async throws {
        let cluster = try await KafkaBed(nodes: 1)
        do {
            try await eachFault(cluster)
            try await partitionsAdded(cluster)
            try await since(cluster)
            try await compacted(cluster)
        } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    private func eachFault(_ cluster: KafkaBed) async throws {
        var logs: [LaneLog] = []
        func spoiled(_ name: String, _ spoil: (inout LaneLog) -> Void) {
            var log = VerifyBed.log("sco.\(name)")
            spoil(&log)
            logs.append(log)
        }
        let right = [
            VerifyBed.log("sco.clean"), VerifyBed.log("sco.clean", lane: "08"), VerifyBed.audit("sco.clean-audit"),
        ]
        spoiled("missing") { $0.records.removeSubrange(10..<17) }
        spoiled("order") { $0.records.swapAt(10, 11) }
        spoiled("conflict") { log in
            log.records.append(log.records[40])
            log.change(50, "scanner", "printer")
        }
        spoiled("key") { $0.records[5].key = Array("0042/08".utf8) }
        spoiled("headers") { $0.setHeader(5, "ce_time", nil) }
        spoiled("id") { $0.setHeader(5, "ce_id", LaneUUID(hashing: ["other"]).description) }
        spoiled("value") { $0.records[5].value = nil }
        spoiled("schema") { $0.change(5, "\"port\":\"1-1\"", "\"port\":1") }
        spoiled("unknown") { log in
            log.setHeader(5, "ce_type", "sco.device.eaten.v1")
            log.setHeader(5, "ce_dataschema", "urn:lanewatch:schema:sco.device.eaten.v1")
        }
        spoiled("repeats") { $0.records += $0.records.suffix(20) }
        spoiled("epoch") { log in
            log.begin(epoch: 60_400)
            for _ in 0..<10 { log.add() }
        }
        var chain = VerifyBed.audit("sco.chain")
        chain.change(9, "abab", "cdcd")
        logs.append(chain)
        for topic in Set((right + logs).map(\.topic)) { try await cluster.create(topic) }
        try await VerifyBed.publish(right, to: cluster.bootstrap, isRight: true)
        try await VerifyBed.publish(logs, to: cluster.bootstrap)

        let clean = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.clean", "-t", "sco.clean-audit")
        #expect(clean.code == 0, "\(clean.lines)")
        #expect(
            clean.last.hasPrefix("clean: 120 records of 2 lanes on 2 topics: every sequence is there"), "\(clean.last)")
        let all = try await VerifyBed.verify("-b", cluster.bootstrap, "--json")
        #expect(all.code == 1)
        for fault in ["order", "conflict", "key", "headers", "id", "value", "schema", "unknown", "chain"] {
            #expect(try all.faults("sco.\(fault)") == "{\"\(fault)\":1}", "\(fault)")
        }
        #expect(try all.faults("sco.missing") == #"{"missing":7}"#)
        #expect(try all.stream("sco.missing")["epochs"]?.elements?.first?["gaps"]?.written == "[[11,17]]")
        #expect(try all.faults("sco.repeats") == "{}" && all.stream("sco.repeats")["repeats"]?.int == 20)
        #expect(try all.faults("sco.epoch") == "{}" && all.stream("sco.epoch")["epochs"]?.elements?.count == 2)
        let strict = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.repeats", "--strict")
        #expect(strict.code == 1 && strict.last.contains("20 came again"), "\(strict.lines)")
        let text = try await VerifyBed.verify("-b", cluster.bootstrap)
        for line in text.lines { print("verify:", line) }
        #expect(text.code == 1 && text.last.hasPrefix("not clean: of "))
    }

    /// An operator adds partitions while lanes write: from then on some lanes go elsewhere.
    private func partitionsAdded(_ cluster: KafkaBed) async throws {
        try await cluster.create("sco.split")
        var logs: [LaneLog] = (0..<8).map { VerifyBed.log("sco.split", 20, lane: "\($0)") }
        try await VerifyBed.publish(logs, to: cluster.bootstrap, isRight: true)
        try await cluster.tool(
            "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", "@", "--alter", "--topic", "sco.split",
            "--partitions", "8")
        for place in logs.indices {
            logs[place].records = []
            for _ in 0..<20 { logs[place].add() }
        }
        try await VerifyBed.publish(logs, to: cluster.bootstrap, isRight: true)
        let answer = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.split")
        #expect(answer.code == 1 && answer.last.contains("on several partitions"), "\(answer.lines)")
        // It is told of those that moved, nothing is missing, and no order is blamed on the lanes.
        #expect(!answer.last.contains("missing") && !answer.last.contains("out of order"))
    }

    private func since(_ cluster: KafkaBed) async throws {
        try await cluster.create("sco.since", partitions: 2, "message.timestamp.type=LogAppendTime")
        var log = VerifyBed.log("sco.since", 30)
        log.records.remove(at: 7)
        try await VerifyBed.publish([log], to: cluster.bootstrap)
        let first = try await Consumer.records(
            of: ["sco.since"], ClientConfiguration(["bootstrap.servers": cluster.bootstrap]))
        let last = try #require(first.compactMap(\.timestamp).max())
        try await Task.sleep(for: .milliseconds(20))
        log.records = []
        for _ in 0..<12 { log.add() }
        try await VerifyBed.publish([log], to: cluster.bootstrap, isRight: true)
        let whole = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.since")
        #expect(whole.code == 1 && whole.last.contains("1 message is missing"), "\(whole.lines)")
        let time = WallInstant(milliseconds: last + 1).rfc3339
        let young = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.since", "--since", time)
        #expect(young.code == 0 && young.last.hasPrefix("clean: 12 records"), "\(young.lines)")
        #expect(young.lines.contains { $0.contains("begins at 31") })
        let none = try await VerifyBed.verify(
            "-b", cluster.bootstrap, "-t", "sco.since", "--since", "2099-01-01T00:00:00Z")
        #expect(none.code == 0 && none.last == "clean: there is nothing to verify")
    }

    private func compacted(_ cluster: KafkaBed) async throws {
        try await cluster.create("sco.lane-state", partitions: 1, "cleanup.policy=compact")
        var log = LaneLog("sco.lane-state")
        for _ in 0..<10 {
            log.addLaneState()
        }
        log.records.removeSubrange(3..<6)
        try await VerifyBed.publish([log], to: cluster.bootstrap, isRight: true)
        let clean = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.lane-state")
        #expect(clean.code == 0, "\(clean.lines)")
        log.records = [log.records[2]]
        try await VerifyBed.publish([log], to: cluster.bootstrap, isRight: true)
        let stale = try await VerifyBed.verify("-b", cluster.bootstrap, "-t", "sco.lane-state")
        #expect(stale.code == 1 && stale.last.contains("1 stream ends on an old message"), "\(stale.lines)")
    }
}
