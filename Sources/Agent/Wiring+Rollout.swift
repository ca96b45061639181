import Lane
import Rules

/// New rules on trial: watched by the runner, rolled back here.
extension LaneAgent {
    /// Puts `rules`, which are new here, on trial.
    func beginTrial(_ runner: LaneRunner) {
        runner.beginTrial(of: rules.set.digest)
        guard let trial = runner.rollout?.trial else {
            proven = rules
            return
        }
        log(
            Notice(
                .info, "new rules are watched for a while",
                [
                    .init("rules.digest", trial.digest), .init("milliseconds", String(trial.ends - trial.began)),
                    .init("limit", String(trial.limit)),
                ]))
    }

    /// The set on trial has done well.
    func prove() {
        proven = rules
        provenTable = nil
        log(
            Notice(
                .info, "the new rules stay: they were watched long enough", [.init("rules.digest", rules.set.digest)]))
    }

    /// The set on trial raises far too much: the last proven one is in force again, and everybody is told.
    func rollBack() {
        guard let runner, let trial = runner.rollout?.trial else { return }
        let seconds = (max(runner.lastInstant, runner.clock.now()).milliseconds - trial.began) / 1000
        runner.endTrial { $0.rollBack() }
        rollbacks += 1
        isRolledBack = true
        rules = proven
        runner.audit("sco.rules.rolled-back.v1", subject: "rules") { json in
            json.member("from", trial.digest)
            json.member("to", proven.set.digest)
            json.member("raised", trial.raised)
            json.member("limit", trial.limit)
            json.member("seconds", seconds)
            json.member("at", runner.clock.wall().rfc3339)
        }
        // Compiled before, but for a trial that goes on after a restart.
        let table =
            provenTable.flatMap { $0.digest == proven.set.digest ? $0 : nil }
            ?? RuleTable(proven.set, lane: configuration.identity, localTime: localTime)
        runner.adopt(
            table,
            facts: [Facts.rules: proven.kept, Facts.provenRules: proven.kept])
        log(
            Notice(
                .error, "the new rules raised far too much and were rolled back; the last ones are in force again",
                [
                    .init("rules.digest", trial.digest), .init("count", String(trial.raised)),
                    .init("limit", String(trial.limit)),
                ]))
    }

    func tellRolledBack() {
        log(
            Notice(
                .error, "the rule files hold a set that was rolled back before; the last good rules are in force",
                [.init("rules.digest", rules.set.digest)]))
    }
}
