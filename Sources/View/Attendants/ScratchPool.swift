import Loop
import Screen

/// Memory for the pictures that encoders work on: a copy each of what one update sends, of the size of a whole frame.
///
/// Four at once: as many attendants encode at a time, the others wait for a place. With two, a tap beside lossless video waited up
/// to 25 ms; more only cost memory, as a lane has few cores. Pages that large updates wrote go back to the system once a place has not
/// been used for a while: to take them anew for each picture of a video cost more than to encode it.
final class ScratchPool: @unchecked Sendable {
    // @unchecked: `free` is touched within the monitor alone; a slot that was taken belongs to who took it.
    static let slots = 4
    /// A slot that more was written to since it gave its pages back, is to give them back.
    static let keptBytes = 256 << 10
    /// When it has not been used for so long. Milliseconds.
    static let idle: Int64 = 250

    struct Slot {
        fileprivate let pixels: PixelMemory
        fileprivate var written = 0
        /// Milliseconds.
        fileprivate var used: Int64 = 0
        var base: UnsafeMutableRawPointer { pixels.base }
    }

    private var free: [Slot?] = Array(repeating: nil, count: slots)
    private let monitor = Monitor()

    /// Waits for a place. - Returns: `bytes` of memory, of which `count` will be written; nil where the system gives none.
    func take(_ bytes: Int, writing count: Int) -> Slot? {
        var slot = monitor.withLock {
            while free.isEmpty { monitor.wait() }
            return free.removeLast()
        }
        if slot?.pixels.bytes != bytes {
            // Of another size than the frame has now: given back whole, never kept beside a smaller frame.
            slot = nil
            slot = PixelMemory(bytes: bytes).map { Slot(pixels: $0) }
        }
        guard let slot else {
            put(nil)
            return nil
        }
        if slot.written == 0, count > bytes / 2 { slot.pixels.populate() }
        return slot
    }

    /// Gives a slot back into which `written` bytes were written at `now`, in milliseconds of a clock that only rises.
    /// - Returns: whether `trim` is to be called when it has been idle.
    func giveBack(_ slot: Slot, written: Int, at now: Int64) -> Bool {
        var slot = slot
        slot.written += written
        slot.used = now
        put(slot)
        return slot.written > Self.keptBytes
    }

    /// Gives pages back to the system of slots that nobody has used since `time`.
    func trim(unusedSince time: Int64) {
        monitor.withLock {
            for place in free.indices {
                guard let slot = free[place], slot.written > Self.keptBytes, slot.used <= time else { continue }
                slot.pixels.discard()
                free[place]?.written = 0
            }
        }
    }

    private func put(_ slot: Slot?) {
        monitor.withLock {
            free.append(slot)
            monitor.wakeOne()
        }
    }
}
