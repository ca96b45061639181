import Lane
import Loop

/// A source of facts about the lane. Runs on the lane's one thread; never blocks, never writes to a device.
///
/// A feed begins with a snapshot of what is true now. After any hole (a dropped event, an overflow, a restart of its
/// source) it says `.gap`, then a fresh snapshot. To add one: a folder here, and a line in `FeedCatalog.swift`.
@LoopActor public protocol Feed: AnyObject {
    var kind: FeedKind { get }
    /// What came in, went out, was dropped and why.
    var counts: StageCounts { get }
    /// Opens its source, reports the snapshot and everything after it to `sink`. Called once.
    func start(_ sink: any FeedSink) throws(FeedError)
    /// Closes its source. No reading follows.
    func stop()
    /// Reports the snapshot again.
    func resync()
}

/// Where readings go: the lane's merge point, which numbers and stamps them. A double stands in for it in tests.
@LoopActor public protocol FeedSink: AnyObject {
    /// How many more signals fit before the disk has caught up. A feed whose source can wait (a socket) stops reading at 0
    /// and asks `whenRoom`; what a source cannot hold back is dropped by the sink, counted, and becomes a gap.
    var room: Int { get }
    func receive(_ reading: Reading)
    /// Accepts `signal` and calls `answer` with its number once it is durable, or with why it is not. Answers come in
    /// the order of the calls.
    func receive(_ signal: Signal, answer: @escaping @LoopActor (Result<Int64, AcceptFault>) -> Void)
    /// Calls `resume` once, as soon as there is room again.
    func whenRoom(_ resume: @escaping @LoopActor () -> Void)
    /// Something for the agent's log.
    func note(_ notice: Notice)
}

/// Why an accepted signal could not be made durable; a sentence for the writer.
public struct AcceptFault: Error, Hashable, Sendable {
    public var message: String
    public init(_ message: String) { self.message = message }
}

/// A feed that could not open its source.
public struct FeedError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence: what was tried, on what, what the system said, the way out.
    public var description: String
    /// Whether trying again later may help.
    public var isRetriable: Bool

    public init(_ description: String, isRetriable: Bool) {
        self.description = description
        self.isRetriable = isRetriable
    }
}
