import Foundation
import Lane
import Loop
import Outbox
import Rules
import Testing

@testable import Agent

/// New rules on trial: the arithmetic, and an agent on a real outbox that takes a bad set back.
@Suite(.serialized) struct RolloutTests {
    static let hour: Int64 = 3_600_000

    static func at(_ milliseconds: Int64) -> LaneInstant { LaneInstant(milliseconds: 1_800_000_000_000 + milliseconds) }

    @Test func theLimitIsSoManyTimesTheBusiestStretchOfTheLastDay() {
        var rollout = Rollout(Rollout.Settings(watchMilliseconds: 600_000, multiple: 3, atLeast: 10))
        // 30 hours ago: 50; 5 hours ago: 7 within ten minutes; an hour ago: 4.
        for _ in 0..<50 { rollout.raised(at: Self.at(-30 * Self.hour)) }
        for _ in 0..<7 { rollout.raised(at: Self.at(-5 * Self.hour)) }
        for _ in 0..<4 { rollout.raised(at: Self.at(-Self.hour)) }
        #expect(rollout.mostRaised(at: Self.at(0)) == 7)
        rollout.begin("b", at: Self.at(0))
        #expect(rollout.trial?.limit == 21)
        #expect(rollout.trial?.ends == Self.at(600_000).milliseconds)
        for _ in 0..<21 { rollout.raised(at: Self.at(1000)) }
        #expect(!rollout.isRunaway)
        rollout.raised(at: Self.at(1001))
        #expect(rollout.isRunaway)
        rollout.rollBack()
        #expect(rollout.trial == nil && rollout.refused == ["b"])
        // What a runaway set raised is no measure.
        #expect(rollout.mostRaised(at: Self.at(2000)) == 7)
    }

    @Test func aQuietLaneGivesTheLeastNumber() {
        var rollout = Rollout(Rollout.Settings(watchMilliseconds: 600_000, multiple: 3, atLeast: 10))
        rollout.begin("b", at: Self.at(0))
        #expect(rollout.trial?.limit == 10)
        for _ in 0..<10 { rollout.raised(at: Self.at(1)) }
        rollout.pass()
        // Now it is what the lane is used to.
        rollout.begin("c", at: Self.at(700_000))
        #expect(rollout.trial?.limit == 30)
    }

    @Test func itIsReadBackAsItWasWrittenAndBeginsAnewFromRubbish() {
        var rollout = Rollout(Rollout.Settings())
        for i in 0..<5 { rollout.raised(at: Self.at(Int64(i) * 600_000)) }
        rollout.begin("x", at: Self.at(9_000_000))
        rollout.raised(at: Self.at(9_000_001))
        rollout.rollBack()
        rollout.begin("y", at: Self.at(9_100_000))
        rollout.raised(at: Self.at(9_100_001))
        rollout.isDirty = false
        #expect(Rollout(rollout.settings, restoring: rollout.json) == rollout)
        for cut in 0..<rollout.json.count {
            _ = Rollout(rollout.settings, restoring: Array(rollout.json[..<cut]))
        }
        // Stretches of another length are no measure.
        var other = rollout.settings
        other.watchMilliseconds = 60_000
        let restored = Rollout(other, restoring: rollout.json)
        #expect(restored.history.isEmpty && restored.trial == rollout.trial)
        #expect(Rollout(other, restoring: nil) == Rollout(other))
    }

    @Test func timeThatNobodyWatchedIsNoTimeOfTheTrial() {
        var rollout = Rollout(Rollout.Settings())
        rollout.begin("x", at: Self.at(0))
        let ends = rollout.trial?.ends ?? 0
        rollout.wasAway(milliseconds: 8 * Self.hour)
        #expect(rollout.trial?.ends == ends + 8 * Self.hour)
    }

    // MARK: The agent

    static func rules(_ lines: String...) -> String { "format: 1\nrules:\n" + lines.map { "  - \($0)\n" }.joined() }
    static let good = rules("{id: help, on: help.requested, same: txn, severity: info, clear_after: 1h}")
    static let bad = rules(
        "{id: help, on: help.requested, same: txn, severity: info, clear_after: 1h}",
        "{id: every-item, on: item.accepted, same: sku, severity: critical, clear_after: 1h}")
    static let better = rules("{id: help, on: help.requested, same: txn, severity: warning, clear_after: 1h}")

    @LoopActor final class LifeOfALane {
        let folder: String
        let agent: LaneAgent
        let outbox: Outbox

        init(_ folder: String, _ settings: Rollout.Settings?) async throws {
            self.folder = folder
            var configuration = Configuration()
            configuration.identity = LaneIdentity(store: "1", lane: "L1")
            configuration.stateFolder = folder
            configuration.ruleFiles = ["\(folder)/lane.yaml"]
            configuration.socket = nil
            configuration.metrics = nil
            configuration.rollout = settings
            // No broker: what is told stays in the outbox, where the test reads it.
            configuration.setKafka(["bootstrap.servers": "127.0.0.1:1"])
            let loaded = RuleFiles.load(configuration.ruleFiles)
            let rules = try #require(loaded.rules, "\(loaded.diagnostics)")
            outbox = try Outbox(OutboxConfiguration(folder: folder, maximumBytes: 64 << 20))
            agent = LaneAgent(configuration, rules: rules, outbox: outbox, localTime: UTC()) { _ in }
            try await agent.start()
        }

