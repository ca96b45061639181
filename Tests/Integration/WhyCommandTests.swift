import Foundation
import Testing

extension Integration {
    /// `lanewatch explain` and `lanewatch test` as people and scripts run them.
    @Suite struct WhyCommands {
        private let folder: URL

        init() throws {
            folder = try Places.folder()
            try write(
                "rules.yaml",
                """
                format: 1
                rules:
                  - {id: slow, title: No answer, on: payment.started, unless: payment.approved, same: pay, within: 45s, severity: warning}
                  - {id: help, on: help.requested, severity: info, clear_when: staff.cleared, clear_after: 1m, lanes: ["L*"]}
                  - {id: off, on: touch, severity: info, clear_after: 1m, enabled: false}
                """)
            try write(
                "r.jsonl",
                """
                {"seq":1,"t":1767607200000,"lane":"L07","type":"payment.started","pay":"P1","amount":5}
                {"seq":2,"t":1767607240000,"lane":"L07","type":"payment.approved","pay":"P1"}
                {"seq":1,"t":1767607250000,"lane":"F1","type":"payment.started","pay":"P2"}
                {"seq":2,"t":1767607300000,"lane":"F1","type":"help.requested"}
                """)
        }

        private func write(_ name: String, _ text: String) throws {
            try (text + "\n").write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        }

        /// Runs in the folder of the files, through a shell, so that what is told names them as they are written.
        private func run(_ line: String) throws -> (code: Int32, output: [String]) {
            defer { try? FileManager.default.removeItem(at: folder) }
            let shell = "cd '\(folder.path)' && PATH='\(Places.products.path)':$PATH && \(line)"
            return try Program.run("/bin/sh", ["-c", shell], environment: ["NO_COLOR": "1"])
        }

        @Test func explainTellsEveryLaneOfARecording() throws {
            let (code, output) = try run("lanewatch explain --rules rules.yaml slow r.jsonl")
            #expect(code == 0)
            #expect(
                output == [
                    "slow on lane F1: No answer", "    50s  payment.started pay=P2 → waits for an answer until 1m35s",
                    "  1m35s  (time is up) → pay=P2: RAISED: warning", "raised once", "", "slow on lane L07: No answer",
                    "   0s  payment.started pay=P1 → waits for an answer until 45s",
                    "  40s  payment.approved pay=P1 → answered after 40s, 5s before it would have raised",
                    "never raised",
                    "nearest miss: 40s of 45s for pay=P1, then payment.approved at 40s, 5s before it would have raised",
                ])
        }

        @Test func whatStillWaitsAtTheEndIsTold() throws {
            try write("short.jsonl", #"{"t":5,"lane":"L1","type":"payment.started","pay":"P 1"}"#)
            let (code, output) = try run("lanewatch explain --rules rules.yaml slow short.jsonl")
            #expect(code == 0)
            #expect(output.last == #"still waiting at the end: 45s raise pay="P 1""#)
        }

        @Test func oneLaneOfIt() throws {
            let (code, output) = try run("lanewatch explain --rules rules.yaml --lane L07 slow r.jsonl")
            #expect(code == 0)
            #expect(output.first == "slow on lane L07: No answer")
            #expect(!output.contains { $0.contains("F1") })
        }

        @Test func aRuleThatIsNotForTheLaneSaysSo() throws {
            let (code, output) = try run("lanewatch explain --rules rules.yaml --lane F1 help r.jsonl")
            #expect(code == 0)
            #expect(output == ["help on lane F1", "is not for this lane (lanes: L*)"])
        }

        @Test(arguments: ["30s", "2026-01-05T10:00:30Z"]) func howItStoodAtAMoment(_ at: String) throws {
            let (code, output) = try run("lanewatch explain --rules rules.yaml --lane L07 --at \(at) slow - <r.jsonl")
            #expect(code == 0)
            #expect(
                output == [
                    "slow on lane L07 at 30s, 2026-01-05T10:00:30.000Z: No answer", "  not raised",
                    "  waits: pay=P1 since 0s; raises at 45s, in 15s",
                ])
        }

