import Lane

/// What one rule waits for, holds and is held back by at a moment: for `explain` on a running lane.
///
/// A value made from the engine without changing it. All moments are on the wall clock: lane moments are moved by what
/// the two clocks differ now. Lists hold at most `limit` entries, the totals beside them count all.
public struct RuleReport: Hashable, Sendable {
    public typealias Key = [KeyPart]

    /// One term of `while` or `when`, and what the state is.
    public struct Term: Hashable, Sendable {
        public var state: String
        public var value: String
        public var isNegated: Bool
        /// Nil while unknown.
        public var current: String?
        public var holds: Bool

        /// `basket is not closed`
        public var text: String { "\(state) is \(isNegated ? "not " : "")\(value)" }
    }

    /// B: a signal of `on` without its answer so far.
    public struct Wait: Hashable, Sendable {
        public var key: Key
        public var since: WallInstant
        public var due: WallInstant
    }

    /// C: signals of `on` so far.
    public struct Count: Hashable, Sendable {
        public var key: Key
        /// Of those within the time, `of` of which fire.
        public var count: Int
        public var of: Int
        /// Milliseconds.
        public var within: Int64
        public var oldest: WallInstant
        /// When the oldest counts no longer.
        public var until: WallInstant
    }

    /// D: where the wait stands.
    public struct Lasting: Hashable, Sendable {
        public enum Phase: String, Hashable, Sendable {
            /// The state does not hold.
            case idle
            /// It holds, and the time runs.
            case waiting
            /// The time is over, and a mute holds the rule back.
            case muted
            /// The time is over: raised, or suppressed. Nothing more until the state ends or `unless` comes.
            case over
            /// What the lane was like before a gap is not confirmed yet.
            case unknown
        }

        public var phase: Phase
        /// When the wait began; nil while idle.
        public var since: WallInstant?
        /// When it is over; nil unless waiting.
        public var due: WallInstant?
    }

    public struct Active: Hashable, Sendable {
        public var id: LaneUUID
        public var key: Key
        public var severity: Severity
        public var raised: WallInstant
        public var repeats: Int
        /// The next escalation, and to what.
        public var escalates: WallInstant?
        public var escalatesTo: Severity?
        /// `clear_after`.
        public var clears: WallInstant?
    }

    public struct Cooldown: Hashable, Sendable {
        public var key: Key
        public var until: WallInstant
    }

    public struct Muter: Hashable, Sendable {
        public var rule: String
        public var isActive: Bool
        /// A shadow rule mutes none that is not one.
        public var isIgnored: Bool
    }

    public var rule: String
    public var isShadow: Bool
    public var same: [String]
    /// `while`, or `when` of shape D.
    public var terms: [Term]
    /// Whether all of them hold; true without any.
    public var holds: Bool
    public var at: DaySpan?
    /// Whether the store's time is inside `at` now; true without one.
    public var isInside: Bool
    /// The end of a silence that is not over yet.
    public var silencedUntil: WallInstant?
    public var muters: [Muter]
    public var waits: [Wait] = []
    public var waitCount = 0
    public var counts: [Count] = []
    public var countCount = 0
    public var lasting: Lasting?
    public var active: [Active] = []
    public var activeCount = 0
    public var cooldowns: [Cooldown] = []
    public var cooldownCount = 0
    public var tally: RuleTally

    /// The rules that mute it now.
    public var mutedBy: [String] { muters.filter { $0.isActive && !$0.isIgnored }.map(\.rule) }
}

extension RuleEngine {
    /// Most entries of a list of a `RuleReport`.
    public static let reportLimit = 50

    /// What `rule` is like at `now`, which the wall clock shows as `wall`; nil where this lane runs no rule of that id. At
    /// most a thousand keys are looked at, whatever the limit.
    public func report(
        on rule: String, now: LaneInstant, wall: WallInstant, limit: Int = reportLimit
    ) -> RuleReport? {
        guard let place = table.place(of: rule) else { return nil }
        let compiled = table.rules[place]
        let reporter = RuleReporter(engine: self, place: place, now: now.milliseconds, wall: wall, limit: limit)
        var report = RuleReport(
            rule: rule, isShadow: compiled.isShadow, same: compiled.same.map(\.name), terms: reporter.terms,
            holds: conditionHolds(place), at: compiled.at,
            isInside: compiled.at?.contains(wall, table.localTime) ?? true,
            silencedUntil: compiled.silencedUntil.flatMap { wall < $0 ? $0 : nil }, muters: reporter.muters,
            tally: ledger.tallies[place])
        switch compiled.form {
        case .atOnce: break
        case .noAnswer: reporter.addWaits(to: &report)
        case .tooMany: reporter.addCounts(to: &report)
        case .lasts: report.lasting = reporter.lasting
        }
        reporter.addActive(to: &report)
        reporter.addCooldowns(to: &report)
        return report
    }

