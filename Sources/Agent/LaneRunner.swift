import Feeds
import Lane
import Loop
import Outbox
import Rules

/// The lane's one merge point: numbers and stamps what the feeds say, steps the engine, and has the outcome made durable.
///
/// Order is everything here. A signal gets its number, the engine takes it, and its journal line and changes go into the
/// next commit together; a writer is answered and the pump woken only after that commit. While one commit is on its way
/// to the disk, what arrives is gathered for the next. Alone, a change or a signal whose writer waits is committed at
/// once; other signals may wait a second. Runs on the lane's thread; sleeps until the next signal or the engine's
/// next deadline.
@LoopActor public final class LaneRunner: FeedSink {
    /// What the runner tells its surroundings. All are called on the lane's thread.
    public struct Hooks {
        public var onSignal: @LoopActor (StampedSignal) -> Void = { _ in }
        public var onChange: @LoopActor (Change) -> Void = { _ in }
        /// After a commit that holds messages.
        public var onDurable: @LoopActor (Committed) -> Void = { _ in }
        /// Seconds from the receipt of a signal, or a timer's deadline, until its change was on disk.
        public var onDetection: @LoopActor (Double) -> Void = { _ in }
        /// A feed's readings were dropped for want of room, and there is room again: it should look anew.
        public var onOverflowOver: @LoopActor (FeedKind) -> Void = { _ in }
        /// The machine was suspended: every feed should look anew.
        public var onSuspended: @LoopActor () -> Void = {}
        /// The rule set on trial raises far too much; it is to be rolled back.
        public var onRunaway: @LoopActor () -> Void = {}
        /// The rule set on trial has been watched long enough.
        public var onProven: @LoopActor () -> Void = {}
        /// The engine made a step, or took other rules: its states may be others.
        public var onStep: @LoopActor () -> Void = {}
        /// The outbox was damaged and begun anew; what is kept in it besides signals and messages is to be kept again.
        public var onReplaced: @LoopActor () -> Void = {}
        /// The outbox cannot go on; the agent should end and be started again.
        public var onBroken: @LoopActor (OutboxError) -> Void = { _ in }
        public var log: @LoopActor (Notice) -> Void = { _ in }
        public init() {}
    }

    /// Signals through the merge point: in = durable (out) + dropped + held.
    public internal(set) var counts = StageCounts()
    public internal(set) var gaps: [FeedKind: Int] = [:]
    /// Signals by `SignalType.index`.
    public internal(set) var signalCounts = [Int](repeating: 0, count: SignalCatalogue.shipped.entries.count)
    public internal(set) var changeCounts: [ChangeName: Int] = [:]
    public internal(set) var commits = 0
    public internal(set) var commitNanoseconds: Int64 = 0
    public internal(set) var commitFailures = 0
    public internal(set) var engine: RuleEngine
    public internal(set) var slowestDetection = 0.0

    let outbox: Outbox
    let clock: LaneClock
    var messages: LaneMessages
    public let heldLimit: Int
    /// Gaps up to this many milliseconds are short.
    public var gapLimit = RuleEngine.defaultGapLimit
    /// What each role of an input device may say: a gap of it reaches no more. Of others the whole feed is meant.
    public var deviceSignals: [String: Set<SignalType>] = [:]
    public var hooks: Hooks

    var lastNumber: Int64
    var lastInstant: LaneInstant
    var batch = Batch()
    var isCommitting = false
    var toldFailure: (code: OutboxError.Code, at: Int64)?
    var isStopped = false
    var waiting: [@LoopActor () -> Void] = []
    var overflowed: Set<FeedKind> = []
    var deadline: (at: LaneInstant, armed: EventLoop.Deadline)?
    var relaxedFlush: EventLoop.Deadline?
    var signalsSinceSnapshot = 0
    var journalBytes = 0
    var heldBytes = 0
    var heartbeat: EventLoop.Deadline?
    var pause: (deadline: EventLoop.Deadline, done: CheckedContinuation<Void, Never>)?
    /// CLOCK_BOOTTIME minus CLOCK_MONOTONIC, and lane time minus wall time, as they were last: a jump is a suspend, or
    /// somebody set the clock.
    var suspendedNanoseconds: Int64
    var wallOffset: Int64
    /// When the clocks were last compared, as CLOCK_BOOTTIME in nanoseconds.
    var noticedAt: Int64 = 0
    var laneState = LaneStateReport()
    var toldLimits = ToldLimits()
    /// Nil where no rule set is ever on trial.
    var rollout: Rollout?
    var trialEnd: EventLoop.Deadline?
    var stopWaiters: [CheckedContinuation<Void, Never>] = []

