import Glibc

/// A lock whose holders may wait for one another. `Mutex` is enough for state alone; this is for threads that sleep until another has changed it.
///
/// Any thread; not recursive. Source: pthread_cond_wait(3).
public final class Monitor: @unchecked Sendable {
    // @unchecked: both are made for being used by many threads; what they guard is its owner's affair.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    public func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Within `withLock`: lets others in until one of them wakes this thread, or for no reason at all: asked in a loop.
    public func wait() { pthread_cond_wait(condition, mutex) }

    /// Wakes one that waits.
    public func wakeOne() { pthread_cond_signal(condition) }

    /// Wakes all that wait.
    public func wakeAll() { pthread_cond_broadcast(condition) }
}
