import Lane
import Testing

@testable import Rules

/// Notes, the nearest miss, how a rule stands, what tests touch.
@Suite struct ExplainTests {
    /// What happened to `rule` and what it came to, `within` the first ten minutes.
    private func told(_ set: RuleSet, _ rule: String, _ given: [String]) throws -> (lines: [String], summary: [String])
    {
        let timeline = TestTimeline(given: try given.map { try GivenLine(parsing: $0) })
        var noting: Noting? = Noting(rules: [rule])
        _ = timeline.run(set.table(), reloads: [:], noting: &noting)
        let notes = try #require(noting).notes
        #expect(notes.allSatisfy { $0.rule == rule })
        let found = try #require(set.rules.first { $0.id == rule })
        let story = Explanation(
            found, in: set, lane: "L07", notes: notes, times: ExplainedTimes(zero: timeline.zero, style: .clock))
        return (story.lines().map { ($0.time.isEmpty ? "" : $0.time + " ") + $0.text }, story.summary)
    }

    private func nearest(_ set: RuleSet, _ rule: String, _ given: [String]) throws -> String? {
        try told(set, rule, given).summary.dropFirst().first
    }

    // MARK: The nearest miss

    @Test func ofCountsTheHighestAndOfEqualsTheLast() throws {
        let set = RuleSet([
            try Rule.c("rescans", on: "scan.read", count: 3, within: "10s", unless: "item.accepted").same("code")
        ])
        let given = [
            "0s scan.read code=A", "1s scan.read code=B", "2s scan.read code=A", "20s item.accepted",
            "4m scan.read code=C",
            "250s scan.read code=C", "300s scan.read code=D",
        ]
        #expect(
            try nearest(set, "rescans", given)
                == "nearest miss: 2 of 3 within 10s for code=C at 4m10s; a third by 4m10s would have raised it")
        #expect(
            try nearest(set, "rescans", ["0s scan.read code=A", "9s scan.read code=A", "12s scan.read code=A"])
                == "nearest miss: 3 for code=A at 12s, but in 12s, not within 10s")
    }

    /// What led to a raise is no miss.
    @Test func whatRaisedIsNotAMiss() throws {
        let set = RuleSet([try .c("two", on: "help.requested", count: 3, within: "10s")])
        let summary = try told(set, "two", ["0s help.requested", "1s help.requested", "2s help.requested"]).summary
        #expect(summary == ["raised once"])
    }

    @Test func ofWaitsTheOneWithTheLeastLeft() throws {
        let set = RuleSet([try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")]
        )
        #expect(
            try nearest(
                set, "slow",
                [
                    "0s payment.started pay=A", "1s payment.started pay=B", "40500ms payment.approved pay=B",
                    "41s payment.approved pay=A", "50s payment.started pay=C", "51s payment.approved pay=C",
                ])
                == "nearest miss: 41s of 45s for pay=A, then payment.approved at 41s, 4s before it would have raised")
    }

    @Test func whatWasKeptBackIsNearerThanAnyWait() throws {
        let set = RuleSet([
            try .b("slow", on: "payment.started", unless: "payment.approved", within: "10s").at(1, 2).same("pay")
        ])
        #expect(
            try nearest(
                set, "slow", ["0s payment.started pay=A", "20s payment.started pay=B", "29s payment.approved pay=B"])
                == "nearest miss: at 10s for pay=A: would have raised, but its hours are 00:01-00:02, and it was 10:00")
    }

    @Test func aSignalThatIsNotMeantIsNewsOnlyWhereNothingElseIs() throws {
        let set = RuleSet([try Rule.a("out", on: "printer.paper where level = out").clearAfter("1m")])
        #expect(
            try told(set, "out", ["0s printer.paper level=low"]).summary == [
                "never raised", "nearest miss: printer.paper at 0s: does not count: level is low, not out",
            ])
        #expect(try told(set, "out", ["0s printer.paper level=low", "1s printer.paper level=out"]).summary.count == 1)
        #expect(
            try told(set, "out", ["0s touch x=1 y=1"]).summary == ["nothing touched this rule: no printer.paper came"])
    }

    // MARK: Lines

    @Test func longRunsAreFolded() throws {
        let set = RuleSet([try .b("dead", on: "touch", unless: "screen.changed", within: "8s")])
        let touches = (0..<9).flatMap { ["\($0 * 10)s touch x=1 y=1", "\($0 * 10 + 1)s screen.changed screen=a"] }
        let lines = try told(set, "dead", touches).lines
        #expect(lines.count == 5)
        #expect(lines[2] == "… 7 more pairs that did the same")
        let many = ["0s touch x=1 y=1"] + (1..<7).map { "\($0)s touch x=1 y=1" }
        #expect(
            try told(set, "dead", many).lines == [
                "0s touch → waits for an answer until 8s",
                "1s touch → it waits already, until 8s; another one changes nothing", "… 4 more that did the same",
                "6s touch → it waits already, until 8s; another one changes nothing",
                "8s (time is up) → RAISED: warning",
            ])
    }

    /// A thousand keys and one more: the oldest wait is given up, and said to be.
    @Test func aWaitThatIsGivenUpForANewerOneIsTold() throws {
        let set = RuleSet([try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")]
        )
        let lines = try told(set, "slow", (0...RuleEngine.maximumKeys).map { "\($0)ms payment.started pay=P\($0)" })
            .lines
        #expect(
            lines.contains {
                $0.hasSuffix("→ pay=P0: given up: 1000 newer ones wait; it had waited 1s of 45s")
            })
    }

    // MARK: Looking on changes nothing

    @Test(arguments: 0..<150) func anEngineThatIsLookedAtDoesTheSame(_ seed: Int) throws {
        var lane = RandomLane(seed: seed)
        let table = lane.set(rules: 8).table()
        let other = lane.set(rules: 8).table()
        var plain = RuleEngine(table: table)
        var noted = plain
        noted.noting = Noting()
        for (place, signal) in lane.stream(120).enumerated() {
            if place == 60 {
                let changes = noted.adopt(other, at: signal.at, wall: signal.wall).changes
                #expect(changes == plain.adopt(other, at: signal.at, wall: signal.wall).changes)
            }
            if place % 40 == 30 {
                let gap: Int64? = place % 3 == 0 ? nil : 20_000
                let changes = noted.resume(at: signal.at, wall: signal.wall, gapMilliseconds: gap).changes
                #expect(changes == plain.resume(at: signal.at, wall: signal.wall, gapMilliseconds: gap).changes)
            }
            let changes = noted.step(signal).changes
            #expect(changes == plain.step(signal).changes)
        }
        #expect(noted.snapshot() == plain.snapshot())
        // Each change of a kind with a result line has its note.
        let notes = try #require(noted.noting).notes
        func count(_ test: (Note.Kind) -> Bool) -> Int { notes.count { test($0.kind) } }
        #expect(count { if case .raised = $0 { true } else { false } } == plain.counts.raised)
        #expect(count { if case .escalated = $0 { true } else { false } } == plain.counts.escalated)
        #expect(count { if case .cleared = $0 { true } else { false } } == plain.counts.cleared)
        #expect(count { if case .repeated = $0 { true } else { false } } == plain.counts.repeats)
        #expect(count { if case .inCooldown = $0 { true } else { false } } == plain.counts.suppressedByCooldown)
        #expect(count { if case .silenced = $0 { true } else { false } } == plain.counts.suppressedBySilence)
        #expect(count { if case .outsideHours = $0 { true } else { false } } == plain.counts.suppressedByTime)
        #expect(count { if case .muted = $0 { true } else { false } } == plain.counts.suppressedByMute)
        // And each of them can be told.
        for note in notes {
            #expect(!note.kind.text(ExplainedTimes(zero: note.at, style: .clock)).isEmpty)
        }
    }

    @Test func notesAreBounded() throws {
        var engine = RuleEngine(table: RuleSet([try Rule.a("help", on: "help.requested").clearAfter("1h")]).table())
        engine.noting = Noting()
        let type = try #require(SignalType("help.requested"))
        for number in 1...Int64(Noting.maximum + 10) {
            _ = engine.step(
                StampedSignal(
                    number: number, at: LaneInstant(milliseconds: number), wall: WallInstant(milliseconds: number),
                    signal: Signal(type, [], feed: .pos)))
        }
        let noting = try #require(engine.noting)
        #expect(noting.notes.count == Noting.maximum)
        // One a signal: raised, then repeated.
        #expect(noting.leftOut == 10)
    }

    // MARK: How a rule stands

    private func standing(_ set: RuleSet, _ rule: String, _ given: [String], at: String) throws -> [String]? {
        let timeline = TestTimeline(given: try given.map { try GivenLine(parsing: $0) })
        var engine = RuleEngine(table: set.table())
        for (number, step) in timeline.steps.enumerated() {
            guard case .signal(let line) = step else { continue }
            _ = engine.step(timeline.stamped(line, number: Int64(number + 1)))
        }
        let moment = timeline.zero.advanced(byMilliseconds: try #require(ExplainedTimes.milliseconds(of: at)))
        _ = engine.idle(until: moment, inclusive: true)
        return engine.standing(of: rule, at: moment, ExplainedTimes(zero: timeline.zero, style: .clock))
    }

    @Test func waitsCountsAndGuards() throws {
        let states = [
            try Notation.state(
                "basket", ["open": ["pos.state where state = basket_open"], "closed": ["pos.state where state = idle"]])
        ]
        let down = try Rule.a("down", on: "network.down").clearWhen("network.up")
        let set = RuleSet(
            [
                down,
                try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
                    .escalate("60s", .critical).mutedBy("down"),
                try Rule.c("voids", on: "item.removed", count: 3, within: "1m").while("basket is open", states)
                    .clearAfter("10m").cooldown("5m").at(60, 120),
                try Rule.d("left", when: "basket is open", states, for: "2m"),
                try Rule.a("fuel", on: "touch").clearAfter("1m").lanes("fuel-*"),
            ], states: states)
        let given = [
            "0s payment.started pay=A", "10s pos.state state=basket_open", "50s payment.started pay=B",
            "51s item.removed",
            "52s item.removed", "53s network.down",
        ]
        #expect(
            try standing(set, "slow", given, at: "60s") == [
                "raised: pay=A since 45s, warning; escalates to critical at 1m45s",
                "waits: pay=B since 50s; raises at 1m35s, in 35s", "muted by down",
            ])
        #expect(
            try standing(set, "voids", given, at: "1m") == [
                "not raised", "counts: 2 of 3 within 1m; the third by 1m51s raises it", "while: basket is open: holds",
                "at: 01:00-02:00: not now",
            ])
        #expect(
            try standing(set, "left", given, at: "1m") == [
                "not raised", "waits: since 10s; raises at 2m10s, in 1m10s", "when: basket is open: holds",
            ])
        #expect(
            try standing(set, "left", [], at: "1m") == [
                "not raised", "nothing waits: its state does not hold",
                "when: basket is open: does not hold; nothing has told yet what basket is",
            ])
        #expect(try standing(set, "fuel", given, at: "1m") == nil)
        #expect(try standing(set, "nobody", given, at: "1m") == nil)
    }

    @Test func aCooldownHasItsEnd() throws {
        let set = RuleSet([try Rule.a("help", on: "help.requested").clearWhen("staff.cleared").cooldown("30s")])
        let given = ["0s help.requested", "10s staff.cleared"]
        #expect(try standing(set, "help", given, at: "39999ms") == ["not raised", "in its cooldown: until 40s"])
        #expect(try standing(set, "help", given, at: "40s") == ["not raised"])
    }

    // MARK: Coverage

    @Test func onlyBranchesThatARuleHasAreCounted() throws {
        let set = RuleSet([
            try Rule.a("help", on: "help.requested").clearAfter("1m"),
            try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s"),
            try Rule.a("off", on: "touch").clearAfter("1m").with { $0.isEnabled = false },
        ])
        var coverage = RuleCoverage()
        coverage.add(set, notes: [])
        #expect(coverage.rows.map(\.branches) == [[.fired, .expired], [.fired, .answered, .cleared]])
        #expect(coverage.percent == 0)
        var noting: Noting? = Noting()
        let timeline = TestTimeline(given: [try GivenLine(parsing: "0s help.requested")])
        _ = timeline.run(set.table(), reloads: [:], noting: &noting)
        coverage.add(set, notes: try #require(noting).notes)
        // Counted once, though the set came twice.
        #expect(coverage.rows.count == 2)
        #expect(coverage.rows.map(\.missing) == [[], [.fired, .answered, .cleared]])
        #expect(coverage.percent == 40)
        #expect(
            coverage.lines == [
                "coverage: 1 of 2 rules fired, 2 of 5 branches touched (40 %)", "  slow  no test touches it",
            ])
    }

    // MARK: Times

    @Test(
        arguments: [
            (0, "0s"), (1, "1ms"), (150, "150ms"), (45_000, "45s"), (39_437, "39.437s"), (1500, "1.5s"), (60_000, "1m"),
            (250_250, "4m10.25s"), (121_000, "2m01s"), (3_600_000, "1h"), (3_660_000, "1h01m"),
            (3_850_250, "1h04m10.25s"),
            (-1500, "-1.5s"),
        ] as [(Int64, String)])
    func timesReadAsPeopleWriteThem(_ milliseconds: Int64, _ text: String) {
        #expect(ExplainedTimes.text(milliseconds) == text)
        if milliseconds >= 0 { #expect(ExplainedTimes.milliseconds(of: text) == milliseconds) }
    }

    @Test(arguments: ["", "5", "m", "4m4m", "10s4m", "1.5m", "1.s", "1.2345s", "4m-1s", "99999999999999999s", "4 m"])
    func whatIsNoTimeIsRefused(_ text: String) { #expect(ExplainedTimes.milliseconds(of: text) == nil) }

    @Test func timesOfResultLinesAreRead() {
        #expect(ExplainedTimes.milliseconds(of: "84437ms") == 84_437)
        #expect(ExplainedTimes.milliseconds(of: "1m24s437ms") == 84_437)
    }
}
