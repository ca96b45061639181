import Delivery
import Feeds
import Kafka
import Lane
import Loop
import Outbox
import Rules
import YAML

/// The agent: everything that runs on a lane, put together. In a process of its own (`lanewatch run`), or in a test's.
///
/// Services start in the order of what they need: outbox, delivery, merge point, feeds. They stop backwards, each
/// within its time, together below 5 s.
@LoopActor public final class LaneAgent {
    /// What the agent shows to whoever runs it, besides its log.
    public struct Hooks: Sendable {
        public var onSignal: (@LoopActor (StampedSignal) -> Void)?
        public var onChange: (@LoopActor (Change) -> Void)?
        /// The agent cannot go on; it should end with an error, and be started again.
        public var onBroken: (@LoopActor (String) -> Void)?
        public init() {}
    }

    public let configuration: Configuration
    public private(set) var runner: LaneRunner?
    public private(set) var pump: Pump?
    public private(set) var feeds: [any Feed] = []
    public internal(set) var rules: RuleFiles
    /// The last set that is not on trial.
    var proven: RuleFiles
    /// `proven`, compiled, where it is not in force.
    var provenTable: RuleTable?
    /// Reloads that were refused because the new rules were wrong.
    public private(set) var refusedReloads = 0
    public private(set) var reloads = 0
    public private(set) var lastReloadWasRefused = false
    /// The files hold a rule set that this agent took back; an older one is in force.
    public internal(set) var isRolledBack = false
    /// Rule sets that were rolled back.
    public internal(set) var rollbacks = 0
    /// Whose rule sets are taken.
    public let trust: RuleTrust
    public let startedAt = Boottime.milliseconds()
    let detection = DetectionTimes()

    let outbox: Outbox
    let localTime: any LocalTime
    private let hooks: Hooks
    let log: @LoopActor (Notice) -> Void
    public private(set) var recorder: Recorder?
    private var control: ControlSocket?
    /// Nil before the outbox is read.
    private(set) var viewDesk: ViewDesk?
    private(set) var isStopped = false
    var upkeep: EventLoop.Deadline?

    /// - Parameters:
    ///   - trust: Asked at each reload; `rules` have been judged by it already.
    ///   - outbox: Open; the agent closes it.
    ///   - log: Where all modules' words go. Called on the lane's thread.
    public nonisolated init(
        _ configuration: Configuration, rules: RuleFiles, trust: RuleTrust = .everybody, outbox: Outbox,
        localTime: any LocalTime, hooks: Hooks = Hooks(),
        log: @escaping @LoopActor (Notice) -> Void
    ) {
        self.configuration = configuration
        self.rules = rules
        proven = rules
        self.trust = trust
        self.outbox = outbox
        self.localTime = localTime
        self.hooks = hooks
        self.log = log
    }

    // MARK: Start

    /// Starts everything. On an error nothing runs any more.
    public func start() async throws(AgentError) {
        do {
            for notice in outbox.notices { log(notice) }
            let recovered = try await outbox.recover()
            let inForce = RulesInForce(files: rules, facts: recovered.facts, settings: configuration.rollout)
            rules = inForce.rules
            proven = inForce.proven
            isRolledBack = inForce.isRolledBack
            let saved = Self.lastKnown(recovered)
            let (clock, known) = LaneClock.begin(
                after: saved, boot: LaneClock.bootID(), boottime: Boottime.milliseconds(),
                wall: Boottime.wallMilliseconds(), isSynchronised: LaneClock.isWallSynchronised)
            let away = saved == nil && recovered.hasPast ? nil : known
            let recovery = Recovery(
                recovered, rules: rules, last: inForce.last, identity: configuration.identity, localTime: localTime,
                clock: clock, watchedUntil: saved?.last, away: away, gapLimit: configuration.gapLimit)
            for notice in recovery.notices { log(notice) }
            let pump = try await startPump()
            let runner = startRunner(recovery, recovered, clock, pump, inForce, away)
            try startFeeds(runner)
            viewDesk = ViewDesk(recovered.facts[Facts.viewTold]) { [weak self] in self?.runner }
            startControl()
            tellStart(recovered, away)
            startUpkeep()
        } catch {
            await stop()
            throw AgentError("\(error)")
        }
    }

