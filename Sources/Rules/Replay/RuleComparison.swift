import Lane

/// What an edit of rules would have changed: the interventions of two rule sets over the same recordings, side by side.
///
/// Interventions of one lane, rule and key belong together where they overlap in time. One that has no partner was raised,
/// or is not raised any more; of two partners it is told whether the new one comes earlier or later, and whether it ends
/// later (longer) or earlier (shorter).
public struct RuleComparison: Sendable {
    public struct Counts: Hashable, Sendable {
        /// Interventions under the old rules, and under the new ones.
        public var before = 0
        public var now = 0
        public var raised = 0
        public var gone = 0
        public var earlier = 0
        public var later = 0
        public var longer = 0
        public var shorter = 0
        /// Another severity, or other escalations.
        public var otherwise = 0

        public var isChanged: Bool { raised + gone + earlier + later + longer + shorter + otherwise > 0 }

        static func += (sum: inout Counts, other: Counts) {
            sum.before += other.before
            sum.now += other.now
            sum.raised += other.raised
            sum.gone += other.gone
            sum.earlier += other.earlier
            sum.later += other.later
            sum.longer += other.longer
            sum.shorter += other.shorter
            sum.otherwise += other.otherwise
        }
    }

    /// One intervention that is another, or is not, under the new rules.
    public struct Difference: Hashable, Sendable {
        /// Which recording, from 0 in the order of `add`.
        public var recording: Int
        public var lane: String
        /// Lane time of the recording's first signal.
        public var zero: Int64
        /// Nil: raised by the new rules alone.
        public var old: Episode?
        /// Nil: not raised any more.
        public var new: Episode?
        /// In words: `later by 15s`, `longer by 2m`.
        public var words: [String]

        /// `+ 60s raise payment-timeout pay=P1 warning`, `- …`, `~ 45s payment-timeout pay=P1 later by 15s`.
        public var text: String {
            func time(_ at: Int64) -> String {
                ResultLine.time(milliseconds: at.subtractingReportingOverflow(zero).partialValue)
            }
            switch (old, new) {
            case (let old?, let new?): return "~ \(time(old.raisedAt)) \(new.subject) \(words.joined(separator: ", "))"
            case (nil, let only?): return "+ \(time(only.raisedAt)) raise \(only.subject) \(only.severity.name)"
            case (let only?, nil): return "- \(time(only.raisedAt)) raise \(only.subject) \(only.severity.name)"
            case (nil, nil): return ""
            }
        }

        var at: Int64 { min(old?.raisedAt ?? .max, new?.raisedAt ?? .max) }
    }

    public private(set) var rules: [String: Counts] = [:]
    public private(set) var lanes: [String: Counts] = [:]
    public private(set) var total = Counts()
    /// By recording, then time, then lane.
    public private(set) var differences: [Difference] = []
    private var recordings = 0

    public init() {}

    /// Adds a recording. Both are of the same bytes.
    public mutating func add(old: RecordedEpisodes, new: RecordedEpisodes) {
        var found: [Difference] = []
        for lane in Set(old.lanes.keys).union(new.lanes.keys) {
            compare(lane, old.lanes[lane] ?? [], new.lanes[lane] ?? [], old.first, &found)
        }
        found.sort { left, right in
            if left.at != right.at { return left.at < right.at }
            if left.lane != right.lane { return left.lane.utf8.lexicographicallyPrecedes(right.lane.utf8) }
            return left.text < right.text
        }
        differences += found
        recordings += 1
    }

    private struct Identity: Hashable {
        var rule: String
        var key: [KeyPart]
    }

    private mutating func compare(
        _ lane: String, _ old: [Episode], _ new: [Episode], _ zero: Int64, _ found: inout [Difference]
    ) {
        let before = Dictionary(grouping: old) { Identity(rule: $0.rule, key: $0.key) }
        let now = Dictionary(grouping: new) { Identity(rule: $0.rule, key: $0.key) }
        for identity in Set(before.keys).union(now.keys) {
            var counts = Counts()
            for (old, new) in Self.pairs(before[identity] ?? [], now[identity] ?? []) {
                if old != nil { counts.before += 1 }
                if new != nil { counts.now += 1 }
                let words = Self.judge(old, new, &counts)
                guard !words.isEmpty else { continue }
                found.append(
                    Difference(recording: recordings, lane: lane, zero: zero, old: old, new: new, words: words))
            }
            rules[identity.rule, default: Counts()] += counts
            lanes[lane, default: Counts()] += counts
            total += counts
        }
    }

    /// Both in the order of time, none overlapping another of its own list.
    private static func pairs(_ old: [Episode], _ new: [Episode]) -> [(Episode?, Episode?)] {
        var pairs: [(Episode?, Episode?)] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            guard i < old.count, j < new.count else {
                if i < old.count { pairs.append((old[i], nil)) } else { pairs.append((nil, new[j])) }
                (i, j) = i < old.count ? (i + 1, j) : (i, j + 1)
                continue
            }
            if old[i].clearedAt ?? .max < new[j].raisedAt {
                pairs.append((old[i], nil))
                i += 1
            } else if new[j].clearedAt ?? .max < old[i].raisedAt {
                pairs.append((nil, new[j]))
                j += 1
            } else {
                pairs.append((old[i], new[j]))
                i += 1
                j += 1
            }
        }
        return pairs
    }

    /// What is different, in words; empty where nothing is.
    private static func judge(_ old: Episode?, _ new: Episode?, _ counts: inout Counts) -> [String] {
        guard let old else {
            counts.raised += 1
            return ["raised"]
        }
        guard let new else {
            counts.gone += 1
            return ["not raised any more"]
        }
        var words: [String] = []
        if new.raisedAt < old.raisedAt {
            counts.earlier += 1
            words.append("earlier by \(span(old.raisedAt, new.raisedAt))")
        } else if new.raisedAt > old.raisedAt {
            counts.later += 1
            words.append("later by \(span(new.raisedAt, old.raisedAt))")
        }
        switch (old.clearedAt, new.clearedAt) {
        case (let before?, let now?) where now > before:
            counts.longer += 1
            words.append("longer by \(span(now, before))")
        case (let before?, let now?) where now < before:
            counts.shorter += 1
            words.append("shorter by \(span(before, now))")
        case (.some, nil):
            counts.longer += 1
            words.append("longer: not cleared any more")
        case (nil, .some):
            counts.shorter += 1
            words.append("shorter: cleared now")
        default: break
        }
        var other: [String] = []
        if old.severity != new.severity { other.append("\(new.severity.name), not \(old.severity.name)") }
        // How far each is told on depends on its end as well: only steps that both lived to see are compared.
        let shared = zip(old.escalations, new.escalations)
        if shared.contains(where: { $0 != $1 })
            || (old.escalations.count != new.escalations.count && old.clearedAt == new.clearedAt
                && old.raisedAt == new.raisedAt)
        {
            other.append("escalates otherwise")
        }
        if !other.isEmpty { counts.otherwise += 1 }
        return words + other
    }

    private static func span(_ later: Int64, _ earlier: Int64) -> String {
        ResultLine.time(milliseconds: later.subtractingReportingOverflow(earlier).partialValue)
    }
}
