import Lane
import Testing

@testable import Rules

/// After a hole in what the lane could see (docs/reference/rules.md, "After a gap"): a suite for each row of its table, tests
/// for each of its columns.
@Suite struct EngineGapTests {
    static func states() throws -> [StateDeclaration] {
        [
            try Notation.state("screen", ["frozen": ["screen.frozen"], "alive": ["screen.alive"]]),
            try Notation.state(
                "basket",
                [
                    "open": ["pos.state where state = basket_open"], "paying": ["pos.state where state = payment"],
                    "closed": ["pos.state where state = idle"],
                ]),
        ]
    }

    static func frozen() throws -> Rule { try .d("frozen", when: "screen is frozen", try states(), for: "30s") }
    static func busy() throws -> Rule { try .d("busy", when: "basket is not closed", try states(), for: "30s") }

    // MARK: B armed, C rings

    @Suite struct ArmedAndRings {
        let slow: Rule
        let many: Rule

        init() throws {
            slow = try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
            many = try Rule.c("many", on: "touch", count: 2, within: "10m").clearAfter("1h")
        }

        @Test func shortTheyGoOn() throws {
            let lines = try lines(
                slow, many, script: "0s payment.started pay=A", "1s touch", "20s back 10s", "21s touch", "60s idle")
            #expect(lines == ["21s raise many warning", "45s raise slow pay=A warning"])
        }