    /// The last moment that the lane is known to have been watched: by what was saved, or by a signal after it.
    static func lastKnown(_ recovered: Recovered) -> LaneClock.Saved? {
        guard var saved = recovered.facts[Facts.clock].flatMap({ LaneClock.Saved(json: $0) }) else { return nil }
        if let last = recovered.journal.last, last.at > saved.last {
            saved.last = last.at
            saved.lastWall = last.wall
        }
        return saved
    }

    private func startPump() async throws -> Pump {
        var settings = PumpConfiguration(producer: KafkaSettings.producer(configuration))
        settings.credentials = { [configuration] in KafkaSettings.credentials(configuration) }
        let pump = Pump(settings, outbox: outbox) { [log] in log($0) }
        try await pump.start()
        self.pump = pump
        return pump
    }

    private func startRunner(
        _ recovery: Recovery, _ recovered: Recovered, _ clock: LaneClock, _ pump: Pump, _ inForce: RulesInForce,
        _ away: Int64?
    ) -> LaneRunner {
        let messages = LaneMessages(
            identity: configuration.identity, topics: configuration.topics, rulesDigest: rules.set.digest)
        var hooks = LaneRunner.Hooks()
        hooks.onDurable = { [weak pump] committed in pump?.wake(committed) }
        hooks.onDetection = { [detection] seconds in detection.add(seconds) }
        hooks.onOverflowOver = { [weak self] kind in self?.feeds.first { $0.kind == kind }?.resync() }
        hooks.onStep = { [weak self] in self?.control?.stepped() }
        hooks.onSuspended = { [weak self] in for feed in self?.feeds ?? [] { feed.resync() } }
        hooks.onReplaced = { [weak self] in self?.keepAnew() }
        hooks.onBroken = { [weak self] error in self?.hooks.onBroken?("\(error)") }
        hooks.onRunaway = { [weak self] in self?.rollBack() }
        hooks.onProven = { [weak self] in self?.prove() }
        hooks.log = log
        let log = self.log
        if let recording = configuration.recording {
            var options = Recorder.Options(path: recording.path)
            options.limitBytes = recording.limitBytes
            options.keep = recording.keep
            options.lane = configuration.identity.lane
            recorder = Recorder(options) { log($0) }
        }
        let recorder = self.recorder
        let onSignal = self.hooks.onSignal
        if recorder != nil || onSignal != nil {
            hooks.onSignal = { signal in
                recorder?.record(signal)
                onSignal?(signal)
            }
        }
        let onChange = self.hooks.onChange
        let isTold = configuration.log.level <= .info
        hooks.onChange = { change in
            if isTold { log(Self.notice(of: change)) }
            onChange?(change)
        }
        let runner = LaneRunner(
            engine: recovery.engine, outbox: outbox, clock: clock, messages: messages, lastNumber: recovered.lastSignal,
            heldLimit: configuration.heldSignals, hooks: hooks)
        runner.gapLimit = configuration.gapLimit
        for device in configuration.devices {
            let types = SignalSource(device.kind.rawValue)?.types ?? []
            runner.deviceSignals[device.role, default: []].formUnion(types)
        }
        self.runner = runner
        var facts = recovery.facts
        facts[Facts.configuration] = Array(configuration.digest.utf8)
        facts[Facts.provenRules] = proven.kept
        runner.rollout = inForce.rollout
        runner.rollout?.wasAway(milliseconds: away ?? 0)
        if inForce.isNew { beginTrial(runner) }
        if isRolledBack { tellRolledBack() }
        runner.begin(recovery.steps, known: recovered.lastChange, facts: facts)
        tellReplacements(runner)
        tellAudit(runner, recovered, lastDigest: recovery.lastDigest)
        return runner
    }

