import CLinux
import Glibc
import Synchronization

/// A thread of its own for an actor whose work blocks: the database's commits.
///
/// ```swift
/// actor Store {
///     private let executor = ThreadExecutor(name: "outbox")
///     nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
/// }
/// ```
/// Jobs run in order of arrival. The thread ends after `stop()`, once the jobs enqueued before it are done.
public final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    // @unchecked: the queue is touched within the monitor alone.
    private struct Queue {
        var jobs: [UnownedJob] = []
        var isStopped = false
    }

    private var queue = Queue()
    private let monitor = Monitor()
    private let threadID = Atomic<UInt>(0)

    /// `name` shows in `ps -L` and `top -H`; at most 15 bytes.
    public init(name: String) {
        startThread(name: name) { [self] in run() }
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        monitor.withLock {
            queue.jobs.append(job)
            monitor.wakeOne()
        }
    }

    public func stop() {
        monitor.withLock {
            queue.isStopped = true
            monitor.wakeOne()
        }
    }

    public func checkIsolated() {
        precondition(threadID.load(ordering: .relaxed) == UInt(pthread_self()), "not on this actor's thread")
    }

    public func isIsolatingCurrentContext() -> Bool? {
        threadID.load(ordering: .relaxed) == UInt(pthread_self())
    }

    private func run() {
        threadID.store(UInt(pthread_self()), ordering: .relaxed)
        while true {
            let jobs = monitor.withLock {
                while queue.jobs.isEmpty && !queue.isStopped { monitor.wait() }
                defer { queue.jobs.removeAll(keepingCapacity: queue.jobs.capacity <= 4096) }
                return queue.jobs
            }
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}

/// Starts a detached thread with all signals blocked: they are read by the process's one signalfd. `name` shows in
/// `ps -L`; at most 15 bytes. `stackBytes` is address space; memory is only what of it is used.
public func startThread(name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) {
    final class Context: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    // Retained once here, released once by the thread: pthread_create(3) hands the pointer over.
    let context = Unmanaged.passRetained(Context(name, body))
    let code = pthread_create(
        &thread, &attributes,
        { pointer in
            guard let pointer else { return nil }
            let context = Unmanaged<Context>.fromOpaque(pointer).takeRetainedValue()
            lw_name_thread(context.name)
            context.body()
            return nil
        }, context.toOpaque())
    precondition(code == 0, "no thread: \(SystemError.text(of: code))")
}

/// Runs `body`, which blocks or takes long, on a thread of its own that ends with it, and gives what it gave.
///
/// For what happens now and then. The cooperative pool is not for that: it must not block, and on Linux its first use starts a
/// thread that wakes every second from then on. Not nonisolated, as it would go through that pool itself.
@LoopActor public func onOwnThread<Value: Sendable>(
    name: String, _ body: @escaping @Sendable () -> Value
) async -> Value {
    await withCheckedContinuation { done in startThread(name: name) { done.resume(returning: body()) } }
}
