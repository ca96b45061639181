import Feeds
import Foundation
import Lane
import Net
import Testing

extension Integration {
    /// A running agent is asked what it does: `explain`, `rules`, and shadow rules beside those that call.
    @Suite(.serialized) struct Ask {
        static let rules = """
            format: 1
            rules:
              - {id: refused, title: An item is refused, on: item.refused, same: code, severity: info, clear_after: 1h}
              - {id: unanswered, on: payment.started, unless: payment.approved, same: pay, within: 10m, severity: warning}
              - {id: trial, on: item.refused, same: code, severity: critical, clear_after: 1h, mode: shadow, topic: sco.interventions.payment}
              - {id: off, on: touch, severity: info, clear_after: 1m, enabled: false}
            """

        private func run(_ words: String...) throws -> (code: Int32, output: [String]) {
            try Program.run(Places.lanewatch, words, environment: ["NO_COLOR": "1", "TZ": "UTC"], seconds: 60)
        }

        private func row(_ rule: String, _ lane: LaneUnderTest) throws -> [Substring] {
            let (code, output) = try run("rules", "--control", lane.controlPath)
            #expect(code == 0, "\(output)")
            return output.first { $0.hasPrefix(rule + " ") }?.split(separator: " ") ?? []
        }

        @Test func rulesAreListedAndExplainedAndVerdictsOutliveAKill() throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            for code in ["4", "5"] { _ = try lane.send(#"{"type":"item.refused","code":"\#(code)","ack":true}"#) }
            _ = try lane.send(#"{"type":"payment.started","pay":"P1","ack":true}"#)
            try lane.awaitDrained(seconds: 15)
            let raised = try lane.records("sco.interventions")
            #expect(raised.map(\.rule) == ["refused", "refused"])

            let explained = try run("explain", "unanswered", "--control", lane.controlPath)
            #expect(explained.code == 0)
            #expect(explained.output.first == "unanswered")
            #expect(
                explained.output[1] == "  warning; payment.started, then no payment.approved within 10m; for each pay")
            #expect(explained.output[2].hasPrefix("  lane 0042/L07, "))
            #expect(explained.output.contains("Waiting for an answer: 1"))
            let wait = try #require(explained.output.first { $0.hasPrefix("  pay=P1 since ") })
            #expect(wait.contains("; fires at ") && wait.contains(" (in "))

            // The attendant says that one of the two was for nothing.
            let id = try #require(raised.first?.value?["intervention"]?.text)
            let refused = try lane.send(
                #"{"type":"attendant.resolved","intervention":"17","verdict":"helped","ack":true}"#)
            #expect(refused.number == nil && refused.error?.contains("a UUID such as") == true)
            _ = try lane.send(
                #"{"type":"attendant.resolved","intervention":"\#(id)","verdict":"false alarm","by":"b17","ack":true}"#)
            let other = try #require(raised.last?.value?["intervention"]?.text)
            _ = try lane.send(
                #"{"type":"attendant.resolved","intervention":"\#(other)","verdict":"helped","by":"b17","ack":true}"#)

            for _ in 0..<2 {
                let refused = try row("refused", lane)
                #expect(refused.prefix(4) == ["refused", "active", "2", "2"])
                #expect(refused.suffix(4) == ["2", "1", "50", "%"])
                #expect(try row("off", lane)[1] == "disabled")
                #expect(try lane.metric("lanewatch_rule_fired_total", label: "rule=\"refused\"") == 2)
                #expect(try lane.metric("lanewatch_rule_verdicts_total", label: "verdict=\"false alarm\"") == 1)
                try lane.kill()
                try lane.start()
            }
            // New rules take nothing from the counts.
            let agent = try #require(lane.agent)
            let seen = agent.lines.count
            try (Self.rules + "\n  - {id: help, on: help.requested, severity: info, clear_after: 1m}\n")
                .write(to: lane.folder.appending(path: "rules.yaml"), atomically: true, encoding: .utf8)
            agent.signal(SIGHUP)
            #expect(agent.awaitLine(from: seen, seconds: 10) { $0.contains("new rules are in force") } != nil)
            #expect(try row("refused", lane).suffix(4) == ["2", "1", "50", "%"])
            #expect(try row("help", lane)[1] == "on")

            let (code, output) = try run("rules", "--json", "--sort", "precision", "--control", lane.controlPath)
            #expect(code == 0 && output.count == 5)
            let first = try JSONValue(parsing: try #require(output.first))
            #expect(first["rule"]?.text == "refused" && first["precision"] == .double(0.5))
            #expect(first["verdicts"]?["helped"]?.int == 1)
            let answer = try run("explain", "--json", "refused", "--control", lane.controlPath)
            let value = try JSONValue(parsing: try #require(answer.output.first))
            #expect(value["explain"]?["active"]?.elements?.count == 2)
            #expect(value["digest"]?.text?.hasPrefix("sha256:") == true)
        }

        /// As the live view asks, whose masks follow the answer.
        @Test func whoFollowsTheStatesHearsOfAChange() throws {
            let states =
                "states: {basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle}}\n"
            let lane = try LaneUnderTest(
                rules: Self.rules.replacing("format: 1\n", with: "format: 1\n\(states)", maxReplacements: 1))
            try lane.start()
            var client = try LineClient(path: lane.controlPath)
            func follow(_ after: Int64) throws -> (revision: Int64, basket: String?) {
                let value = try JSONValue(
                    parsing: try client.exchange(Array(#"{"do":"follow","after":\#(after)}"#.utf8)))
                return (try #require(value["revision"]?.int), value["states"]?["basket"]?.text)
            }
            _ = try lane.send(#"{"type":"pos.state","state":"idle","ack":true}"#)
            let begun = try follow(0)
            #expect(begun.basket == "closed")
            // After a second nothing has changed.
            let still = try follow(begun.revision)
            #expect(still == begun)
            _ = try lane.send(#"{"type":"pos.state","state":"basket_open","ack":true}"#)
            let opened = try follow(begun.revision)
            #expect(opened.revision > begun.revision && opened.basket == "open")
        }

        /// A shadow rule with a topic of its own: counted, told on the shadow topic, and nobody else hears of it.
        @Test func aShadowRuleCallsNobody() throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            _ = try lane.send(#"{"type":"item.refused","code":"4","ack":true}"#)
            try lane.awaitDrained(seconds: 15)
            let shadows = try lane.records("sco.rules.shadow")
            #expect(shadows.map(\.rule) == ["trial"])
            #expect(shadows.first?.value?["shadow"]?.bool == true)
            #expect(try lane.records("sco.interventions").map(\.rule) == ["refused"])
            #expect(try lane.records("sco.interventions.payment").isEmpty)
            #expect(try lane.metric("lanewatch_interventions_open") == 1)
            #expect(try lane.metric("lanewatch_interventions_total", label: "trial") == 0)
            #expect(try lane.metric("lanewatch_rule_fired_total", label: "trial") == 1)
            #expect(try lane.metric("lanewatch_rule_info", label: "mode=\"shadow\"") == 1)
            #expect(try row("trial", lane).prefix(5) == ["trial", "shadow,", "active", "1", "1"])
            usleep(1_200_000)
            try lane.awaitDrained(seconds: 15)
            let open = try lane.records("sco.lane-state").compactMap { $0.value?["open"]?.elements }
            #expect(open.last?.compactMap { $0["rule"]?.text } == ["refused"])
            #expect(open.allSatisfy { $0.allSatisfy { $0["rule"]?.text != "trial" } })
        }

        @Test func shadowsMayBeToldNowhere() throws {
            let lane = try LaneUnderTest(rules: Self.rules, extra: "topics: {shadow: false}")
            try lane.start()
            _ = try lane.send(#"{"type":"item.refused","code":"4","ack":true}"#)
            try lane.awaitDrained(seconds: 15)
            #expect(try lane.records("sco.interventions").map(\.rule) == ["refused"])
            #expect(try lane.records("sco.rules.shadow").isEmpty)
            #expect(try row("trial", lane).prefix(5) == ["trial", "shadow,", "active", "1", "1"])
        }

        @Test func whatCannotBeAskedIsSaid() throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let path = folder.appending(path: "none.sock").path
            let (code, output) = try run("rules", "--control", path)
            #expect(code == 1)
            #expect(output.first?.hasPrefix("lanewatch rules: no agent listens on \(path); start it") == true)
            #expect(try run("explain", "x", "--control", path).code == 1)
            #expect(try run("explain").code == 2)
            #expect(try run("rules", "--sort", "size").code == 2)
            #expect(try run("rules", "--lane", "L07", "--control", path).code == 2)
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            let unknown = try run("explain", "refusde", "--control", lane.controlPath)
            #expect(unknown.code == 1)
            #expect(unknown.output == ["lanewatch explain: no rule \"refusde\"; did you mean \"refused\"?"])
            #expect(try lane.metric("lanewatch_stage_dropped_total", label: "reason=\"unknown_rule\"") == 1)
        }

        /// Without an agent: what the files say.
        @Test func theRulesOfFilesAreListed() throws {
            let golden = Places.repository.appending(path: "Tests/RulesTests/Golden/rules.listing")
            let rules = Places.repository.appending(path: "Tests/RulesTests/Golden/example.yaml").path
            let (code, output) = try run("rules", "--rules", rules, "--lane", "fuel-3")
            #expect(code == 0)
            let text = output.map { $0 + "\n" }.joined()
            #expect(text == (try? String(contentsOf: golden, encoding: .utf8)), "\(text)")
            let lines = try run("rules", "--rules", rules, "--json").output
            #expect(try lines.allSatisfy { try JSONValue(parsing: $0)["fired"] == nil })
            let wrong = Places.repository.appending(path: "Tests/RulesTests/Golden/01.yaml").path
            #expect(try run("rules", "--rules", wrong).code == 1)
        }
    }
}
