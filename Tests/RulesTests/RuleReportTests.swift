import Lane
import Testing

@testable import Rules

/// What a rule says of itself at a moment.
@Suite struct RuleReportTests {
    static let start = TestTimeline.defaultStart.milliseconds
    let states: [StateDeclaration]

    init() throws {
        states = [
            try Notation.state(
                "basket", ["open": ["pos.state where state = basket_open"], "closed": ["pos.state where state = idle"]]),
            try Notation.state("network", ["down": ["network.down"], "up": ["network.up"]]),
        ]
    }

    /// The engine after `given`, idled to `seconds`; lane time is five seconds behind the wall clock.
    private func engine(_ rules: [Rule], _ given: [String], at seconds: Int64) throws -> RuleEngine {
        let timeline = TestTimeline(given: [])
        var engine = RuleEngine(table: RuleSet(rules, states: states).table())
        for (place, line) in given.enumerated() {
            var stamped = timeline.stamped(try GivenLine(parsing: line), number: Int64(place + 1))
            stamped.wall.milliseconds += 5000
            _ = engine.step(stamped)
        }
        _ = engine.idle(until: timeline.zero.advanced(byMilliseconds: seconds * 1000))
        return engine
    }

    private func report(_ rules: [Rule], _ given: [String], at seconds: Int64, limit: Int = 50) throws -> RuleReport {
        let now = TestTimeline(given: []).zero.advanced(byMilliseconds: seconds * 1000)
        let wall = WallInstant(milliseconds: Self.start + seconds * 1000 + 5000)
        let engine = try engine(rules, given, at: seconds)
        return try #require(engine.report(on: rules[0].id, now: now, wall: wall, limit: limit))
    }

    /// Seconds after the start, on the wall clock.
    private func seconds(_ at: WallInstant?) -> Int64? { at.map { ($0.milliseconds - Self.start - 5000) / 1000 } }

    @Test func waitsAreToldWithTheirDeadlines() throws {
        let rule = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        let given = ["0s payment.started pay=P1", "10s payment.started pay=P2", "12s payment.approved pay=P1"]
        let found = try report([rule], given, at: 20)
        #expect(found.waitCount == 1 && found.waits.map(\.key) == [[KeyPart(name: "pay", value: "P2")]])
        #expect(seconds(found.waits[0].since) == 10 && seconds(found.waits[0].due) == 55)
        #expect(found.activeCount == 0 && found.holds && found.isInside && found.lasting == nil)
        let all = try report([rule], (0..<60).map { "\($0)s payment.started pay=\($0)" }, at: 59, limit: 10)
        #expect(all.waits.count == 10 && all.waitCount + all.activeCount == 60)
    }

    @Test func countsAreThoseWithinTheTime() throws {
        let rule = try Rule.c("many", on: "touch", count: 3, within: "10s").clearAfter("1m")
        let found = try report([rule], ["0s touch", "8s touch"], at: 9)
        #expect(found.counts.map(\.count) == [2] && found.counts[0].of == 3)
        #expect(seconds(found.counts[0].oldest) == 0 && seconds(found.counts[0].until) == 10)
        #expect(try report([rule], ["0s touch", "8s touch"], at: 10).counts.map(\.count) == [2])
        #expect(try report([rule], ["0s touch", "8s touch"], at: 11).counts.map(\.count) == [1])
        let old = try report([rule], ["0s touch", "8s touch"], at: 19)
        #expect(old.counts == [] && old.countCount == 0)
    }

    @Test func whatLastsTellsItsPhase() throws {
        let rule = try Rule.d("idle", when: "basket is open", states, for: "60s", unless: "touch")
        let open = "0s pos.state state=basket_open"
        #expect(try report([rule], [], at: 1).lasting == RuleReport.Lasting(phase: .idle))
        let waiting = try #require(try report([rule], [open, "30s touch"], at: 50).lasting)
        #expect(waiting.phase == .waiting && seconds(waiting.since) == 30 && seconds(waiting.due) == 90)
        let over = try report([rule], [open], at: 70)
        #expect(over.lasting?.phase == .over && over.active.count == 1)
        let down = try Rule.a("down", on: "network.down").clearAfter("1h")
        let muted = try report([rule.mutedBy("down"), down], [open, "10s network.down"], at: 70)
        #expect(muted.lasting?.phase == .muted && muted.mutedBy == ["down"])
    }

    @Test func whatStandsInTheWayIsTold() throws {
        let down = try Rule.a("down", on: "network.down").clearAfter("1h")
        let shadow = try Rule.a("quiet", on: "network.down").clearAfter("1h").shadow
        let rule = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared").cooldown("1m")
            .while("basket is open and network is not up", states).at(60, 120).mutedBy("down", "quiet")
        let found = try report([rule, down, shadow], ["0s pos.state state=idle", "1s network.down"], at: 10)
        #expect(found.terms.map(\.text) == ["basket is open", "network is not up"])
        #expect(found.terms.map(\.current) == ["closed", "down"] && found.terms.map(\.holds) == [false, true])
        #expect(!found.holds && !found.isInside)
        #expect(found.muters.map(\.isActive) == [true, true] && found.muters.map(\.isIgnored) == [false, true])
        #expect(found.mutedBy == ["down"])
        let unknown = try report([rule, down, shadow], [], at: 1)
        #expect(unknown.terms.map(\.current) == [nil, nil] && unknown.terms.map(\.holds) == [false, false])
    }

