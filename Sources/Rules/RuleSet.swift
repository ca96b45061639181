import Lane

/// What rule files say, checked: every name resolves, every kind fits, no rule is impossible. Not yet for a lane:
/// parameters are names, lane overrides are not applied. `RuleFile.load` makes one, `RuleTable` compiles it for a lane.
public struct RuleSet: Sendable {
    /// Disabled ones included, in the order of the files.
    public var rules: [Rule] = []
    public var states: [StateDeclaration] = []
    /// Defaults, before lane overrides.
    public var params: [String: ParamValue] = [:]
    /// In the order of the files; where several match, the later wins.
    public var overrides: [LaneOverride] = []
    public var silences: [Silence] = []
    /// `sha256:` and the hex digest of the files in load order, of each its name (without folders) and its bytes, both preceded by
    /// their length.
    public var digest = ""

    public init() {}
}

public struct Rule: Hashable, Sendable {
    public var id: String
    public var title: String
    public var severity: Severity
    public var category: String
    public var topic: String
    public var shape: Shape
    /// Empty: one instance for the lane.
    public var same: [AttributeName]
    public var whileCondition: Condition?
    public var at: DaySpan?
    /// Empty: every lane.
    public var lanes: [LanePattern]
    public var clearWhen: [Match]
    public var clearAfter: DurationTerm?
    public var cooldown: DurationTerm?
    /// In the order of the file.
    public var escalations: [Escalation]
    public var mutedBy: [String]
    public var isShadow: Bool
    public var isRemote: Bool
    public var isEnabled: Bool

    public init(
        id: String, title: String, severity: Severity, category: String, topic: String, shape: Shape,
        same: [AttributeName], whileCondition: Condition?, at: DaySpan?, lanes: [LanePattern], clearWhen: [Match],
        clearAfter: DurationTerm?, cooldown: DurationTerm?, escalations: [Escalation], mutedBy: [String],
        isShadow: Bool, isRemote: Bool, isEnabled: Bool
    ) {
        self.id = id
        self.title = title
        self.severity = severity
        self.category = category
        self.topic = topic
        self.shape = shape
        self.same = same
        self.whileCondition = whileCondition
        self.at = at
        self.lanes = lanes
        self.clearWhen = clearWhen
        self.clearAfter = clearAfter
        self.cooldown = cooldown
        self.escalations = escalations
        self.mutedBy = mutedBy
        self.isShadow = isShadow
        self.isRemote = isRemote
        self.isEnabled = isEnabled
    }
}

/// The four shapes of `docs/reference/rules.md`.
public enum Shape: Hashable, Sendable {
    /// A: `on`.
    case atOnce(on: [Match])
    /// B: `on`, `unless`, `within`.
    case noAnswer(on: [Match], unless: [Match], within: DurationTerm)
    /// C: `on`, `count`, `within`, maybe `unless`.
    case tooMany(on: [Match], count: CountTerm, within: DurationTerm, unless: [Match])
    /// D: `when`, `for`, maybe `unless`.
    case lasts(when: Condition, for: DurationTerm, unless: [Match])
}

/// A duration in milliseconds (at least 1), or the parameter that holds it.
public enum DurationTerm: Hashable, Sendable {
    case milliseconds(Int64)
    case param(String)
}

/// A count (2 to 1000), or the parameter that holds it.
public enum CountTerm: Hashable, Sendable {
    case number(Int)
    case param(String)
}

public enum ParamValue: Hashable, Sendable {
    /// Milliseconds, at least 1.
    case duration(Int64)
    case count(Int)
}

/// `signal where test and test`. No tests: every signal of the type.
public struct Match: Hashable, Sendable {
    public var type: SignalType
    public var tests: [AttributeTest]
    public init(type: SignalType, tests: [AttributeTest]) {
        self.type = type
        self.tests = tests
    }
}

/// One `where` test. Of an absent attribute every test is false.
public struct AttributeTest: Hashable, Sendable {
    public enum Comparison: Hashable, Sendable {
        /// `=`: one of these (alternatives and `$lists` are already spread out, in order, each once).
        case isOneOf([AttributeValue])
        case isNot(AttributeValue)
        case less(Int64), lessOrEqual(Int64), greater(Int64), greaterOrEqual(Int64)
        case matches(Pattern)
    }

    public var attribute: AttributeName
    public var comparison: Comparison
    public init(attribute: AttributeName, comparison: Comparison) {
        self.attribute = attribute
        self.comparison = comparison
    }
}

/// What the lane remembers: a name, its values, and the signals that set each.
public struct StateDeclaration: Hashable, Sendable {
    public struct Value: Hashable, Sendable {
        public var name: String
        public var setBy: [Match]
        public init(name: String, setBy: [Match]) {
            self.name = name
            self.setBy = setBy
        }
    }

    public var name: String
    /// In the order of the file: where a signal matches two values, the later counts.
    public var values: [Value]
    public init(name: String, values: [Value]) {
        self.name = name
        self.values = values
    }
}

/// `basket is open and network is not down`.
public struct Condition: Hashable, Sendable {
    public struct Term: Hashable, Sendable {
        /// Places in `RuleSet.states` and in that state's `values`.
        public var state: Int
        public var value: Int
        public var isNegated: Bool
        public init(state: Int, value: Int, isNegated: Bool) {
            self.state = state
            self.value = value
            self.isNegated = isNegated
        }
    }

    public var terms: [Term]
    public init(terms: [Term]) { self.terms = terms }
}

/// `at`: a span of the store's local day. The end is not included; a span past midnight belongs to the day it begins on.
public struct DaySpan: Hashable, Sendable {
    /// Bit 0 is Monday, bit 6 Sunday. All seven where the file names none.
    public var days: UInt8
    /// Minutes from midnight: 0 to 1439.
    public var begin: Int
    /// 1 to 1440; smaller than `begin` where the span passes midnight.
    public var end: Int
    public init(days: UInt8, begin: Int, end: Int) {
        self.days = days
        self.begin = begin
        self.end = end
    }
}

/// A lane's name with `*` for any run of characters, none included.
public struct LanePattern: Hashable, Sendable {
    public var text: String
    public init(_ text: String) { self.text = text }
}

public struct LaneOverride: Hashable, Sendable {
    public var match: [LanePattern]
    public var set: [String: ParamValue]
    public init(match: [LanePattern], set: [String: ParamValue]) {
        self.match = match
        self.set = set
    }
}

public struct Escalation: Hashable, Sendable {
    /// After the raise, not after the escalation before it.
    public var after: DurationTerm
    public var severity: Severity
    public var topic: String
    public init(after: DurationTerm, severity: Severity, topic: String) {
        self.after = after
        self.severity = severity
        self.topic = topic
    }
}

public struct Silence: Hashable, Sendable {
    public var rules: [String]
    /// Empty: every lane.
    public var lanes: [LanePattern]
    public var until: WallInstant
    public var why: String
    public init(rules: [String], lanes: [LanePattern], until: WallInstant, why: String) {
        self.rules = rules
        self.lanes = lanes
        self.until = until
        self.why = why
    }
}
