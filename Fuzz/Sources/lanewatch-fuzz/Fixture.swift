import Lane
import Rules

/// Rules of every shape and guard, small: what recordings, tests, snapshots and questions are run on.
enum Fixture {
    static let identity = LaneIdentity(store: "0000", lane: "L07")
    static let set = load(text)
    /// The same with other numbers, one rule less and one more: what an edit does.
    static let edited = load(
        text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.contains("id: void") }
            .joined(separator: "\n").split(separator: "$wait").joined(separator: "7s")
            + "  - {id: stray, on: touch, severity: info, clear_after: 1s}\n")
    static let table = RuleTable(set, lane: identity)
    static let editedTable = RuleTable(edited, lane: identity)

    private static func load(_ text: String) -> RuleSet {
        let (set, diagnostics) = RuleFile.load(files: [("fixture.yaml", Array(text.utf8))])
        require(set != nil, "the fixture is right: \(diagnostics.first?.rendered() ?? "")")
        return set ?? RuleSet()
    }

    static let text = """
        format: 1
        params: {wait: 5s, many: 3}
        lists: {restricted: [alcohol, knives]}
        states:
          basket: {open: pos.state where state = basket_open, paying: pos.state where state = payment, closed: pos.state where state = idle|void}
          network: {down: network.down, up: network.up}
        lanes:
          - {match: ["fuel-*"], set: {wait: 75s, many: 2}}
        silences:
          - {rules: [night], lanes: ["fuel-*"], until: "2026-12-01T06:00:00Z", why: "till is rebuilt"}
        rules:
          - {id: pay, on: payment.started, unless: [payment.approved, payment.declined], same: pay, within: $wait, severity: warning, category: payment, topic: sco.interventions.payment, muted_by: network, escalate: {after: 60s, severity: critical}}
          - {id: declines, on: payment.declined, count: $many, within: 2m, unless: payment.approved, severity: warning, clear_when: [payment.approved, staff.cleared], clear_after: 10m, cooldown: 30s}
          - {id: idle, when: basket is open, for: $wait, unless: [touch, scan.read], severity: info, escalate: [{after: 2s, severity: warning}, {after: 10m, severity: critical, topic: sco.urgent}]}
          - {id: network, when: network is down and basket is not closed, for: 1s, severity: critical}
          - {id: scan, on: scan.read, count: 2, within: 10s, same: code, severity: info, clear_when: item.accepted, clear_after: 2m}
          - {id: age, on: item.accepted where age >= 16, same: [txn, sku], while: basket is open, severity: info, remote: true, clear_when: [staff.cleared, pos.state where state = idle|void], clear_after: 15m}
          - {id: night, on: item.accepted where category = $restricted, at: "Mon-Fri 22:00-06:00", severity: warning, clear_when: staff.cleared}
          - {id: log, on: log.match where rule matches /^pos_(error|warn)+$/, count: 2, within: 1m, severity: warning, clear_after: 5m, lanes: ["L*"]}
          - {id: void, on: item.removed, same: txn, unless: item.accepted, within: 3s, while: basket is open, mode: shadow, severity: info}
          - {id: off, on: touch, enabled: false, severity: info, clear_after: 1s}

        """
}
