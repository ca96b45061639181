import Lane
import Rules

/// Which rule set a start takes: the files', unless the agent took just these back in an earlier life.
struct RulesInForce {
    /// In force from now on.
    var rules: RuleFiles
    /// Goes back into force when `rules` turn out to raise far too much.
    var proven: RuleFiles
    /// Of the last run; nil where there was none, or where its rules are not readable by this version.
    var last: RuleFiles?
    var rollout: Rollout?
    /// The files hold a set that was rolled back.
    var isRolledBack = false
    /// `rules` have not been on this lane before.
    var isNew = false

    /// - Parameters:
    ///   - files: What the configuration names, as it lies on the disk now.
    ///   - facts: Of the outbox.
    init(files: RuleFiles, facts: [String: [UInt8]], settings: Rollout.Settings?) {
        rules = files
        last = RuleFiles.restored(from: facts[Facts.rules])
        proven = last ?? files
        guard let settings else { return }
        var rollout = Rollout(settings, restoring: facts[Facts.rollout])
        defer { self.rollout = rollout }
        if rollout.trial != nil, let kept = RuleFiles.restored(from: facts[Facts.provenRules]) { proven = kept }
        if let last, rollout.refused.contains(files.set.digest) {
            rules = last
            isRolledBack = true
        }
        isNew = last.map { $0.set.digest != rules.set.digest } ?? false
        // Back to the proven set while the agent was down: as with a reload, that is no trial.
        if isNew, rollout.trial != nil, rules.set.digest == proven.set.digest {
            isNew = false
            rollout.cancel()
        }
    }
}
