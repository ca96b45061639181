import Foundation
import Testing

extension Integration {
    /// `--json` of check, test and run, and folders of rules, as a person or an editor calls the program.
    @Suite(.serialized) struct CheckCommand {
        private let folder: URL

        init() throws {
            folder = try Places.folder()
            try write("rules.d/10-lane.yaml", Self.lane)
            try write("rules.d/20-payment.yaml", Self.payment)
            try write("rules.d/90-silences.yaml", Self.silences(until: "2100-01-01T00:00:00Z"))
            try write("rules.d/payment.test.yaml", Self.tests)
            try write("rules.d/signals.yaml", "format: 1\nsignals: {}\n")
        }

        static let lane = """
            format: 1
            params: {wait: 45s}
            states: {basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle}}

            """
        static let payment = """
            format: 1
            rules:
              - {id: timeout, on: payment.started, unless: payment.approved, within: $wait, severity: warning, while: basket is open}
              - {id: help, on: help.requested, severity: info, clear_after: 1m}

            """
        static func silences(until: String) -> String {
            "format: 1\nsilences:\n  - {rules: help, lanes: [L07], until: \"\(until)\", why: rebuilt}\n"
        }

        /// The silence ends at a millisecond, and holds on one lane.
        static let tests = """
            rules: [.]
            tests:
              - name: it waits as the folder says
                given: [0s pos.state state=basket_open, 1s payment.started pay=P1]
                expect: [46s raise timeout warning]
              - name: silenced to the last millisecond
                at: 2099-12-31T23:59:50Z
                given: [9999ms help.requested]
                expect: []
              - name: not silenced any more
                at: 2099-12-31T23:59:50Z
                given: [10s help.requested]
                expect: [10s raise help info, 70s clear help]
              - name: not silenced on another lane
                lane: fuel-1
                given: [0s help.requested]
                expect: [0s raise help info, 60s clear help]

            """

        private func write(_ name: String, _ text: String) throws {
            let url = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: url, atomically: true, encoding: .utf8)
        }

        /// The program's output and exit code, run in the folder; standard error apart.
        private func run(_ command: String) throws -> (code: Int32, out: [String], error: [String]) {
            let errors = folder.appending(path: "stderr")
            let shell = "cd '\(folder.path)' && exec '\(Places.lanewatch)' \(command) 2>'\(errors.path)'"
            let (code, output) = try Program.run("/bin/sh", ["-c", shell])
            let text = try String(contentsOf: errors, encoding: .utf8)
            return (code, output, text.split(separator: "\n").map(String.init))
        }

