import Glibc

/// Bytes in pieces of any size → lines. A line is what ends with a line feed; blank ones are none.
///
/// A line longer than `limit` is told once as `.oversized` and skipped up to its line feed. Holds at most `limit` bytes and
/// the piece that was appended last; what was told and forgotten is wiped.
public struct LineFramer: ~Copyable {
    public enum Piece: Equatable {
        /// A line without its line feed: where it lies, until the next `append`.
        case line(Range<Int>)
        case oversized
    }

    public let limit: Int
    private let buffer = WipedBytes()
    /// The first byte that belongs to no line told yet.
    private var start = 0
    /// Up to here there is no line feed.
    private var searched = 0
    private var isSkipping = false
    private var lineFeeds = 0
    /// The number of the line told last, from 1; blank lines count.
    public private(set) var number = 0

    public init(limit: Int) { self.limit = limit }

    /// Bytes that wait: of lines not told yet, or of half a line.
    public var count: Int { buffer.count - start }

    /// Adds `bytes`. Call it when `next` has nothing more: what is appended is held.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            start = 0
        }
        buffer.append(bytes)
    }

    /// The next line, or nil when what is left has no line feed yet.
    public mutating func next() -> Piece? {
        while true {
            guard let end = lineFeed() else {
                searched = buffer.count
                if isSkipping {
                    release()
                } else if buffer.count - start > limit {
                    release()
                    isSkipping = true
                    number = lineFeeds + 1
                    return .oversized
                }
                return nil
            }
            let line = start..<end
            start = end + 1
            searched = start
            lineFeeds += 1
            if isSkipping {
                isSkipping = false
                continue
            }
            if line.count <= limit, isBlank(line) { continue }
            number = lineFeeds
            return line.count > limit ? .oversized : .line(line)
        }
    }

    /// Gives `body` the bytes of a line that `next` told.
    public func withBytes<R>(of line: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        body(UnsafeRawBufferPointer(rebasing: buffer.bytes[line]))
    }

    /// Nothing follows. Whether half a line is left, which is forgotten; one that was oversized has been told already.
    public mutating func finish() -> Bool {
        defer {
            release()
            isSkipping = false
        }
        return !isSkipping && start < buffer.count && !isBlank(start..<buffer.count)
    }

    /// Gives the memory back when nothing waits: most connections are idle most of the time.
    public mutating func releaseIfEmpty() {
        if start == buffer.count, buffer.capacity > 0 { release() }
    }

    private mutating func release() {
        buffer.release()
        start = 0
        searched = 0
    }

    private func lineFeed() -> Int? {
        let bytes = buffer.bytes
        guard searched < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + searched, 0x0A, bytes.count - searched)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private func isBlank(_ line: Range<Int>) -> Bool {
        line.isEmpty || buffer.bytes[line].allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }
    }
}
