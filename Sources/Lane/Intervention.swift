/// How much an intervention matters.
public enum Severity: Int, Hashable, Comparable, Sendable, CaseIterable {
    case info, warning, critical

    public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }

    /// As rule files write it.
    public var name: String {
        switch self {
        case .info: return "info"
        case .warning: return "warning"
        case .critical: return "critical"
        }
    }

    public init?(name: String) {
        guard let found = Severity.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// OpenTelemetry's severity text and number, which `ce_severitytext` and `ce_severitynumber` carry.
    public var openTelemetry: (text: String, number: Int) {
        switch self {
        case .info: return ("INFO", 9)
        case .warning: return ("WARN", 13)
        case .critical: return ("ERROR", 17)
        }
    }
}

/// One part of an intervention's key: an attribute of `same` and its value, cut to 256 bytes.
public struct KeyPart: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// A signal that made the rule fire, as it is published.
public struct Evidence: Hashable, Sendable {
    public var at: WallInstant
    public var type: SignalType
    public var attributes: [Attribute]
    public init(at: WallInstant, type: SignalType, attributes: [Attribute]) {
        self.at = at
        self.type = type
        self.attributes = attributes
    }
}

/// A customer who cannot go on: raised by a rule, updated while it lasts, cleared.
public struct Intervention: Hashable, Sendable {
    public enum State: String, Hashable, Sendable {
        case raised, updated, cleared
    }

    public enum ClearReason: String, Hashable, Sendable {
        case clearWhen = "clear_when"
        case clearAfter = "clear_after"
        case answered
        case stateEnded = "state_ended"
        case resync
        case ruleChanged = "rule_changed"
        case ruleRemoved = "rule_removed"
    }

    /// SHA-256 of (source, rule, key, raise time) as a UUIDv8: the same in a replay, after a restart, on every consumer.
    public var id: LaneUUID
    public var rule: String
    public var title: String
    public var category: String
    public var severity: Severity
    /// The whole Kafka topic name.
    public var topic: String
    /// Topics that messages about it went to before, the one that was left last at the end; every later message goes there
    /// too, so that whoever saw it raised sees it cleared. At most `maximumEarlierTopics`.
    public var earlierTopics: [String] = []
    public var key: [KeyPart]
    public var state: State
    /// From 1; one more with every message about this intervention.
    public var revision: Int
    /// How often the rule fired again while it was active.
    public var repeats: Int
    /// The last `pos.state` at the time of the message; nil before the first.
    public var phase: String?
    public var raisedAt: WallInstant
    public var clearedAt: WallInstant?
    public var reason: ClearReason?
    /// The signals that made it fire, the oldest first; at most 8. Of repeats the first signal and the newest ones stay, of
    /// a count above 8 the newest.
    public var evidence: [Evidence]
    public var remoteResolvable: Bool
    /// A rule in shadow mode: counted and shown to rule authors, calls nobody.
    public var shadow: Bool
    /// How late the timer of this very change fired, in milliseconds, where it could not fire at its deadline; nil when in
    /// time.
    public var lateBy: Int64?
    /// The state that lasted was not seen all the time: it was found after a long gap as it had been before, and is assumed to
    /// have held meanwhile.
    public var assumed = false
    /// After it an alert is history: raise time plus the rule's `clear_after`.
    public var expires: WallInstant?

    public init(
        id: LaneUUID, rule: String, title: String, category: String, severity: Severity, topic: String, key: [KeyPart],
        raisedAt: WallInstant, evidence: [Evidence], phase: String?, remoteResolvable: Bool, shadow: Bool,
        lateBy: Int64?, expires: WallInstant?
    ) {
        self.id = id
        self.rule = rule
        self.title = title
        self.category = category
        self.severity = severity
        self.topic = topic
        self.key = key
        self.state = .raised
        self.revision = 1
        self.repeats = 0
        self.phase = phase
        self.raisedAt = raisedAt
        self.evidence = evidence
        self.remoteResolvable = remoteResolvable
        self.shadow = shadow
        self.lateBy = lateBy
        self.expires = expires
    }
    /// More are given up, the oldest first: an intervention that so many edits have moved has lost its readers long ago.
    public static let maximumEarlierTopics = 64

    /// Where messages go by what the intervention is now, before a configuration renames it: shadow rules have a topic of
    /// their own.
    public var ownTopic: String { shadow ? TopicNames().shadow : topic }

    /// Later messages go to `topic`, and still to every topic that earlier ones went to.
    public mutating func move(to topic: String, shadow: Bool) {
        let before = ownTopic
        self.topic = topic
        self.shadow = shadow
        let now = ownTopic
        guard now != before else { return }
        earlierTopics.removeAll { $0 == now || $0 == before }
        earlierTopics.append(before)
        if earlierTopics.count > Self.maximumEarlierTopics { earlierTopics.removeFirst() }
    }
}