    /// Which rule did what, for counting.
    public struct ChangeName: Hashable, Sendable {
        public var rule: String
        public var kind: Change.Kind
    }

    /// The configured devices, by role, and whether each is there, as the hot-plug feed last said.
    public var devices: [String: Bool] { laneState.devices }

    /// A snapshot of the engine takes the journal's place after this many signals.
    public static let signalsPerSnapshot = 5000
    /// How long a signal that nobody waits for may stay in memory.
    public static let relaxedMilliseconds: Int64 = 1000
    /// … or after this many bytes of journal: what a start has to read is bounded.
    public static let bytesPerSnapshot = 4 << 20
    /// Most bytes of signals in memory that wait for the disk.
    public static let heldBytesLimit = 16 << 20
    /// While anything waits or is raised, the lane's clock is noted this often: after a crash it is known how long nobody
    /// watched.
    public static let heartbeatMilliseconds: Int64 = 5000

    /// What goes into the next commit.
    struct Batch {
        struct Answer {
            let number: Int64
            let call: @LoopActor (Result<Int64, AcceptFault>) -> Void
        }

        var journal: [StampedSignal] = []
        var events: [OutboxEvent] = []
        var answers: [Answer] = []
        /// CLOCK_BOOTTIME in nanoseconds at which each change of the batch became due.
        var due: [Int64] = []
        /// The last moment of a change of the batch that no signal made.
        var latest = LaneInstant(milliseconds: .min)
        var facts: [String: [UInt8]?] = [:]
        var wantsSnapshot = false
        var bytes = 0

        init() {}

        /// An empty one, with room for about as much as `taken` holds: a busy lane's batches are alike.
        init(after taken: Batch) {
            journal.reserveCapacity(min(taken.journal.count, 4096))
            events.reserveCapacity(min(taken.events.count, 4096))
            answers.reserveCapacity(min(taken.answers.count, 4096))
            due.reserveCapacity(min(taken.due.count, 4096))
        }

        var isEmpty: Bool { journal.isEmpty && events.isEmpty && facts.isEmpty && !wantsSnapshot }
        /// Somebody waits for it, or an attendant should know.
        var isAwaited: Bool { !events.isEmpty || !answers.isEmpty || !facts.isEmpty || wantsSnapshot }
    }

    /// - Parameters:
    ///   - engine: Restored, with the journal replayed.
    ///   - lastNumber: Of the last signal ever accepted.
    ///   - heldLimit: Most signals in memory that are not yet durable.
    public init(
        engine: RuleEngine, outbox: Outbox, clock: LaneClock, messages: LaneMessages, lastNumber: Int64, heldLimit: Int,
        hooks: Hooks = Hooks()
    ) {
        self.engine = engine
        self.outbox = outbox
        self.clock = clock
        self.messages = messages
        self.lastNumber = lastNumber
        self.heldLimit = heldLimit
        self.hooks = hooks
        lastInstant = engine.moment ?? LaneInstant(milliseconds: .min)
        suspendedNanoseconds = clock.machine.sleptNanoseconds
        wallOffset = clock.wall().milliseconds - clock.now().milliseconds
    }

    // MARK: FeedSink

    public var room: Int { isStopped || heldBytes >= Self.heldBytesLimit ? 0 : max(0, heldLimit - counts.held) }

    /// The batch is not to wait for the second to be over.
    var isUrgent: Bool { batch.isAwaited || batch.journal.count >= min(500, heldLimit / 4) }

    public func receive(_ reading: Reading) {
        switch reading {
        case .signal(let signal):
            guard room > 0 else {
                counts.in += 1
                counts.drop("no_room")
                overflowed.insert(signal.feed)
                return
            }
            accept(signal, answer: nil)
        case .gap(let gap):
            note(gap)
            miss(gap)
        }
    }

    public func receive(_ signal: Signal, answer: @escaping @LoopActor (Result<Int64, AcceptFault>) -> Void) {
        guard !isStopped else {
            answer(.failure(AcceptFault("the agent is stopping; send it again in a moment")))
            return
        }
        accept(signal, answer: answer)
    }

    public func whenRoom(_ resume: @escaping @LoopActor () -> Void) {
        if room > 0 { resume() } else { waiting.append(resume) }
    }