        @Test(
            arguments: [
                ("slwo r.jsonl", 2, #"lanewatch explain: no rule "slwo"; did you mean "slow"?"#),
                (
                    "nothing-like-it r.jsonl", 2,
                    #"lanewatch explain: no rule "nothing-like-it"; there are: slow, help, off"#
                ),
                ("off r.jsonl", 1, #"lanewatch explain: rule "off" is switched off (enabled: false)"#),
                (
                    "--at 4s slow", 2,
                    "lanewatch explain: --rules goes with a recording: lanewatch explain --rules … slow RECORDING"
                ),
                (
                    "--json slow r.jsonl", 2,
                    "lanewatch explain: --json asks the agent on this lane, and goes without a recording"
                ),
                ("slow missing.jsonl", 2, "lanewatch explain: cannot read missing.jsonl: No such file or directory"),
                ("--lane L9 slow r.jsonl", 1, #"lanewatch explain: r.jsonl has no lane "L9"; it has: F1, L07"#),
                (
                    "--at 2020-01-01T00:00:00Z slow r.jsonl", 1,
                    "lanewatch explain: the recording begins later, at 2026-01-05T10:00:00.000Z"
                ),
                (
                    "--at soon slow r.jsonl", 2,
                    #"lanewatch explain: --at must be a time after the first signal (4m10s) or of the clock (2026-01-05T10:04:10Z), not "soon""#
                ),
                ("slow rules.yaml", 1, #"rules.yaml:1:1: error: expected an object: {"type":"…", …}"#),
                ("--at 4s slow rules.yaml", 1, #"rules.yaml:1:1: error: expected an object: {"type":"…", …}"#),
                ("slow - </dev/null", 1, "lanewatch explain: standard input holds no signals"),
            ] as [(String, Int32, String)])
        func whatIsWrongIsTold(_ words: String, _ code: Int32, _ text: String) throws {
            let found = try run("lanewatch explain --rules rules.yaml \(words)")
            #expect(found.code == code)
            #expect(found.output.first == text)
        }

        // MARK: test

        private func writeTests(failing: Bool = false) throws {
            try write(
                "rules.test.yaml",
                """
                tests:
                  - name: an answer in time
                    given: [0s payment.started pay=P1, 45s payment.approved pay=P1]
                    expect: []
                  - name: none
                    until: 2m
                    given: [0s payment.started pay=P1]
                    expect: [\(failing ? "44s" : "45s") raise slow pay=P1 warning]
                """)
        }

        /// The last line without the time it took.
        private func summary(_ output: [String]) -> String? {
            output.last?.replacing(#/in \d+ ms/#, with: "in … ms")
        }

        @Test func theLastLineCountsAndTells() throws {
            try writeTests()
            let (code, output) = try run("lanewatch test rules.test.yaml")
            #expect(code == 0)
            #expect(output.count == 1)
            #expect(summary(output) == "2 passed, 0 failed in … ms of 12m")
        }

        @Test func aFailureIsATimeline() throws {
            try writeTests(failing: true)
            let (code, output) = try run("lanewatch test --explain rules.test.yaml")
            #expect(code == 1)
            #expect(
                output.dropLast() == [
                    "rules.test.yaml:5: FAILED: none",
                    "    - expected, did not come   + came, was not expected   = both",
                    "          0s payment.started pay=P1", "              → slow pay=P1: waits for an answer until 45s",
                    "    - 44s raise slow pay=P1 warning", "    + 45s raise slow pay=P1 warning",
                    "    slow: raised once",
                ])
            #expect(summary(output) == "1 passed, 1 failed in … ms of 12m")
        }

        @Test func withoutExplainItSaysThatThereIsMore() throws {
            try writeTests(failing: true)
            let (code, output) = try run("lanewatch test rules.test.yaml")
            #expect(code == 1)
            #expect(
                output.dropLast() == [
                    "rules.test.yaml:5: FAILED: none",
                    "    - expected, did not come   + came, was not expected   = both   (--explain says why)",
                    "          0s payment.started pay=P1", "    - 44s raise slow pay=P1 warning",
                    "    + 45s raise slow pay=P1 warning",
                ])
        }

        @Test func coverageNamesWhatNoTestTouches() throws {
            try writeTests()
            let (code, output) = try run("lanewatch test --coverage rules.test.yaml")
            #expect(code == 0)
            #expect(
                output.dropLast() == [
                    "coverage: 1 of 2 rules fired, 2 of 6 branches touched (33 %)", "  slow  never: cleared",
                    "  help  no test touches it",
                ])
        }

        @Test(arguments: [(33, 0), (34, 1)] as [(Int, Int32)]) func tooLittleCanFail(_ percent: Int, _ code: Int32)
            throws
        {
            try writeTests()
            let found = try run("lanewatch test --fail-under \(percent) rules.test.yaml")
            #expect(found.code == code)
            #expect(
                found.output.contains("lanewatch test: 33 % of branches touched, at least 34 % wanted") == (code == 1))
        }

        @Test func testsAreListedAndChosen() throws {
            try writeTests()
            let (code, output) = try run(
                "lanewatch test --list rules.test.yaml && lanewatch test --filter answer rules.test.yaml && lanewatch test --filter nobody rules.test.yaml"
            )
            #expect(code == 2)
            #expect(output.prefix(2) == ["rules.test.yaml:2: an answer in time", "rules.test.yaml:5: none"])
            #expect(output.count == 4)
            #expect(output[2].hasPrefix("1 passed, 0 failed in "))
            #expect(output[3] == #"lanewatch test: no test has "nobody" in its name; --list shows the names"#)
        }

        @Test func asJSON() throws {
            try writeTests(failing: true)
            let (code, output) = try run("lanewatch test --json --coverage rules.test.yaml")
            #expect(code == 1)
            #expect(output.count == 3)
            let fault = try #require(try object(output[0]))
            #expect(fault["message"] as? String == #"test "none" failed"#)
            #expect(fault["line"] as? Int == 5)
            #expect(fault["expected"] as? [String] == ["44s raise slow pay=P1 warning"])
            #expect(fault["found"] as? [String] == ["45s raise slow pay=P1 warning"])
            let coverage = try #require(try object(output[1])?["coverage"] as? [String: Any])
            #expect(coverage["percent"] as? Int == 33)
            #expect((coverage["rules"] as? [[String: Any]])?.map { $0["rule"] as? String } == ["slow", "help"])
            #expect(output[2].hasPrefix("1 passed, 1 failed in "))
        }

        private func object(_ line: String) throws -> [String: Any]? {
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
    }
}
