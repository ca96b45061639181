import Lane

/// Which rules, and which branches of them, tests have touched.
///
/// A rule that several sets hold counts once, as long as it says the same.
public struct RuleCoverage: Sendable {
    /// What can happen to a rule. A rule has only those that it was written with.
    public enum Branch: Hashable, Sendable {
        case fired
        /// B: `unless` came in time.
        case answered
        /// C: `unless` emptied the count.
        case emptied
        /// D: `unless` started the wait again.
        case restarted
        /// D: the state ended before its time.
        case ended
        case cleared
        /// By `clear_after`.
        case expired
        /// Steps count from 1.
        case escalated(step: Int)
        case muted
        /// `while` kept a signal from counting, or ended a wait.
        case guarded
        /// `at` kept it from raising.
        case outsideHours
        case cooldown

        /// As listings name it.
        public var name: String {
            switch self {
            case .fired: return "fired"
            case .answered: return "answered in time"
            case .emptied: return "count emptied"
            case .restarted: return "wait begun again"
            case .ended: return "over before its time"
            case .cleared: return "cleared"
            case .expired: return "expired (clear_after)"
            case .escalated(let step): return "escalated (step \(step))"
            case .muted: return "muted"
            case .guarded: return "kept quiet by while"
            case .outsideHours: return "kept quiet by at"
            case .cooldown: return "kept quiet by cooldown"
            }
        }
    }

    /// A rule and what tests did with it.
    public struct Row: Sendable {
        public var rule: String
        /// Those that the rule has, in the order of listings.
        public var branches: [Branch]
        public var touched: Set<Branch> = []
        /// A signal of a test did something to it.
        public var isTouched = false

        public var missing: [Branch] { branches.filter { !touched.contains($0) } }
    }

    private struct Identity: Hashable {
        var rule: String
        var fingerprint: LaneUUID
    }

    /// In the order in which the sets came, and in each of the files.
    public private(set) var rows: [Row] = []
    private var places: [Identity: Int] = [:]
    /// By a set's digest: the places of its rules, by their ids.
    private var sets: [String: [String: Int]] = [:]

    public init() {}

    /// Counts the rules of `set` and what `notes`, of a test on it, tell of them.
    public mutating func add(_ set: RuleSet, notes: [Note]) {
        let byID = placesByID(set)
        for note in notes {
            guard let place = byID[note.rule] else { continue }
            if case .mismatch = note.kind { continue }
            if note.kind.isIdle { continue }
            rows[place].isTouched = true
            if let branch = note.kind.branch { rows[place].touched.insert(branch) }
        }
    }

    private mutating func placesByID(_ set: RuleSet) -> [String: Int] {
        if !set.digest.isEmpty, let known = sets[set.digest] { return known }
        var byID: [String: Int] = [:]
        for rule in set.rules where rule.isEnabled {
            let identity = Identity(rule: rule.id, fingerprint: rule.fingerprint(in: set))
            if let known = places[identity] {
                byID[rule.id] = known
                continue
            }
            places[identity] = rows.count
            byID[rule.id] = rows.count
            rows.append(Row(rule: rule.id, branches: rule.branches))
        }
        sets[set.digest] = byID
        return byID
    }

    public var branchCount: Int { rows.reduce(0) { $0 + $1.branches.count } }
    public var touchedCount: Int { rows.reduce(0) { $0 + $1.branches.count - $1.missing.count } }

    /// Of all branches, rounded down: 100 is all of them. 100 where there are none.
    public var percent: Int { branchCount == 0 ? 100 : touchedCount * 100 / branchCount }

    /// The listing: a heading, then each rule that is not wholly covered.
    public var lines: [String] {
        let fired = rows.count { $0.touched.contains(.fired) }
        let heading =
            "coverage: \(fired) of \(Words.count(rows.count, "rule")) fired, \(touchedCount) of "
            + "\(Words.count(branchCount, "branch", "branches")) touched (\(percent) %)"
        let open = rows.filter { !$0.missing.isEmpty }
        let width = open.map(\.rule.utf8.count).max() ?? 0
        return [heading]
            + open.map { row in
                let pad = String(repeating: " ", count: max(0, width - row.rule.utf8.count))
                let what =
                    row.isTouched ? "never: " + row.missing.map(\.name).joined(separator: ", ") : "no test touches it"
                return "  \(row.rule)\(pad)  \(what)"
            }
    }

    public func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("branches", branchCount)
            json.member("touched", touchedCount)
            json.member("percent", percent)
            json.name("rules")
            json.array { json in
                for row in rows {
                    json.object { json in
                        json.member("rule", row.rule)
                        json.name("touched")
                        json.array { json in
                            for branch in row.branches where row.touched.contains(branch) { json.value(branch.name) }
                        }
                        json.name("missing")
                        json.array { json in for branch in row.missing { json.value(branch.name) } }
                    }
                }
            }
        }
    }
}

extension Rule {
    fileprivate var branches: [RuleCoverage.Branch] {
        var branches: [RuleCoverage.Branch] = [.fired]
        var clearsByItself = false
        switch shape {
        case .atOnce: break
        case .noAnswer:
            branches.append(.answered)
            clearsByItself = true
        case .tooMany: if !unlessMatches.isEmpty { branches.append(.emptied) }
        case .lasts:
            if !unlessMatches.isEmpty { branches.append(.restarted) }
            branches.append(.ended)
            clearsByItself = true
        }
        for step in escalations.indices { branches.append(.escalated(step: step + 1)) }
        if clearsByItself || !clearWhen.isEmpty { branches.append(.cleared) }
        if clearAfter != nil { branches.append(.expired) }
        if !mutedBy.isEmpty { branches.append(.muted) }
        if whileCondition != nil { branches.append(.guarded) }
        if at != nil { branches.append(.outsideHours) }
        if cooldown != nil { branches.append(.cooldown) }
        return branches
    }
}

extension Note.Kind {
    fileprivate var branch: RuleCoverage.Branch? {
        switch self {
        case .raised: return .fired
        case .answered: return .answered
        case .emptied: return .emptied
        case .restarted: return .restarted
        case .ended: return .ended
        case .cleared(.clearAfter, _): return .expired
        case .cleared(.ruleChanged, _), .cleared(.ruleRemoved, _): return nil
        case .cleared: return .cleared
        case .escalated(let step, _, _, _): return .escalated(step: step)
        case .muted: return .muted
        case .guardClosed, .dropped(.guardShut, _): return .guarded
        case .outsideHours: return .outsideHours
        case .inCooldown: return .cooldown
        default: return nil
        }
    }
}
