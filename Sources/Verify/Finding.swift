/// What can be wrong with a lane's messages on a topic. In the order in which they are told.
public enum Fault: String, CaseIterable, Hashable, Sendable {
    /// Sequences that never came.
    case missing
    /// Came below one that came before.
    case order
    /// The same sequence with other bytes or another id: one of the two is no message of this lane.
    case conflict
    /// On a compacted topic the last message is not the youngest: who reads it sees the past.
    case stale
    /// Too much was missing to tell whether it was a repeat or came late.
    case undecided
    /// On more than one partition: where these were added, order ends.
    case split
    /// The record's key is not the lane.
    case key
    /// `ce_*` or content-type missing or not of its form.
    case headers
    /// `ce_id` is not what is made of what the message tells.
    case id
    /// A record without a value where none may be, or with one that is no JSON.
    case value
    /// The value is not as its schema has it.
    case schema
    /// A schema that is not known here: a newer lane's, or nobody's.
    case unknown
    /// `previous` is not the digest of the message before.
    case chain

    /// How it is said of a number of messages.
    public var words: (one: String, many: String) {
        switch self {
        case .missing: ("message is missing", "messages are missing")
        case .order: ("message came out of order", "messages came out of order")
        case .conflict: ("sequence came again with other content", "sequences came again with other content")
        case .stale: ("stream ends on an old message", "streams end on an old message")
        case .undecided: ("message came too late to be judged", "messages came too late to be judged")
        case .split: ("lane is on several partitions", "lanes are on several partitions")
        case .key: ("message has another lane's key", "messages have another lane's key")
        case .headers: ("message has wrong headers", "messages have wrong headers")
        case .id: ("message has a wrong id", "messages have a wrong id")
        case .value: ("message has no value", "messages have no value")
        case .schema: ("message breaks its schema", "messages break their schema")
        case .unknown: ("message has an unknown schema", "messages have an unknown schema")
        case .chain: ("link of the audit chain is broken", "links of the audit chain are broken")
        }
    }
}

/// One thing that was found, with its place in the log.
public struct Finding: Hashable, Sendable {
    public var fault: Fault
    public var partition: Int32
    public var offset: Int64
    /// One sentence without values of the message.
    public var text: String
}
