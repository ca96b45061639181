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
        // Read, checked and kept byte for byte is read and checked already: so at most starts.
        let asKept = files.kept
        func restored(_ kept: [UInt8]?) -> RuleFiles? { kept == asKept ? files : RuleFiles.restored(from: kept) }
        last = restored(facts[Facts.rules])
        proven = last ?? files
        guard let settings else { return }
        var rollout = Rollout(settings, restoring: facts[Facts.rollout])
        if rollout.trial != nil, let kept = restored(facts[Facts.provenRules]) { proven = kept }
        if let last, rollout.refused.contains(files.set.digest) {
            rules = last
            isRolledBack = last.set.digest != files.set.digest
        }
        let digest = rules.set.digest
        // Proven rules that are put back in the place of those on trial have nothing to prove.
        isNew = digest != proven.set.digest && last.map { $0.set.digest != digest } ?? false
        // Nor is anything to be judged by what another set raised.
        if !isNew, let trial = rollout.trial, trial.digest != digest || digest == proven.set.digest {
            rollout.cancel()
            proven = rules
        }
        self.rollout = rollout
    }
}
