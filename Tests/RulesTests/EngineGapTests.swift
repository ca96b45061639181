import Lane
import Testing

@testable import Rules

/// After a hole in what the lane could see (docs/reference/rules.md, "Restart, crash, gap"), each row of the table.
@Suite struct EngineGapTests {
    let states: [StateDeclaration]
    let slow: Rule
    let frozen: Rule
    var run: Run

    /// An engine driven by lines; times are those of the lines.
    struct Run {
        var engine: RuleEngine
        let timeline = TestTimeline(given: [])
        var number: Int64 = 0

        mutating func lines(_ step: Step) -> [String] {
            step.changes.compactMap { ResultLine.text(of: $0, from: timeline.zero) }
        }

        mutating func step(_ text: String) throws -> [Change] {
            number += 1
            return engine.step(timeline.stamped(try GivenLine(parsing: text), number: number)).changes
        }

        mutating func resume(at seconds: Int64, gap: Int64?) -> [Change] {
            let at = timeline.zero.advanced(byMilliseconds: seconds * 1000)
            let wall = WallInstant(milliseconds: at.milliseconds)
            return engine.resume(at: at, wall: wall, gapMilliseconds: gap.map { $0 * 1000 }).changes
        }

        mutating func idle(_ seconds: Int64) -> [Change] {
            engine.idle(until: timeline.zero.advanced(byMilliseconds: seconds * 1000), inclusive: true).changes
        }
    }

    init() throws {
        states = [try Notation.state("screen", ["frozen": ["screen.frozen"], "alive": ["screen.alive"]])]
        slow = try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        frozen = try .d("frozen", when: "screen is frozen", states, for: "30s")
        let many = try Rule.c("many", on: "touch", count: 2, within: "10m").clearAfter("1h")
        let help = try Rule.a("help", on: "help.requested").clearAfter("60s").escalate("50s", .critical)
        run = Run(engine: RuleEngine(table: RuleSet([slow, frozen, many, help], states: states).table()))
    }

    @Test mutating func afterAShortGapDeadlinesInsideFireLate() throws {
        _ = try run.step("0s payment.started pay=A")
        let changes = run.resume(at: 50, gap: 10)
        #expect(changes.map(\.intervention.lateBy) == [5000])
        #expect(changes.first?.at == run.timeline.zero.advanced(byMilliseconds: 45_000))
        #expect(changes.first?.wall.milliseconds == run.timeline.zero.milliseconds + 45_000)
    }

    @Test mutating func deadlinesBeforeTheGapWereInTime() throws {
        _ = try run.step("0s payment.started pay=A")
        let changes = run.resume(at: 100, gap: 50)
        #expect(changes.map(\.intervention.lateBy) == [nil])
        #expect(run.engine.counts.droppedByGap == 0)
    }

    @Test(arguments: [11, nil]) func aLongGapDropsWaitsAndRings(_ gap: Int64?) throws {
        var run = run
        _ = try run.step("0s payment.started pay=A")
        _ = try run.step("0s touch")
        #expect(run.resume(at: 40, gap: gap) == [])
        #expect(run.engine.counts.droppedByGap == 2)
        #expect(try run.step("41s touch") == [])
        #expect(run.idle(300) == [])
    }

    @Test mutating func aStateThatIsConfirmedGoesOnFromItsOldStart() throws {
        _ = try run.step("0s screen.frozen")
        #expect(run.resume(at: 20, gap: nil) == [])
        #expect(run.engine.laneState.first?.value == nil)
        #expect(try run.step("21s screen.frozen") == [])
        #expect(run.engine.counts.assumed == 1)
        let changes = run.idle(60)
        #expect(changes.map(\.at) == [run.timeline.zero.advanced(byMilliseconds: 30_000)])
        #expect(try run.step("70s screen.alive").map(\.intervention.reason) == [.stateEnded])
    }

    @Test mutating func aConfirmedStateThatIsOverdueIsDueNow() throws {
        _ = try run.step("0s screen.frozen")
        _ = run.resume(at: 600, gap: 599)
        #expect(try run.step("601s screen.frozen") == [])
        let changes = run.idle(601)
        #expect(changes.map(\.at) == [run.timeline.zero.advanced(byMilliseconds: 601_000)])
        #expect(changes.map(\.intervention.lateBy) == [571_000])
    }

    @Test mutating func aStateThatIsAnotherEndsTheWait() throws {
        _ = try run.step("0s screen.frozen")
        _ = run.resume(at: 20, gap: nil)
        #expect(try run.step("21s screen.alive") == [])
        #expect(run.idle(60) == [])
        _ = try run.step("70s screen.frozen")
        #expect(run.idle(99) == [])
        #expect(run.idle(100).count == 1)
    }

    @Test mutating func anUnconfirmedStateWaitsForItsFirstSignal() throws {
        _ = try run.step("0s screen.frozen")
        _ = run.resume(at: 20, gap: nil)
        #expect(run.idle(500) == [])
        #expect(run.engine.nextDeadline == nil)
    }

    @Test mutating func interventionsStayUntilTheStateSaysOtherwise() throws {
        _ = try run.step("0s screen.frozen")
        #expect(run.idle(40).map(\.kind) == [.raise])
        #expect(run.resume(at: 600, gap: nil) == [])
        #expect(run.engine.active.map(\.rule) == ["frozen"])
        var other = run
        #expect(try run.step("601s screen.alive").map(\.intervention.reason) == [.resync])
        #expect(try other.step("601s screen.frozen") == [])
        #expect(other.idle(700) == [])
        #expect(try other.step("701s screen.alive").map(\.intervention.reason) == [.stateEnded])
    }

    @Test mutating func clearAfterAndEscalationsGoOnThroughAGap() throws {
        _ = try run.step("0s help.requested")
        let changes = run.resume(at: 55, gap: 40)
        #expect(changes.map(\.kind) == [.escalate])
        #expect(changes.map(\.intervention.lateBy) == [5000])
        #expect(run.idle(60).map(\.intervention.reason) == [.clearAfter])
    }

    @Test mutating func aGapSurvivesASnapshot() throws {
        _ = try run.step("0s screen.frozen")
        _ = run.resume(at: 20, gap: nil)
        run.engine = try RuleEngine(restoring: run.engine.snapshot(), table: run.engine.table)
        _ = try run.step("21s screen.frozen")
        #expect(run.idle(30).count == 1)
    }

    @Test func aStateThatHoldsByAnotherValueBeginsAnew() throws {
        let states = [
            try Notation.state(
                "basket",
                [
                    "open": ["pos.state where state = basket_open"], "paying": ["pos.state where state = payment"],
                    "closed": ["pos.state where state = idle"],
                ])
        ]
        let rule = try Rule.d("busy", when: "basket is not closed", states, for: "30s")
        var run = Run(engine: RuleEngine(table: RuleSet([rule], states: states).table()))
        _ = try run.step("0s pos.state state=basket_open")
        var raised = run
        _ = run.resume(at: 20, gap: nil)
        _ = try run.step("21s pos.state state=payment")
        #expect(run.idle(50) == [])
        #expect(run.idle(51).map(\.kind) == [.raise])
        #expect(raised.idle(31).map(\.kind) == [.raise])
        _ = raised.resume(at: 120, gap: nil)
        #expect(try raised.step("121s pos.state state=payment") == [])
        #expect(raised.idle(300) == [])
        #expect(raised.engine.active.count == 1)
    }
}
