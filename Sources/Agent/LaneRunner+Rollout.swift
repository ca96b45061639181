import Feeds
import Lane
import Loop

/// A rule set on trial: what it raises is counted with the changes themselves, the verdict falls between two signals.
extension LaneRunner {
    /// Puts `digest` on trial from now on.
    func beginTrial(of digest: String) {
        rollout?.begin(digest, at: max(lastInstant, clock.now()))
        keepRollout()
    }

    /// The set on trial is not to be judged any more.
    func endTrial(_ verdict: (inout Rollout) -> Void) {
        if var changed = rollout {
            verdict(&changed)
            rollout = changed
        }
        if let armed = trialEnd { EventLoop.shared.cancel(armed) }
        trialEnd = nil
        keepRollout()
    }

    /// After every step: is it too much, is it over?
    func watchTrial() {
        guard !isStopped, let rollout, let trial = rollout.trial else { return }
        if rollout.isRunaway { return hooks.onRunaway() }
        let now = max(lastInstant, clock.now())
        if now.milliseconds >= trial.ends {
            endTrial { $0.pass() }
            return hooks.onProven()
        }
        guard trialEnd == nil else { return }
        let end = clock.boottime(of: LaneInstant(milliseconds: trial.ends))
        trialEnd = EventLoop.shared.schedule(atBoottime: end) { [weak self] in
            guard let self, !isStopped else { return }
            trialEnd = nil
            // Whoever wakes up first after a suspend has to notice it.
            noticeClocks()
            afterStep()
        }
    }

    private func keepRollout() {
        batch.facts[Facts.rollout] = rollout.map(\.json)
        rollout?.isDirty = false
        flush()
    }
}
