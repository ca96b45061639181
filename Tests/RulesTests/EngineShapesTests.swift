import Lane
import Testing

@testable import Rules

/// One test for each line of the definition (docs/reference/rules.md): the four shapes.
@Suite struct EngineShapesTests {
    let payment: Rule
    let declines: Rule

    init() throws {
        payment = try .b(
            "timeout", on: "payment.started", unless: "payment.approved", "payment.declined", within: "45s"
        ).same("pay")
        declines = try .c("declines", on: "payment.declined", count: 3, within: "2m", unless: "payment.approved")
    }

    // MARK: A

    @Test func atOnceFiresAndStaysUntilCleared() throws {
        let set = RuleSet([try .a("help", on: "help.requested").clearWhen("staff.cleared")])
        #expect(
            try set.lines(["5s help.requested", "9s staff.cleared", "9s staff.cleared"])
                == ["5s raise help warning", "9s clear help"])
    }

    @Test func aSignalThatMeetsTwoAlternativesCountsOnce() throws {
        let set = RuleSet([try .a("paper", on: "printer.paper", "printer.paper where level = out").clearAfter("1h")])
        let changes = try set.changes(["1s printer.paper level=out"])
        #expect(changes.count == 1)
        #expect(changes.first?.intervention.repeats == 0)
    }

    // MARK: B

    @Test func anAnswerAtTheDeadlineIsInTime() throws {
        let set = RuleSet([payment])
        #expect(try set.lines(["0s payment.started pay=P1", "45s payment.approved pay=P1"]) == [])
        #expect(
            try set.lines(["0s payment.started pay=P1", "45001ms payment.approved pay=P1"])
                == ["45s raise timeout pay=P1 warning", "45001ms clear timeout pay=P1"])
    }

    @Test func aFurtherStartDoesNotMoveTheDeadline() throws {
        #expect(
            try RuleSet([payment]).lines(["0s payment.started pay=P1", "44s payment.started pay=P1"])
                == ["45s raise timeout pay=P1 warning"])
    }

    @Test func keysHaveDeadlinesOfTheirOwn() throws {
        #expect(
            try RuleSet([payment]).lines([
                "0s payment.started pay=P1", "1s payment.started pay=P2", "10s payment.approved pay=P1",
            ]) == ["46s raise timeout pay=P2 warning"])
    }

    @Test func aStartWithoutItsKeyIsNone() throws {
        #expect(try RuleSet([payment]).lines(["0s payment.started txn=T1"]) == [])
    }

    @Test func anAnswerWithoutKeyReachesEveryKeyInTheOrderTheyWereRaised() throws {
        #expect(
            try RuleSet([payment]).lines([
                "0s payment.started pay=B", "1s payment.started pay=A", "30s payment.started pay=C",
                "60s payment.declined txn=T1",
            ]) == [
                "45s raise timeout pay=B warning", "46s raise timeout pay=A warning", "60s clear timeout pay=B",
                "60s clear timeout pay=A",
            ])
    }

    @Test func aSignalThatIsAnswerAndStartAnswersFirst() throws {
        let set = RuleSet([try .b("quiet", on: "heartbeat", unless: "heartbeat", within: "30s")])
        #expect(
            try set.lines(["0s heartbeat", "30s heartbeat", "60s heartbeat", "100s heartbeat"], until: "2m")
                == ["90s raise quiet warning", "100s clear quiet"])
    }

    @Test func aSecondTimeoutOfAnActiveKeyIsARepeat() throws {
        let changes = try RuleSet([payment]).changes(["0s payment.started pay=P1", "50s payment.started pay=P1"])
        #expect(changes.map(\.kind) == [.raise])
        let late = try RuleSet([payment]).changes(["0s payment.started pay=P1", "60s payment.started pay=P1"])
        #expect(late.map(\.kind) == [.raise, .update])
        #expect(late.last?.intervention.repeats == 1)
        #expect(late.last?.intervention.revision == 2)
    }

    // MARK: C

    @Test func theNthWithinTheTimeFires() throws {
        let set = RuleSet([try declines.clearAfter("1h")])
        let three = ["0s payment.declined pay=A", "60s payment.declined pay=B"]
        #expect(try set.lines(three + ["120s payment.declined pay=C"]) == ["120s raise declines warning"])
        #expect(try set.lines(three + ["120001ms payment.declined pay=C"]) == [])
        #expect(
            try set.lines(three + ["121s payment.declined pay=C", "122s payment.declined pay=D"])
                == ["122s raise declines warning"])
    }

    @Test func unlessEmptiesTheCountAndClearsNothing() throws {
        let set = RuleSet([declines])
        #expect(
            try set.lines([
                "0s payment.declined", "1s payment.declined", "2s payment.approved", "3s payment.declined",
                "4s payment.declined", "5s payment.declined", "6s payment.approved",
            ]) == ["5s raise declines warning"])
    }

    @Test func theCountBeginsAnewAfterFiring() throws {
        let changes = try RuleSet([declines]).changes(
            (0..<6).map { "\($0)s payment.declined" })
        #expect(changes.map(\.kind) == [.raise])
        let set = RuleSet([try declines.clearWhen("staff.cleared")])
        #expect(
            try set.lines([
                "0s payment.declined", "1s payment.declined", "2s payment.declined", "3s staff.cleared",
                "4s payment.declined", "5s payment.declined",
            ]) == ["2s raise declines warning", "3s clear declines"])
    }

    @Test func aCountHasKeysToo() throws {
        let set = RuleSet([
            try .c("rescan", on: "scan.read", count: 2, within: "10s", unless: "item.accepted").same("code")
        ])
        #expect(
            try set.lines([
                "0s scan.read code=1", "1s scan.read code=2", "2s scan.read code=1", "2s scan.read code=\"\"",
                "3s item.accepted sku=1", "4s scan.read code=2", "5s scan.read code=\"\"", "6s scan.read code=\"\"",
            ]) == ["2s raise rescan code=1 warning", "6s raise rescan code=\"\" warning"])
    }

    // MARK: D

    static func states() throws -> [StateDeclaration] {
        [
            try Notation.state(
                "basket",
                [
                    "open": ["pos.state where state = basket_open"], "paying": ["pos.state where state = payment"],
                    "closed": ["pos.state where state = idle|void|closed"],
                ]),
            try Notation.state("network", ["down": ["network.down"], "up": ["network.up"]]),
        ]
    }

    @Test func aStateThatLastsFiresAndEndsByItself() throws {
        let states = try Self.states()
        let set = RuleSet([try .d("down", when: "network is down", states, for: "10s")], states: states)
        #expect(try set.lines(["0s network.down", "9999ms network.up"]) == [])
        #expect(try set.lines(["0s network.down", "10s network.up"]) == [])
        #expect(
            try set.lines(["0s network.down", "5s network.down", "11s network.up"])
                == ["10s raise down warning", "11s clear down"])
    }

    @Test func unlessStartsTheWaitAgainAndClears() throws {
        let states = try Self.states()
        let set = RuleSet([try .d("idle", when: "basket is open", states, for: "60s", unless: "touch")], states: states)
        #expect(
            try set.lines(
                ["0s touch", "1s pos.state state=basket_open", "31s touch", "100s touch", "170s pos.state state=idle"],
                until: "5m")
                == ["91s raise idle warning", "100s clear idle", "160s raise idle warning", "170s clear idle"])
        let changes = try set.changes(["1s pos.state state=basket_open", "100s touch", "170s pos.state state=idle"])
        #expect(changes.map(\.intervention.reason) == [nil, .answered, nil, .stateEnded])
    }

    @Test func untilItsFirstValueAStateIsUnknown() throws {
        let states = try Self.states()
        let set = RuleSet(
            [
                try .d("is-not", when: "basket is not closed", states, for: "1s"),
                try .a("bag", on: "bag.unexpected").while("basket is not closed", states),
            ], states: states)
        #expect(try set.lines(["0s bag.unexpected", "5s network.up"]) == [])
        #expect(
            try set.lines(["0s pos.state state=payment", "0s bag.unexpected"])
                == ["0s raise bag warning", "1s raise is-not warning"])
    }

    @Test func statesChangeTogetherAndTheLaterValueCounts() throws {
        let states = [
            try Notation.state("a", ["x": ["touch"], "y": ["touch where x = 1", "keypad"]]),
            try Notation.state("b", ["x": ["touch"], "y": ["keypad"]]),
        ]
        let both = try Rule.d("both", when: "a is x and b is x", states, for: "5s")
        let mixed = try Rule.d("mixed", when: "a is y and b is x", states, for: "5s")
        let crossed = try Rule.d("crossed", when: "a is x and b is y", states, for: "5s")
        let set = RuleSet([both, mixed, crossed], states: states)
        #expect(try set.lines(["0s touch x=2", "1s keypad", "1s touch x=2"]) == ["6s raise both warning"])
        #expect(try set.lines(["0s touch x=1", "20s keypad"]) == ["5s raise mixed warning", "20s clear mixed"])
    }

    @Test func whileEndsDisarmsAndEmpties() throws {
        let states = try Self.states()
        let set = RuleSet(
            [
                try .b("bag", on: "bag.unexpected", unless: "scale.stable", within: "6s").while(
                    "basket is open", states),
                try .c("voids", on: "item.removed", count: 2, within: "1m").while("basket is open", states),
                try .a("age", on: "item.accepted").while("basket is open", states),
            ], states: states)
        #expect(
            try set.lines([
                "0s bag.unexpected", "1s pos.state state=basket_open", "2s bag.unexpected", "2s item.removed",
                "3s item.accepted", "4s pos.state state=payment", "5s item.accepted", "6s pos.state state=basket_open",
                "7s item.removed", "8s item.removed",
            ]) == ["3s raise age warning", "8s raise voids warning"])
    }
}