    private func startFeeds(_ runner: LaneRunner) throws(FeedError) {
        let feeds = try FeedCatalog.feeds(for: configuration)
        for feed in feeds {
            try feed.start(runner)
            self.feeds.append(feed)
        }
        pump?.onLook = { [weak self] in self?.lookAtBacklog() }
    }

    /// With each look of the pump: nothing wakes for the backlog alone.
    private func lookAtBacklog() {
        guard let pump, let feed = feeds.lazy.compactMap({ $0 as? BacklogFeed }).first else { return }
        feed.observe(messages: pump.undelivered, age: pump.oldestAge)
    }

    /// Without it the lane is watched as well: a fault is told, and nothing more.
    private func startControl() {
        guard let settings = configuration.control, let viewDesk else { return }
        do throws(FeedError) {
            viewDesk.tellers = try ControlSocket.rule(settings.viewUsers, [])
            let desk = OutboxDesk(
                outbox, limitBytes: configuration.outbox.maximumBytes,
                changers: try ControlSocket.rule(settings.changeUsers, settings.changeGroups),
                pump: { [weak self] in self?.pump }, runner: { [weak self] in self?.runner }, log: log)
            let control = try ControlSocket(settings, outbox: desk, audit: viewDesk, log: log) {
                [weak self] in self?.controlView
            }
            try control.start()
            self.control = control
        } catch {
            log(Notice(.warning, "the agent cannot be asked", [.init("error", error.description)]))
        }
    }

    /// What the control socket is asked about.
    private var controlView: ControlView? {
        guard let runner, !isStopped else { return nil }
        var view = ControlView(
            engine: runner.engine, set: rules.set, identity: configuration.identity, timezone: configuration.timezone,
            now: max(runner.lastInstant, runner.clock.now()), wall: runner.clock.wall())
        view.devices = runner.devices
        view.trial = runner.rollout?.trial
        view.isRolledBack = isRolledBack
        return view
    }

    /// Requests of the control socket and its connections; nil where it is off.
    var controlCounts: (requests: StageCounts, connections: StageCounts)? {
        control.map { ($0.counts, $0.connectionCounts) }
    }

    private func tellAudit(_ runner: LaneRunner, _ recovered: Recovered, lastDigest: String?) {
        let now = WallInstant(milliseconds: Boottime.wallMilliseconds()).rfc3339
        runner.audit("sco.agent.started.v1", subject: "agent") { json in
            json.member("version", Version.text)
            json.member("librdkafka", LibraryVersion.current.description)
            json.member("at", now)
        }
        // A configuration that comes from no file, as the demonstration's, has no digest.
        if !configuration.digest.isEmpty, recovered.facts[Facts.configuration] != Array(configuration.digest.utf8) {
            runner.audit("sco.config.applied.v1", subject: "configuration") { json in
                json.member("config", configuration.digest)
                json.member("at", now)
            }
        }
        if lastDigest != rules.set.digest {
            runner.audit("sco.rules.applied.v1", subject: "rules") { json in
                json.member("count", runner.engine.table.ruleCount)
                json.member("at", now)
            }
        }
    }

    private func tellStart(_ recovered: Recovered, _ away: Int64?) {
        log(
            Notice(
                .info, "the lane is watched",
                [
                    .init("version", Version.text),
                    .init("library", "librdkafka " + LibraryVersion.current.description),
                    .init("rules.digest", rules.set.digest),
                    .init("epoch", String(recovered.epoch)),
                    .init("milliseconds", away.map { String($0) } ?? "unknown"),
                ]))
    }

    /// One line a change; codes and payment numbers stay out of the log.
    private static func notice(of change: Change) -> Notice {
        let intervention = change.intervention
        var fields: [Notice.Field] = [
            .init("rule.id", intervention.rule), .init("intervention.id", intervention.id.description),
            .init("severity", intervention.severity.name),
        ]
        if let reason = intervention.reason { fields.append(.init("reason", reason.rawValue)) }
        let message =
            switch change.kind {
            case .raise: "an intervention is raised"
            case .escalate: "an intervention is escalated"
            case .update: "an intervention is updated"
            case .clear: "an intervention is cleared"
            }
        if intervention.shadow { fields.append(.init("mode", "shadow")) }
        return Notice(.info, message, fields)
    }

