import Foundation
import Lane
import Testing

extension Integration {
    /// Start, reload, stop, and what is said when something is wrong.
    @Suite(.serialized) struct Life {
        @Test func reloadTakesNewRulesAndKeepsOldOnesWhenTheyAreWrong() throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            try lane.start()
            let agent = try #require(lane.agent)
            let rules = lane.folder.appending(path: "rules.yaml")
            func reload(_ text: String, _ message: String) throws {
                try text.write(to: rules, atomically: true, encoding: .utf8)
                let seen = agent.lines.count
                agent.signal(SIGHUP)
                #expect(agent.awaitLine(from: seen, seconds: 10) { $0.contains(message) } != nil, "\(message)")
            }
            try reload(
                "format: 1\nrules:\n  - {id: x, on: hlep.requested, severity: info}\n", "the new rules are refused")
            #expect(agent.lines.contains { $0.contains("rules.yaml:3:17: error: no signal") })
            #expect(try lane.page("/healthz").contains("degraded"))
            _ = try lane.send(#"{"type":"item.refused","code":"1","ack":true}"#)
            try reload(
                "format: 1\nrules:\n  - {id: help, on: help.requested, severity: info, clear_after: 1m}\n",
                "new rules are in force")
            _ = try lane.send(#"{"type":"item.refused","code":"2","ack":true}"#)
            _ = try lane.send(#"{"type":"help.requested","ack":true}"#)
            try lane.awaitDrained(seconds: 15)
            let found = try lane.records("sco.interventions").filter { $0.state == "raised" }.map(\.rule)
            #expect(found == ["refused", "help"])
            let applied = try lane.records("sco.audit").filter { $0["ce_type"] == "sco.rules.applied.v1" }
            #expect(applied.count == 2)
            let begin = Date()
            agent.signal(SIGTERM)
            #expect(agent.awaitEnd(seconds: 6) == 0)
            #expect(Date().timeIntervalSince(begin) < 5)
        }

        /// Also with no broker at all the agent stops in time, and what was raised is delivered by the next one.
        @Test func itStopsWithoutABrokerAndDeliversLater() throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            for broker in 1...3 { try lane.cluster.setDown(Int32(broker), true) }
            try lane.start()
            _ = try lane.send(#"{"type":"item.refused","code":"1","ack":true}"#)
            let agent = try #require(lane.agent)
            let begin = Date()
            agent.signal(SIGTERM)
            #expect(agent.awaitEnd(seconds: 6) == 0)
            #expect(Date().timeIntervalSince(begin) < 5)
            for broker in 1...3 { try lane.cluster.setDown(Int32(broker), false) }
            try lane.start()
            try lane.awaitDrained(seconds: 15)
            #expect(try lane.records("sco.interventions").first?.value?["key"]?["code"]?.text == "1")
        }

        @Test func aSecondAgentOnTheSameFolderIsRefused() throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            try lane.start()
            let (code, output) = try Program.run(
                Places.lanewatch, ["run", "--config", lane.configurationPath], seconds: 20)
            #expect(code == 1)
            #expect(output.joined().contains("another agent runs on the state folder"))
        }

        @Test func allFaultsOfAConfigurationAreToldAtStart() throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let path = folder.appending(path: "lanewatch.yaml").path
            try """
            format: 1
            store: "0042"
            lane: "07"
            state: state
            rules: missing.yaml
            kafka: {bootstrap.servers: "127.0.0.1:1", acks: some, bogus: 1}
            """.write(toFile: path, atomically: true, encoding: .utf8)
            let (code, output) = try Program.run(Places.lanewatch, ["run", "--config", path], seconds: 20)
            #expect(code == 1)
            let text = output.joined(separator: "\n")
            #expect(text.contains("lanewatch.yaml:6:43: error: librdkafka 2"))
            #expect(text.contains("Invalid value for configuration property"))
            #expect(text.contains("No such configuration property: \"bogus\""))
            #expect(text.contains("missing.yaml: error: cannot be read: No such file or directory"))
        }

        /// Undelivered messages are kept while a topic is missing, and the others go on.
        @Test func aMissingTopicHoldsBackOnlyItself() throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            lane.cluster.setError(of: "sco.device-health", 3)
            try lane.start()
            _ = try lane.send(#"{"type":"item.refused","code":"1","ack":true}"#)
            let end = Date(timeIntervalSinceNow: 15)
            var found: [Record] = []
            while found.isEmpty && Date() < end {
                found = try lane.records("sco.interventions")
                usleep(50_000)
            }
            #expect(found.first?.rule == "refused")
        }
    }

    /// The commands as people and scripts run them.
    @Suite(.serialized) struct Commands {
        private func run(_ words: String..., input: String? = nil) throws -> (code: Int32, output: [String]) {
            try Program.run(Places.lanewatch, words, input: input, environment: ["NO_COLOR": "1"], seconds: 60)
        }

        @Test func theTwelveListingsToTheByte() throws {
            let golden = Places.repository.appending(path: "Tests/RulesTests/Golden")
            for number in 1...12 {
                let name = (number < 10 ? "0" : "") + "\(number)"
                let shell = "cd '\(golden.path)' && exec '\(Places.lanewatch)' check \(name).yaml 2>/dev/null"
                let (code, output) = try Program.run("/bin/sh", ["-c", shell])
                #expect(code == 1)
                let expected = try String(contentsOf: golden.appending(path: "\(name).expected"), encoding: .utf8)
                #expect(output.map { $0 + "\n" }.joined() == expected, "\(name)")
            }
        }

