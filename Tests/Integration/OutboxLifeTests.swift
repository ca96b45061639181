import Foundation
import Lane
import Testing

extension Integration {
    /// The agent as a process, and its outbox taken away, damaged, and filled up under it.
    @Suite(.serialized) struct OutboxLife {
        static let rules = """
            format: 1
            rules:
              - {id: refused, on: item.refused, same: code, severity: info, clear_after: 1h}
            """

        private func send(_ lane: LaneUnderTest, _ codes: ClosedRange<Int>) throws {
            for code in codes {
                let answer = try lane.send(#"{"type":"item.refused","code":"\#(code)","ack":true}"#)
                #expect(answer.number != nil, "\(code): \(answer.error ?? "")")
            }
        }

        private func codes(_ records: [Record]) -> [String] {
            Kcat.deduplicated(records).filter { $0.state == "raised" }.compactMap { $0.value?["key"]?["code"]?.text }
        }

        /// Files removed under the agent, brokers away, kill -9 right after: all that was answered arrives.
        @Test func aDatabaseTakenAwayIsWrittenAnew() throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, true) }
            try send(lane, 1...20)
            for suffix in ["", "-wal"] { try FileManager.default.removeItem(atPath: lane.databasePath + suffix) }
            try send(lane, 21...40)
            #expect(try lane.metric("lanewatch_outbox_replaced_total") == 1)
            try lane.kill()
            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, false) }
            try lane.start()
            try lane.awaitDrained(seconds: 60)
            let records = try lane.records("sco.interventions")
            #expect(codes(records) == (1...40).map { "\($0)" })
            #expect(Set(records.map(\.epoch)).count == 1)
            let audit = try lane.records("sco.audit")
            let alarm = try #require(audit.first { $0["ce_type"] == "sco.outbox.replaced.v1" }?.value)
            #expect(alarm["aside"]?.isNull == true && alarm["epoch"] == alarm["formerEpoch"])
            for topic in LaneUnderTest.topics { try Schemas.validate(try lane.records(topic)) }
        }

        /// Pages destroyed while the agent is down in an outage: what can be read arrives in order, the rest is told, and the alarm.
        @Test func aDamagedDatabaseIsSetAsideAndItsRestIsSent() throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, true) }
            try send(lane, 1...200)
            lane.agent?.signal(SIGTERM)
            #expect(lane.agent?.awaitEnd(seconds: 15) != nil)
            let file = try #require(FileHandle(forUpdatingAtPath: lane.databasePath))
            let pages = try file.seekToEnd() / 4096
            #expect(pages > 20)
            try file.seek(toOffset: pages / 2 * 4096)
            try file.write(contentsOf: Data(repeating: 0x77, count: 2 * 4096))
            try file.close()
            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, false) }
            try lane.start()
            try send(lane, 201...210)
            try lane.awaitDrained(seconds: 60)
            let health = try lane.page("/healthz")
            #expect(health.contains("outbox_aside") && health.contains("outbox.sqlite.damaged-"), "\(health)")
            #expect(try lane.metric("lanewatch_outbox_aside_files") == 1)
            let records = try lane.records("sco.interventions")
            let alarm = try #require(
                try lane.records("sco.audit").first { $0["ce_type"] == "sco.outbox.replaced.v1" }?.value)
            #expect(alarm["aside"]?.text?.contains("outbox.sqlite.damaged-") == true)
            #expect((alarm["salvaged"]?.int ?? 0) > 100)
            #expect((alarm["epoch"]?.int ?? 0) > (alarm["formerEpoch"]?.int ?? .max))
            // In the old epoch each sequence is there or told of; then the new epoch from 1.
            var next: Int64 = 1
            let epochs = Set(records.map(\.epoch)).sorted()
            #expect(epochs.count == 2)
            for record in records where record.epoch == epochs.first {
                let first = record.value?["first"]?.text.flatMap { CloudEvent.parseSequence($0)?.seq }
                if record.seq < next { continue }
                #expect((first ?? record.seq) <= next, "a hole before \(record.seq)")
                next = record.seq + 1
            }
            #expect(codes(records).suffix(10) == (201...210).map { "\($0)" })
            for topic in LaneUnderTest.topics { try Schemas.validate(try lane.records(topic)) }
        }
    }
}
