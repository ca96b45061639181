import Lane

/// An intervention of a replay, from its raise to its clear.
public struct Episode: Hashable, Sendable {
    /// A step of its life, after the raise.
    public struct Escalation: Hashable, Sendable {
        /// After the raise, in milliseconds.
        public var after: Int64
        public var severity: Severity
    }

    public var rule: String
    public var key: [KeyPart]
    public var severity: Severity
    /// Lane time in ms.
    public var raisedAt: Int64
    public var escalations: [Escalation] = []
    /// Lane time in ms; nil where it was still raised at the end of the recording.
    public var clearedAt: Int64?

    /// `payment-timeout pay=P1`
    public var subject: String {
        ([rule] + key.map { "\($0.name)=\(ResultLine.quoted($0.value))" }).joined(separator: " ")
    }
}

/// Puts changes together to episodes, in the order they were raised.
struct EpisodeLog: Sendable {
    private(set) var episodes: [Episode] = []
    private var open: [LaneUUID: Int] = [:]

    mutating func add(_ change: Change) {
        let intervention = change.intervention
        if change.kind == .raise {
            open[intervention.id] = episodes.count
            episodes.append(
                Episode(
                    rule: intervention.rule, key: intervention.key, severity: intervention.severity,
                    raisedAt: change.at.milliseconds))
            return
        }
        guard let place = open[intervention.id] else { return }
        switch change.kind {
        case .escalate:
            let after = change.at.milliseconds - episodes[place].raisedAt
            episodes[place].escalations.append(.init(after: after, severity: intervention.severity))
        case .clear:
            episodes[place].clearedAt = change.at.milliseconds
            open[intervention.id] = nil
        case .raise, .update: break
        }
    }
}

/// What a replay gave, by lane.
public struct RecordedEpisodes: Sendable {
    public var lanes: [String: [Episode]] = [:]
    /// Lane time in ms of the recording's first and last signal.
    public var first: Int64 = 0
    public var last: Int64 = 0
    public var counts = Replay.Counts()
}
