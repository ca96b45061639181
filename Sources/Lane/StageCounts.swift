/// What went through a stage. At any time `in == out + dropped + held`; a test of each stage asserts it.
public struct StageCounts: Hashable, Sendable {
    public var `in` = 0
    public var out = 0
    /// By reason: a short constant word (`malformed`, `unknown_type`, `card_data`, …).
    public var dropped: [String: Int] = [:]
    public var held = 0

    public init() {}

    public mutating func drop(_ reason: String, _ count: Int = 1) { dropped[reason, default: 0] += count }

    public var droppedTotal: Int { dropped.values.reduce(0, +) }
    public var isBalanced: Bool { `in` == out + droppedTotal + held }
}

/// Something an operator may want to read, said by a module that has no log of its own: Agent writes it down.
///
/// The message is a constant phrase; what varies stands in the fields. Never customers' data.
public struct Notice: Hashable, Sendable {
    public enum Level: Int, Hashable, Comparable, Sendable {
        case debug, info, warning, error
        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    public struct Field: Hashable, Sendable {
        public var key: String
        public var value: String
        public init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    public var level: Level
    public var message: String
    public var fields: [Field]

    public init(_ level: Level, _ message: String, _ fields: [Field] = []) {
        self.level = level
        self.message = message
        self.fields = fields
    }
}
