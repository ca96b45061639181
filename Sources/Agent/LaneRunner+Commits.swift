import Feeds
import Lane
import Loop
import Outbox

/// From memory to disk: one commit at a time, everything that waits in each.
extension LaneRunner {
    func flush() {
        guard !isCommitting, !batch.isEmpty else { return }
        if !isUrgent && !isStopped {
            if relaxedFlush == nil {
                relaxedFlush = EventLoop.shared.schedule(inMilliseconds: Self.relaxedMilliseconds) { [weak self] in
                    self?.relaxedFlush = nil
                    self?.startCommit()
                }
            }
            return
        }
        startCommit()
    }

    func startCommit() {
        guard !isCommitting, !batch.isEmpty else { return }
        if let armed = relaxedFlush { EventLoop.shared.cancel(armed) }
        relaxedFlush = nil
        isCommitting = true
        Task { await commitAll() }
    }

    func commitAll() async {
        var pause: Int64 = 0
        repeat {
            let taken = batch
            batch = Batch(after: taken)
            do throws(OutboxError) {
                let commit = commit(of: taken)
                let counted = (signalsSinceSnapshot, journalBytes)
                let committed = try await outbox.commit(commit)
                if commit.snapshot != nil {
                    signalsSinceSnapshot -= counted.0
                    journalBytes -= counted.1
                }
                settle(taken, committed)
                pause = 0
            } catch {
                commitFailures += 1
                rollout?.isDirty = true
                tellFailure(error)
                putBack(taken)
                if error.code == .replaced {
                    // Nothing of the engine is in the new one.
                    batch.wantsSnapshot = true
                    hooks.onReplaced()
                    continue
                }
                guard error.isRetriable else {
                    isCommitting = false
                    resumeStopWaiters()
                    hooks.onBroken(error)
                    return
                }
                if isStopped { break }
                pause = min(max(200, pause * 2), 5000)
                await sleep(milliseconds: pause)
            }
        } while !batch.isEmpty && (isUrgent || isStopped || pause > 0)
        isCommitting = false
        if isStopped { resumeStopWaiters() } else { flush() }
    }

    /// Once a minute while it is the same: it is tried again every few seconds, and the page of metrics counts.
    private func tellFailure(_ error: OutboxError) {
        let now = Boottime.milliseconds()
        if let told = toldFailure, told.code == error.code, now - told.at < 60_000 { return }
        toldFailure = (error.code, now)
        hooks.log(
            Notice(
                .error, "the outbox did not take a commit; it is tried again",
                [.init("error", "\(error)"), .init("reason", error.code.rawValue)]))
    }

    func resumeStopWaiters() {
        let waiters = stopWaiters
        stopWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    func commit(of taken: Batch) -> Commit {
        var commit = Commit(journal: taken.journal, events: taken.events, facts: taken.facts)
        commit.durability = taken.answers.isEmpty && taken.events.isEmpty ? .relaxed : .full
        let isDue = signalsSinceSnapshot >= Self.signalsPerSnapshot || journalBytes >= Self.bytesPerSnapshot
        if taken.wantsSnapshot || isDue {
            // Nothing has been stepped since the batch was taken: the engine is exactly where its last signal left it.
            commit.snapshot = Snapshot(number: lastNumber, engine: engine.snapshot())
        }
        // A replay must come as far as what was told. The journal takes it to its last signal, and to no timer of that very
        // moment: a signal comes before it.
        let journalled = taken.journal.last?.at ?? LaneInstant(milliseconds: .min)
        let isTimerLast = taken.latest > LaneInstant(milliseconds: .min) && taken.latest >= journalled
        if commit.snapshot != nil || isTimerLast {
            commit.facts[Facts.clock] = .some(clock.saved(last: max(lastInstant, clock.now())).json)
        }
        // With the changes that it counts, so that each counts once whatever happens.
        if rollout?.isDirty == true, commit.snapshot != nil || !taken.events.isEmpty || !taken.facts.isEmpty {
            commit.facts[Facts.rollout] = rollout.map(\.json)
            rollout?.isDirty = false
        }
        return commit
    }

    func settle(_ taken: Batch, _ committed: Committed) {
        commits += 1
        commitNanoseconds += committed.nanoseconds
        heldBytes -= taken.bytes
        if toldFailure != nil {
            toldFailure = nil
            hooks.log(Notice(.info, "the outbox takes commits again"))
        }
        for notice in committed.notices { hooks.log(notice) }
        if committed.isRewritten { hooks.onReplaced() }
        if committed.skipped > 0 {
            hooks.log(
                Notice(
                    .error, "the outbox has changes that were made anew", [.init("count", String(committed.skipped))]))
        }
        counts.held -= taken.journal.count
        counts.out += taken.journal.count
        let now = clock.machine.boottimeNanoseconds()
        for due in taken.due {
            let seconds = Double(max(0, now - due)) / 1e9
            slowestDetection = max(slowestDetection, seconds)
            hooks.onDetection(seconds)
        }
        for refused in committed.refused {
            hooks.log(Notice(.error, "a message can never be sent and was left out", [.init("error", "\(refused)")]))
        }
        if committed.added > 0 { hooks.onDurable(committed) }
        for answer in taken.answers { answer.call(.success(answer.number)) }
        makeRoom()
    }

    func putBack(_ taken: Batch) {
        batch.journal = taken.journal + batch.journal
        batch.events = taken.events + batch.events
        batch.answers = taken.answers + batch.answers
        batch.due = taken.due + batch.due
        batch.latest = max(batch.latest, taken.latest)
        batch.bytes += taken.bytes
        batch.facts = taken.facts.merging(batch.facts) { _, newer in newer }
        batch.wantsSnapshot = batch.wantsSnapshot || taken.wantsSnapshot
    }

    func makeRoom() {
        // Half empty before anybody is called, so that writers do not stop and go with every signal.
        guard room >= heldLimit / 2 else { return }
        let resumed = waiting
        waiting = []
        for resume in resumed { resume() }
        let missed = overflowed
        overflowed = []
        for feed in FeedKind.allCases where missed.contains(feed) {
            receive(.gap(Gap(feed: feed, subject: "", reason: "the disk was too slow")))
            hooks.onOverflowOver(feed)
        }
    }

    func sleep(milliseconds: Int64) async {
        guard !isStopped else { return }
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let deadline = EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self] in self?.endPause() }
            pause = (deadline, done)
        }
    }

    func endPause() {
        guard let (deadline, done) = pause else { return }
        pause = nil
        EventLoop.shared.cancel(deadline)
        done.resume()
    }

    /// Takes nothing more, commits what is there with a snapshot, and returns. Feeds are stopped before.
    public func stop() async {
        guard !isStopped else { return }
        // A suspend that nobody has noticed would be no gap after the next start: what is saved is the moment of the stop.
        noticeClocks()
        isStopped = true
        endPause()
        if let heartbeat { EventLoop.shared.cancel(heartbeat) }
        if let armed = deadline?.armed { EventLoop.shared.cancel(armed) }
        if let armed = trialEnd { EventLoop.shared.cancel(armed) }
        (deadline, trialEnd) = (nil, nil)
        batch.wantsSnapshot = true
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            stopWaiters.append(done)
            if !isCommitting { startCommit() }
        }
    }
}
