import Foundation
import Lane
import Rules
import Testing

@testable import Agent

/// What a running agent answers, and how people read it. Virtual time; the lane is in Berlin, an hour before UTC.
@Suite struct ControlTests {
    struct Berlin: LocalTime {
        func offsetSeconds(at wall: WallInstant) -> Int { 3600 }
    }

    static let rules = """
        format: 1
        params: {wait: 45s}
        states:
          basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle}
        silences: [{rules: [quiet], until: "2026-02-01T06:00:00Z", why: "till is rebuilt"}]
        rules:
          - {id: payment-timeout, title: Payment has no answer, on: payment.started, unless: payment.approved, same: pay, within: $wait, severity: warning, muted_by: network-down, escalate: {after: 2m, severity: critical}}
          - {id: refused, on: item.refused, count: 3, within: 10s, same: code, severity: info, clear_when: staff.cleared, clear_after: 30m, cooldown: 1m}
          - {id: age-check, on: item.accepted where age >= 16, while: basket is open, at: "Mon-Fri 22:00-06:00", severity: info, clear_after: 15m}
          - {id: abandoned, title: Nobody touches an open basket, when: basket is open, for: 60s, unless: touch, severity: info}
          - {id: network-down, on: network.down, severity: critical, clear_when: network.up}
          - {id: quiet, on: help.requested, severity: info, clear_after: 1m}
          - {id: trial, on: touch, severity: info, clear_after: 1h, mode: shadow}
          - {id: off, on: touch, severity: info, clear_after: 1m, enabled: false}
          - {id: fuel, on: touch, severity: info, clear_after: 1m, lanes: "fuel-*"}
        """

    /// 2026-01-05 10:00:00 UTC, a Monday.
    static let start: Int64 = 1_767_607_200_000

