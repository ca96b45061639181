import CSQLite
import Lane

/// What an outbox holds, for people to look at.
public struct OutboxContents: Hashable, Sendable {
    public var epoch: Int64 = 0
    /// By name; `oldest` included.
    public var depths: [TopicDepth] = []
    public var quarantine = QuarantineSize()
    /// The oldest of them.
    public var letters: [DeadLetter] = []
    /// Of the file and its log.
    public var fileBytes: Int64 = 0
    /// Of the file, what holds something.
    public var usedBytes: Int64 = 0

    public init() {}
}

extension Outbox {
    /// What it holds now, with at most `listing` dead letters. Reads a row a topic and the list.
    public func contents(listing: Int) throws(OutboxError) -> OutboxContents {
        var contents = OutboxContents()
        contents.epoch = epoch
        contents.depths = try depths(withOldest: true)
        contents.quarantine = try quarantineSize()
        contents.letters = listing > 0 ? try deadLetters(limit: listing) : []
        contents.usedBytes = try usedBytes()
        contents.fileBytes = OutboxContents.bytes(of: try current().folder.database)
        return contents
    }
}
