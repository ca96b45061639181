import Foundation
import Lane
import Loop
import Outbox
import Rules
import Synchronization
import Testing

@testable import Agent

/// The merge point by clocks that are moved by hand: kills at a deadline's very moment, and suspends.
@Suite(.serialized) struct WatchedTimeTests {
    static let rules = """
        format: 1
        rules:
          - {id: unanswered, on: payment.started, unless: payment.approved, same: pay, within: 300ms, severity: warning}
        """

    /// Moved by hand, ten years from now: no timer of the event loop is ever due by itself.
    final class HandClock: Sendable {
        let now = Atomic<Int64>(2_100_000_000_000)
        let slept = Atomic<Int64>(0)

        var machine: MachineClocks {
            MachineClocks(
                boottimeNanoseconds: { self.now.load(ordering: .relaxed) * 1_000_000 },
                monotonicNanoseconds: {
                    (self.now.load(ordering: .relaxed) - self.slept.load(ordering: .relaxed)) * 1_000_000
                },
                wallMilliseconds: { self.now.load(ordering: .relaxed) })
        }

        func pass(milliseconds: Int64) { now.add(milliseconds, ordering: .relaxed) }

        func suspend(milliseconds: Int64) {
            slept.add(milliseconds, ordering: .relaxed)
            pass(milliseconds: milliseconds)
        }
    }

    @LoopActor final class Life {
        let outbox: Outbox
        let runner: LaneRunner
        let hand: HandClock
        var changes: [Change] = []
        var durable = 0

        init(_ folder: LaneRunnerTests.Folder, _ hand: HandClock) async throws {
            self.hand = hand
            let identity = LaneIdentity(store: "1", lane: "L1")
            outbox = try Outbox(OutboxConfiguration(folder: folder.path))
            let recovered = try await outbox.recover()
            let bytes = Array(WatchedTimeTests.rules.utf8)
            let files = try #require(RuleFiles.check([("r.yaml", bytes)]).rules)
            let saved = LaneAgent.lastKnown(recovered)
            let now = hand.now.load(ordering: .relaxed)
            var (clock, away) = LaneClock.begin(
                after: saved, boot: "this", boottime: now, wall: now, isSynchronised: true)
            clock.machine = hand.machine
            let recovery = Recovery(
                recovered, rules: files, identity: identity, localTime: UTC(), clock: clock, watchedUntil: saved?.last,
                away: away)
            runner = LaneRunner(
                engine: recovery.engine, outbox: outbox, clock: clock,
                messages: LaneMessages(identity: identity, rulesDigest: files.set.digest),
                lastNumber: recovered.lastSignal, heldLimit: 1000)
            runner.hooks.onChange = { [weak self] in self?.changes.append($0) }
            runner.hooks.onDurable = { [weak self] in self?.durable += $0.added }
            runner.begin(recovery.steps, known: recovered.lastChange, facts: recovery.facts)
        }

        func send(_ type: SignalType, _ attributes: [Attribute] = []) async throws {
            _ = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int64, any Error>) in
                runner.receive(Signal(type, attributes, feed: .pos)) { result in
                    done.resume(with: result.mapError { $0 as any Error })
                }
            }
        }

        func told() async throws -> [Parcel] {
            try await outbox.lease(topic: "sco.interventions", after: .start, limit: 1000)
        }

        func pause(milliseconds: Int64) async {
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                EventLoop.shared.schedule(inMilliseconds: milliseconds) { done.resume() }
            }
        }
    }

    static let payment = [Attribute(.pay, .text("P1"))]

    /// A signal comes before the timer of its very moment. Both are in one commit; the journal alone takes a replay to the
    /// signal, and what the timer told would be unknown to the engine: never cleared, or told twice.
    @Test @LoopActor func whatATimerToldIsKnownAfterAKillThoughASignalCameAtItsMoment() async throws {
        let (folder, hand) = (try LaneRunnerTests.Folder(), HandClock())
        var life = try await Life(folder, hand)
        try await life.send(.paymentStarted, Self.payment)
        hand.pass(milliseconds: 300)
        life.runner.receive(.signal(Signal(.touch, feed: .evdev)))
        #expect(life.runner.counts.held == 1)
        hand.pass(milliseconds: 1)
        life.runner.runDeadlines()
        #expect(life.changes.count == 1)
        for _ in 0..<200 {
            if try await life.told().count == 1, life.runner.counts.held == 0 { break }
            await life.pause(milliseconds: 10)
        }
        await life.outbox.close()
        // So long that an answer may have come unseen: a wait would be given up.
        hand.pass(milliseconds: 60_000)
        life = try await Life(folder, hand)
        #expect(life.changes.isEmpty)
        #expect(life.runner.engine.active.map(\.rule) == ["unanswered"])
        try await life.send(.paymentApproved, Self.payment)
        #expect(life.runner.engine.activeCount == 0)
        let told = try await life.told().map { try JSONValue(parsing: $0.value ?? [])["state"]?.text }
        #expect(told == ["raised", "cleared"])
        await life.runner.stop()
        await life.outbox.close()
    }

    /// Whoever notices it first: nobody saw whether the payment was answered.
    @Test(arguments: [true, false]) @LoopActor func aSuspendIsNoticedBeforeAGapAndBeforeNewRules(_ isGap: Bool)
        async throws
    {
        let (folder, hand) = (try LaneRunnerTests.Folder(), HandClock())
        let life = try await Life(folder, hand)
        try await life.send(.paymentStarted, Self.payment)
        hand.suspend(milliseconds: 60_000)
        if isGap {
            life.runner.receive(.gap(Gap(feed: .hotplug, subject: "", reason: "events were lost")))
        } else {
            let files = try #require(RuleFiles.check([("r.yaml", Array((Self.rules + "\n").utf8))]).rules)
            life.runner.adopt(RuleTable(files.set, lane: LaneIdentity(store: "1", lane: "L1")), facts: [:])
        }
        #expect(life.changes.isEmpty)
        #expect(life.runner.engine.counts.droppedByGap == 1)
        await life.runner.stop()
        await life.outbox.close()
    }

    @Test @LoopActor func aSuspendIsNoTimeOfATrial() async throws {
        let (folder, hand) = (try LaneRunnerTests.Folder(), HandClock())
        let life = try await Life(folder, hand)
        life.runner.rollout = Rollout(Rollout.Settings())
        life.runner.beginTrial(of: "new")
        let ends = try #require(life.runner.rollout?.trial?.ends)
        var proven = 0
        life.runner.hooks.onProven = { proven += 1 }
        hand.suspend(milliseconds: 3_600_000)
        try await life.send(.touch)
        #expect(proven == 0 && life.runner.rollout?.trial?.ends == ends + 3_600_000)
        hand.pass(milliseconds: 600_000)
        try await life.send(.touch)
        #expect(proven == 1 && life.runner.rollout?.trial == nil)
        await life.runner.stop()
        await life.outbox.close()
    }
}
