/// The names of a record's fields: one list, so that the same thing is called the same everywhere.
public enum LogKey: String, Hashable, Sendable, CaseIterable {
    case lane = "lane.id"
    case store = "store.id"
    case rule = "rule.id"
    case intervention = "intervention.id"
    case parcel = "parcel.id"
    case rulesDigest = "rules.digest"
    case configurationDigest = "configuration.digest"
    case signal = "signal.type"
    case severity, change, feed, device, port, path, line, topic, broker, partition, error, reason, remedy, code, count,
        bytes
    case seconds, milliseconds, limit, suppressed, uid, pid, user, peer, version, library, state, address, attempt,
        epoch
    case sequence, since, until, check, command, unit, stage
}

/// What a field holds.
public enum LogValue: Hashable, Sendable, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    case text(String)
    case int(Int64)

    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(_ value: Int) { self = .int(Int64(value)) }
    public init(_ value: String) { self = .text(value) }

    var description: String {
        switch self {
        case .text(let text): return text
        case .int(let number): return String(number)
        }
    }
}