    /// The agent after `given`, each with its second, at second `now`.
    private func view(
        _ given: [(Int64, String, [(String, String)])], now: Int64, verdicts: [(Int, String)] = []
    ) throws -> ControlView {
        let loaded = RuleFile.load(files: [("r.yaml", Array(Self.rules.utf8))])
        let set = try #require(loaded.ruleSet, "\(loaded.diagnostics.map { $0.rendered() })")
        let identity = LaneIdentity(store: "0042", lane: "07")
        var engine = RuleEngine(table: RuleTable(set, lane: identity, localTime: Berlin()))
        var raised: [LaneUUID] = []
        func step(_ number: Int, _ second: Int64, _ type: SignalType, _ attributes: [(String, String)]) throws {
            let at = LaneInstant(milliseconds: Self.start + second * 1000)
            let signal = Signal(
                type,
                try attributes.map { name, text in
                    let name = try #require(AttributeName(name))
                    let isInt = SignalCatalogue.shipped[type].declared(name)?.kind == .int
                    return Attribute(name, isInt ? .int(try #require(Int64(text))) : .text(text))
                }, feed: .pos)
            let step = engine.step(
                StampedSignal(
                    number: Int64(number), at: at, wall: WallInstant(milliseconds: at.milliseconds), signal: signal))
            raised += step.changes.filter { $0.kind == .raise }.map(\.intervention.id)
        }
        for (number, (second, type, attributes)) in given.enumerated() {
            try step(number + 1, second, try #require(SignalType(type)), attributes)
        }
        let end = LaneInstant(milliseconds: Self.start + now * 1000)
        raised += engine.idle(until: end).changes.filter { $0.kind == .raise }.map(\.intervention.id)
        for (number, (place, verdict)) in verdicts.enumerated() {
            let attributes = [("intervention", raised[place].description), ("verdict", verdict)]
            try step(1000 + number, now, .attendantResolved, attributes)
        }
        return ControlView(
            engine: engine, set: set, identity: identity, timezone: "Europe/Berlin", now: end,
            wall: WallInstant(milliseconds: Self.start + now * 1000))
    }

    private func explain(_ rule: String, _ view: ControlView) throws -> [String] {
        let answer = try JSONValue(parsing: try view.answer(.explain(rule: rule)))
        let text = ExplainText.text(answer, zone: Berlin())
        #expect(text.hasSuffix("\n"))
        // The digest differs with every edit of the rules above.
        let digest = view.engine.table.digest.prefix(19)
        return text.replacing(String(digest), with: "DIGEST").split(separator: "\n", omittingEmptySubsequences: false)
            .dropLast().map(String.init)
    }

    // MARK: Golden listings

    @Test func explainingAMissingAnswer() throws {
        let view = try view(
            [
                (0, "payment.started", [("pay", "P1")]), (20, "payment.started", [("pay", "P 2")]),
                (60, "network.down", []), (70, "payment.started", [("pay", "P3")]),
            ], now: 80)
        #expect(
            try explain("payment-timeout", view) == [
                "payment-timeout: Payment has no answer",
                "  warning; payment.started, then no payment.approved within 45s; for each pay",
                "  lane 0042/07, 11:01:20, rules DIGEST",
                "",
                "Raised: 1",
                "  pay=P1 warning since 11:00:45 (35s ago); escalates to critical at 11:02:45 (in 1m25s)",
                "Waiting for an answer: 1",
                "  pay=P3 since 11:01:10; fires at 11:01:55 (in 35s)",
                "Muted by network-down, which is raised.",
                "",
                "Fired once, last at 11:00:45 (35s ago). Held back once.",
                "Nobody has judged it yet.",
            ])
    }

    @Test func explainingACount() throws {
        let code = [("code", "4006381333931")]
        let view = try view(
            [
                (0, "item.refused", code), (1, "item.refused", code), (2, "item.refused", code),
                (3, "item.refused", [("code", "7")]), (9, "item.refused", [("code", "7")]), (9, "staff.cleared", []),
            ], now: 10, verdicts: [(0, "false alarm")])
        #expect(
            try explain("refused", view) == [
                "refused",
                "  info; 3 times item.refused within 10s; for each code",
                "  lane 0042/07, 11:00:10, rules DIGEST",
                "",
                "Nothing is raised.",
                "Counted: 1",
                "  code=7 2 of 3 within 10s, the oldest at 11:00:03, which counts until 11:00:13 (in 3s)",
                "In cooldown: code=4006381333931 until 11:01:09 (in 59s)",
                "",
                "Fired once, last at 11:00:02 (8s ago).",
                "Judged once, a false alarm once: precision 0 %.",
            ])
    }

    @Test func explainingGuardsAndTimes() throws {
        #expect(
            try explain("age-check", try view([(0, "pos.state", [("state", "idle")])], now: 1)) == [
                "age-check",
                "  info; item.accepted where age >= 16; while basket is open; at Mon-Fri 22:00-06:00",
                "  lane 0042/07, 11:00:01, rules DIGEST",
                "",
                "Nothing is raised.",
                "Guard closed: basket is open, but basket is closed.",
                "Outside its time: at Mon-Fri 22:00-06:00.",
                "",
                "It has never fired here.",
            ])
        let unknown = try explain("age-check", try view([], now: 1))
        #expect(unknown.contains("Guard closed: basket is open, but basket is not known yet."))
        #expect(
            try explain("abandoned", try view([(0, "pos.state", [("state", "basket_open")])], now: 29)).dropFirst(4)
                == [
                    "Nothing is raised.",
                    "Its state holds, counted since 11:00:00; fires at 11:01:00 (in 31s).",
                    "Guard open: basket is open.",
                    "",
                    "It has never fired here.",
                ])
    }

    @Test func explainingWhatDoesNotCall() throws {
        let view = try view([(0, "touch", []), (1, "help.requested", [])], now: 5)
        #expect(try explain("quiet", view).contains("Silenced until 2026-02-01 07:00:00 (in 26d19h)."))
        #expect(try explain("quiet", view).contains("It has never fired here. Held back once."))
        #expect(try explain("trial", view).contains("It is in shadow: it counts, and calls nobody."))
        #expect(try explain("off", view).contains("It is disabled: \"enabled: false\" stands in its file."))
        #expect(try explain("fuel", view).contains("It is not for this lane: its \"lanes\" name others."))
    }

    @Test func listingTheRulesOfARunningLane() throws {
        let view = try view(
            [
                (0, "payment.started", [("pay", "P1")]), (1, "touch", []), (2, "touch", []), (3, "network.down", []),
                (4, "network.up", []), (5, "network.down", []), (60, "network.up", []), (61, "network.down", []),
            ], now: 90_000, verdicts: [(1, "helped"), (2, "false alarm"), (3, "maintenance")])
        let answer = try JSONValue(parsing: try view.answer(.rules))
        let rules = try #require(answer["rules"]?.elements)
        func text(_ order: RulesText.Order) -> [String] {
            RulesText.live(RulesText.sorted(rules, by: order), now: view.wall, zone: Berlin())
                .split(separator: "\n").map(String.init)
        }
        let golden = """
            RULE             STATE                            FIRED  LAST FIRED        JUDGED  FALSE  PRECISION
            abandoned        on                                   0  -                      0      0          -
            age-check        on                                   0  -                      0      0          -
            fuel             not for this lane                    0  -                      0      0          -
            network-down     active 1                             3  2026-01-05 11:01       3      1     66.7 %
            off              disabled                             0  -                      0      0          -
            payment-timeout  muted by network-down                0  -                      0      0          -
            quiet            silenced until 2026-02-01 07:00      0  -                      0      0          -
            refused          on                                   0  -                      0      0          -
            trial            shadow                               1  2026-01-05 11:00       0      0          -
            """
        #expect(text(.id) == golden.split(separator: "\n").map(String.init))
        #expect(text(.precision)[1].hasPrefix("network-down "))
        #expect(text(.fired)[1].hasPrefix("network-down ") && text(.fired)[2].hasPrefix("trial "))
        #expect(text(.last)[1].hasPrefix("network-down "))
    }

    // MARK: Requests

    @Test(arguments: [
        (
            #"{"do":"explain","rule":"payment-timout"}"#, "unknown_rule",
            "no rule \"payment-timout\"; did you mean \"payment-timeout\"?"
        ),
        (#"{"do":"explain","rule":"zzz"}"#, "unknown_rule", "no rule \"zzz\"; \"lanewatch rules\" lists them"),
        (#"{"do":"explain"}"#, "malformed", "\"explain\" needs \"rule\", the id of a rule"),
        (#"{"do":"rulez"}"#, "unknown_request", "no request \"rulez\"; did you mean \"rules\"?"),
        (#"{"do":"rules","sort":"x"}"#, "malformed", "\"rules\" has no \"sort\""),
        (
            #"{"rule":"x"}"#, "malformed",
            "no \"do\"; it is one of: explain, rules, state, follow, outbox, release, discard, view"
        ),
        (#"[]"#, "malformed", "expected an object: {\"do\":\"rules\"}"),
        (#"{"do":"#, "malformed", "expected a value, at column 7"),
    ])
    func badRequestsAreSaidInASentence(_ line: String, _ reason: String, _ message: String) throws {
        let view = try view([], now: 0)
        let error = #expect(throws: ControlFault.self) {
            let request = try Array(line.utf8).withUnsafeBytes { bytes throws(ControlFault) in
                try ControlRequest(parsing: bytes)
            }
            _ = try view.answer(request)
        }
        #expect(error?.reason == reason && error?.description == message)
    }

    @Test(arguments: [ControlRequest.explain(rule: "a \"b\""), .rules, .state])
    func aRequestIsReadAsItWasWritten(_ request: ControlRequest) throws {
        let line = request.line
        #expect(
            try line.withUnsafeBytes { bytes throws(ControlFault) in try ControlRequest(parsing: bytes) } == request)
    }

    /// As many rules as a set may have, every one raised: an answer fits into what a client takes.
    @Test func theLargestSetIsAnswered() throws {
        var rules = "format: 1\nrules:\n"
        for number in 0..<5000 {
            rules +=
                "  - {id: rule-\(number), title: Nobody touches an open basket, on: touch, severity: info, clear_after: 1h}\n"
        }
        let set = try #require(RuleFile.load(files: [("r.yaml", Array(rules.utf8))]).ruleSet)
        let identity = LaneIdentity(store: "0042", lane: "07")
        var engine = RuleEngine(table: RuleTable(set, lane: identity))
        let at = LaneInstant(milliseconds: Self.start)
        let wall = WallInstant(milliseconds: Self.start)
        _ = engine.step(StampedSignal(number: 1, at: at, wall: wall, signal: Signal(.touch, feed: .evdev)))
        let view = ControlView(
            engine: engine, set: set, identity: identity, timezone: "UTC", now: at, wall: wall)
        let answer = try view.answer(.rules)
        #expect(answer.count < ControlClient.answerBytes)
        #expect(try JSONValue(parsing: answer)["rules"]?.elements?.count == 5000)
        #expect(try view.answer(.explain(rule: "rule-4999")).count < 4096)
    }

    @Test func theStateIsTold() throws {
        var view = try view([(0, "pos.state", [("state", "idle")]), (1, "touch", []), (2, "network.down", [])], now: 3)
        view.devices = ["scanner": true]
        let answer = try JSONValue(parsing: try view.answer(.state))
        #expect(answer["states"]?["basket"]?.text == "closed")
        #expect(answer["open"]?.elements?.compactMap { $0["rule"]?.text } == ["network-down", "trial"])
        #expect(answer["open"]?.elements?.compactMap { $0["shadow"]?.bool } == [true])
        #expect(answer["devices"]?["scanner"]?.bool == true)
        #expect(answer["lane"]?.text == "07" && answer["digest"]?.text == view.engine.table.digest)
    }

    /// Any bytes are a request or a fault.
    @Test func anyLineIsARequestOrAFault() {
        var random = SystemRandomNumberGenerator()
        let good = Array(#"{"do":"explain","rule":"payment-timeout"}"#.utf8)
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...bytes.count, using: &random) / 4)
            let fault: ControlFault? = bytes.withUnsafeBytes { bytes in
                do throws(ControlFault) {
                    _ = try ControlRequest(parsing: bytes)
                    return nil
                } catch { return error }
            }
            if let fault { #expect(!fault.description.isEmpty) }
        }
    }

    @Test(arguments: [
        (0, "0s"), (59, "59s"), (60, "1m"), (113, "1m53s"), (3600, "1h"), (7500, "2h5m"), (86_400, "1d"),
        (273_600, "3d4h"),
    ])
    func lengthsInTwoUnits(_ seconds: Int64, _ text: String) { #expect(PeopleTime.length(seconds) == text) }
}
