import Glibc

/// A growing run of bytes that leaves nothing behind: what is taken off its front, moved or given back is overwritten with
/// explicit_bzero(3). An Array would leave copies in freed memory, and a line may hold a card number.
final class WipedBytes {
    private var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    private(set) var count = 0

    deinit { release() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    func append(_ more: UnsafeRawBufferPointer) {
        guard let source = more.baseAddress, more.count > 0 else { return }
        if count + more.count > capacity { grow(to: count + more.count) }
        base?.advanced(by: count).copyMemory(from: source, byteCount: more.count)
        count += more.count
    }

    /// Takes off the first `taken` bytes.
    func removeFirst(_ taken: Int) {
        guard let base, taken > 0, taken <= count else { return }
        memmove(base, base + taken, count - taken)
        explicit_bzero(base + count - taken, taken)
        count -= taken
    }

    func release() {
        guard let base else { return }
        explicit_bzero(base, count)
        free(base)
        self.base = nil
        capacity = 0
        count = 0
    }

    private func grow(to needed: Int) {
        let larger = max(needed, capacity * 2, 512)
        guard let fresh = malloc(larger) else { return }
        if let base {
            fresh.copyMemory(from: base, byteCount: count)
            explicit_bzero(base, count)
            free(base)
        }
        base = fresh
        capacity = larger
    }
}
