import Lane
import Synchronization

/// How the outbox is, as its thread last saw it: read from any thread, without waiting for the disk.
public struct OutboxState: Hashable, Sendable {
    /// Bytes of the database that hold something: what `maximumBytes` limits.
    public var usedBytes: Int64 = 0
    /// Of the file on the disk.
    public var fileBytes: Int64 = 0
    /// Of the write-ahead log.
    public var logBytes: Int64 = 0
    /// Why the last commit was not taken; nil once one was.
    public var trouble: OutboxError?
    /// Messages given up since the start.
    public var dropped: [Drop: Int] = [:]
    /// Messages that a waiting message tells of: they count in a topic's sequence, and are not there.
    public var missing = 0
    /// When messages were last given up because the outbox was full; wall time.
    public var lastFull: WallInstant?
    /// Damaged files that were set aside and lie in the folder, and their bytes.
    public var aside: [String] = []
    public var asideBytes: Int64 = 0
    /// Databases put in the place of others since the start.
    public var replacements = 0
    /// Pages given back to the file system since the start.
    public var vacuumedPages = 0
    public var epoch: Int64 = 0

    public init() {}
}

/// What the outbox's thread writes and others read.
final class OutboxBoard: Sendable {
    private let state = Mutex(OutboxState())
    private let replacements = Mutex<[Replacement]>([])

    var current: OutboxState { state.withLock { $0 } }

    func update(_ change: (inout OutboxState) -> Void) { state.withLock { change(&$0) } }

    /// More than these are not kept: the log has them all.
    func add(_ replacement: Replacement) {
        replacements.withLock { if $0.count < 16 { $0.append(replacement) } }
    }

    func takeReplacements() -> [Replacement] {
        replacements.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