    @Test func cooldownsEndAndSilencesToo() throws {
        let rule = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared").cooldown("1m")
        let given = ["0s help.requested", "10s staff.cleared"]
        #expect(seconds(try report([rule], given, at: 69).cooldowns.first?.until) == 70)
        #expect(try report([rule], given, at: 70).cooldownCount == 0)
        var set = RuleSet([rule])
        let end = WallInstant(milliseconds: Self.start + 1000)
        set.silences = [Silence(rules: ["help"], lanes: [], until: end, why: "x")]
        let engine = RuleEngine(table: set.table())
        func silenced(_ milliseconds: Int64) -> WallInstant? {
            engine.report(
                on: "help", now: LaneInstant(milliseconds: 0),
                wall: WallInstant(milliseconds: Self.start + milliseconds)
            )?.silencedUntil
        }
        #expect(silenced(999) == end && silenced(1000) == nil)
    }

    @Test func whatIsRaisedTellsWhatComesNext() throws {
        let rule = try Rule.a("help", on: "help.requested").clearAfter("10m").escalate("1m", .warning)
            .escalate("2m", .critical)
        let found = try report([rule], ["0s help.requested", "5s help.requested"], at: 61)
        let one = try #require(found.active.first)
        #expect(one.severity == .warning && one.repeats == 1 && one.escalatesTo == .critical)
        #expect(seconds(one.raised) == 0 && seconds(one.escalates) == 120 && seconds(one.clears) == 600)
        #expect(found.tally.fired == 1)
    }

    @Test func aRuleThatIsNotHereHasNoReport() throws {
        let engine = RuleEngine(table: RuleSet([try Rule.a("a", on: "touch").disabled]).table())
        let (now, wall) = (LaneInstant(milliseconds: 0), WallInstant(milliseconds: 0))
        #expect(engine.report(on: "a", now: now, wall: wall) == nil)
        #expect(engine.report(on: "b", now: now, wall: wall) == nil)
    }

    /// Any moment, any stream: never a trap, and it changes nothing.
    @Test(arguments: 0..<20) func reportsAreTotal(_ seed: Int) {
        var lane = RandomLane(seed: seed)
        var engine = RuleEngine(table: lane.set(rules: 15).table())
        for signal in lane.stream(60) {
            _ = engine.step(signal)
            let before = engine.snapshot()
            for now in [Int64.min, 0, signal.at.milliseconds, .max] {
                for id in engine.table.ruleIDs {
                    let (at, wall) = (LaneInstant(milliseconds: now), WallInstant(milliseconds: now))
                    guard let report = engine.report(on: id, now: at, wall: wall) else {
                        Issue.record("no report on \(id)")
                        continue
                    }
                    var json = JSONWriter()
                    json.object { report.write(to: &$0, now: WallInstant(milliseconds: now)) }
                    #expect((try? JSONValue(parsing: json.bytes)) != nil)
                }
            }
            #expect(engine.snapshot() == before)
        }
    }

    // MARK: Listing

    @Test func whatARuleWaitsForInOneLine() throws {
        let rules = [
            try Rule.b("b", on: "payment.started", unless: "payment.approved", "payment.declined", within: "$wait")
                .same("pay"),
            try Rule.c("c", on: "item.refused where code = 1|2", count: 3, within: "10s", unless: "item.accepted"),
            try Rule.d("d", when: "basket is not open and network is down", states, for: "90s", unless: "touch"),
            try Rule.d(
                "e", when: "basket is open", states, for: "1m", unless: "touch", "keypad", "scan.read", "item.accepted",
                "item.refused"),
            try Rule.a("a", on: "item.accepted where age >= 16").while("basket is open", states).at(1320, 360, days: 3),
        ]
        var set = RuleSet(rules, states: states)
        set.params = ["wait": .duration(45_000)]
        set.overrides = [LaneOverride(match: [LanePattern("fuel-*")], set: ["wait": .duration(75_000)])]
        #expect(
            RuleList(set).lines.map(\.waitsFor) == [
                "payment.started, then no payment.approved or payment.declined within 45s; for each pay",
                "3 times item.refused where code = 1|2 within 10s, without item.accepted",
                "basket is not open and network is down for 90s, without touch",
                "basket is open for 1m, without touch, keypad, scan.read or 2 more",
                "item.accepted where age >= 16; while basket is open; at Mon,Tue 22:00-06:00",
            ])
        #expect(RuleList(set, lane: "fuel-1", only: "b").lines.map(\.waitsFor)[0].contains("within 75s"))
        #expect(RuleList(set).lines.map { String($0.shape) }.joined() == "BCDDA")
    }

    @Test func theModeIsThatOfTheFilesAndTheLane() throws {
        let rules = [
            try Rule.a("on", on: "touch"), try Rule.a("shadow", on: "touch").shadow,
            try Rule.a("disabled", on: "touch").disabled, try Rule.a("fuel", on: "touch").lanes("fuel-*"),
        ]
        let set = RuleSet(rules)
        #expect(RuleList(set).lines.map(\.mode) == [.on, .shadow, .disabled, .on])
        #expect(RuleList(set, lane: "L07").lines.map(\.mode) == [.on, .shadow, .disabled, .elsewhere])
        let live = RuleList(set, RuleEngine(table: set.table()), wall: WallInstant(milliseconds: 0))
        #expect(live.lines.allSatisfy { $0.tally == RuleTally() })
    }
}
