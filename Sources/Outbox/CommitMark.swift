import CLinux
import Glibc

/// How far the database was with its last synced commit, kept beside it: `EPOCH POSITION` in 40 bytes.
///
/// SQLite takes a write-ahead log that ends early for one that was just being written when the machine stopped, and goes on
/// with what stands before. Where a commit that was answered has gone that way, its sequence numbers are with brokers and
/// consumers, and must not be given to other messages: that the database is behind its mark tells it.
/// Written after the commit, in place, and never synced: a mark that a power cut took back is behind the database, which says
/// nothing. It is never ahead of a sound one.
final class CommitMark {
    struct Value: Hashable {
        var epoch: Int64
        /// The last signal's number plus all sequence numbers given in this epoch: each commit that must be synced moves it.
        var position: Int64
    }

    private static let size = 40
    /// -1 where there is none.
    private let file: Int32

    /// Without a file, on a full disk say, nothing is marked.
    init(path: String) {
        file = lw_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    }

    deinit { if file >= 0 { _ = close(file) } }

    /// What was noted last; nil where that cannot be read.
    var value: Value? {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        guard pread(file, &bytes, Self.size, 0) == Self.size else { return nil }
        let numbers = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).map { Int64($0) }
        guard numbers.count == 2, let epoch = numbers[0], let position = numbers[1] else { return nil }
        return Value(epoch: epoch, position: position)
    }

    func note(_ value: Value) {
        let text = "\(value.epoch) \(value.position)"
        let bytes = Array(text.utf8) + [UInt8](repeating: 0x20, count: max(0, Self.size - 1 - text.utf8.count)) + [0x0A]
        // One that fails leaves an older mark, which is right as well.
        _ = pwrite(file, bytes, min(bytes.count, Self.size), 0)
    }
}
