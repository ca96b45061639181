/// Something about a topic, or about the whole cluster, that is not as lanes need it.
public struct TopicDifference: Hashable, Sendable {
    public enum Level: String, Hashable, Sendable, Comparable {
        /// Good to know; nothing has to be done.
        case note
        /// A promise holds less than it should.
        case warning
        /// Messages are lost, refused, or wait.
        case error

        private var rank: Int { self == .note ? 0 : self == .warning ? 1 : 2 }
        public static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }
    }

    /// Empty: the cluster.
    public var topic: String
    public var level: Level
    /// What differs, for tools: `missing`, `min.insync.replicas`.
    public var key: String
    public var found: String
    public var wanted: String
    /// A sentence each, without a full stop: what is, what comes of it, what mends it (a command, or a setting).
    public var what: String
    public var why: String
    public var remedy: String

    public init(
        _ topic: String, _ level: Level, _ key: String, found: String = "", wanted: String = "", what: String,
        why: String, remedy: String
    ) {
        self.topic = topic
        self.level = level
        self.key = key
        self.found = found
        self.wanted = wanted
        self.what = what
        self.why = why
        self.remedy = remedy
    }
}
