import Lane

extension Signal {
    /// A signal for a test, by name: `Signal.make("payment.started", ["pay": "P1", "amount": 1299])`.
    /// Nil where the catalogue has no such type or attribute: the test then fails at its `#require`.
    public static func make(
        _ type: String, _ attributes: KeyValuePairs<String, AttributeValue> = [:], feed: FeedKind = .pos
    ) -> Signal? {
        guard let type = SignalType(type) else { return nil }
        var list: [Attribute] = []
        for (name, value) in attributes {
            guard let name = AttributeName(name) else { return nil }
            list.append(Attribute(name, value))
        }
        return Signal(type, list, feed: feed)
    }
}

extension AttributeValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
}