    /// How many messages are in the outbox and not settled: 0 where the outbox cannot be asked any more.
    public func undelivered() async -> Int {
        let depths = (try? await outbox.depths()) ?? []
        return depths.reduce(0) { $0 + $1.rows }
    }

    /// What the checker says of a rule file, as one line of the log.
    public nonisolated static func notice(of diagnostic: Diagnostic) -> Notice {
        var fields: [Notice.Field] = [.init("error", diagnostic.headline)]
        if let help = diagnostic.help { fields.append(.init("remedy", help)) }
        return diagnostic.severity == .error
            ? Notice(.error, "a rule file has a fault", fields)
            : Notice(.warning, "a rule file is not wrong, but look at it", fields)
    }

    // MARK: Reload and stop

    /// Reads the rule files again. With any error the old set stays, the errors are logged, and nothing changes.
    ///
    /// The files are read, checked and compiled on another thread: the lane's goes on meanwhile, and stops for the swap
    /// alone. Not to be called again before it returns.
    @discardableResult
    public func reload() async -> Bool {
        await pump?.renewCredentials()
        let (paths, trust, identity, localTime) = (configuration.ruleFiles, trust, configuration.identity, localTime)
        let (loaded, table, diagnostics) = await onOwnThread(name: "reload") {
            let (loaded, diagnostics) = RuleFiles.load(
                paths, trust: trust, at: WallInstant(milliseconds: Boottime.wallMilliseconds()))
            let table = loaded.map { RuleTable($0.set, lane: identity, localTime: localTime) }
            return (loaded, table, diagnostics)
        }
        for diagnostic in diagnostics { log(Self.notice(of: diagnostic)) }
        guard let loaded, let table, let runner, !isStopped else {
            refuseReload("the new rules are refused; the old ones stay")
            return false
        }
        if runner.rollout?.refused.contains(loaded.set.digest) == true {
            isRolledBack = true
            refuseReload("these rules were rolled back before; the old ones stay until the files hold others")
            return false
        }
        isRolledBack = false
        takeOver(loaded, table, runner)
        return true
    }

    private func refuseReload(_ why: String) {
        refusedReloads += 1
        lastReloadWasRefused = true
        log(Notice(.error, why, [.init("rules.digest", rules.set.digest)]))
    }

    private func takeOver(_ loaded: RuleFiles, _ table: RuleTable, _ runner: LaneRunner) {
        reloads += 1
        lastReloadWasRefused = false
        let isOther = loaded.set.digest != rules.set.digest
        let isProven = loaded.set.digest == proven.set.digest
        // Until now in force: what is rolled back to is compiled already.
        if runner.engine.table.digest == proven.set.digest { provenTable = runner.engine.table }
        rules = loaded
        if isProven { runner.endTrial { $0.cancel() } } else if isOther { beginTrial(runner) }
        runner.adopt(
            table,
            facts: [Facts.rules: loaded.kept, Facts.provenRules: proven.kept])
        log(Notice(.info, "new rules are in force", [.init("rules.digest", loaded.set.digest)]))
    }

    /// Stops everything, the last first: feeds, merge point with its last commit, delivery, outbox. Below 5 s.
    public func stop() async {
        guard !isStopped else { return }
        isStopped = true
        if let upkeep { EventLoop.shared.cancel(upkeep) }
        control?.stop()
        for feed in feeds.reversed() { feed.stop() }
        await runner?.stop()
        await recorder?.stop()
        await pump?.stop(within: 4)
        await outbox.close()
        log(Notice(.info, "the lane is not watched any more"))
    }
}

/// Why the agent cannot run; one sentence.
public struct AgentError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
