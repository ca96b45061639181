import Foundation
import Testing

extension Integration {
    /// `bundle` and `replay --against`, as people run them: every word of their listings.
    @Suite(.serialized) struct RolloutCommands {
        let folder: URL

        init() throws { folder = try Places.folder() }

        private func end() { try? FileManager.default.removeItem(at: folder) }

        private func write(_ name: String, _ text: String) throws {
            try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        }

        /// Runs a line of shell in the folder; both outputs, in order.
        private func shell(_ line: String) throws -> (code: Int32, output: [String]) {
            let whole = "cd '\(folder.path)' && lanewatch() { '\(Places.lanewatch)' \"$@\"; }; \(line)"
            return try Program.run("/bin/bash", ["-c", whole + " 2>&1"], environment: ["NO_COLOR": "1"])
        }

        static let old = """
            format: 1
            rules:
              - id: slow
                on: payment.started
                unless: [payment.approved, payment.declined]
                same: pay
                within: 45s
                severity: warning
              - {id: help, on: help.requested, severity: info, clear_after: 1m}
            """
        static let recording = """
            {"seq":1,"t":0,"lane":"1","type":"payment.started","pay":"A"}
            {"seq":1,"t":1000,"lane":"2","type":"payment.started","pay":"A"}
            {"seq":2,"t":50000,"lane":"1","type":"payment.approved","pay":"A"}
            {"seq":2,"t":90000,"lane":"2","type":"payment.approved","pay":"A"}
            {"seq":3,"t":100000,"lane":"2","type":"help.requested"}
            """

