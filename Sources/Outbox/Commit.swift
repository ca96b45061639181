import Lane

/// How far a commit must have gone before it returns.
public enum Durability: Hashable, Sendable {
    /// On the disk: a power cut right after the return loses nothing. One fdatasync.
    case full
    /// In the log, to be synced with the next full commit or checkpoint: kill -9 loses nothing, a power cut the last ones.
    case relaxed
}

/// An event to be kept, and the change it tells.
public struct OutboxEvent: Hashable, Sendable {
    public var event: CloudEvent
    /// `Change.number`, for events of the engine: one that was taken before is skipped, so that the journal may be
    /// replayed. Nil for the rest.
    public var change: Int64?

    public init(_ event: CloudEvent, change: Int64? = nil) {
        self.event = event
        self.change = change
    }
}

/// The engine as it was after signal `number`.
public struct Snapshot: Hashable, Sendable {
    /// The last signal it includes; 0 before the first.
    public var number: Int64
    public var engine: [UInt8]

    public init(number: Int64, engine: [UInt8]) {
        self.number = number
        self.engine = engine
    }
}

/// What becomes durable together or not at all.
public struct Commit: Sendable {
    /// Accepted signals, in order of their numbers.
    public var journal: [StampedSignal]
    /// In the order they happened.
    public var events: [OutboxEvent]
    /// Takes the place of the last one; the journal up to its number is deleted.
    public var snapshot: Snapshot?
    /// Facts to remember by name: boot id, last lane time, a rules text by its digest. Nil forgets.
    public var facts: [String: [UInt8]?]
    /// Changes are always `full`, whatever stands here.
    public var durability: Durability

    public init(
        journal: [StampedSignal] = [], events: [OutboxEvent] = [], snapshot: Snapshot? = nil,
        facts: [String: [UInt8]?] = [:], durability: Durability = .full
    ) {
        self.journal = journal
        self.events = events
        self.snapshot = snapshot
        self.facts = facts
        self.durability = durability
    }

    /// It says nothing of the engine: who keeps that need not be the one who commits it.
    var isOfFactsAlone: Bool { journal.isEmpty && events.isEmpty && snapshot == nil }

    public var isEmpty: Bool { journal.isEmpty && events.isEmpty && snapshot == nil && facts.isEmpty }
}

/// A message's place in its topic. Smaller epochs come first.
public struct Position: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var epoch: Int64
    /// Contiguous from 1 within the epoch; 0 is before the first.
    public var seq: Int64

    public init(epoch: Int64, seq: Int64) {
        self.epoch = epoch
        self.seq = seq
    }

    public static let start = Position(epoch: 0, seq: 0)

    public static func < (a: Position, b: Position) -> Bool {
        a.epoch != b.epoch ? a.epoch < b.epoch : a.seq < b.seq
    }

    public var description: String { "\(epoch)/\(seq)" }
}

/// What a commit did.
public struct Committed: Sendable {
    /// The newest message of each topic that has new ones.
    public var heads: [String: Position] = [:]
    /// The first new messages in their order, at most `freshLimit`: whoever publishes need not read them again.
    public var fresh: [Parcel] = []
    public static let freshLimit = 500
    /// New messages.
    public var added = 0
    /// Events of changes that were taken before.
    public var skipped = 0
    /// Events that can never be sent, each with its reason: counted, never kept, they hold up nothing.
    public var refused: [OutboxError] = []
    /// The database had to be written anew to its place meanwhile: there is something for `takeReplacements`.
    public var isRewritten = false
    /// Words for the operator: what was given up to make room.
    public var notices: [Notice] = []
    /// Of the transaction, the sync included.
    public var nanoseconds: Int64 = 0

    public init() {}
}

/// What stood in the outbox when the agent started.
public struct Recovered: Sendable {
    public var epoch: Int64
    public var snapshot: Snapshot?
    /// The signals accepted since the snapshot, in order.
    public var journal: [StampedSignal]
    /// The highest signal number ever kept here; the next is one more.
    public var lastSignal: Int64
    /// The highest change taken.
    public var lastChange: Int64
    public var facts: [String: [UInt8]]
    /// Journal lines that this version cannot read, such as of a type that is gone. They are left out.
    public var unreadable: Int
}

/// A message to publish, as it was kept.
public struct Parcel: Hashable, Sendable {
    public var topic: String
    public var position: Position
    public var key: String
    public var uuid: LaneUUID
    /// All headers, `ce_id` and `ce_sequence` included.
    public var headers: HeaderBlock
    /// Nil is a tombstone.
    public var value: [UInt8]?
    /// Wall clock when it was kept.
    public var created: WallInstant

    /// `ce_id`.
    public var id: String { uuid.description }

    public init(
        topic: String, position: Position, key: String, uuid: LaneUUID, headers: HeaderBlock, value: [UInt8]?,
        created: WallInstant
    ) {
        self.topic = topic
        self.position = position
        self.key = key
        self.uuid = uuid
        self.headers = headers
        self.value = value
        self.created = created
    }
}

/// A message as its replacement or a mark: the place of a topic.
public struct Mark: Hashable, Sendable {
    public var topic: String
    public var position: Position

    public init(topic: String, position: Position) {
        self.topic = topic
        self.position = position
    }
}

/// How much waits on a topic.
public struct TopicDepth: Hashable, Sendable {
    public var topic: String
    /// Everything up to here is settled.
    public var settled: Position
    /// The newest message.
    public var head: Position
    /// Messages that wait, of all epochs.
    public var rows: Int
    /// When the oldest that waits was kept; nil when none waits or it was not asked for.
    public var oldest: WallInstant?
}