        @Test func aFolderIsCheckedTestedAndReplayedAsOneSet() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            let check = try run("check rules.d")
            #expect(check.code == 0 && check.out.isEmpty && check.error.isEmpty)
            let test = try run("test rules.d/payment.test.yaml")
            #expect(test.code == 0 && test.out.last?.hasPrefix("4 passed, 0 failed") == true, "\(test.out)")
            try write(
                "recording.jsonl",
                """
                {"seq":1,"t":1000,"lane":"L08","type":"help.requested"}
                {"seq":2,"t":62000,"lane":"L08","type":"touch"}

                """)
            let replay = try run("replay --rules rules.d recording.jsonl")
            #expect(replay.code == 0 && replay.out == ["0s raise help info", "60s clear help"])
            // All of them by name is the same set; the tests among them are checked for their form.
            #expect(try run("check rules.d/[0-9]*.yaml rules.d/payment.test.yaml").code == 0)
            try write("rules.d/payment.test.yaml", "tests: [{name: x, given: [soon touch], expect: []}]\n")
            let wrong = try run("check rules.d rules.d/payment.test.yaml")
            #expect(wrong.code == 1 && wrong.out.first?.hasPrefix("rules.d/payment.test.yaml:1:27: error:") == true)
        }

        @Test func aSilenceThatIsOverIsAWarning() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            try write("rules.d/90-silences.yaml", Self.silences(until: "2020-01-01T00:00:00Z"))
            let check = try run("check rules.d")
            #expect(check.code == 0 && check.out.isEmpty)
            #expect(
                check.error.first
                    == "rules.d/90-silences.yaml:3:40: warning: this silence is over: \"help\" may be raised again")
            let json = try run("check --json rules.d")
            #expect(json.code == 0 && json.error.isEmpty)
            #expect(
                json.out == [
                    #"{"file":"rules.d/90-silences.yaml","line":3,"column":40,"endLine":3,"endColumn":62,"severity":"warning","message":"this silence is over: \"help\" may be raised again","help":"take it out, or give it a later end"}"#
                ])
        }

        @Test func faultsAsJSON() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            try write("rules.d/20-payment.yaml", Self.payment.replacing("$wait", with: "$wiat"))
            let fault =
                #"{"file":"rules.d/20-payment.yaml","line":3,"column":74,"endLine":3,"endColumn":79,"severity":"error","message":"no parameter \"wiat\"; did you mean \"wait\"?","help":"declare it under params: at the top of the file"}"#
            let check = try run("check --json rules.d")
            #expect(check.code == 1 && check.out == [fault] && check.error.isEmpty)
            let test = try run("test --json rules.d/payment.test.yaml")
            #expect(test.code == 1 && test.out.first == fault, "\(test.out)")
            let unreadable = try run("check --json nowhere.yaml")
            #expect(
                unreadable.code == 2
                    && unreadable.out == [
                        #"{"file":"nowhere.yaml","line":null,"column":null,"endLine":null,"endColumn":null,"severity":"error","message":"cannot be read: No such file or directory","help":null}"#
                    ])
            // The configuration and its rules in one run; what keeps the agent from starting is told the same way.
            try write(
                "lanewatch.yaml",
                """
                format: 1
                store: "1"
                lane: "7"
                rules: rules.d
                kafka: {bootstrap.servers: "127.0.0.1:9"}

                """)
            let config = try run("check --json --config lanewatch.yaml")
            #expect(config.code == 1 && config.out == [fault])
            let agent = try run("run --json --config lanewatch.yaml")
            #expect(agent.code == 1 && agent.out.isEmpty && agent.error == config.out)
        }

        @Test func aFailedTestAsJSON() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            try write("rules.d/payment.test.yaml", Self.tests.replacing("46s raise", with: "45s raise"))
            let test = try run("test --json rules.d/payment.test.yaml")
            #expect(test.code == 1)
            #expect(
                test.out == [
                    #"{"file":"rules.d/payment.test.yaml","line":3,"column":11,"endLine":3,"endColumn":38,"severity":"error","message":"test \"it waits as the folder says\" failed","help":null,"expected":["45s raise timeout warning"],"found":["46s raise timeout warning"]}"#
                ])
        }

        @Test func testsOfAFileThatNeedsItsFolderAreToldSo() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            try write("rules.d/20-payment.test.yaml", Self.tests.replacing("rules: [.]\n", with: ""))
            let test = try run("test rules.d/20-payment.test.yaml")
            #expect(test.code == 1)
            #expect(test.out.first?.contains("error: no parameter \"wait\"") == true)
            #expect(
                test.error == [
                    "lanewatch test: rules.d/20-payment.test.yaml tests rules.d/20-payment.yaml alone; where that needs other files of its folder, write \"rules: .\" into the tests"
                ])
        }

        /// A running agent on a folder: a file more is taken at a reload, one that is wrong is not; warnings are in the log.
        @Test func anAgentReloadsItsFolder() throws {
            defer { try? FileManager.default.removeItem(at: folder) }
            try write("rules.d/90-silences.yaml", Self.silences(until: "2020-01-01T00:00:00Z"))
            let lane = try LaneUnderTest(rules: Self.lane)
            let rules = lane.folder.appending(path: "rules.d")
            try FileManager.default.moveItem(at: folder.appending(path: "rules.d"), to: rules)
            let path = URL(filePath: lane.configurationPath)
            let text = try String(contentsOf: path, encoding: .utf8)
            try text.replacing("rules: rules.yaml", with: "rules: rules.d").write(
                to: path, atomically: true, encoding: .utf8)
            try lane.start()
            let agent = try #require(lane.agent)
            let over = agent.lines.filter { $0.contains("this silence is over") }
            #expect(over.count == 1 && over.first?.contains("\"level\":\"warning\"") == true, "\(agent.lines)")
            _ = try lane.send(#"{"type":"help.requested","ack":true}"#)
            func reload(_ name: String, _ text: String, _ message: String) throws {
                try text.write(to: rules.appending(path: name), atomically: true, encoding: .utf8)
                let seen = agent.lines.count
                agent.signal(SIGHUP)
                #expect(agent.awaitLine(from: seen, seconds: 10) { $0.contains(message) } != nil, "\(agent.lines)")
            }
            let more = "format: 1\nrules: [{id: ID, on: item.refused, severity: info, clear_after: 1m}]\n"
            try reload("50-more.yaml", more.replacing("ID", with: "help"), "the new rules are refused")
            #expect(
                agent.lines.contains {
                    $0.contains("50-more.yaml:2:14: error: rule \\\"help\\\" is already declared in")
                })
            try reload("50-more.yaml", more.replacing("ID", with: "more"), "new rules are in force")
            _ = try lane.send(#"{"type":"item.refused","code":"1","ack":true}"#)
            try lane.awaitDrained(seconds: 15)
            #expect(try lane.records("sco.interventions").map(\.rule) == ["help", "more"])
        }
    }
}
