import Lane
import Testing

@testable import Rules

/// From firing to clearing: what suppresses, repeats, escalates, mutes and ends (docs/reference/rules.md, "Definition").
@Suite struct EngineLifeTests {
    let states: [StateDeclaration]
    let down: Rule
    let help: Rule

    init() throws {
        states = [
            try Notation.state("network", ["down": ["network.down"], "up": ["network.up"]]),
            try Notation.state("screen", ["frozen": ["screen.frozen"], "alive": ["screen.alive"]]),
        ]
        down = try .d("down", when: "network is down", states, for: "10s")
        help = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared")
    }

    // MARK: Repeats

    @Test func aRepeatIsToldOnceAMinute() throws {
        let changes = try RuleSet([help]).changes([
            "0s help.requested", "30s help.requested", "59999ms help.requested", "60s help.requested txn=T1",
            "61s help.requested", "119s help.requested", "120s help.requested", "121s staff.cleared",
        ])
        #expect(changes.map(\.kind) == [.raise, .update, .update, .clear])
        #expect(changes.map(\.intervention.repeats) == [0, 3, 6, 6])
        #expect(changes.map(\.intervention.revision) == [1, 2, 3, 4])
        #expect(changes.map(\.number) == [1, 2, 3, 4])
        #expect(changes.map(\.intervention.state) == [.raised, .updated, .updated, .cleared])
        #expect(Set(changes.map(\.intervention.id)).count == 1)
        #expect(changes[1].correlation == "T1")
        #expect(changes.map(\.cause) == [1, 4, 7, 8])
    }

    @Test func evidenceKeepsTheFirstAndTheNewest() throws {
        let given = (0..<20).map { "\($0)s help.requested txn=T\($0)" } + ["60s help.requested txn=last"]
        let evidence = try #require(try RuleSet([help]).changes(given).last?.intervention.evidence)
        let names = evidence.map { $0.attributes[0].value.description }
        #expect(names == ["T0", "T14", "T15", "T16", "T17", "T18", "T19", "last"])
    }

    // MARK: Cooldown, silence, at

