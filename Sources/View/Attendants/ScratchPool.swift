import CLinux
import Glibc
import Screen

/// Memory for the pictures that encoders work on: a copy each of what one update sends, of the size of a whole frame.
///
/// Four at once: as many attendants encode at a time, the others wait for a place. With two, a tap beside lossless video waited up
/// to 25 ms; more only cost memory, as a lane has few cores. Pages of a large update go back to the system after it.
final class ScratchPool: @unchecked Sendable {
    // @unchecked: `free` is touched under the mutex alone; a slot that was taken belongs to who took it.
    static let slots = 4
    /// An update that wrote more than this gives its pages back.
    static let keptBytes = 256 << 10

    private var free: [PixelMemory?] = Array(repeating: nil, count: slots)
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Waits for a place. - Returns: at least `bytes` of memory; nil where the system gives none.
    func take(_ bytes: Int) -> PixelMemory? {
        pthread_mutex_lock(mutex)
        while free.isEmpty { pthread_cond_wait(condition, mutex) }
        var slot = free.removeLast()
        pthread_mutex_unlock(mutex)
        if let slot, slot.bytes == bytes { return slot }
        // Of another size than the frame has now: given back whole, never kept beside a smaller frame.
        slot = nil
        slot = PixelMemory(bytes: bytes)
        if slot == nil { put(nil) }
        return slot
    }

    /// Gives a slot back into which `written` bytes were written.
    func giveBack(_ slot: PixelMemory, written: Int) {
        if written > Self.keptBytes { slot.discard() }
        put(slot)
    }

    private func put(_ slot: PixelMemory?) {
        pthread_mutex_lock(mutex)
        free.append(slot)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}
