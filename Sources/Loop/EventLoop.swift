import CLinux
import Glibc
import Synchronization

/// The lane's one thread for descriptors and deadlines: epoll, one timerfd on CLOCK_BOOTTIME, and jobs of `LoopActor`.
///
/// Everything isolated to `LoopActor` runs here: feeds, the merge point, the engine, Kafka's reports. Handlers are called in
/// the order epoll reports descriptors, deadlines in order of (deadline, arming). A job must never block: files and
/// the database have a thread of their own (`ThreadExecutor`). Idle, the thread sleeps in epoll_wait without a timeout.
/// Sources: epoll(7), timerfd_create(2).
public final class EventLoop: SerialExecutor, @unchecked Sendable {
    // @unchecked: `inbox` is a Mutex; every other stored variable is touched by the loop's thread alone.

    /// The process's loop. Its thread starts with the first use and lives as long as the process.
    public static let shared = EventLoop()

    /// What a descriptor is ready for. `hangUp` and `failure` come unasked.
    public struct Readiness: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
        public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
        public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
        public static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
        public static let failure = Readiness(rawValue: EPOLLERR.rawValue)
    }

    public typealias Handler = @LoopActor (Readiness) -> Void

    private struct Watched {
        var handler: Handler
        var generation: UInt32
    }

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isSignalled = false
    }

    private let epoll: Int32
    private let timer: Int32
    private let wake: Int32
    private let inbox = Mutex(Inbox())
    private var watched: [Int32: Watched] = [:]
    private var generation: UInt32 = 0
    private var deadlines = DeadlineQueue()
    private var armedFor: Int64 = .max
    /// Jobs that were taken out of the inbox and run now.
    private var running: [UnownedJob] = []
    private let threadID = Atomic<UInt>(0)

    /// Wake-ups of the thread since start: how often it slept in epoll_wait.
    public var wakeUps: Int { wakeUpCount.load(ordering: .relaxed) }
    private let wakeUpCount = Atomic<Int>(0)

    private init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        timer = timerfd_create(CLOCK_BOOTTIME, Int32(TFD_NONBLOCK | TFD_CLOEXEC))
        wake = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        // Before any service: without these three the process can do nothing at all.
        precondition(epoll >= 0 && timer >= 0 && wake >= 0, "no epoll, timerfd or eventfd: \(SystemError("epoll"))")
        add(timer, EPOLLIN.rawValue, generation: 0)
        add(wake, EPOLLIN.rawValue, generation: 0)
        startThread(name: "lane") { [self] in run() }
    }

    // MARK: SerialExecutor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // The loop's own thread looks for jobs before it sleeps: it needs no sign.
        let isOwn = isCurrent
        let mustWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            guard !isOwn else { return false }
            defer { inbox.isSignalled = true }
            return !inbox.isSignalled
        }
        if mustWake {
            var one: UInt64 = 1
            _ = write(wake, &one, 8)
        }
    }

    public func checkIsolated() {
        precondition(isCurrent, "not on the lane's thread")
    }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Whether the caller runs on the loop's thread.
    public var isCurrent: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

    // MARK: Descriptors

    /// Calls `handler` whenever `descriptor` is ready for one of `interest`, or hangs up. The caller keeps owning the
    /// descriptor and must call `unwatch` before it closes it.
    @LoopActor public func watch(
        _ descriptor: Int32, for interest: Readiness, handler: @escaping Handler
    ) throws(SystemError) {
        generation &+= 1
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else { throw SystemError("epoll_ctl") }
        watched[descriptor] = Watched(handler: handler, generation: generation)
    }

    /// Changes what `descriptor` is watched for. Empty: only hang-ups and failures.
    @LoopActor public func setInterest(_ descriptor: Int32, _ interest: Readiness) {
        guard let current = watched[descriptor] else { return }
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = UInt64(current.generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        _ = epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
    }

    /// No handler of `descriptor` is called any more, not even for readiness already reported.
    @LoopActor public func unwatch(_ descriptor: Int32) {
        guard watched.removeValue(forKey: descriptor) != nil else { return }
        var event = epoll_event()
        _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
    }

    // MARK: Deadlines

    /// A deadline that waits; `EventLoop.cancel` takes it back.
    public struct Deadline: Hashable, Sendable {
        fileprivate let arming: UInt64
    }

    /// Calls `action` once, at `boottime` (milliseconds of CLOCK_BOOTTIME) or as soon as it can after it.
    @LoopActor @discardableResult
    public func schedule(atBoottime milliseconds: Int64, _ action: @escaping @LoopActor () -> Void) -> Deadline {
        let arming = deadlines.insert(at: milliseconds, action)
        armTimer()
        return Deadline(arming: arming)
    }

    /// Calls `action` once, `milliseconds` from now.
    @LoopActor @discardableResult
    public func schedule(
        inMilliseconds milliseconds: Int64, _ action: @escaping @LoopActor () -> Void
    ) -> Deadline {
        schedule(atBoottime: Boottime.milliseconds() + max(0, milliseconds), action)
    }

    @LoopActor public func cancel(_ deadline: Deadline) { deadlines.remove(deadline.arming) }

    // MARK: The thread

    private func run() {
        threadID.store(UInt(pthread_self()), ordering: .relaxed)
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let hasJobs = inbox.withLock { !$0.jobs.isEmpty }
            let count = epoll_wait(epoll, &events, Int32(events.count), hasJobs ? 0 : -1)
            if !hasJobs { wakeUpCount.add(1, ordering: .relaxed) }
            guard count >= 0 else {
                if errno == EINTR { continue }
                return  // The epoll descriptor itself is gone: the process is ending.
            }
            for event in events[0..<Int(count)] { dispatch(event) }
            runDeadlines()
            runJobs()
        }
    }

    private func dispatch(_ event: epoll_event) {
        let descriptor = Int32(bitPattern: UInt32(truncatingIfNeeded: event.data.u64))
        if descriptor == wake || descriptor == timer {
            var counter: UInt64 = 0
            _ = read(descriptor, &counter, 8)
            if descriptor == timer { armedFor = .max }
            return
        }
        // A handler before this one may have closed the descriptor, and another may have taken its number.
        guard let entry = watched[descriptor], entry.generation == UInt32(event.data.u64 >> 32) else { return }
        let handler = entry.handler
        LoopActor.assumeIsolated { handler(Readiness(rawValue: event.events)) }
    }

    private func runDeadlines() {
        guard let first = deadlines.first else { return }
        if first <= Boottime.milliseconds() {
            let now = Boottime.milliseconds()
            // Only those due now: one that arms itself again at once must not starve the descriptors.
            for arming in deadlines.due(at: now) {
                if let action = deadlines.take(arming) { LoopActor.assumeIsolated { action() } }
            }
        }
        armTimer()
    }

    private func runJobs() {
        inbox.withLock { inbox in
            swap(&inbox.jobs, &running)
            inbox.isSignalled = false
        }
        for job in running { job.runSynchronously(on: asUnownedSerialExecutor()) }
        running.removeAll(keepingCapacity: running.capacity <= 4096)
    }

    private func armTimer() {
        let next = deadlines.first ?? .max
        guard next < armedFor || (armedFor != .max && next != armedFor) else { return }
        armedFor = next
        var spec = itimerspec()
        if next != .max {
            let milliseconds = max(1, next)
            spec.it_value.tv_sec = Int(milliseconds / 1000)
            spec.it_value.tv_nsec = Int(milliseconds % 1000) * 1_000_000
        }
        _ = timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &spec, nil)
    }

    private func add(_ descriptor: Int32, _ events: UInt32, generation: UInt32) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        _ = epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)
    }
}

/// What runs on the lane's one thread.
@globalActor public actor LoopActor {
    public static let shared = LoopActor()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { EventLoop.shared.asUnownedSerialExecutor() }

    /// Enters the actor from code that already runs on its thread; traps anywhere else.
    public static func assumeIsolated<T: Sendable>(_ body: @LoopActor () throws -> T) rethrows -> T {
        EventLoop.shared.checkIsolated()
        return try withoutActuallyEscaping(body) { body in
            try unsafeBitCast(body, to: (() throws -> T).self)()
        }
    }
}

/// CLOCK_BOOTTIME and its neighbours. Source: clock_gettime(2).
public enum Boottime {
    /// Milliseconds since boot, suspend included.
    public static func milliseconds() -> Int64 { nanoseconds() / 1_000_000 }

    public static func nanoseconds() -> Int64 { read(CLOCK_BOOTTIME) }

    /// CLOCK_MONOTONIC in nanoseconds: without suspend. Kernel input events are stamped with it.
    public static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Unix time in milliseconds.
    public static func wallMilliseconds() -> Int64 { read(CLOCK_REALTIME) / 1_000_000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var now = timespec()
        clock_gettime(clock, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
