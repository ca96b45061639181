import Feeds
import Foundation
import Kafka
import Lane
import Outbox
import Testing

@testable import Delivery

extension Integration {
    /// `lanewatch outbox` on a lane: in an outage, while a backlog goes down, and with a message in quarantine.
    @Suite(.serialized) struct OutboxCommands {
        static let rules = """
            format: 1
            rules:
              - {id: refused, title: An item is refused, on: item.refused, same: code, severity: info, clear_after: 1h}
            """

        private func run(_ words: String..., seconds: Double = 90) throws -> (code: Int32, output: [String]) {
            try Program.run(
                Places.lanewatch, ["outbox"] + words, environment: ["NO_COLOR": "1", "TZ": "UTC"], seconds: seconds)
        }

        private func report(_ lane: LaneUnderTest) throws -> JSONValue {
            let (code, output) = try run("--json", "--control", lane.controlPath)
            #expect(code == 0, "\(output)")
            return try JSONValue(parsing: try #require(output.last))
        }

        private func refuse(_ lane: LaneUnderTest, _ codes: ClosedRange<Int>) throws {
            for code in codes {
                _ = try lane.send(#"{"type":"item.refused","code":"\#(code)","ack":true}"#)
            }
        }

        @Test func inAnOutageItSaysWhatWaitsAndWhy() throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            try refuse(lane, 1...1)
            try lane.awaitDrained(seconds: 20)
            #expect(try run("--watch", "--control", lane.controlPath) == (0, ["nothing waits"]))

            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, true) }
            try refuse(lane, 2...41)
            let end = Date(timeIntervalSinceNow: 20)
            var state = ""
            while state != "no_broker", Date() < end { state = try report(lane)["state"]?.text ?? "" }
            let found = try report(lane)
            #expect(found["state"]?.text == "no_broker")
            let topic = found["topics"]?.elements?.first { $0["topic"]?.text == "sco.interventions" }
            #expect(topic?["waiting"]?.int == 40 && topic?["oldest"]?.text != nil)
            #expect(found["epoch"]?.int ?? 0 > 0 && found["usedBytes"]?.int ?? 0 > 0)
            #expect(found["quarantine"]?["messages"]?.int == 0)

            let (code, screen) = try run("--control", lane.controlPath)
            #expect(code == 0)
            #expect(screen.first?.contains("messages wait, the oldest since") == true, "\(screen)")
            #expect(screen.first?.hasSuffix("; no broker answers") == true)
            let row = try #require(screen.first { $0.hasPrefix("sco.interventions ") })
            #expect(row.contains(" 40 ") && row.hasSuffix("no broker answers"))
            #expect(screen.contains { $0.hasPrefix("brokers ") && $0.contains("last acknowledgement") })
            #expect(screen.last == "quarantine  empty")

            // Its time is over, and something waits still.
            let watched = try run("--watch", "--for", "1s", "--control", lane.controlPath)
            #expect(watched.code == 1)
            #expect(watched.output.last?.contains("the time is over, and ") == true, "\(watched.output)")

