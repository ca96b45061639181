import Lane

/// Other rules between two signals (docs/reference/rules.md, "Reload").
extension RuleEngine {
    /// Runs what is due before `at` under the old rules, then goes on under `new`.
    ///
    /// A rule with the same fingerprint keeps its waits, rings and interventions: deadlines count from the old start with
    /// the new durations, and are due now where that is past; a new severity, title, topic or category is told by an
    /// update. What belongs to a rule that is another now, or gone, ends: reason `rule_changed` or `rule_removed`. A rule
    /// of shape D that is new or another begins its wait at the moment its state took its value.
    ///
    /// Also to be called once after a restore under other rules than those of the snapshot (`needsAdoption`).
    public mutating func adopt(_ new: RuleTable, at: LaneInstant, wall: WallInstant) -> Step {
        ranAt = nil
        runTimers(before: at.milliseconds)
        now = max(now, at.milliseconds)
        wallOffset = Self.difference(wall.milliseconds, now)
        let old = record
        var next = RuleEngine(old, table: new, taking: .adopting)
        next.counts = counts
        next.changes = changes
        if noting != nil {
            next.noting = noting
            next.noteAdoption(of: self)
        }
        next.settleStrays()
        next.armNewLasting()
        next.tellChangedTexts()
        next.fireUnmuted()
        self = next
        return handOut()
    }

    /// The engine was restored from a snapshot of other rules: `adopt` is to be called.
    public var needsAdoption: Bool { restoredDigest.map { $0 != table.digest } ?? false }

    private mutating func settleStrays() {
        for stray in strays {
            // The clear starts the cooldown of the rule that has its name now.
            ledger.cleared(table.place(of: stray.active.intervention.rule), stray.active.intervention.rule)
            if let place = table.place(of: stray.active.intervention.rule), table.rules[place].cooldown > 0,
                stray.active.key.count == table.rules[place].same.count,
                // Nobody was called by a shadow rule: its clear holds back no call.
                stray.active.intervention.shadow == table.rules[place].isShadow
            {
                rememberClear(place, stray.active.key.isEmpty ? .lane : InstanceKey(stray.active.key))
            }
            let active = ActiveIntervention(
                intervention: stray.active.intervention, raisedAt: stray.active.raisedAt, toldAt: stray.active.toldAt,
                traces: stray.active.traces, escalations: [], isEscalated: [], clearAfter: .none)
            tellCleared(active, stray.reason, nil)
        }
        strays = []
    }

    /// Idle while the state holds is only a rule that was not there when the state began.
    private mutating func armNewLasting() {
        for (place, rule) in table.rules.enumerated() where rule.form == .lasts && memory[place].holds {
            guard memory[place].lasting.phase == .idle else { continue }
            armLasting(place, from: stateStart(place))
            if noting != nil { noteHolds(place) }
            // After a short gap the state is doubtful for a new rule as for an old one.
            if rule.condition.contains(where: { states[$0.state].isDoubtful }) { suspend(place) }
        }
    }

    private mutating func tellChangedTexts() {
        for (place, rule) in table.rules.enumerated() {
            var next = memory[place].active.first
            while let known = next {
                next = memory[place].active.next(after: known)
                guard let active = memory[place].active[known] else { continue }
                var intervention = active.intervention
                intervention.title = rule.title
                intervention.category = rule.category
                intervention.remoteResolvable = rule.isRemote
                let escalation = rule.latestEscalation(active.isEscalated)
                intervention.severity = escalation?.severity ?? rule.severity
                intervention.move(to: escalation?.topic ?? rule.topic, shadow: rule.isShadow)
                if intervention == active.intervention { continue }
                memory[place].active[known]?.intervention = intervention
                counts.updated += 1
                update(place, known, .update, nil)
            }
        }
    }
}

extension CompiledRule {
    /// Of those that have been told, the one that was told last.
    fileprivate func latestEscalation(_ isTold: [Bool]) -> Escalation? {
        var latest: Escalation?
        for (escalation, isTold) in zip(escalations, isTold) where isTold && escalation.after >= latest?.after ?? 0 {
            latest = escalation
        }
        return latest
    }
}
