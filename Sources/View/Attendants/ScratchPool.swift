import CLinux
import Glibc
import Screen

/// Memory for the pictures that encoders work on: a copy each of what one update sends, of the size of a whole frame.
///
/// Four at once: as many attendants encode at a time, the others wait for a place. With two, a tap beside lossless video waited up
/// to 25 ms; more only cost memory, as a lane has few cores. Pages go back to the system when
/// more were written than a few small updates need.
final class ScratchPool: @unchecked Sendable {
    // @unchecked: `free` is touched under the mutex alone; a slot that was taken belongs to who took it.
    static let slots = 4
    /// A slot that more was written to since it gave its pages back, gives them back.
    static let keptBytes = 256 << 10

    struct Slot {
        fileprivate let pixels: PixelMemory
        fileprivate var written = 0
        var base: UnsafeMutableRawPointer { pixels.base }
    }

    private var free: [Slot?] = Array(repeating: nil, count: slots)
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
    func take(_ bytes: Int) -> Slot? {
        pthread_mutex_lock(mutex)
        while free.isEmpty { pthread_cond_wait(condition, mutex) }
        var slot = free.removeLast()
        pthread_mutex_unlock(mutex)
        if let slot, slot.pixels.bytes == bytes { return slot }
        // Of another size than the frame has now: given back whole, never kept beside a smaller frame.
        slot = nil
        guard let pixels = PixelMemory(bytes: bytes) else {
            put(nil)
            return nil
        }
        return Slot(pixels: pixels)
    }

    /// Gives a slot back into which `written` bytes were written.
    func giveBack(_ slot: Slot, written: Int) {
        var slot = slot
        slot.written += written
        if slot.written > Self.keptBytes {
            slot.pixels.discard()
            slot.written = 0
        }
        put(slot)
    }

    private func put(_ slot: Slot?) {
        pthread_mutex_lock(mutex)
        free.append(slot)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}