    public func note(_ notice: Notice) { hooks.log(notice) }

    // MARK: The merge point

    func accept(_ signal: Signal, answer: (@LoopActor (Result<Int64, AcceptFault>) -> Void)?) {
        let received = noticeClocks()
        lastNumber += 1
        lastInstant = max(lastInstant, LaneInstant(milliseconds: received / 1_000_000 + clock.offset))
        let stamped = StampedSignal(number: lastNumber, at: lastInstant, wall: clock.wall(), signal: signal)
        counts.in += 1
        counts.held += 1
        signalsSinceSnapshot += 1
        signalCounts[Int(signal.type.index)] += 1
        let bytes = signal.attributes.reduce(96) { sum, attribute in
            if case .text(let text) = attribute.value { sum + 16 + text.utf8.count } else { sum + 24 }
        }
        batch.bytes += bytes
        heldBytes += bytes
        journalBytes += bytes
        batch.journal.append(stamped)
        if let answer { batch.answers.append(Batch.Answer(number: stamped.number, call: answer)) }
        hooks.onSignal(stamped)
        take(engine.step(stamped, ranAt: lastInstant), received: received, cause: stamped.number)
        if signal.type == .deviceAttached || signal.type == .deviceDetached { report(device: stamped) }
        afterStep()
    }

    /// The engine's deadline has come.
    package func runDeadlines() {
        deadline = nil
        noticeClocks()
        let now = max(lastInstant, clock.now())
        take(engine.idle(until: now, ranAt: now), received: nil, cause: nil)
        afterStep()
    }

    func take(_ step: Step, received: Int64?, cause: Int64?) {
        guard !step.changes.isEmpty else { return }
        let recorded = clock.wall()
        for change in step.changes {
            let isShadow = change.intervention.shadow
            if isShadow && !messages.topics.publishesShadow {
                hooks.onChange(change)
                continue
            }
            for event in messages.events(for: change, recorded: recorded) {
                batch.events.append(OutboxEvent(event, change: change.number))
            }
            // A change of a timer was due at its deadline, whatever signal came first after it.
            let isOfSignal = cause != nil && change.cause == cause
            if !isOfSignal { batch.latest = max(batch.latest, change.at) }
            batch.due.append((isOfSignal ? received : nil) ?? clock.boottime(of: change.at) * 1_000_000)
            hooks.onChange(change)
            // A shadow rule calls nobody: neither a dashboard nor an alert on the counts.
            if isShadow { continue }
            if change.kind == .raise { rollout?.raised(at: change.at) }
            changeCounts[ChangeName(rule: change.intervention.rule, kind: change.kind), default: 0] += 1
            laneState.isDirty = true
        }
    }

    func afterStep() {
        hooks.onStep()
        tellLimits()
        reportLaneState()
        armDeadline()
        armHeartbeat()
        flush()
        watchTrial()
    }

    /// A suspend is a time in which nothing was seen; a wall clock that was set counts for `at` from now on.
    /// - Returns: CLOCK_BOOTTIME in nanoseconds.
    @discardableResult
    func noticeClocks() -> Int64 {
        let boottime = clock.machine.boottimeNanoseconds()
        // A suspend takes longer than this; of a busy lane's signals most come sooner.
        guard boottime - noticedAt >= 1_000_000, !isStopped else { return boottime }
        noticedAt = boottime
        let suspended = clock.machine.sleptNanoseconds
        let slept = (suspended - suspendedNanoseconds) / 1_000_000
        let now = clock.now()
        let offset = clock.wall().milliseconds - now.milliseconds
        guard slept > 2000 || abs(offset - wallOffset) > 1000 else { return boottime }
        suspendedNanoseconds = suspended
        wallOffset = offset
        if slept > 2000 {
            lastInstant = max(lastInstant, now)
            rollout?.wasAway(milliseconds: slept)
            take(
                engine.resume(
                    at: lastInstant, wall: clock.wall(), gapMilliseconds: slept, gapLimitMilliseconds: gapLimit),
                received: nil, cause: nil)
            note(Gap(feed: .agent, subject: "", reason: "the machine was suspended"))
            // Not at once: a feed may be in the middle of telling the signal that showed it.
            EventLoop.shared.schedule(inMilliseconds: 0) { [weak self] in
                guard let self, !isStopped else { return }
                hooks.onSuspended()
            }
        } else if let moment = engine.moment {
            let wall = WallInstant(milliseconds: moment.milliseconds + offset)
            take(engine.resume(at: moment, wall: wall, gapMilliseconds: 0), received: nil, cause: nil)
            hooks.log(Notice(.warning, "the wall clock was set", [.init("milliseconds", String(offset))]))
        }
        // Not in the journal: a replay after a crash begins behind it.
        batch.wantsSnapshot = true
        return boottime
    }