            let file = lane.folder.appending(path: "waiting.jsonl").path
            let state2 = lane.folder.appending(path: "state").path
            let exported = try run("export", "--topic", "sco.interventions", "--out", file, "--state", state2)
            #expect(exported.code == 0 && exported.output == ["40 messages in \(file)"], "\(exported.output)")
            #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
            let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
                try JSONValue(parsing: String($0))
            }
            #expect(lines.count == 40 && lines.allSatisfy { $0["specversion"]?.text == "1.0" })
            #expect(
                lines.allSatisfy { $0["topic"]?.text == "sco.interventions" && $0["data"]?["state"]?.text == "raised" })
            #expect(Set(lines.compactMap { $0["id"]?.text }).count == 40)
            #expect(lines.compactMap { $0["sequence"]?.text } == lines.compactMap { $0["sequence"]?.text }.sorted())
            // What is there is left alone.
            let again = try run("export", "--out", file, "--state", state2)
            #expect(again.code == 1 && again.output.last?.contains("it is there already") == true)

            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, false) }
            let drained = try run("--watch", "--for", "1m", "--control", lane.controlPath)
            #expect(drained.code == 0 && drained.output.last == "nothing waits", "\(drained.output)")
            #expect(try lane.records("sco.interventions").count == 41)
            try lane.kill()
        }

        /// The first `count` interventions that wait are put into quarantine, as the pump does after five refusals.
        private func withhold(_ lane: LaneUnderTest, _ count: Int) async throws {
            let outbox = try Outbox(OutboxConfiguration(folder: lane.folder.appending(path: "state").path))
            for parcel in try await outbox.lease(topic: "sco.interventions", after: .start, limit: count) {
                let substitute = Quarantine.substitute(for: parcel, because: KafkaError(code: 10))
                try await outbox.moveToDeadLetters(
                    Mark(topic: parcel.topic, position: parcel.position), reason: "MSG_SIZE_TOO_LARGE: too large",
                    substitute: substitute)
            }
            await outbox.close()
        }

        private func withheld(_ report: JSONValue) -> [String] {
            (report["quarantine"]?["list"]?.elements ?? []).compactMap { $0["id"]?.text }
        }

        @Test func theQuarantineIsSeenReleasedAndDiscarded() async throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            try lane.awaitDrained(seconds: 20)
            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, true) }
            try refuse(lane, 1...5)
            try lane.kill()
            try await withhold(lane, 3)
            let state = lane.folder.appending(path: "state").path

            // Without an agent: the folder says it, and says that it does.
            let (code, screen) = try run("--config", lane.configurationPath)
            #expect(code == 0, "\(screen)")
            #expect(screen.contains("no agent listens on \(lane.controlPath); this is read from \(state)"))
            #expect(screen.contains { $0.hasSuffix("; no agent runs") })
            let rows = screen.filter { $0.contains("sco.intervention.raised.v1") }
            #expect(rows.count == 3 && rows.allSatisfy { $0.hasSuffix("MSG_SIZE_TOO_LARGE: too large") })
            let ids = rows.compactMap { $0.split(separator: " ").first.map(String.init) }
            let quarantine = try run("export", "--quarantine", "--state", state)
            #expect(quarantine.code == 0 && quarantine.output.count == 3)
            let first = try JSONValue(parsing: try #require(quarantine.output.first))
            #expect(first["id"]?.text == ids[0] && first["withheldreason"]?.text == "MSG_SIZE_TOO_LARGE: too large")
            #expect(first["data"]?["key"]?["code"]?.text == "1")
            let one = try run("release", String(ids[0].prefix(13)), "--config", lane.configurationPath)
            #expect(
                one.code == 0 && one.output.contains("\(ids[0]) is sent again after the agent's next start"), "\(one)")

            // With one: by it.
            for broker in Int32(1)...3 { try lane.cluster.setDown(broker, false) }
            try lane.start()
            #expect(withheld(try report(lane)) == Array(ids[1...]))
            let health = try lane.page("/healthz")
            #expect(health.contains("quarantine"), "\(health)")
            #expect(try lane.metric("lanewatch_quarantine_messages") == 2)
            let two = try run("release", ids[1], "--control", lane.controlPath)
            #expect(two.code == 0 && two.output == ["\(ids[1]) is sent again"], "\(two)")
            let card = try run("discard", ids[2], "--why", "card 4111111111111111", "--control", lane.controlPath)
            #expect(card.code == 1 && card.output.last?.contains("card number") == true)
            let three = try run("discard", ids[2], "--why", "a test's", "--control", lane.controlPath)
            #expect(three.code == 0 && three.output == ["\(ids[2]) is discarded"], "\(three)")
            let gone = try run("release", ids[2], "--control", lane.controlPath)
            #expect(gone.code == 1 && gone.output.last?.contains("no message \"\(ids[2])\" in quarantine") == true)
            try lane.awaitDrained(seconds: 20)
            #expect(try lane.metric("lanewatch_quarantine_messages") == 0)

            let records = try lane.records("sco.interventions")
            #expect(records.compactMap { $0["ce_sequence"] } == records.compactMap { $0["ce_sequence"] }.sorted())
            #expect(records.count == 7)
            let released = records.filter { !$0["ce_releasedfrom"].isEmpty }
            #expect(released.map { $0["ce_id"] } == [ids[0], ids[1]])
            #expect(released.map { $0.value?["key"]?["code"]?.text } == ["1", "2"])
            let audit = try lane.records("sco.audit")
            try Schemas.validate(audit)
            let told = audit.filter { $0["ce_type"].hasPrefix("sco.message.") }
            #expect(
                told.map { $0["ce_type"] } == [
                    "sco.message.released.v1", "sco.message.released.v1", "sco.message.discarded.v1",
                ])
            #expect(told.compactMap { $0.value?["id"]?.text } == ids)
            #expect(told.allSatisfy { $0.value?["uid"]?.int == Int64(getuid()) })
            #expect(told.last?.value?["why"]?.text == "a test's")
            try lane.kill()
        }

        @Test func withNeitherAgentNorFolderItSaysSo() throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let none = try run("--state", folder.path)
            #expect(none.code == 1 && none.output.last?.contains("no agent has ever run there") == true)
            let watched = try run("--watch", "--control", folder.path + "/none.sock")
            #expect(watched.code == 1 && watched.output.last?.contains("no agent listens on") == true)
            let asked = try run("--control", folder.path + "/none.sock", "--config", folder.path + "/none.yaml")
            #expect(asked.code == 1 && asked.output.contains { $0.contains("--state") })
            #expect(try run("export", "--watch").code == 2)
            #expect(try run("discard", "5f0c9a1e").code == 2)
            let file = folder.path + "/text"
            try "no database".write(toFile: file, atomically: true, encoding: .utf8)
            let wrong = try run("export", "--file", file)
            #expect(wrong.code == 1 && wrong.output.last?.contains("is damaged") == true, "\(wrong.output)")
        }
    }
}