        func send(_ type: SignalType, _ name: AttributeName, _ values: ClosedRange<Int>) async throws {
            let runner = try #require(agent.runner)
            for value in values {
                let signal = Signal(type, [Attribute(name, .text("\(value)"))], feed: .pos)
                _ = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int64, any Error>) in
                    runner.receive(signal) { result in done.resume(with: result.mapError { $0 as any Error }) }
                }
            }
        }

        func told(_ topic: String) async throws -> [JSONValue] {
            try await outbox.lease(topic: topic, after: .start, limit: 1000).map {
                try JSONValue(parsing: $0.value ?? [])
            }
        }

        func pause(milliseconds: Int64) async {
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                EventLoop.shared.schedule(inMilliseconds: milliseconds) { done.resume() }
            }
        }

        /// As kill -9 would: nothing more is committed.
        func kill() async { await outbox.close() }
    }

    static func folder(_ rules: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "rollout-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try write(rules, path)
        return path
    }

    static func write(_ rules: String, _ folder: String) throws {
        try rules.write(toFile: "\(folder)/lane.yaml", atomically: true, encoding: .utf8)
    }

    static func digest(_ rules: String) -> String {
        RuleFile.load(files: [("lane.yaml", Array(rules.utf8))]).ruleSet?.digest ?? ""
    }

    @Test func aTrialShowsInTheListOfRules() throws {
        func answer(_ trial: Rollout.Trial?, isRolledBack: Bool) throws -> String {
            var view = ControlView(
                engine: RuleEngine(table: RuleTable(RuleSet(), lane: LaneIdentity(store: "1", lane: "2"))),
                set: RuleSet(),
                identity: LaneIdentity(store: "1", lane: "2"), timezone: "UTC", now: Self.at(0),
                wall: WallInstant(milliseconds: 1_767_607_200_000))
            view.trial = trial
            view.isRolledBack = isRolledBack
            return RulesText.rollout(try JSONValue(parsing: try view.answer(.rules)), zone: UTC())
        }
        let began = Self.at(-60_000).milliseconds
        let trial = Rollout.Trial(digest: "x", began: began, ends: began + 600_000, limit: 20, raised: 3)
        #expect(try answer(trial, isRolledBack: false) == "on trial until 10:09: 3 raised, more than 20 roll it back\n")
        #expect(try answer(nil, isRolledBack: true).hasPrefix("the rule files hold a set that raised far too much"))
        #expect(try answer(nil, isRolledBack: false) == "")
    }

    @Test @LoopActor func aSetThatRaisesFarTooMuchIsRolledBackAndStaysSo() async throws {
        let folder = try Self.folder(Self.good)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = Rollout.Settings(watchMilliseconds: 600_000, multiple: 2, atLeast: 5)
        var lane = try await LifeOfALane(folder, settings)
        try await lane.send(.helpRequested, .txn, 1...3)
        #expect(lane.agent.runner?.rollout?.trial == nil)
        try Self.write(Self.bad, folder)
        #expect(await lane.agent.reload())
        #expect(lane.agent.runner?.rollout?.trial?.limit == 6)
        try await lane.send(.itemAccepted, .sku, 1...6)
        #expect(lane.agent.rules.set.digest == Self.digest(Self.bad))
        try await lane.send(.itemAccepted, .sku, 7...9)
        #expect(lane.agent.rules.set.digest == Self.digest(Self.good))
        #expect(lane.agent.isRolledBack && lane.agent.rollbacks == 1)
        // What the set raised is over; what the good one raised goes on.
        #expect(lane.agent.runner?.engine.active.map(\.rule) == ["help", "help", "help"])
        let audit = try await lane.told("sco.audit")
        let said = try #require(audit.first { $0["from"] != nil })
        #expect(said["from"]?.text == Self.digest(Self.bad) && said["to"]?.text == Self.digest(Self.good))
        #expect(said["raised"]?.int == 7 && said["limit"]?.int == 6)
        #expect(audit.last?["rules"]?.text == Self.digest(Self.good))
        // The same files again: not by a reload, not by a start.
        #expect(await !lane.agent.reload())
        #expect(lane.agent.rules.set.digest == Self.digest(Self.good))
        await lane.agent.stop()
        lane = try await LifeOfALane(folder, settings)
        #expect(lane.agent.isRolledBack && lane.agent.rules.set.digest == Self.digest(Self.good))
        #expect(lane.agent.runner?.engine.active.count == 3)
        // Other files: a new trial.
        try Self.write(Self.better, folder)
        #expect(await lane.agent.reload())
        #expect(!lane.agent.isRolledBack && lane.agent.runner?.rollout?.trial?.digest == Self.digest(Self.better))
        await lane.agent.stop()
    }

    @Test @LoopActor func theCountOfATrialSurvivesAKillToTheOne() async throws {
        let folder = try Self.folder(Self.good)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = Rollout.Settings(watchMilliseconds: 600_000, multiple: 2, atLeast: 8)
        var lane = try await LifeOfALane(folder, settings)
        // A package brings new rules and restarts the agent: a trial too.
        await lane.agent.stop()
        try Self.write(Self.bad, folder)
        var value = 1
        for _ in 0..<4 {
            lane = try await LifeOfALane(folder, settings)
            #expect(lane.agent.runner?.rollout?.trial?.raised == value - 1)
            try await lane.send(.itemAccepted, .sku, value...(value + 1))
            value += 2
            await lane.kill()
        }
        lane = try await LifeOfALane(folder, settings)
        #expect(lane.agent.rules.set.digest == Self.digest(Self.bad))
        try await lane.send(.itemAccepted, .sku, value...value)
        #expect(lane.agent.rules.set.digest == Self.digest(Self.good))
        #expect(lane.agent.isRolledBack)
        await lane.agent.stop()
    }

    @Test @LoopActor func aSetThatDoesWellIsProvenAndTheNextOneFallsBackToIt() async throws {
        let folder = try Self.folder(Self.good)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = Rollout.Settings(watchMilliseconds: 300, multiple: 2, atLeast: 5)
        let lane = try await LifeOfALane(folder, settings)
        try Self.write(Self.better, folder)
        #expect(await lane.agent.reload())
        for _ in 0..<100 where lane.agent.proven.set.digest != Self.digest(Self.better) {
            await lane.pause(milliseconds: 20)
        }
        #expect(lane.agent.proven.set.digest == Self.digest(Self.better))
        #expect(lane.agent.runner?.rollout?.trial == nil)
        try Self.write(Self.bad, folder)
        #expect(await lane.agent.reload())
        try await lane.send(.itemAccepted, .sku, 1...6)
        #expect(lane.agent.rules.set.digest == Self.digest(Self.better))
        await lane.agent.stop()
    }

    /// Whoever puts the proven rules back while others are on trial, and starts the agent anew, is not punished for it.
    @Test @LoopActor func theProvenSetPutBackBeforeAStartIsNotOnTrial() async throws {
        let folder = try Self.folder(Self.good)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = Rollout.Settings(watchMilliseconds: 600_000, multiple: 2, atLeast: 5)
        var lane = try await LifeOfALane(folder, settings)
        try Self.write(Self.bad, folder)
        #expect(await lane.agent.reload())
        await lane.agent.stop()
        try Self.write(Self.good, folder)
        for _ in 0..<2 {
            lane = try await LifeOfALane(folder, settings)
            #expect(lane.agent.runner?.rollout?.trial == nil && !lane.agent.isRolledBack)
            try await lane.send(.helpRequested, .txn, 1...12)
            #expect(lane.agent.rollbacks == 0 && !lane.agent.isRolledBack)
            #expect(lane.agent.rules.set.digest == Self.digest(Self.good))
            await lane.agent.stop()
        }
    }

    /// As after a time without `rollout`, in which other rules came: what was on trial then says nothing of these.
    @Test func aTrialOfAnotherSetIsNotGoneOnWith() throws {
        func files(_ text: String) throws -> RuleFiles {
            try #require(RuleFiles.check([("lane.yaml", Array(text.utf8))]).rules)
        }
        let (good, bad, better) = (try files(Self.good), try files(Self.bad), try files(Self.better))
        var rollout = Rollout(Rollout.Settings())
        rollout.begin(bad.set.digest, at: Self.at(0))
        func start(_ now: RuleFiles, last: RuleFiles) -> RulesInForce {
            let facts = [Facts.rules: last.kept, Facts.provenRules: good.kept, Facts.rollout: rollout.json]
            return RulesInForce(files: now, facts: facts, settings: rollout.settings)
        }
        let other = start(better, last: better)
        #expect(other.rollout?.trial == nil && other.proven.set.digest == better.set.digest && !other.isNew)
        // The same set goes on, a third one has its own trial, and falls back to what was proven.
        #expect(start(bad, last: bad).rollout?.trial == rollout.trial)
        let third = start(better, last: bad)
        #expect(third.isNew && third.proven.set.digest == good.set.digest)
    }

    @Test @LoopActor func withoutRolloutEverySetStays() async throws {
        let folder = try Self.folder(Self.good)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let lane = try await LifeOfALane(folder, nil)
        try Self.write(Self.bad, folder)
        #expect(await lane.agent.reload())
        try await lane.send(.itemAccepted, .sku, 1...60)
        #expect(lane.agent.rules.set.digest == Self.digest(Self.bad))
        await lane.agent.stop()
    }
}
