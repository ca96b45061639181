import Lane

/// A database was damaged or gone, and another stands in its place.
public struct Replacement: Hashable, Sendable {
    /// What was found wrong.
    public var cause: String
    /// Where the former file was moved to; nil where there was none any more.
    public var aside: String?
    /// The last epoch known before; 0 where none is.
    public var formerEpoch: Int64
    public var epoch: Int64
    public var salvaged: Salvaged
    public var at: WallInstant
}

/// What could be read of a damaged file, and was taken over under its old places.
public struct Salvaged: Hashable, Sendable {
    /// Messages that wait, whole.
    public var messages: Int = 0
    /// Messages known to be lost; the stream tells of them where any message of the topic was readable.
    public var lost: Int = 0
    /// Messages among the dead letters.
    public var deadLetters: Int = 0
    /// The engine's snapshot and the whole journal after it.
    public var hasCheckpoint = false

    /// Not all that is readable was taken over, as the new file could not be written: the rest is in the old one.
    public var isCutShort = false

    public init() {}
}

extension Replacement {
    /// For the log.
    public var notice: Notice {
        Notice(
            .error, "the outbox was damaged: moved aside, a new one begun",
            [
                .init("outbox.aside", aside ?? "none"), .init("outbox.fault", cause),
                .init("outbox.salvaged", String(salvaged.messages)), .init("outbox.lost", String(salvaged.lost)),
                .init("epoch", String(epoch)),
            ])
    }
}
