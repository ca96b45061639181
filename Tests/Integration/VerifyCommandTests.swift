import Foundation
import Kafka
import Lane
import LaneTesting
import Testing

extension Integration {
    /// `lanewatch verify` as it is called, on an embedded Kafka.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct VerifyCommand {
        /// A whole agent, killed three times: what it published is proved, by its own configuration.
        @Test func whatAKilledAgentPublishedIsClean() async throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            try lane.start()
            for code in 1...60 {
                _ = try lane.send(#"{"type":"item.refused","code":"\#(code)","ack":true}"#)
                if code % 15 == 0 {
                    try lane.kill()
                    try lane.start()
                }
            }
            try lane.awaitDrained(seconds: 30)
            lane.agent?.signal(SIGTERM)
            #expect(lane.agent?.awaitEnd(seconds: 10) == 0)
            let clean = try await VerifyBed.verify("--config", lane.configurationPath)
            #expect(clean.code == 0, "\(clean.lines)")
            #expect(clean.last.hasPrefix("clean: "), "\(clean.lines)")
            #expect(clean.last.contains(" of 1 lane on "))
            #expect(clean.lines.contains { $0.hasPrefix("sco.interventions  0042/L07") })
            let json = try await VerifyBed.verify(
                "--config", lane.configurationPath, "--json", "--topic", "sco.interventions")
            let found = try json.stream("sco.interventions")
            let records = try lane.records("sco.interventions")
            #expect(found["records"]?.int == Int64(records.count) && json.code == 0)
            #expect(found["messages"]?.int == Int64(Kcat.deduplicated(records).count))
            #expect(found["repeats"]?.int == Int64(records.count - Kcat.deduplicated(records).count))
        }

        @Test func itEndsWithOneWhereSomethingIsWrong() async throws {
            let cluster = try MockCluster()
            for topic in ["sco.device-health", "sco.audit", "other"] { try cluster.createTopic(topic, partitions: 4) }
            var log = VerifyBed.log("sco.device-health")
            log.records.removeSubrange(20..<22)
            let good = VerifyBed.log("sco.device-health", lane: "08")
            try await VerifyBed.publish([log, good, VerifyBed.audit()], to: cluster.bootstrap)
            let all = try await VerifyBed.verify("--brokers", cluster.bootstrap)
            #expect(all.code == 1)
            #expect(
                all.lines.contains("sco.device-health 0042/07: 60381:21 to 22 are missing, 2 messages"), "\(all.lines)")
            #expect(all.last.hasPrefix("not clean: of 118 records of 2 lanes on 2 topics, 2 messages are missing"))
            // The one lane of the two that is as it must be.
            let one = try await VerifyBed.verify(
                "-b", cluster.bootstrap, "--lane", "0042/08", "-t", "sco.device-health")
            #expect(one.code == 0, "\(one.lines)")
            let json = try await VerifyBed.verify("-b", cluster.bootstrap, "--json")
            #expect(try json.faults("sco.audit") == "{}" && json.code == 1)
        }

        @Test func whatCannotBeReadIsNotCalledClean() async throws {
            let cluster = try MockCluster()
            try cluster.createTopic("sco.audit")
            try await VerifyBed.publish([VerifyBed.audit()], to: cluster.bootstrap)
            func says(_ text: String, _ words: String...) async throws {
                let answer = try await VerifyBed.verify(words[0], words[1], words[2], words[3])
                #expect(answer.code == 2 && answer.lines.contains { $0.contains(text) }, "\(words): \(answer.lines)")
            }
            try await says("no message of lane 0042/99 was found", "-b", cluster.bootstrap, "--lane", "0042/99")
            try await says("--lane must be a store and a lane", "-b", cluster.bootstrap, "--lane", "07")
            try await says("--since must be a duration", "-b", cluster.bootstrap, "--since", "yesterday")
            try await says("KEY=VALUE", "-b", cluster.bootstrap, "-X", "secret")
            try await says("No such configuration property", "-b", cluster.bootstrap, "-X", "no.such=1")
            // The process list is everybody's.
            try await says("write -X sasl.password=@FILE", "-b", cluster.bootstrap, "-X", "sasl.password=hunter2")
            try await says("/nowhere: No such file", "-b", cluster.bootstrap, "-X", "sasl.password=@/nowhere")
            try await says("nobody listens at 127.0.0.1:1", "-b", "127.0.0.1:1", "-t", "sco.audit")
            try await says("a topic's name is made of", "-b", cluster.bootstrap, "-t", "a b")
            let away = try await VerifyBed.verify("--config", "/nowhere.yaml")
            #expect(away.code == 2 && away.last.contains("cannot read /nowhere.yaml"))
        }
    }
}
