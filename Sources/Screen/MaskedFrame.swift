import Glibc
import Synchronization

/// The screen as attendants may see it: the one picture that encoders read. Only `Mask` writes to it, and so only masked pixels
/// are ever in it, or in anything made of it.
///
/// Four bytes a pixel in memory order blue, green, red, 0. Made for one size; another size is another frame. Black when made.
/// Any thread may copy out of it; the capture thread alone writes. Both hold its lock for some ten microseconds.
public final class MaskedFrame: Sendable {
    public let size: PixelSize
    /// No other frame of this process has it.
    public let serial: UInt64
    /// Bytes from one row to the next.
    public let stride: Int
    private let memory: Mutex<Memory>
    private static let serials = Atomic<UInt64>(0)

    private struct Memory {
        // Touched under the mutex alone.
        let pixels: PixelMemory
        var base: UnsafeMutableRawPointer { pixels.base }
        /// Rises with each write.
        var generation: UInt64 = 0
    }

    /// - Throws: `unsupported` for a size that is not usable, or without memory.
    init(size: PixelSize) throws(ScreenError) {
        guard size.isUsable else { throw ScreenError(.unsupported, "a screen of \(size) pixels cannot be shown") }
        self.size = size
        serial = Self.serials.add(1, ordering: .relaxed).newValue
        stride = size.width * 4
        guard let pixels = PixelMemory(bytes: stride * size.height, whole: true) else {
            throw ScreenError(.unsupported, "no memory for a screen of \(size) pixels")
        }
        memory = Mutex(Memory(pixels: pixels))
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
