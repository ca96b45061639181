import Feeds
import Foundation
import Lane
import Loop
import Outbox
import Rules
import Synchronization
import Testing

@testable import Agent

/// The merge point over a real outbox on disk, the real clock, and rules of our own.
@Suite(.serialized) struct LaneRunnerTests {
    static let rules = """
        format: 1
        params: {wait: 300ms}
        rules:
          - {id: refused, on: item.refused, same: code, severity: info, clear_after: 1h}
          - {id: unanswered, on: payment.started, unless: payment.approved, same: pay, within: $wait, severity: warning}
        """

    final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.appending(path: "runner-\(UUID().uuidString)").path
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @LoopActor final class Subject {
        let outbox: Outbox
        let runner: LaneRunner
        var changes: [Change] = []
        var durable = 0

        init(
            _ folder: Folder, rules: String = LaneRunnerTests.rules, heldLimit: Int = 1000,
            maximumBytes: Int64 = 512 << 20,
            missed: Int64 = 0, topics: TopicNames = TopicNames(), machine: MachineClocks = .real
        ) async throws {
            let identity = LaneIdentity(store: "1", lane: "L1")
            outbox = try Outbox(OutboxConfiguration(folder: folder.path, maximumBytes: maximumBytes))
            let recovered = try await outbox.recover()
            let loaded = RuleFile.load(files: [("r.yaml", Array(rules.utf8))])
            let set = try #require(loaded.ruleSet, "\(loaded.diagnostics.map { $0.rendered() })")
            let files = RuleFiles(files: [("r.yaml", Array(rules.utf8))], set: set)
            var saved = recovered.facts[Facts.clock].flatMap { LaneClock.Saved(json: $0) }
            // As if the last life had ended so long ago.
            saved?.last.milliseconds -= missed
            saved?.lastWall.milliseconds -= missed
            var (clock, away) = LaneClock.begin(
                after: saved, boot: LaneClock.bootID(), boottime: Boottime.milliseconds(),
                wall: Boottime.wallMilliseconds(), isSynchronised: true)
            clock.machine = machine
            let recovery = Recovery(
                recovered, rules: files, identity: identity, localTime: UTC(), clock: clock, watchedUntil: saved?.last,
                away: away)
            runner = LaneRunner(
                engine: recovery.engine, outbox: outbox, clock: clock,
                messages: LaneMessages(identity: identity, topics: topics, rulesDigest: set.digest),
                lastNumber: recovered.lastSignal,
                heldLimit: heldLimit)
            runner.hooks.onChange = { [weak self] in self?.changes.append($0) }
            runner.hooks.onDurable = { [weak self] _ in self?.durable += 1 }
            runner.begin(recovery.steps, known: recovered.lastChange, facts: recovery.facts)
        }

        func send(_ type: String, _ name: String, _ value: String) async throws -> Int64 {
            let signal = Signal(
                try #require(SignalType(type)), [Attribute(try #require(AttributeName(name)), .text(value))], feed: .pos
            )
            return try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int64, any Error>) in
                runner.receive(signal) { result in done.resume(with: result.mapError { $0 as any Error }) }
            }
        }

        func messages(_ topic: String = "sco.interventions") async throws -> [Parcel] {
            try await outbox.lease(topic: topic, after: .start, limit: 1000)
        }

        func judge(_ id: LaneUUID, _ verdict: String) async throws {
            let attributes = [
                Attribute(.intervention, .text(id.description)), Attribute(.verdict, .text(verdict)),
            ]
            _ = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int64, any Error>) in
                runner.receive(Signal(.attendantResolved, attributes, feed: .staff)) { result in
                    done.resume(with: result.mapError { $0 as any Error })
                }
            }
        }

        func end() async throws {
            await runner.stop()
            await outbox.close()
        }

        func pause(milliseconds: Int64) async {
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                EventLoop.shared.schedule(inMilliseconds: milliseconds) { done.resume() }
            }
        }
    }

    @Test @LoopActor func anAnswerComesWhenSignalAndChangeAreOnDisk() async throws {
        let lane = try await Subject(try Folder())
        let first = try await lane.send("item.refused", "code", "4")
        #expect(try await lane.messages().count == 1)
        let second = try await lane.send("item.refused", "code", "5")
        #expect(second == first + 1)
        #expect(lane.runner.counts.isBalanced && lane.runner.counts.held == 0)
        try await lane.end()
    }

    /// Without a clean stop: everything that was answered has its effect, and nothing is raised twice.
    @Test @LoopActor func aRestartGoesOnFromTheCheckpoint() async throws {
        let folder = try Folder()
        var lane = try await Subject(folder)
        _ = try await lane.send("payment.started", "pay", "P1")
        _ = try await lane.send("item.refused", "code", "4")
        // As after kill -9: the outbox is let go without the runner's last commit.
        await lane.outbox.close()
        lane = try await Subject(folder)
        // The wait of P1 was armed before; its deadline is the old one.
        for _ in 0..<40 where lane.changes.isEmpty { await lane.pause(milliseconds: 20) }
        #expect(lane.changes.map(\.intervention.rule) == ["unanswered"])
        _ = try await lane.send("item.refused", "code", "4")
        let messages = try await lane.messages()
        #expect(messages.map(\.position.seq) == [1, 2])
        #expect(Set(messages.map(\.id)).count == 2)
        try await lane.end()
    }

    static let shadowRules = """
        format: 1
        rules:
          - {id: refused, on: item.refused, same: code, severity: info, clear_after: 1h}
          - {id: trial, on: item.refused, same: code, severity: critical, clear_after: 1h, mode: shadow, topic: sco.trial, escalate: {after: 50ms, severity: critical, topic: sco.managers}}
        """

    /// A shadow rule is told on its own topic, or nowhere; either way it counts, and the others are told as ever.
    @Test(arguments: [true, false]) @LoopActor func aShadowRuleCallsNobody(_ publishes: Bool) async throws {
        let folder = try Folder()
        var topics = TopicNames()
        topics.publishesShadow = publishes
        var lane = try await Subject(folder, rules: Self.shadowRules, topics: topics)
        _ = try await lane.send("item.refused", "code", "4")
        for _ in 0..<100 where lane.changes.count < 3 { await lane.pause(milliseconds: 20) }
        #expect(lane.changes.map(\.kind) == [.raise, .raise, .escalate])
        // As after kill -9: what was told is not told again, and the counts are the same.
        let told = lane.runner.engine.tally(of: "trial")
        await lane.pause(milliseconds: 50)
        await lane.outbox.close()
        lane = try await Subject(folder, rules: Self.shadowRules, topics: topics)
        #expect(lane.runner.engine.tally(of: "trial") == told && told?.fired == 1)
        _ = try await lane.send("item.refused", "code", "5")
        let calls = try await lane.messages().map { try JSONValue(parsing: $0.value ?? []) }
        #expect(calls.map { $0["rule"]?.text } == ["refused", "refused"])
        #expect(calls.allSatisfy { $0["shadow"] == nil })
        let shadows = try await lane.messages("sco.rules.shadow").map { try JSONValue(parsing: $0.value ?? []) }
        #expect(shadows.map { $0["state"]?.text } == (publishes ? ["raised", "updated", "raised"] : []))
        #expect(shadows.allSatisfy { $0["shadow"]?.bool == true && $0["rule"]?.text == "trial" })
        #expect(try await lane.messages("sco.trial").isEmpty)
        #expect(try await lane.messages("sco.managers").isEmpty)
        #expect(lane.runner.changeCounts.keys.allSatisfy { $0.rule == "refused" })
        let states = try await lane.messages("sco.lane-state").map { try JSONValue(parsing: $0.value ?? []) }
        let open = states.flatMap { $0["open"]?.elements ?? [] }.compactMap { $0["rule"]?.text }
        #expect(Set(open) == ["refused"])
        try await lane.end()
    }

    /// A verdict is a signal like any other: counted again by the replay after a kill, not twice.
    @Test @LoopActor func verdictsSurviveAKill() async throws {
        let folder = try Folder()
        var lane = try await Subject(folder)
        _ = try await lane.send("item.refused", "code", "4")
        _ = try await lane.send("item.refused", "code", "5")
        let ids = lane.changes.map(\.intervention.id)
        try await lane.judge(ids[0], "false alarm")
        for _ in 0..<3 {
            let before = lane.runner.engine.tally(of: "refused")
            await lane.outbox.close()
            lane = try await Subject(folder)
            #expect(lane.runner.engine.tally(of: "refused") == before)
        }
        try await lane.judge(ids[1], "helped")
        try await lane.end()
        lane = try await Subject(folder)
        let tally = try #require(lane.runner.engine.tally(of: "refused"))
        #expect(tally.fired == 2 && tally.judged == 2 && tally.falseAlarms == 1)
        try await lane.end()
    }

    @Test @LoopActor func signalsNobodyWaitsForAreOnDiskWithinASecond() async throws {
        let folder = try Folder()
        let lane = try await Subject(folder)
        let kind = try #require(SignalType("touch"))
        await lane.pause(milliseconds: 50)
        lane.runner.receive(.signal(Signal(kind, feed: .evdev)))
        #expect(lane.runner.counts.held == 1)
        await lane.pause(milliseconds: 1300)
        #expect(lane.runner.counts.held == 0)
        try await lane.end()
    }

    @Test @LoopActor func manyWritersShareCommitsAndKeepTheirOrder() async throws {
        let lane = try await Subject(try Folder(), heldLimit: 5000)
        let code = try #require(AttributeName("code"))
        var numbers: [Int64] = []
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            for i in 0..<2000 {
                lane.runner.receive(Signal(.itemRefused, [Attribute(code, .text("\(i % 700)"))], feed: .pos)) {
                    result in
                    if case .success(let number) = result { numbers.append(number) }
                    if i == 1999 { done.resume() }
                }
            }
        }
        #expect(numbers == Array(numbers[0]..<numbers[0] + 2000))
        #expect(try await lane.messages().map(\.position.seq) == (1...700).map { Int64($0) })
        try await lane.end()
    }

    @Test @LoopActor func withoutRoomDevicesAreDroppedAndCountedAndTheFeedIsToldToLookAnew() async throws {
        let lane = try await Subject(try Folder(), heldLimit: 10)
        for _ in 0..<25 { lane.runner.receive(.signal(Signal(.touch, feed: .evdev))) }
        #expect(lane.runner.counts.dropped["no_room"] == 15)
        #expect(lane.runner.room == 0)
        #expect(lane.runner.counts.isBalanced)
        var resumed = false
        lane.runner.whenRoom { resumed = true }
        for _ in 0..<100 where !resumed { await lane.pause(milliseconds: 20) }
        #expect(resumed && lane.runner.gaps[.evdev] == 1)
        try await lane.end()
    }

    @Test @LoopActor func newRulesAreTakenBetweenTwoSignals() async throws {
        let folder = try Folder()
        let lane = try await Subject(folder)
        _ = try await lane.send("item.refused", "code", "4")
        let text = "format: 1\nrules:\n  - {id: other, on: help.requested, severity: info, clear_after: 1m}\n"
        let set = try #require(RuleFile.load(files: [("r.yaml", Array(text.utf8))]).ruleSet)
        lane.runner.adopt(RuleTable(set, lane: LaneIdentity(store: "1", lane: "L1")), facts: [:])
        #expect(lane.changes.last?.intervention.reason == .ruleRemoved)
        let before = lane.changes.count
        _ = try await lane.send("item.refused", "code", "5")
        #expect(lane.changes.count == before)
        try await lane.end()
    }

    /// A full outbox holds signals back; nothing answered is lost, and nothing is answered that is not on disk.
    @Test @LoopActor func aFullOutboxHoldsBack() async throws {
        let lane = try await Subject(try Folder(), heldLimit: 50, maximumBytes: 1)
        var answered = 0
        let code = try #require(AttributeName("code"))
        for i in 0..<20 {
            lane.runner.receive(Signal(.itemRefused, [Attribute(code, .text("\(i)"))], feed: .pos)) { result in
                if case .success = result { answered += 1 }
            }
        }
        await lane.pause(milliseconds: 400)
        #expect(answered == 0)
        #expect(lane.runner.commitFailures > 0)
        #expect(lane.runner.room == 30)
        #expect(lane.runner.counts.isBalanced)
        try await lane.end()
    }

    /// A raise that a timer made, a crash, and a gap so long that the replay cannot repeat it: what comes after is told.
    @Test @LoopActor func afterALongGapNewChangesAreNotTakenForOldOnes() async throws {
        let folder = try Folder()
        var lane = try await Subject(folder)
        _ = try await lane.send("payment.started", "pay", "P1")
        for _ in 0..<100 where lane.changes.isEmpty { await lane.pause(milliseconds: 20) }
        #expect(lane.changes.map(\.kind) == [.raise])
        await lane.pause(milliseconds: 50)
        await lane.outbox.close()
        lane = try await Subject(folder, missed: 60_000)
        _ = try await lane.send("item.refused", "code", "4")
        let messages = try await lane.messages()
        #expect(messages.map(\.position.seq) == [1, 2])
        let rules = try messages.map { try JSONValue(parsing: $0.value ?? [])["rule"]?.text }
        #expect(rules == ["unanswered", "refused"])
        try await lane.end()
    }

    /// The clock is saved with every change: what a timer told before the crash is still raised after it, and cleared by
    /// the late answer under its own id.
    @Test @LoopActor func whatATimerRaisedIsKnownAfterACrash() async throws {
        let folder = try Folder()
        var lane = try await Subject(folder)
        _ = try await lane.send("payment.started", "pay", "P1")
        for _ in 0..<100 where lane.changes.isEmpty { await lane.pause(milliseconds: 20) }
        await lane.pause(milliseconds: 50)
        await lane.outbox.close()
        lane = try await Subject(folder)
        _ = try await lane.send("payment.approved", "pay", "P1")
        let states = try await lane.messages().map { parcel in
            let value = try JSONValue(parsing: parcel.value ?? [])
            return (value["state"]?.text, value["intervention"]?.text)
        }
        #expect(states.map(\.0) == ["raised", "cleared"])
        #expect(Set(states.map(\.1)).count == 1)
        try await lane.end()
    }

    /// A lane on which nothing ever happened is started again and again.
    @Test @LoopActor func aLaneWithoutASignalStartsAgain() async throws {
        let folder = try Folder()
        for _ in 0..<3 { try await Subject(folder).end() }
        let lane = try await Subject(folder)
        #expect(try await lane.send("item.refused", "code", "4") == 1)
        try await lane.end()
    }

    /// A quiet lane is restarted cleanly: the gap is the restart, not the quiet before it.
    @Test @LoopActor func aCleanStopSavesTheMomentOfTheStop() async throws {
        let folder = try Folder()
        let lane = try await Subject(folder)
        _ = try await lane.send("item.refused", "code", "4")
        await lane.pause(milliseconds: 400)
        await lane.runner.stop()
        let facts = try await lane.outbox.recover().facts
        let saved = try #require(facts[Facts.clock].flatMap { LaneClock.Saved(json: $0) })
        let now = Boottime.milliseconds() + saved.offset
        #expect(now - saved.last.milliseconds < 300)
        await lane.outbox.close()
    }

    /// Whatever is first heard after a suspend, it is a gap: nobody saw the answers that may have come.
    @Test(arguments: ["a device's error", "a reload", "a stop"]) @LoopActor
    func aSuspendIsNoticedFirst(by what: String) async throws {
        let sleep = Sleep()
        let rules = """
            format: 1
            rules: [{id: unanswered, on: payment.started, unless: payment.approved, within: 30s, severity: warning}]
            """
        let lane = try await Subject(try Folder(), rules: rules, machine: sleep.clocks)
        _ = try await lane.send("payment.started", "pay", "P1")
        sleep.milliseconds.store(60_000, ordering: .relaxed)
        switch what {
        case "a reload": lane.runner.adopt(lane.runner.engine.table, facts: [:])
        case "a stop": await lane.runner.stop()
        default: lane.runner.receive(.gap(Gap(feed: .evdev, subject: "", reason: "read failed")))
        }
        #expect(lane.changes.isEmpty)
        #expect(lane.runner.engine.waiting.isEmpty && lane.runner.engine.counts.droppedByGap == 1)
        try await lane.end()
    }

    /// The machine's clocks, and how long it has been suspended besides.
    final class Sleep: Sendable {
        let milliseconds = Atomic<Int64>(0)

        var clocks: MachineClocks {
            MachineClocks(
                boottimeNanoseconds: {
                    Boottime.nanoseconds() + self.milliseconds.load(ordering: .relaxed) * 1_000_000
                },
                monotonicNanoseconds: { Boottime.monotonicNanoseconds() },
                wallMilliseconds: { Boottime.wallMilliseconds() + self.milliseconds.load(ordering: .relaxed) })
        }
    }
}