        @Test func shortADeadlineInsideTheGapFiresAtResumeStampedWithTheDeadlineAndLateBy() throws {
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "50s back 10s")
                    == ["45s raise slow pay=A warning late 5000"])
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "45007ms back 2s")
                    == ["45s raise slow pay=A warning late 7"])
            // A deadline at the very end of the gap is not past.
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "45s back 2s", "46s idle")
                    == ["45s raise slow pay=A warning"])
        }

        @Test func shortAnAnswerAtTheEndOfTheGapIsInTime() throws {
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "45s back 2s", "45s payment.approved pay=A").isEmpty
            )
        }

        @Test func theLimitItselfIsShort() throws {
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "20s back 10s", "60s idle")
                    == ["45s raise slow pay=A warning"])
            #expect(try lines(slow, script: "0s payment.started pay=A", "20s back 10001ms", "60s idle") == [])
        }

        @Test(arguments: ["10001ms", "39s", "unknown"]) func longTheyAreDropped(_ gap: String) throws {
            var run = TimeScript(RuleSet([slow, many]))
            #expect(
                try run.play(["0s payment.started pay=A", "1s touch", "40s back \(gap)", "41s touch", "300s idle"])
                    == [])
            #expect(run.engine.activeCount == 0)
        }

        @Test func longWhatIsDroppedIsCounted() throws {
            let timeline = TestTimeline(given: [])
            var engine = RuleEngine(table: RuleSet([slow, many]).table())
            for (number, line) in ["0s payment.started pay=A", "0s payment.started pay=B", "1s touch"].enumerated() {
                _ = engine.step(timeline.stamped(try GivenLine(parsing: line), number: Int64(number + 1)))
            }
            let at = timeline.zero.advanced(byMilliseconds: 40_000)
            _ = engine.resume(at: at, wall: WallInstant(milliseconds: at.milliseconds), gapMilliseconds: nil)
            #expect(engine.counts.droppedByGap == 3)
        }

        @Test func longWhatWasDueBeforeTheGapWasInTime() throws {
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "100s back 50s") == ["45s raise slow pay=A warning"]
            )
        }

        @Test func whatIsDroppedCanBeArmedAnew() throws {
            #expect(
                try lines(
                    slow, script: "0s payment.started pay=A", "40s back unknown", "41s payment.started pay=A",
                    "90s idle")
                    == ["86s raise slow pay=A warning"])
        }

        /// While its state is unknown, M does not count.
        @Test func longWhileIsUnknownUntilASignalSetsIt() throws {
            let guarded = try Rule.a("help", on: "help.requested").clearAfter("1m").while("basket is open", states())
            #expect(
                try lines(
                    guarded, script: "0s pos.state state=basket_open", "100s back 60s", "101s help.requested",
                    "102s pos.state state=basket_open", "103s help.requested") == ["103s raise help warning"])
            #expect(
                try lines(guarded, script: "0s pos.state state=basket_open", "100s back 6s", "101s help.requested")
                    == ["101s raise help warning"])
        }
    }

    // MARK: D, state confirmed by resync

    @Suite struct LastingConfirmed {
        @Test func shortItGoesOnFromItsOldStart() throws {
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "20s back 5s", "21s screen.frozen", "60s idle")
                    == ["30s raise frozen warning"])
        }

        @Test func shortADeadlineInsideTheGapIsDueWhenItIsConfirmed() throws {
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "35s back 8s", "36s screen.frozen", "60s idle")
                    == ["36s raise frozen warning late 6000"])
        }

        @Test(arguments: ["15s", "unknown"]) func longItGoesOnFromItsOldStartAssumed(_ gap: String) throws {
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "20s back \(gap)", "21s screen.frozen", "60s idle")
                    == ["30s raise frozen warning assumed"])
        }

        @Test func longOneThatIsOverdueIsDueNow() throws {
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "600s back 599s", "601s screen.frozen", "700s idle")
                    == ["601s raise frozen warning late 571000 assumed"])
        }

        @Test func aWaitThatBeganAfterTheGapIsNotAssumed() throws {
            let idle = try Rule.d("frozen", when: "screen is frozen", try states(), for: "30s", unless: "touch")
            #expect(
                try lines(
                    idle, script: "0s screen.frozen", "20s back 15s", "21s screen.frozen", "22s touch", "60s idle")
                    == ["52s raise frozen warning"])
        }

        /// Confirmed is what a fresh look says, and that comes right after the gap.
        @Test func whatComesAfterTheResyncIsNews() throws {
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "20s back 15s", "30s screen.frozen", "70s idle")
                    == ["30s raise frozen warning assumed"])
            for gap in ["15s", "5s"] {
                #expect(
                    try lines(
                        frozen(), script: "0s screen.frozen", "20s back \(gap)", "30001ms screen.frozen", "70s idle")
                        == ["60001ms raise frozen warning"])
            }
        }

        @Test func allItsStatesMustBe() throws {
            let both = try Rule.d("both", when: "screen is frozen and basket is open", try states(), for: "30s")
            for gap in ["15s", "5s"] {
                let lines = try lines(
                    both, script: "0s screen.frozen", "1s pos.state state=basket_open", "20s back \(gap)",
                    "21s pos.state state=basket_open", "40s idle", "41s screen.frozen", "100s idle")
                #expect(lines == ["71s raise both warning"])
            }
        }

        @Test func aMutedOneWaitsOn() throws {
            let muter = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared")
            let lines = try lines(
                muter, frozen().mutedBy("help"), script: "0s help.requested", "1s screen.frozen", "50s back 15s",
                "51s staff.cleared", "52s screen.frozen", "60s idle")
            #expect(lines == ["0s raise help warning", "51s clear help", "52s raise frozen warning assumed"])
        }

        @Test func twoGapsAreOne() throws {
            #expect(
                try lines(
                    frozen(), script: "0s screen.frozen", "20s back 15s", "22s back 1s", "24s screen.frozen", "60s idle"
                )
                    == ["30s raise frozen warning assumed"])
            #expect(
                try lines(
                    frozen(), script: "0s screen.frozen", "10s back 5s", "25s back 12s", "26s screen.frozen", "70s idle"
                )
                    == ["30s raise frozen warning assumed"])
            // But what nobody confirmed after the first is not confirmed by the second.
            #expect(
                try lines(
                    frozen(), script: "0s screen.frozen", "5s back 4s", "29s back 12s", "29s screen.frozen", "70s idle")
                    == ["59s raise frozen warning"])
        }
    }

    // MARK: D, state not confirmed

    @Suite struct LastingNotConfirmed {
        @Test func shortItWaitsForTheFirstSignalThenFromThere() throws {
            #expect(try lines(frozen(), script: "0s screen.frozen", "20s back 5s", "500s idle") == [])
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "20s back 5s", "100s screen.frozen", "200s idle")
                    == ["130s raise frozen warning"])
        }

        /// `unless` starts the wait again, here as ever: after a short gap the state is still what it was.
        @Test func shortTheFirstSignalMayBeItsUnless() throws {
            let idle = try Rule.d("frozen", when: "screen is frozen", try states(), for: "30s", unless: "touch")
            #expect(
                try lines(idle, script: "0s screen.frozen", "20s back 5s", "100s touch", "200s idle")
                    == ["130s raise frozen warning"])
            #expect(try lines(idle, script: "0s screen.frozen", "20s back 15s", "100s touch", "200s idle") == [])
        }

        @Test func shortAnotherValueThatHoldsBeginsAnew() throws {
            for gap in ["15s", "5s"] {
                #expect(
                    try lines(
                        busy(), script: "0s pos.state state=basket_open", "20s back \(gap)",
                        "21s pos.state state=payment",
                        "90s idle") == ["51s raise busy warning"])
            }
        }

        @Test func anotherValueThatDoesNotHoldEndsIt() throws {
            for gap in ["15s", "5s"] {
                #expect(
                    try lines(
                        frozen(), script: "0s screen.frozen", "20s back \(gap)", "21s screen.alive", "60s idle",
                        "70s screen.frozen", "120s idle") == ["100s raise frozen warning"])
            }
        }

        @Test func longTheStateIsUnknown() throws {
            var run = TimeScript(RuleSet([try frozen()], states: try states()))
            #expect(try run.play(["0s screen.frozen", "20s back 15s", "500s idle"]) == [])
            #expect(run.engine.laneState.first?.value == nil)
            #expect(run.engine.nextDeadline == nil)
        }

        @Test func longIsAndIsNotAreBothFalse() throws {
            let open = try Rule.a("open", on: "help.requested").clearAfter("1s").while("basket is open", states())
            let not = try Rule.a("not", on: "help.requested").clearAfter("1s").while("basket is not open", states())
            #expect(
                try lines(open, not, script: "0s pos.state state=basket_open", "60s back 59s", "61s help.requested")
                    == [])
        }
    }

    // MARK: Active interventions

    @Suite struct Active {
        @Test func shortTheyStay() throws {
            var run = TimeScript(RuleSet([try frozen()], states: try states()))
            #expect(
                try run.play(["0s screen.frozen", "40s back 5s", "60s back 5s", "90s idle"])
                    == ["30s raise frozen warning"])
            #expect(run.engine.activeCount == 1)
            #expect(try run.play(["91s screen.alive"]) == ["91s clear frozen"])
        }

        @Test func longTheyStayWhereTheStateIsConfirmed() throws {
            let lines = try lines(
                frozen(), script: "0s screen.frozen", "600s back 500s", "601s screen.frozen", "700s idle",
                "701s screen.alive")
            #expect(lines == ["30s raise frozen warning", "701s clear frozen"])
        }

        @Test func longTheyAreClearedWithReasonResyncWhereTheStateSaysSo() throws {
            #expect(
                try lines(frozen(), script: "0s screen.frozen", "600s back 500s", "601s screen.alive")
                    == ["30s raise frozen warning", "601s clear frozen resync"])
        }

        @Test func longTheyStayWhereTheStateHoldsByAnotherValue() throws {
            let lines = try lines(
                busy(), script: "0s pos.state state=basket_open", "120s back 60s", "121s pos.state state=payment",
                "300s idle", "301s pos.state state=idle")
            #expect(lines == ["30s raise busy warning", "301s clear busy"])
        }

        @Test func longElseTheirClearAfterGoesOn() throws {
            let help = try Rule.a("help", on: "help.requested").clearAfter("60s")
            #expect(
                try lines(help, script: "0s help.requested", "50s back 40s", "90s idle")
                    == ["0s raise help warning", "60s clear help"])
            // Over in the gap: it ends at its own time.
            #expect(
                try lines(help, script: "0s help.requested", "100s back unknown")
                    == ["0s raise help warning", "60s clear help"])
        }

        @Test func escalationsGoOn() throws {
            let help = try Rule.a("help", on: "help.requested").clearAfter("1h").escalate("50s", .critical)
            #expect(
                try lines(help, script: "0s help.requested", "55s back 40s")
                    == ["0s raise help warning", "50s escalate help critical late 5000"])
            #expect(
                try lines(help, script: "0s help.requested", "40s back 30s", "60s idle")
                    == ["0s raise help warning", "50s escalate help critical"])
        }

        @Test func cooldownsGoOn() throws {
            let help = try Rule.a("help", on: "help.requested").clearWhen("staff.cleared").cooldown("60s")
            let lines = try lines(
                help, script: "0s help.requested", "1s staff.cleared", "50s back unknown", "55s help.requested",
                "61s help.requested")
            #expect(lines == ["0s raise help warning", "1s clear help", "61s raise help warning"])
        }

        @Test func aLateAnswerStillClearsAfterALongGap() throws {
            let slow = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "5s").same("pay")
            #expect(
                try lines(slow, script: "0s payment.started pay=A", "60s back 50s", "61s payment.approved pay=A")
                    == ["5s raise slow pay=A warning", "61s clear slow pay=A"])
        }
    }

    // MARK: One source

    /// A gap of one source reaches what depends on it, and nothing else.
    @Suite struct OneSource {
        @Test func waitsForItsAnswerAreDroppedWhereItWasLong() throws {
            let bag = try Rule.b("bag", on: "bag.unexpected", unless: "scan.read", within: "60s")
            let slow = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "60s")
            for (gap, isDropped) in [("unknown", true), ("10001ms", true), ("10s", false)] {
                let lines = try lines(
                    bag, slow, script: "0s bag.unexpected grams=100", "1s payment.started", "20s sees scanner \(gap)",
                    "90s idle")
                #expect(lines == (isDropped ? [] : ["60s raise bag warning"]) + ["61s raise slow warning"])
            }
        }

        @Test func itsTimersRanInTime() throws {
            let bag = try Rule.b("bag", on: "bag.unexpected", unless: "scan.read", within: "6s")
            #expect(
                try lines(bag, script: "0s bag.unexpected grams=100", "9s sees scanner 8s") == ["6s raise bag warning"])
        }

        @Test func whatItBeginsIsNotDropped() throws {
            let lookup = try Rule.b("lookup", on: "scan.read", unless: "item.accepted", within: "10s")
            let many = try Rule.c("many", on: "scan.read", count: 2, within: "1m").clearAfter("1h")
            #expect(
                try lines(
                    lookup, many, script: "0s scan.read code=1", "5s sees scanner unknown", "6s scan.read code=2",
                    "20s idle") == ["6s raise many warning", "10s raise lookup warning"])
        }

        @Test func ringsAreDroppedWhereItsUnlessMayHaveCome() throws {
            let many = try Rule.c("many", on: "bag.unexpected", count: 2, within: "1m", unless: "scan.read").clearAfter(
                "1h")
            #expect(
                try lines(
                    many, script: "0s bag.unexpected grams=60", "5s sees scanner unknown", "6s bag.unexpected grams=60",
                    "7s bag.unexpected grams=60") == ["7s raise many warning"])
        }

        @Test func itsStatesAreUnknown() throws {
            let gone = try Notation.state(
                "scanner",
                [
                    "gone": ["device.detached where device = scanner"],
                    "here": ["device.attached where device = scanner"],
                ])
            let unplugged = try Rule.d("unplugged", when: "scanner is gone", [gone], for: "30s")
            let help = try Rule.b("help", on: "help.requested", unless: "staff.cleared", within: "30s")
                .while("scanner is gone", [gone])
            let script = [
                "0s device.detached device=scanner", "1s help.requested", "10s sees hotplug unknown",
            ]
            #expect(
                try TimeScript.lines(
                    [unplugged, help], [gone], script + ["11s device.detached device=scanner", "60s idle"])
                    == ["30s raise unplugged warning assumed"])
            #expect(try TimeScript.lines([unplugged], [gone], script + ["60s idle"]) == [])
            // The scanner itself says nothing of its coming and going.
            #expect(
                try TimeScript.lines([unplugged], [gone], script.dropLast() + ["10s sees scanner unknown", "60s idle"])
                    == ["30s raise unplugged warning"])
        }

        /// What it can only have said again is no doubt: others that change the state were heard.
        @Test func aStateThatItCanSetToNoOtherValueIsKnown() throws {
            let till = try Notation.state(
                "till",
                [
                    "in_service": ["scan.read", "pos.state where state = idle"],
                    "closed": ["pos.state where state = closed"],
                ])
            let down = try Rule.d("down", when: "till is in_service", [till], for: "60s")
            let help = try Rule.b("help", on: "help.requested", unless: "staff.cleared", within: "30s")
                .while("till is in_service", [till])
            #expect(
                try TimeScript.lines(
                    [down, help], [till],
                    ["0s pos.state state=idle", "1s help.requested", "10s sees scanner unknown", "90s idle"])
                    == ["31s raise help warning", "60s raise down warning"])
            // Closed, it may have been opened by a scan that nobody saw; nor is it known what another feed has hidden.
            let shut = try Rule.d("shut", when: "till is closed", [till], for: "60s")
            for (begin, source) in [("closed", "scanner"), ("idle", "pos")] {
                #expect(
                    try TimeScript.lines(
                        [down, shut], [till],
                        ["0s pos.state state=\(begin)", "10s sees \(source) unknown", "90s idle"]) == [])
            }
        }

        @Test func everyNameIsASource() {
            for name in SignalSource.names { #expect(SignalSource(name)?.types.isEmpty == false, "\(name)") }
            #expect(SignalSource("printer") == nil)
            #expect(SignalSource("touch")?.types.contains { $0.name == "touch" } == true)
            #expect(SignalSource("scanner")?.types.contains { $0.name == "touch" } == false)
        }
    }
}

/// Short names inside the suites.
private func states() throws -> [StateDeclaration] { try EngineGapTests.states() }
private func frozen() throws -> Rule { try EngineGapTests.frozen() }
private func busy() throws -> Rule { try EngineGapTests.busy() }
private func lines(_ rules: Rule..., script: String...) throws -> [String] {
    try TimeScript.lines(rules, try states(), script)
}
