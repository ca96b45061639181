import Glibc

/// Memory for pixels of a lane's screen: zero at first, in whole pages, never in a core dump. What is masked is not in most of it, but
/// what is not is a customer's.
///
/// Unmapped with this object. Who may touch it and when is its owner's to say. Source: mmap(2), madvise(2).
public final class PixelMemory: @unchecked Sendable {
    // @unchecked: `base` and `bytes` never change; what is behind them, its owner guards.
    public let base: UnsafeMutableRawPointer
    public let bytes: Int

    /// Nil where the system has no more.
    /// - Parameter whole: all of it will be used, and at once: in large pages, where the system has them for whoever asks.
    ///   Source: madvise(2), MADV_HUGEPAGE.
    public init?(bytes: Int, whole: Bool = false) {
        guard bytes > 0 else { return nil }
        let found = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let found, found != MAP_FAILED else { return nil }
        base = found
        self.bytes = bytes
        Self.keepOutOfDumps(found, bytes)
        // A page at a time, the first picture of a screen would take twice as long.
        if whole { _ = madvise(found, bytes, 14) }  // MADV_HUGEPAGE
    }

    deinit { munmap(base, bytes) }

    /// Gives the pages back to the system; they are zero when they are touched next.
    public func discard() { _ = madvise(base, bytes, Int32(MADV_DONTNEED)) }

    /// Takes all pages at once, where the system can: half the time of taking them one by one. Source: madvise(2), MADV_POPULATE_WRITE.
    public func populate() { _ = madvise(base, bytes, 23) }

    /// For memory that was mapped in another way as well.
    static func keepOutOfDumps(_ base: UnsafeMutableRawPointer, _ bytes: Int) {
        _ = madvise(base, bytes, 16)  // MADV_DONTDUMP
    }
}
