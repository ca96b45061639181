import Lane
import Testing

@testable import Rules

/// A reload (docs/reference/rules.md, "Reload") while a gap has left things in doubt: each row of the one table with each
/// column of the other.
@Suite struct EngineReloadGapTests {
    let states: [StateDeclaration]
    let slow: Rule
    let help: Rule

    init() throws {
        states = try EngineGapTests.states()
        slow = try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay")
        help = try Rule.a("help", on: "help.requested").clearAfter("1h").escalate("60s", .critical)
    }

    private func frozen(_ time: String, unless: String? = nil) throws -> Rule {
        if let unless { return try .d("frozen", when: "screen is frozen", states, for: time, unless: unless) }
        return try .d("frozen", when: "screen is frozen", states, for: time)
    }

    private func lines(_ old: Rule..., new: [Rule], _ script: String...) throws -> [String] {
        try TimeScript.lines(old, states, reloads: [RuleSet(new, states: states)], script)
    }

    // MARK: none, or another rule

    @Test func theSameRulesChangeNothing() throws {
        for (gap, mark) in [("5s", ""), ("15s", " assumed")] {
            #expect(
                try lines(
                    frozen("30s"), new: [frozen("30s")], "0s screen.frozen", "20s back \(gap)", "21s reload",
                    "22s screen.frozen", "60s idle") == ["30s raise frozen warning\(mark)"])
            #expect(
                try lines(
                    frozen("30s"), new: [frozen("30s"), help], "0s screen.frozen", "20s back \(gap)", "21s reload",
                    "60s idle") == [])
        }
        #expect(
            try lines(
                slow, new: [slow, help], "0s payment.started", "1s payment.started pay=A", "9s back 5s", "10s reload",
                "60s idle")
                == ["46s raise slow pay=A warning"])
        #expect(
            try lines(slow, new: [slow], "1s payment.started pay=A", "29s back 25s", "30s reload", "60s idle") == [])
    }

    // MARK: duration

    @Test func aNewDurationCountsFromTheOldStartOnceTheStateIsConfirmed() throws {
        #expect(
            try lines(
                frozen("30s"), new: [frozen("60s")], "0s screen.frozen", "20s back 15s", "21s reload",
                "22s screen.frozen",
                "90s idle") == ["60s raise frozen warning assumed"])
        // Past already: due when it is confirmed.
        #expect(
            try lines(
                frozen("30s"), new: [frozen("5s")], "0s screen.frozen", "20s back 5s", "21s reload",
                "22s screen.frozen",
                "90s idle") == ["22s raise frozen warning late 17000"])
        #expect(
            try lines(
                frozen("30s"), new: [frozen("60s")], "0s screen.frozen", "20s back 15s", "21s screen.frozen",
                "25s reload",
                "90s idle") == ["60s raise frozen warning assumed"])
    }

    @Test func aNewDurationIsDueNowOverAShortGap() throws {
        let quick = try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: "10s").same("pay")
        #expect(
            try lines(slow, new: [quick], "0s payment.started pay=A", "20s back 5s", "21s reload", "30s idle")
                == ["21s raise slow pay=A warning late 11000"])
    }

    @Test func escalationsCountFromTheRaiseOverAGap() throws {
        let other = try Rule.a("help", on: "help.requested").clearAfter("1h").escalate("30s", .critical)
        #expect(
            try lines(help, new: [other], "0s help.requested", "50s back 45s", "51s reload", "70s idle")
                == ["0s raise help warning", "51s escalate help critical late 21000"])
    }

    // MARK: count

    @Test func aRingOverAShortGapMeetsTheNewCountAtTheNextMatch() throws {
        func many(_ count: Int) throws -> Rule {
            try .c("many", on: "touch", count: count, within: "10m").clearAfter("1h")
        }
        #expect(
            try lines(
                many(4), new: [many(3)], "0s touch", "1s touch", "2s touch", "9s back 5s", "10s reload", "11s touch")
                == ["11s raise many warning"])
        #expect(
            try lines(
                many(4), new: [many(3)], "0s touch", "1s touch", "2s touch", "29s back 25s", "30s reload", "31s touch",
                "32s touch", "33s touch") == ["33s raise many warning"])
    }

    // MARK: severity, title, topic, category

    @Test func newTextsAreToldOfWhatAGapHides() throws {
        let new = try frozen("30s").with { $0.severity = .critical }
        let lines = try lines(
            frozen("30s"), new: [new], "0s screen.frozen", "100s back 50s", "101s reload", "102s screen.alive")
        #expect(lines == ["30s raise frozen warning", "101s update frozen", "102s clear frozen resync"])
    }

    // MARK: fingerprint

    @Test func anotherRuleBeginsFromTheStatesSinceOnceItIsKnown() throws {
        // Long: unknown at the reload; confirmed later, it has held since then.
        #expect(
            try lines(
                frozen("5s"), new: [frozen("60s", unless: "touch")], "0s screen.frozen", "20s back 14s", "21s reload",
                "22s screen.frozen", "90s idle")
                == ["5s raise frozen warning", "21s clear frozen rule_changed", "60s raise frozen warning assumed"])
        // Confirmed before the reload: the start is assumed no less.
        #expect(
            try lines(
                frozen("90s"), new: [frozen("60s", unless: "touch")], "0s screen.frozen", "20s back 15s",
                "21s screen.frozen", "25s reload", "90s idle") == ["60s raise frozen warning assumed"])
        // Short: the state is in doubt for the new rule as it was for the old one.
        #expect(
            try lines(
                frozen("90s"), new: [frozen("60s", unless: "touch")], "0s screen.frozen", "20s back 5s", "21s reload",
                "22s screen.frozen", "90s idle") == ["60s raise frozen warning"])
        #expect(
            try lines(
                frozen("90s"), new: [frozen("60s", unless: "touch")], "0s screen.frozen", "20s back 5s", "21s reload",
                "90s idle") == [])
        #expect(
            try lines(
                frozen("90s"), new: [frozen("60s", unless: "touch")], "0s screen.frozen", "20s back 5s", "21s reload",
                "40s screen.frozen", "200s idle") == ["100s raise frozen warning"])
    }

    @Test func aRaisedOneOfAnotherRuleIsCleared() throws {
        let other = try Rule.b("slow", on: "payment.started", unless: "payment.booked", within: "45s").same("pay")
        #expect(
            try lines(
                slow, new: [other], "0s payment.started pay=A", "40s payment.started pay=B", "50s back 3s",
                "51s reload",
                "200s idle") == ["45s raise slow pay=A warning", "51s clear slow pay=A rule_changed"])
    }

    // MARK: rule removed or disabled

    @Test func whatIsGoneIsDroppedAndCleared() throws {
        for new in [[], [slow.disabled, try frozen("5s").disabled], [slow.lanes("fuel-*")]] {
            for gap in ["3s", "44s"] {
                let lines = try lines(
                    slow, frozen("5s"), new: new, "0s screen.frozen", "1s payment.started pay=A", "50s back \(gap)",
                    "51s reload", "52s screen.frozen", "200s idle")
                #expect(
                    lines.filter { !$0.contains("slow") } == [
                        "5s raise frozen warning", "51s clear frozen rule_removed",
                    ])
                #expect(lines.contains("51s clear slow pay=A rule_removed") == (gap == "3s"))
            }
        }
    }

    // MARK: new D rule whose state already holds

    @Test func aNewDIsArmedFromTheStatesSince() throws {
        #expect(
            try lines(
                help, new: [help, frozen("60s")], "0s screen.frozen", "20s back 15s", "21s reload", "22s screen.frozen",
                "90s idle") == ["60s raise frozen warning assumed"])
        #expect(
            try lines(
                help, new: [help, frozen("60s")], "0s screen.frozen", "20s back 5s", "21s reload", "22s screen.frozen",
                "90s idle") == ["60s raise frozen warning"])
        #expect(
            try lines(
                help, new: [help, frozen("60s")], "0s screen.frozen", "20s back 15s", "21s reload", "22s screen.alive",
                "90s idle") == [])
    }

    /// The other way round: the reload first, and then the gap.
    @Test func aGapAfterAReloadFindsTheNewRules() throws {
        #expect(
            try lines(
                help, new: [help, frozen("60s")], "0s screen.frozen", "10s reload", "30s back 15s", "31s screen.frozen",
                "90s idle") == ["60s raise frozen warning assumed"])
        #expect(
            try lines(
                frozen("30s"), new: [frozen("90s")], "0s screen.frozen", "10s reload", "30s back 5s",
                "31s screen.frozen",
                "99s idle") == ["90s raise frozen warning"])
    }

    @Test func cooldownsOutliveBoth() throws {
        func help(_ cooldown: String, _ on: String) throws -> Rule {
            try Rule.a("help", on: on).clearWhen("staff.cleared").cooldown(cooldown)
        }
        #expect(
            try lines(
                help("60s", "help.requested"), new: [help("90s", "touch")], "0s help.requested", "1s staff.cleared",
                "50s back 40s", "51s reload", "90s touch", "91s touch")
                == ["0s raise help warning", "1s clear help", "91s raise help warning"])
    }
}