        @Test func shippedRulesAndTheirTestsPass() throws {
            let checked = try run("check", Places.shippedRules)
            #expect(checked.code == 0 && checked.output == [])
            let shell = "cd '\(Places.repository.path)' && exec '\(Places.lanewatch)' test rules/*.test.yaml"
            let (code, output) = try Program.run("/bin/sh", ["-c", shell])
            #expect(code == 0)
            #expect(output.last?.contains(" passed, 0 failed in ") == true)
        }

        @Test func aFailedTestShowsExpectedBesideFound() throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let rules = "format: 1\nrules:\n  - {id: help, on: help.requested, severity: info, clear_after: 1m}\n"
            let tests =
                "tests:\n  - name: wrong\n    given:\n      - 0s help.requested\n    expect:\n      - 1s raise help info\n"
            try rules.write(to: folder.appending(path: "a.yaml"), atomically: true, encoding: .utf8)
            try tests.write(to: folder.appending(path: "a.test.yaml"), atomically: true, encoding: .utf8)
            let (code, output) = try run("test", folder.appending(path: "a.test.yaml").path)
            #expect(code == 1)
            #expect(output.contains { $0.contains("FAILED: wrong") })
            #expect(
                output.contains { $0.contains("- 1s raise help info") }
                    && output.contains { $0.contains("+ 0s raise help info") })
        }

        /// Standard output holds result lines and nothing else.
        @Test func replayPrintsTheTestFormat() throws {
            let rules = Places.shippedRules
            let recording = """
                {"seq":1,"t":1000,"lane":"L07","type":"payment.started","pay":"P1"}
                {"seq":2,"t":61000,"lane":"L07","type":"payment.approved","pay":"P1"}
                """
            let path = try Places.folder()
            defer { try? FileManager.default.removeItem(at: path) }
            let file = path.appending(path: "r.jsonl").path
            try recording.write(toFile: file, atomically: true, encoding: .utf8)
            let shell = "'\(Places.lanewatch)' replay --rules '\(rules)' '\(file)' 2>/dev/null"
            let (code, output) = try Program.run("/bin/sh", ["-c", shell])
            #expect(code == 0)
            #expect(output == ["45s raise payment-timeout pay=P1 warning", "60s clear payment-timeout pay=P1"])
        }

        @Test func mistypedWordsAreUsageErrorsWithTheNearestName() throws {
            let command = try run("chekc")
            #expect(command.code == 2 && command.output.first?.contains("did you mean \"check\"?") == true)
            let option = try run("replay", "--ruels=x", "y")
            #expect(option.code == 2 && option.output.first?.contains("did you mean \"--rules\"?") == true)
            #expect(try run("check", "/nowhere.yaml").code == 2)
            let type = try run("signal", "payment.start")
            #expect(type.code == 2 && type.output.first?.contains("did you mean \"payment.started\"?") == true)
            let agent = try run("signal", "--socket", "/nowhere.sock", "help.requested")
            #expect(agent.code == 1 && agent.output.first?.contains("no agent listens on /nowhere.sock") == true)
        }

        @Test func everyCommandHasExamplesInItsHelp() throws {
            for command in ["run", "check", "test", "replay", "bundle", "signal", "demo", "manual"] {
                let (code, output) = try run(command, "--help")
                #expect(code == 0)
                #expect(output.contains("Examples:"), "\(command)")
                #expect(output.allSatisfy { $0.count <= 80 }, "\(command)")
            }
            #expect(try run("--version").output.first?.contains("0.1.0") == true)
        }

        @Test func theManualPageAndCompletionsAreClean() throws {
            let mandoc = try #require(Places.find("mandoc"))
            let page = try run("manual", "man").output.joined(separator: "\n")
            let lint = try Program.run(mandoc, ["-T", "lint", "-W", "warning"], input: page)
            #expect(lint.code == 0, "\(lint.output)")
            let completions = try run("manual", "bash").output.joined(separator: "\n")
            let syntax = try Program.run("/bin/bash", ["-n"], input: completions)
            #expect(syntax.code == 0, "\(syntax.output)")
        }

        @Test func signalFromAScript() throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            try lane.start()
            let (code, output) = try run(
                "signal", "--socket", lane.socketPath, "payment.started", "pay=P1", "amount=1299")
            #expect(code == 0 && Int(output.first ?? "") != nil)
            let wrong = try run("signal", "--socket", lane.socketPath, "payment.started", "amount=much")
            #expect(wrong.code == 2)
            let foreign = try run("signal", "--socket", lane.socketPath, "touch")
            #expect(foreign.code == 1 && foreign.output.joined().contains("the agent refused it"))
        }

        /// Ten seconds of the demonstration.
        @Test func theDemonstrationEndsWithAnEmptyOutbox() throws {
            let (code, output) = try run("demo", "--for", "10s", "--rules", Places.shippedRules)
            #expect(code == 0)
            #expect(output.contains { $0.contains("kcat -b 127.0.0.1:") })
            #expect(output.contains { $0.contains("RAISE") } && output.contains { $0.contains("clear") })
            #expect(output.contains { $0.hasPrefix("outbox") && $0.hasSuffix("empty") })
            #expect(!output.contains { $0.contains("\u{1B}") })
        }
    }
}