        @Test func anEditIsToldByInterventionRuleAndLane() throws {
            defer { end() }
            try write("old.yaml", Self.old)
            try write("new.yaml", Self.old.replacingOccurrences(of: "45s", with: "60s"))
            try write("day.jsonl", Self.recording)
            let one = try shell("lanewatch replay --rules new.yaml --against old.yaml day.jsonl")
            #expect(one.code == 0)
            #expect(
                one.output == [
                    "1: - 45s raise slow pay=A warning", "2: ~ 46s slow pay=A later by 15s", "",
                    "rule  before  now  raised  not any more  earlier  later  longer  shorter  otherwise",
                    "slow       2    1       .             1        .      1       .        .          .",
                    "1 other rule as before", "",
                    "lane      before  now  raised  not any more  earlier  later  longer  shorter  otherwise",
                    "1              1    0       .             1        .      .       .        .          .",
                    "2              2    2       .             .        .      1       .        .          .",
                    "together       3    2       .             1        .      1       .        .          .",
                    "5 signals; 3 interventions before, 2 now",
                ])
            let two = try shell("lanewatch replay --summary --rules new.yaml --against old.yaml day.jsonl day.jsonl")
            #expect(
                two.output.first
                    == "rule  before  now  raised  not any more  earlier  later  longer  shorter  otherwise")
            #expect(two.output.last == "10 signals in 2 recordings; 6 interventions before, 4 now")
            let same = try shell("lanewatch replay --rules old.yaml --against old.yaml day.jsonl")
            #expect(same.output == ["nothing would have changed", "5 signals; 3 interventions before, 3 now"])
            let json = try shell(
                "lanewatch replay --json --rules new.yaml --against old.yaml day.jsonl 2>/dev/null | head -2 | tail -1")
            #expect(
                json.output.first
                    == #"{"kind":"difference","recording":"day.jsonl","lane":"2","rule":"slow","key":{"pay":"A"},"#
                    + #""old":{"raised_t":46000,"cleared_t":90000,"severity":"warning"},"#
                    + #""new":{"raised_t":61000,"cleared_t":90000,"severity":"warning"},"words":["later by 15s"]}"#)
        }

        @Test func whatCannotBeComparedSaysWhy() throws {
            defer { end() }
            try write("old.yaml", Self.old)
            try write("day.jsonl", Self.recording)
            try write("bad.jsonl", Self.recording + "\n{\"seq\":9,\"t\":5,\"lane\":\"2\",\"type\":\"touch\"}\n")
            let two = try shell("lanewatch replay --rules old.yaml day.jsonl day.jsonl")
            #expect(
                two.code == 2 && two.output == ["lanewatch replay: one recording at a time; several go with --against"])
            let pipe = try shell("lanewatch replay --rules old.yaml --against old.yaml - <day.jsonl")
            #expect(pipe.code == 2 && pipe.output.first?.contains("reads a recording twice; give a file") == true)
            let bad = try shell("lanewatch replay --rules old.yaml --against old.yaml day.jsonl bad.jsonl")
            #expect(bad.code == 1)
            #expect(
                bad.output == [
                    "bad.jsonl:6: error: lane 2 is out of order: t 5 after 100000; lines stand in order of t, then seq"
                ])
            #expect(try shell("lanewatch replay --rules old.yaml --against old.yaml none.jsonl").code == 2)
            #expect(try shell("lanewatch replay --rules old.yaml --summary day.jsonl").code == 2)
        }

        /// The whole way of docs/how-to/roll-out-rules.md.
        @Test func aBundleIsSignedCheckedAndRefused() throws {
            defer { end() }
            try write("store.yaml", Self.old)
            let key = try shell(
                "openssl genpkey -algorithm ed25519 -out k.pem && openssl pkey -in k.pem -pubout -out p.pem"
                    + " && openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out q.pem")
            #expect(key.code == 0)
            let made = try shell("lanewatch bundle --key k.pem --set-version 7 --out s.bundle store.yaml")
            #expect(made.code == 0)
            #expect(made.output.map { $0.prefix { $0 != "y" } }.first == "s.bundle")
            #expect(made.output[1] == "  name     store" && made.output[2] == "  version  7")
            #expect(made.output[3].hasPrefix("  digest   sha256:") && made.output[4] == "  holds    2 rules in 1 file")
            #expect(made.output[5].hasPrefix("  signed   by key ") && made.output.count == 6)
            #expect(try shell("lanewatch bundle --show --trust p.pem s.bundle").code == 0)
            let stranger = try shell("lanewatch bundle --show --trust q.pem s.bundle")
            #expect(
                stranger.code == 1
                    && stranger.output.first?.contains("signed with a key that this lane does not know") == true)
            let altered = try shell("sed 's/45s/46s/' s.bundle > t.bundle; lanewatch bundle --show t.bundle")
            #expect(altered.code == 1 && altered.output.first?.contains("it was altered or damaged") == true)
            // The signature is of the version too.
            let renamed = try shell(
                "sed 's/\"version\": \"7\"/\"version\": \"8\"/' s.bundle > u.bundle; lanewatch bundle --show --trust p.pem u.bundle"
            )
            #expect(renamed.code == 1 && renamed.output.first?.contains("the signature of key") == true)
            // A lane that takes signed rules only.
            let lane = """
                format: 1
                store: "1"
                lane: "2"
                rules: [s.bundle]
                signing: {required: true, keys: [p.pem]}
                kafka: {bootstrap.servers: "127.0.0.1:1"}
                """
            try write("c.yaml", lane)
            #expect(try shell("lanewatch check --config c.yaml").code == 0)
            try write("c.yaml", lane.replacingOccurrences(of: "s.bundle", with: "store.yaml"))
            let plain = try shell("lanewatch check --config c.yaml")
            #expect(plain.code == 1 && plain.output.first?.contains("this lane takes signed rules only") == true)
            try write("c.yaml", lane.replacingOccurrences(of: "p.pem", with: "k.pem"))
            let secret = try shell("lanewatch check --config c.yaml")
            #expect(
                secret.code == 1 && secret.output.count == 3
                    && secret.output.first?.contains("c.yaml:5:34: error:") == true)
            // Rules run out of a bundle as they do out of files.
            try write("day.jsonl", Self.recording)
            let files = try shell("lanewatch replay --rules store.yaml day.jsonl")
            let bundled = try shell("lanewatch replay --rules s.bundle day.jsonl")
            #expect(files.output == bundled.output && bundled.code == 0 && bundled.output.count > 2)
        }

        @Test func theBarShowsOnATerminalOnly() throws {
            defer { end() }
            try write("old.yaml", Self.old)
            // A recording that takes two seconds to come; `script` gives it a terminal.
            let line = #"for i in 1 2 3 4 5 6 7 8; do echo "{\"t\":$i,\"type\":\"touch\"}"; sleep 0.25; done"#
            try write("slow.sh", "(\(line)) | '\(Places.lanewatch)' replay --rules old.yaml -\n")
            let shown = try shell("script -qec 'bash slow.sh' /dev/null")
            #expect(shown.output.contains { $0.contains("replaying: 0 MB, 1 s") }, "\(shown.output)")
            let plain = try shell("bash slow.sh")
            #expect(!plain.output.contains { $0.contains("replaying") } && plain.code == 0, "\(plain.output)")
        }

        /// A lane that runs: a bad set comes by a reload, is rolled back, and everybody is told.
        @Test func aRunningLaneRollsABadSetBack() throws {
            defer { end() }
            let help = "  - {id: help, on: help.requested, same: txn, severity: info, clear_after: 1h}\n"
            let every = "  - {id: every-item, on: item.accepted, same: sku, severity: critical, clear_after: 1h}\n"
            let lane = try LaneUnderTest(
                rules: "format: 1\nrules:\n" + help, extra: "rollout: {watch: 10m, multiple: 2, at_least: 3}")
            try lane.start()
            _ = try lane.send(#"{"type":"help.requested","txn":"T1","ack":true}"#)
            let file = lane.folder.appending(path: "rules.yaml")
            let reload = { (text: String) in
                try text.write(to: file, atomically: true, encoding: .utf8)
                lane.agent?.signal(SIGHUP)
            }
            func listing(_ words: String, seconds: Double = 10) throws -> [String] {
                let end = Date(timeIntervalSinceNow: seconds)
                var output: [String] = []
                while Date() < end {
                    output = try shell("lanewatch rules --control '\(lane.controlPath)'").output
                    if output.contains(where: { $0.contains(words) }) { return output }
                    usleep(50_000)
                }
                throw TestFault("no \"\(words)\" within \(seconds) s: \(output)")
            }
            try reload("format: 1\nrules:\n" + help + every)
            #expect(try listing(": 0 raised, more than 3 roll it back").contains { $0.hasPrefix("every-item ") })
            for sku in 1...4 { _ = try lane.send(#"{"type":"item.accepted","sku":"\#(sku)","ack":true}"#) }
            #expect(try !listing("was rolled back").contains { $0.hasPrefix("every-item ") })
            #expect(try lane.metric("lanewatch_rules_rollbacks_total") == 1)
            #expect(try lane.page("/healthz").contains("rolled back"))
            try lane.awaitDrained(seconds: 15)
            let audit = try lane.records("sco.audit")
            #expect(
                audit.map { $0["ce_type"] }.suffix(3) == [
                    "sco.rules.applied.v1", "sco.rules.rolled-back.v1", "sco.rules.applied.v1",
                ])
            let said = try #require(audit.first { $0["ce_type"] == "sco.rules.rolled-back.v1" }?.value)
            #expect(said["raised"]?.int == 4 && said["limit"]?.int == 3)
            let told = try lane.records("sco.interventions").filter { $0.rule == "every-item" }
            #expect(told.filter { $0.state == "raised" }.count == 4)
            #expect(told.filter { $0.value?["reason"]?.text == "rule_removed" }.count == 4)
            for topic in LaneUnderTest.topics { try Schemas.validate(try lane.records(topic)) }
        }
    }
}
