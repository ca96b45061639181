import Glibc
import Synchronization

/// The screen as attendants may see it: the one picture that encoders read. Only `Mask` writes to it, and so only masked pixels
/// are ever in it, or in anything made of it.
///
/// Four bytes a pixel in memory order blue, green, red, 0. Made for one size; another size is another frame. Black when made.
/// Any thread may copy out of it; the capture thread alone writes. Both hold its lock for some ten microseconds.
public final class MaskedFrame: Sendable {
    public let size: PixelSize
    /// Bytes from one row to the next.
    public let stride: Int
    private let memory: Mutex<Memory>

    private struct Memory: @unchecked Sendable {
        // Touched under the mutex alone.
        let base: UnsafeMutableRawPointer
        /// Rises with each write.
        var generation: UInt64 = 0
    }

    /// - Throws: `unsupported` for a size that is not usable, or without memory.
    init(size: PixelSize) throws(ScreenError) {
        guard size.isUsable else { throw ScreenError(.unsupported, "a screen of \(size) pixels cannot be shown") }
        self.size = size
        stride = size.width * 4
        let bytes = stride * size.height
        let base = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base, base != MAP_FAILED else {
            throw ScreenError(.unsupported, "no memory for a screen of \(size) pixels")
        }
        // Never in a core dump: what is masked is not here, but what is not is a customer's.
        _ = madvise(base, bytes, 16)  // MADV_DONTDUMP
        memory = Mutex(Memory(base: base))
    }

    deinit {
        let bytes = stride * size.height
        memory.withLock { memory in _ = munmap(memory.base, bytes) }
    }

    /// Copies those rectangles, clipped to the frame, to the same places of `target`, which has this frame's size and stride.
    /// - Returns: the generation that they are of.
    @discardableResult
    public func copy(_ rects: [PixelRect], to target: UnsafeMutableRawPointer) -> UInt64 {
        memory.withLock { memory in
            for rect in rects { Self.copy(rect.intersection(size.bounds), from: memory.base, to: target, stride) }
            return memory.generation
        }
    }

    private static func copy(
        _ rect: PixelRect, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, _ stride: Int
    ) {
        guard !rect.isEmpty else { return }
        for row in rect.y..<rect.bottom {
            let offset = row * stride + rect.x * 4
            memcpy(target + offset, source + offset, rect.width * 4)
        }
    }

    /// How often it was written to.
    public var generation: UInt64 { memory.withLock { $0.generation } }

    /// For `Mask`: changes pixels under the lock.
    /// - Returns: the new generation.
    @discardableResult
    func write(_ body: (UnsafeMutableRawPointer) -> Void) -> UInt64 {
        memory.withLock { memory in
            memory.generation += 1
            body(memory.base)
            return memory.generation
        }
    }
}