    /// The tally of `rule`; nil where neither this lane runs it nor its counts are remembered.
    public func tally(of rule: String) -> RuleTally? {
        if let place = table.place(of: rule) { return ledger.tallies[place] }
        return ledger.absent.first { $0.id == rule }?.tally
    }

    /// Calls `body` with each rule of this lane and its counts, in the order of their places.
    public func forEachRule(
        _ body: (_ rule: (id: String, severity: Severity, isShadow: Bool, activeCount: Int, tally: RuleTally)) -> Void
    ) {
        for (place, rule) in table.rules.enumerated() {
            body((rule.id, rule.severity, rule.isShadow, memory[place].active.count, ledger.tallies[place]))
        }
    }
}

private struct RuleReporter {
    let engine: RuleEngine
    let place: Int
    let now: Int64
    let wall: WallInstant
    let limit: Int

    var rule: CompiledRule { engine.table.rules[place] }
    var memory: RuleMemory { engine.memory[place] }

    /// A lane moment on the wall clock.
    func shown(_ lane: Int64) -> WallInstant {
        WallInstant(milliseconds: RuleEngine.sum(wall.milliseconds, RuleEngine.difference(lane, now)))
    }

    func key(_ key: InstanceKey) -> RuleReport.Key { engine.parts(of: key, rule) }

    var terms: [RuleReport.Term] {
        rule.condition.map { term in
            let names = engine.table.states[term.state]
            func name(_ value: Int) -> String? {
                names.values.indices.contains(value) ? names.values[value] : nil
            }
            let value = engine.states[term.state].value
            return RuleReport.Term(
                state: names.name, value: name(term.value) ?? "", isNegated: term.isNegated, current: name(Int(value)),
                holds: value >= 0 && (Int(value) == term.value) != term.isNegated)
        }
    }

    var muters: [RuleReport.Muter] {
        rule.muters.map { muter in
            let other = engine.table.rules[Int(muter)]
            return RuleReport.Muter(
                rule: other.id, isActive: !engine.memory[Int(muter)].active.isEmpty,
                isIgnored: other.isShadow && !rule.isShadow)
        }
    }

    var lasting: RuleReport.Lasting {
        let lasting = memory.lasting
        let since = shown(lasting.start)
        if lasting.isSuspended { return RuleReport.Lasting(phase: .unknown, since: since) }
        switch lasting.phase {
        case .idle: return RuleReport.Lasting(phase: .idle)
        case .armed:
            return RuleReport.Lasting(
                phase: .waiting, since: since, due: shown(RuleEngine.sum(lasting.start, rule.wait)))
        case .muted: return RuleReport.Lasting(phase: .muted, since: since)
        case .spent: return RuleReport.Lasting(phase: .over, since: since)
        }
    }

    func addWaits(to report: inout RuleReport) {
        report.waitCount = memory.waits.count
        memory.waits.forEach { key, wait in
            guard report.waits.count < limit else { return }
            report.waits.append(
                RuleReport.Wait(
                    key: self.key(key), since: shown(wait.since),
                    due: shown(RuleEngine.sum(wait.since, rule.wait))))
        }
    }

    func addCounts(to report: inout RuleReport) {
        memory.waits.forEach { key, wait in
            let times = wait.ring.inOrder.filter { RuleEngine.difference(now, $0) <= rule.wait }
            guard let oldest = times.first else { return }
            report.countCount += 1
            guard report.counts.count < limit else { return }
            report.counts.append(
                RuleReport.Count(
                    key: self.key(key), count: times.count, of: rule.count, within: rule.wait, oldest: shown(oldest),
                    until: shown(RuleEngine.sum(oldest, rule.wait))))
        }
    }

    func addActive(to report: inout RuleReport) {
        report.activeCount = memory.active.count
        memory.active.forEach { key, active in
            guard report.active.count < limit else { return }
            let next = zip(rule.escalations, active.isEscalated).filter { !$0.1 }.map(\.0).min { $0.after < $1.after }
            report.active.append(
                RuleReport.Active(
                    id: active.intervention.id, key: self.key(key), severity: active.intervention.severity,
                    raised: active.intervention.raisedAt, repeats: active.intervention.repeats,
                    escalates: next.map { shown(RuleEngine.sum(active.raisedAt, $0.after)) },
                    escalatesTo: next?.severity,
                    clears: rule.clearAfter.map { shown(RuleEngine.sum(active.raisedAt, $0)) }))
        }
    }

    func addCooldowns(to report: inout RuleReport) {
        guard rule.cooldown > 0 else { return }
        memory.clears.forEach { key, clear in
            let end = RuleEngine.sum(clear, rule.cooldown)
            guard now < end else { return }
            report.cooldownCount += 1
            guard report.cooldowns.count < limit else { return }
            report.cooldowns.append(RuleReport.Cooldown(key: self.key(key), until: shown(end)))
        }
    }
}
