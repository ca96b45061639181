/// A type of the catalogue, by its place in it. Stable within a build only: outside, a signal's type is its name.
public struct SignalType: Hashable, Sendable {
    public let index: UInt16
    @inlinable init(index: UInt16) { self.index = index }

    /// The type called `name`, or nil when the catalogue has none.
    public init?(_ name: String) {
        guard let type = SignalCatalogue.shipped.type(named: name) else { return nil }
        self = type
    }

    public var name: String { SignalCatalogue.shipped.entries[Int(index)].name }
}

/// The name of an attribute, by its place in the catalogue's list of names. Stable within a build only.
public struct AttributeName: Hashable, Sendable {
    public let index: UInt16
    @inlinable init(index: UInt16) { self.index = index }

    public init?(_ name: String) {
        guard let found = SignalCatalogue.shipped.attribute(named: name) else { return nil }
        self = found
    }

    public var name: String { SignalCatalogue.shipped.attributeNames[Int(index)] }
}

/// What an attribute holds.
public enum AttributeValue: Hashable, Sendable, CustomStringConvertible {
    case text(String)
    case int(Int64)

    /// As rule files, tests and keys write it: the text, or the number in decimal.
    public var description: String {
        switch self {
        case .text(let text): return text
        case .int(let number): return String(number)
        }
    }
}

public struct Attribute: Hashable, Sendable {
    public var name: AttributeName
    public var value: AttributeValue

    @inlinable public init(_ name: AttributeName, _ value: AttributeValue) {
        self.name = name
        self.value = value
    }
}

/// The feed that brought a signal. `rules/signals.yaml` says which types each may bring.
public enum FeedKind: String, Hashable, Sendable, CaseIterable {
    case evdev, hotplug, screen, reach, unit, log, pos, agent, staff
}

/// A fact about the lane: a type of the catalogue and its attributes, each declared there and of the declared kind.
///
/// A feed makes it without number or time; the lane's merge point gives it both (`StampedSignal`).
public struct Signal: Hashable, Sendable {
    public var type: SignalType
    /// In the order they came; a name at most once. Undeclared attributes and values of another kind are not here: they
    /// fail every test, so the edge that reads them drops and counts them.
    public var attributes: [Attribute]
    public var feed: FeedKind
    /// W3C trace context of the request that caused it, where the writer gave one.
    public var traceparent: String?

    public init(_ type: SignalType, _ attributes: [Attribute] = [], feed: FeedKind, traceparent: String? = nil) {
        self.type = type
        self.attributes = attributes
        self.feed = feed
        self.traceparent = traceparent
    }

    /// The value of `name`, or nil where the signal lacks it. Linear: a signal has at most a handful.
    @inlinable public subscript(name: AttributeName) -> AttributeValue? {
        for attribute in attributes where attribute.name == name { return attribute.value }
        return nil
    }
}

/// A signal with its place in the lane's life: what the engine steps on, what the journal and recordings hold.
public struct StampedSignal: Hashable, Sendable {
    /// The order of receipt on this lane, from 1, never reused. The `seq` of a socket answer and of a recording.
    public var number: Int64
    /// The moment of receipt. Never before that of a smaller number.
    public var at: LaneInstant
    /// The wall clock at receipt.
    public var wall: WallInstant
    public var signal: Signal

    public init(number: Int64, at: LaneInstant, wall: WallInstant, signal: Signal) {
        self.number = number
        self.at = at
        self.wall = wall
        self.signal = signal
    }
}

/// A hole in what a feed could see. What happened meanwhile is unknown; a fresh snapshot follows.
public struct Gap: Hashable, Sendable {
    public var feed: FeedKind
    /// What was not seen: a device's role, a log's name; empty for the whole feed.
    public var subject: String
    /// Why: `SYN_DROPPED`, `queue full`, `overflow`. A constant phrase, never customers' data.
    public var reason: String

    public init(feed: FeedKind, subject: String, reason: String) {
        self.feed = feed
        self.subject = subject
        self.reason = reason
    }
}

/// What a feed says.
public enum Reading: Hashable, Sendable {
    case signal(Signal)
    case gap(Gap)
}
