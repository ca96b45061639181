import Testing

@testable import Rules

/// The words for a rule say what the rule does, for each shape and each key.
@Suite struct RuleWordsTests {
    static let top = """
        format: 1
        params: {wait: 45s, often: 3}
        lists: {restricted: [alcohol, tobacco]}
        states:
          basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle|void}
          network: {down: network.down, up: network.up}
        rules:
          - {id: other, on: network.down, severity: info, clear_after: 1m}
          - {id: second, on: network.down, same: if, severity: info, clear_after: 1m}

        """

    private func rule(_ body: String) throws -> (words: RuleWords, rule: Rule) {
        let text = Self.top + "  - {id: x, severity: info, \(body)}\n"
        let (set, diagnostics) = RuleFile.load(files: [(name: "x.yaml", bytes: Array(text.utf8))])
        #expect(diagnostics.filter { $0.severity == .error }.map { $0.rendered() } == [])
        let found = try #require(set)
        return (RuleWords(found), try #require(found.rules.last))
    }

    @Test(arguments: [
        ("on: help.requested, clear_after: 1m", "when help.requested comes"),
        (
            "on: [cash.jam, coin.jam], same: unit, clear_after: 1m",
            "when cash.jam or coin.jam comes, each unit by itself"
        ),
        (
            "on: payment.started, unless: [payment.approved, payment.declined, payment.cancelled], same: pay, within: $wait",
            "when payment.started has had no payment.approved, payment.declined or payment.cancelled for 45 s, each pay by itself"
        ),
        (
            "on: heartbeat, unless: heartbeat, within: 90s",
            "when no heartbeat has come for 90 s since the last one"
        ),
        (
            "on: scan.read, count: $often, within: 10s, same: code, unless: item.accepted, clear_after: 1m",
            "when scan.read has come 3 times within 10 s with no item.accepted in between, each code by itself"
        ),
        (
            "on: item.removed, count: 4, within: 3m, same: [txn, sku], clear_after: 10m",
            "when item.removed has come 4 times within 3 min, each txn and sku by itself"
        ),
        (
            "when: basket is open and network is not down, for: 1500ms",
            "when it has been so for 1500 ms that basket is open and network is not down"
        ),
        (
            "when: basket is open, for: 60s, unless: [touch, scan.read]",
            "when it has been so for 1 min that basket is open without any touch or scan.read"
        ),
        (
            "on: item.accepted where age >= 16 and category = $restricted, clear_after: 1m",
            "when item.accepted (age at least 16 and category alcohol or tobacco) comes"
        ),
        (
            "on: bag.unexpected where grams > 50 and grams < 5000 and grams <= 4000 and grams != 77, clear_after: 1m",
            "when bag.unexpected (grams above 50 and grams below 5000 and grams at most 4000 and grams not 77) comes"
        ),
        ("on: log.match where rule matches /^pos_/, clear_after: 1m", "when log.match (rule matching /^pos_/) comes"),
    ]) func raised(_ body: String, _ expected: String) throws {
        let (words, rule) = try rule(body)
        #expect(words.raised(rule) == expected)
    }

    @Test func guardsAreEachAPhrase() throws {
        let (words, rule) = try rule(
            #"on: touch, while: basket is open, at: "Mon-Tue 22:00-06:30", lanes: ["L*", "demo-*"], clear_after: 1m"#)
        #expect(
            words.guards(rule) == [
                "only while basket is open", "only on Mon, Tue from 22:00 to 06:30", "only on lanes L* or demo-*",
            ])
        let (other, plain) = try self.rule(#"on: touch, at: "08:00-24:00", clear_after: 1m"#)
        #expect(other.guards(plain) == ["only from 08:00 to 24:00"])
    }

    @Test func whatKeepsItBack() throws {
        let (words, rule) = try rule("on: touch, clear_after: 1m, cooldown: 30s, muted_by: [other, second]")
        #expect(
            words.keptBack(rule) == ["while other or second is raised", "for 30 s after it was cleared"])
        let (other, lasting) = try self.rule("when: basket is open, for: 60s, muted_by: other")
        #expect(other.keptBack(lasting) == ["while other is raised; raised after that where it still holds"])
    }

    @Test func whatClearsIt() throws {
        let (words, answered) = try rule("on: payment.started, unless: payment.approved, same: pay, within: 45s")
        #expect(words.cleared(answered) == ["when payment.approved of the same pay comes after all"])
        let (lasting, rule) = try self.rule("when: basket is open, for: 60s, unless: touch")
        #expect(
            lasting.cleared(rule) == [
                "when basket is open is not so any more", "when touch comes, which starts the wait again",
            ])
        let (told, third) = try self.rule(
            "on: touch, clear_when: [staff.cleared, pos.state where state = idle|void], clear_after: 2h")
        #expect(
            told.cleared(third) == [
                "when staff.cleared or pos.state (state idle or void) comes", "2 h after it was raised",
            ])
    }

    @Test func whatItBecomes() throws {
        let (words, rule) = try rule(
            "on: touch, clear_after: 1h, escalate: [{after: $wait, severity: warning}, {after: 10m, severity: critical, topic: sco.loud}]"
        )
        #expect(
            words.escalated(rule) == [
                "warning 45 s after it was raised", "critical 10 min after it was raised, told to sco.loud",
            ])
    }

    /// Names can be set off from words.
    @Test func namesAreMarked() throws {
        let (_, rule) = try rule("on: scan.read, count: 3, within: 10s, same: code, clear_after: 1m")
        let marked = RuleWords(RuleSet()) { "`\($0)`" }
        #expect(marked.raised(rule) == "when `scan.read` has come 3 times within 10 s, each `code` by itself")
    }
}