    @Test func atExactlyClearAndCooldownAFireRaises() throws {
        let set = RuleSet([try help.cooldown("30s")])
        #expect(
            try set.lines([
                "0s help.requested", "1s staff.cleared", "30999ms help.requested", "31s help.requested",
            ]) == ["0s raise help warning", "1s clear help", "31s raise help warning"])
    }

    @Test func cooldownIsOfTheKey() throws {
        let set = RuleSet([
            try .a("age", on: "item.accepted").same("txn").clearWhen("staff.cleared").cooldown("1h")
        ])
        #expect(
            try set.lines([
                "0s item.accepted txn=A", "1s staff.cleared", "2s item.accepted txn=A", "3s item.accepted txn=B",
            ]) == ["0s raise age txn=A warning", "1s clear age txn=A", "3s raise age txn=B warning"])
    }

    @Test func aDDueInItsCooldownDoesNotWait() throws {
        let rule = try Rule.d("down", when: "network is down", states, for: "10s", unless: "touch").cooldown("60s")
        #expect(
            try RuleSet([rule], states: states).lines(
                ["0s network.down", "20s touch", "85s touch"], until: "3m")
                == ["10s raise down warning", "20s clear down", "95s raise down warning"])
    }

    @Test func silencesEndAtAWallTime() throws {
        var set = RuleSet([help])
        let start = TestTimeline.defaultStart.milliseconds
        set.silences = [
            Silence(
                rules: ["help"], lanes: [LanePattern("L*")], until: WallInstant(milliseconds: start + 10_000), why: "x")
        ]
        let given = ["9999ms help.requested", "10s help.requested"]
        #expect(try set.lines(given) == ["10s raise help warning"])
        #expect(try set.lines(given, lane: "fuel-1") == ["9999ms raise help warning"])
    }

    @Test func atIsTestedWhenFiring() throws {
        let rule = try Rule.b("r", on: "payment.started", unless: "payment.approved", within: "45s").at(22 * 60, 6 * 60)
        let set = RuleSet([rule])
        func raised(_ time: String) throws -> Bool {
            let at = try #require(WallInstant(rfc3339: "2026-01-05T\(time)Z"))
            return try !set.lines(["0s payment.started"], at: at).isEmpty
        }
        #expect(try raised("21:59:14") == false)
        #expect(try raised("21:59:15") == true)
        #expect(try raised("05:59:14.999") == true)
        #expect(try raised("05:59:15") == false)
        #expect(try raised("12:00:00") == false)
    }

    @Test func aSpanPastMidnightBelongsToTheDayItBeginsOn() throws {
        // Monday 2026-01-05; the span begins on Sunday or Monday at 22:00.
        let span = DaySpan(days: 1 << 6, begin: 22 * 60, end: 6 * 60)
        func contains(_ text: String) -> Bool { WallInstant(rfc3339: text).map { span.contains($0, UTC()) } ?? false }
        #expect(contains("2026-01-04T23:00:00Z"))
        #expect(contains("2026-01-05T05:59:59Z"))
        #expect(!contains("2026-01-05T06:00:00Z"))
        #expect(!contains("2026-01-05T23:00:00Z"))
        #expect(!contains("2026-01-04T05:00:00Z"))
        #expect(DaySpan(days: 1 << 3, begin: 0, end: 1440).contains(WallInstant(milliseconds: 0), UTC()))
        #expect(DaySpan(days: 1 << 2, begin: 0, end: 1440).contains(WallInstant(milliseconds: -1), UTC()))
    }

    @Test func atUsesTheStoresClock() throws {
        struct East: LocalTime { func offsetSeconds(at wall: WallInstant) -> Int { 3600 } }
        let span = DaySpan(days: 0x7F, begin: 22 * 60, end: 23 * 60)
        let wall = try #require(WallInstant(rfc3339: "2026-01-05T21:30:00Z"))
        #expect(span.contains(wall, East()))
        #expect(!span.contains(wall, UTC()))
    }

    /// A wall clock that is set counts for `at` and for silences from then on; timers go on as they were.
    @Test func atAndSilencesFollowAWallClockThatIsSet() throws {
        let rule = try Rule.b("r", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
            .at(22 * 60, 6 * 60)
        let start = TestTimeline.defaultStart
        func lines(_ set: RuleSet, _ by: Int64, then: [TestStep] = []) throws -> [String] {
            func signal(_ text: String) throws -> TestStep { .signal(try GivenLine(parsing: text)) }
            let steps: [TestStep] = [
                try signal("0s payment.started pay=A"), .clock(after: 10_000, by: by),
                try signal("60s payment.started pay=B"),
            ]
            return TestTimeline(start: start, steps: steps + then, length: 200_000).lines(set.table())
        }
        let hour: Int64 = 3_600_000
        // 10:00 in the morning becomes 22:00 at night, or 09:00.
        #expect(
            try lines(RuleSet([rule]), 12 * hour)
                == ["45s raise r pay=A warning", "105s raise r pay=B warning"])
        #expect(try lines(RuleSet([rule]), -hour) == [])
        // Set forth and back: the second wait comes due in the morning again.
        #expect(
            try lines(RuleSet([rule]), 12 * hour, then: [.clock(after: 70_000, by: -12 * hour)])
                == ["45s raise r pay=A warning"])
        var silenced = RuleSet([rule.with { $0.at = nil }])
        silenced.silences = [
            Silence(
                rules: ["r"], lanes: [], until: WallInstant(milliseconds: start.milliseconds + hour + 100_000), why: "x"
            )
        ]
        #expect(try lines(silenced, 10_000) == [])
        #expect(try lines(silenced, hour) == ["105s raise r pay=B warning"])
    }

    // MARK: Escalations, clear_after

    @Test func escalationsComeInTimeEvenWithTheSameSeverity() throws {
        let rule = try help.escalate("10s", .critical, topic: "sco.urgent").escalate("5s", .warning)
            .clearAfter("1m")
        let changes = try RuleSet([rule]).changes(["0s help.requested", "3s help.requested"])
        #expect(changes.map(\.kind) == [.raise, .escalate, .escalate, .clear])
        #expect(changes.map { $0.at.milliseconds - changes[0].at.milliseconds } == [0, 5000, 10_000, 60_000])
        #expect(changes.map(\.intervention.severity) == [.warning, .warning, .critical, .critical])
        #expect(changes[2].intervention.topic == "sco.urgent")
        #expect(changes[3].intervention.reason == .clearAfter)
        #expect(changes[0].intervention.expires == changes[3].wall)
    }

    @Test func clearingEndsTheTimersOfTheIntervention() throws {
        let rule = try help.escalate("10s", .critical).clearAfter("20s")
        #expect(
            try RuleSet([rule]).lines(["0s help.requested", "5s staff.cleared", "12s help.requested"])
                == [
                    "0s raise help warning", "5s clear help", "12s raise help warning", "22s escalate help critical",
                    "32s clear help",
                ])
    }

    @Test func clearWhenLeavesWaitsArmed() throws {
        let rule = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
            .clearWhen("staff.cleared")
        #expect(
            try RuleSet([rule]).lines([
                "0s payment.started pay=A", "40s payment.started pay=B", "50s staff.cleared",
            ]) == ["45s raise slow pay=A warning", "50s clear slow pay=A", "85s raise slow pay=B warning"])
    }

    @Test func aDClearedByClearWhenWaitsForItsStateToBeginAnew() throws {
        let rule = try Rule.d("down", when: "network is down", states, for: "10s", unless: "touch")
            .clearWhen("staff.cleared")
        let set = RuleSet([rule], states: states)
        #expect(
            try set.lines([
                "0s network.down", "20s staff.cleared", "60s touch", "80s staff.cleared", "100s network.up",
                "101s network.down",
            ]) == [
                "10s raise down warning", "20s clear down", "70s raise down warning", "80s clear down",
                "111s raise down warning",
            ])
    }

    // MARK: Muting

    @Test func aMutedFireIsNeverRaisedLaterButADIs() throws {
        let frozen = try Rule.d("frozen", when: "screen is frozen", states, for: "3s").mutedBy("down")
        let slow = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "5s").mutedBy("down")
        let set = RuleSet([frozen, slow, down], states: states)
        let given = ["0s network.down", "20s payment.started", "21s screen.frozen"]
        #expect(
            try set.lines(given + ["60s network.up"])
                == ["10s raise down warning", "60s clear down", "60s raise frozen warning"])
        #expect(
            try set.lines(given + ["50s screen.alive", "60s network.up"])
                == ["10s raise down warning", "60s clear down"])
    }

    @Test func uOfAMutedDStartsItsWaitAgain() throws {
        let frozen = try Rule.d("frozen", when: "screen is frozen", states, for: "30s", unless: "touch").mutedBy("down")
        let set = RuleSet([frozen, down], states: states)
        #expect(
            try set.lines(["0s network.down", "20s screen.frozen", "59s touch", "60s network.up"])
                == ["10s raise down warning", "60s clear down", "89s raise frozen warning"])
    }

    @Test func unmutingFollowsATimerToo() throws {
        let ringing = try Rule.a("ringing", on: "help.requested").clearAfter("30s")
        let frozen = try Rule.d("frozen", when: "screen is frozen", states, for: "3s").mutedBy("ringing")
        let set = RuleSet([frozen, ringing], states: states)
        #expect(
            try set.lines(["0s help.requested", "1s screen.frozen"])
                == ["0s raise ringing warning", "30s clear ringing", "30s raise frozen warning"])
    }

    @Test func ofTwoUnmutedTheFirstMutesTheSecond() throws {
        let ringing = try Rule.a("ringing", on: "help.requested").clearAfter("30s")
        let second = try Rule.d("second", when: "screen is frozen", states, for: "3s").mutedBy("ringing", "first")
        let first = try Rule.d("first", when: "screen is frozen", states, for: "3s").mutedBy("ringing")
        let set = RuleSet([second, first, ringing], states: states)
        #expect(set.table().ruleIDs == ["ringing", "first", "second"])
        #expect(
            try set.lines(["0s help.requested", "1s screen.frozen", "100s screen.alive"])
                == ["0s raise ringing warning", "30s clear ringing", "30s raise first warning", "100s clear first"])
    }

    @Test func aDisabledMuterIsNeverActive() throws {
        let frozen = try Rule.d("frozen", when: "screen is frozen", states, for: "3s").mutedBy("down")
        let set = RuleSet([frozen, down.disabled], states: states)
        #expect(try set.lines(["0s network.down", "20s screen.frozen"]) == ["23s raise frozen warning"])
    }

    @Test func aShadowRuleMutesOnlyShadowRules() throws {
        let real = try Rule.d("real", when: "screen is frozen", states, for: "3s").mutedBy("down")
        let shadow = try Rule.d("shadow", when: "screen is frozen", states, for: "3s").mutedBy("down").shadow
        let set = RuleSet([down.shadow, real, shadow], states: states)
        let changes = try set.changes(["0s network.down", "20s screen.frozen"])
        #expect(changes.map(\.intervention.rule) == ["down", "real"])
        #expect(changes.map(\.intervention.shadow) == [true, false])
    }

    // MARK: Lanes, places, order

    @Test func placesAreThoseOfTheWholeSet() throws {
        // On its own lane "b" is not muted by anything there, but its place is still after "c".
        let a = try Rule.a("a", on: "touch").clearAfter("1m")
        let b = try Rule.a("b", on: "touch").clearAfter("1m").mutedBy("c")
        let c = try Rule.a("c", on: "keypad").clearAfter("1m").lanes("fuel-*").mutedBy("d")
        let d = try Rule.a("d", on: "keypad").clearAfter("1m")
        let e = try Rule.a("e", on: "touch").clearAfter("1m")
        let set = RuleSet([b, c, a, d, e])
        #expect(set.table("L07").ruleIDs == ["a", "d", "b", "e"])
        #expect(set.table("fuel-1").ruleIDs == ["a", "d", "c", "b", "e"])
        #expect(
            try set.lines(["0s touch"], until: "1s")
                == ["0s raise a warning", "0s raise b warning", "0s raise e warning"])
    }

    @Test func deadlinesAtOneMomentRunInTheOrderOfPlacesThenArming() throws {
        let late = try Rule.b("late", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
            .mutedBy("early")
        let early = try Rule.b("early", on: "payment.declined", unless: "payment.approved", within: "45s").same("pay")
        #expect(
            try RuleSet([late, early]).lines([
                "0s payment.started pay=Z", "0s payment.declined pay=B", "0s payment.declined pay=A",
            ]) == ["45s raise early pay=B warning", "45s raise early pay=A warning"])
    }

    @Test func paramsAreThoseOfTheLastOverrideThatMatches() throws {
        var set = RuleSet([try .b("slow", on: "payment.started", unless: "payment.approved", within: "$wait")])
        set.params = ["wait": .duration(10_000)]
        set.overrides = [
            LaneOverride(match: [LanePattern("fuel-*"), LanePattern("x")], set: ["wait": .duration(20_000)]),
            LaneOverride(match: [LanePattern("*-3")], set: ["wait": .duration(30_000)]),
        ]
        #expect(try set.lines(["0s payment.started"], lane: "L07") == ["10s raise slow warning"])
        #expect(try set.lines(["0s payment.started"], lane: "fuel-1") == ["20s raise slow warning"])
        #expect(try set.lines(["0s payment.started"], lane: "fuel-3") == ["30s raise slow warning"])
    }

    @Test(arguments: [
        ("*", "", true), ("*", "abc", true), ("L*", "L07", true), ("L*", "XL07", false), ("*7", "L07", true),
        ("a*b*c", "a1b2c", true), ("a*b*c", "acb", false), ("", "", true), ("", "a", false), ("**a", "ba", true),
    ])
    func lanePatterns(_ pattern: String, _ lane: String, _ isCovered: Bool) {
        #expect(LanePattern(pattern).covers(lane) == isCovered)
    }

    // MARK: Attributes

    @Test func everyTestOfAnAbsentAttributeIsFalse() throws {
        let set = RuleSet([
            try .a("not", on: "printer.paper where level != ok").clearAfter("1m"),
            try .a("less", on: "bag.unexpected where grams < 5").clearAfter("1m"),
        ])
        #expect(try set.lines(["0s printer.paper", "0s bag.unexpected", "0s printer.paper level=ok"]) == [])
        #expect(
            try set.lines(["0s printer.paper level=out", "0s bag.unexpected grams=4"], until: "1s")
                == ["0s raise not warning", "0s raise less warning"])
    }

    @Test func aValueOfAnotherKindFailsAndIsNoKey() throws {
        let age = try #require(AttributeName("age"))
        let type = try #require(SignalType("item.accepted"))
        let set = RuleSet([
            try .a("not", on: "item.accepted where age != 3").clearAfter("1m"),
            try .a("key", on: "item.accepted").same("age").clearAfter("1m"),
        ])
        var engine = RuleEngine(table: set.table())
        let signal = Signal(type, [Attribute(age, .text("4"))], feed: .pos)
        let step = engine.step(
            StampedSignal(
                number: 1, at: LaneInstant(milliseconds: 5), wall: WallInstant(milliseconds: 5), signal: signal))
        #expect(step.changes.isEmpty)
    }

    @Test func keyValuesAreCutAtACharacter() throws {
        let set = RuleSet([try .a("k", on: "scan.read").same("code").clearAfter("1m")])
        let long = String(repeating: "a", count: 255) + "é"
        let changes = try set.changes(["0s scan.read code=\(long)1", "1s scan.read code=\(long)2"])
        #expect(changes.map(\.kind) == [.raise, .clear])
        #expect(changes.first?.intervention.key == [KeyPart(name: "code", value: String(repeating: "a", count: 255))])
    }

    @Test func patternsFindAnywhere() throws {
        let rule = try #require(AttributeName("rule"))
        let type = try #require(SignalType("log.match"))
        let match = Match(
            type: type, tests: [AttributeTest(attribute: rule, comparison: .matches(try Pattern("^pos_(error|fail)")))])
        let set = RuleSet([try Rule("burst", .atOnce(on: [match])).clearAfter("1m")])
        #expect(
            try set.lines(["0s log.match rule=xpos_error", "1s log.match rule=pos_fail_2"], until: "2s")
                == ["1s raise burst warning"])
    }

    // MARK: What a change carries

    @Test func aChangeSaysWhatTheContractSays() throws {
        var rule = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        rule.title = "Payment has no answer"
        rule.category = "payment"
        rule.isRemote = true
        let changes = try RuleSet([rule]).changes([
            "0s pos.state state=payment", "1s payment.started pay=P1 txn=T1", "60s pos.state state=idle",
            "60s payment.approved pay=P1",
        ])
        try #require(changes.count == 2)
        let raised = changes[0]
        #expect(raised.cause == nil)
        #expect(raised.correlation == "T1")
        #expect(raised.intervention.phase == "payment")
        #expect(raised.intervention.title == "Payment has no answer")
        #expect(raised.intervention.remoteResolvable)
        #expect(raised.intervention.evidence.map(\.type.name) == ["payment.started"])
        #expect(raised.intervention.lateBy == nil)
        #expect(raised.wall == WallInstant(milliseconds: TestTimeline.defaultStart.milliseconds + 46_000))
        #expect(changes[1].intervention.phase == "idle")
        #expect(changes[1].intervention.reason == .answered)
        #expect(changes[1].cause == 4)
        #expect(changes[1].correlation == nil)
        let id = LaneUUID(hashing: [
            "/stores/0042/lanes/L07", "slow", "pay", "P1", String(TestTimeline.defaultStart.milliseconds + 46_000),
        ])
        #expect(raised.intervention.id == id)
    }

    @Test func raisedTwiceInOneMillisecondIsTwoInterventions() throws {
        let changes = try RuleSet([help]).changes([
            "0s help.requested", "0s staff.cleared", "0s help.requested", "0s staff.cleared", "0s help.requested",
        ])
        #expect(changes.map(\.kind) == [.raise, .clear, .raise, .clear, .raise])
        #expect(Set(changes.map(\.intervention.id)).count == 3)
        #expect(changes[0].intervention.id == changes[1].intervention.id)
    }

    @Test func lateTimersSaySoWithoutAnotherID() throws {
        let set = RuleSet([try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s")])
        let line = try GivenLine(parsing: "0s payment.started")
        let timeline = TestTimeline(given: [line])
        func raised(ranAt late: Int64?) throws -> Change {
            var engine = RuleEngine(table: set.table())
            let start = timeline.zero
            let first = engine.step(timeline.stamped(line, number: 1))
            #expect(first.nextDeadline == start.advanced(byMilliseconds: 45_000))
            let step = engine.idle(
                until: start.advanced(byMilliseconds: 60_000),
                ranAt: late.map { start.advanced(byMilliseconds: 45_000 + $0) })
            #expect(step.nextDeadline == nil)
            return try #require(step.changes.first)
        }
        #expect(try raised(ranAt: nil).intervention.lateBy == nil)
        #expect(try raised(ranAt: 1000).intervention.lateBy == nil)
        #expect(try raised(ranAt: 1001).intervention.lateBy == 1001)
        #expect(try raised(ranAt: 5000).intervention.id == raised(ranAt: nil).intervention.id)
    }

    @Test func idleRunsWhatIsBeforeAndAtTheEndOnlyWhenAsked() throws {
        let set = RuleSet([try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s")])
        let line = try GivenLine(parsing: "0s payment.started")
        let timeline = TestTimeline(given: [line])
        var engine = RuleEngine(table: set.table())
        _ = engine.step(timeline.stamped(line, number: 1))
        let deadline = timeline.zero.advanced(byMilliseconds: 45_000)
        #expect(engine.idle(until: deadline).changes.isEmpty)
        #expect(engine.idle(until: deadline, inclusive: true).changes.count == 1)
    }
}