    /// A feed, or one of its devices, was blind. For how long it cannot say, which counts as long: what it could have
    /// answered is given up, what it could have changed is unknown until it looks anew.
    func miss(_ gap: Gap) {
        guard !isStopped, gap.feed != .agent else { return }
        // After a suspend a device's error is often the first that is heard of it: those timers did not run in time.
        noticeClocks()
        let types = gap.subject.isEmpty ? nil : deviceSignals[gap.subject]
        lastInstant = max(lastInstant, clock.now())
        take(
            engine.miss(
                types ?? SignalSource(gap.feed).types, at: lastInstant, wall: clock.wall(), gapMilliseconds: nil,
                gapLimitMilliseconds: gapLimit), received: nil, cause: nil)
        // Not in the journal: a replay after a crash begins behind it.
        batch.wantsSnapshot = true
        afterStep()
    }

    /// Notes the lane's clock now and then, as long as a restart would have to know it.
    func armHeartbeat() {
        guard heartbeat == nil, !isStopped, engine.nextDeadline != nil || engine.activeCount > 0 else { return }
        heartbeat = EventLoop.shared.schedule(inMilliseconds: Self.heartbeatMilliseconds) { [weak self] in
            guard let self, !isStopped else { return }
            heartbeat = nil
            noticeClocks()
            batch.facts[Facts.clock] = .some(clock.saved(last: max(lastInstant, clock.now())).json)
            flush()
            armHeartbeat()
        }
    }

    func armDeadline() {
        guard !isStopped, let next = engine.nextDeadline else {
            if let armed = deadline?.armed { EventLoop.shared.cancel(armed) }
            deadline = nil
            return
        }
        // An earlier one may stand: it finds nothing due and arms the next, which is cheaper than to move it each time.
        if let deadline, deadline.at <= next { return }
        if let armed = deadline?.armed { EventLoop.shared.cancel(armed) }
        // One millisecond after it: a signal stamped with the deadline itself is still in time.
        let armed = EventLoop.shared.schedule(atBoottime: clock.boottime(of: next) + 1) { [weak self] in
            self?.runDeadlines()
        }
        deadline = (next, armed)
    }

    // MARK: Reload and start

    /// Begins: takes what the replay of the journal and the resumption gave, but for the changes that the outbox has already
    /// (those up to number `known`).
    public func begin(_ steps: [Step], known: Int64, facts: [String: [UInt8]]) {
        for step in steps {
            take(Step(changes: step.changes.filter { $0.number > known }), received: nil, cause: nil)
        }
        for (name, value) in facts { batch.facts[name] = .some(value) }
        batch.wantsSnapshot = true
        laneState.isDirty = true
        afterStep()
    }

    /// Swaps the rule set between two signals.
    public func adopt(_ table: RuleTable, facts: [String: [UInt8]]) {
        noticeClocks()
        let now = max(lastInstant, clock.now())
        lastInstant = now
        take(engine.idle(until: now, ranAt: now), received: nil, cause: nil)
        messages.rulesDigest = table.digest
        toldLimits = ToldLimits(before: engine.counts, reached: engine.counts.limitsReached)
        take(engine.adopt(table, at: now, wall: clock.wall()), received: nil, cause: nil)
        for (name, value) in facts { batch.facts[name] = .some(value) }
        batch.wantsSnapshot = true
        laneState.isDirty = true
        audit("sco.rules.applied.v1", subject: "rules") { json in
            json.member("count", table.ruleCount)
            json.member("at", clock.wall().rfc3339)
        }
        afterStep()
    }
}

/// Names of the facts that the agent keeps in the outbox.
package enum Facts {
    package static let clock = "clock"
    /// The rule files in force, as JSON: a journal is replayed under the rules it was written under.
    static let rules = "rules"
    /// The rule set that goes back into force when the one on trial is rolled back; as `rules`.
    static let provenRules = "rules.proven"
    /// What is known of the set on trial, and of what is usual here.
    static let rollout = "rules.rollout"
    /// Digest of the configuration that was last reported.
    static let configuration = "configuration"
}
