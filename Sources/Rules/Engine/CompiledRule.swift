import Lane

/// A rule as one lane runs it: parameters resolved, names turned into places.
struct CompiledRule: Sendable {
    enum Form: UInt8, Sendable {
        case atOnce, noAnswer, tooMany, lasts
    }

    struct Escalation: Hashable, Sendable {
        var after: Int64
        var severity: Severity
        var topic: String
    }

    var id: String
    var title: String
    var severity: Severity
    var category: String
    var topic: String
    var form: Form
    /// `within` or `for`, in milliseconds; 0 for shape A.
    var wait: Int64
    /// N of shape C; 0 for the others.
    var count: Int
    var same: [AttributeName]
    /// The types of `unless`: what a gap may have hidden.
    var answers: Set<SignalType>
    /// `while`, or `when` of shape D; empty where there is none.
    var condition: [Condition.Term]
    var at: DaySpan?
    /// The latest end of the silences for this rule and lane; nil without one.
    var silencedUntil: WallInstant?
    var clearAfter: Int64?
    /// 0 without one.
    var cooldown: Int64
    var escalations: [Escalation]
    /// Places of the rules that mute this one, of those that are for this lane.
    var muters: [Int32]
    var isShadow: Bool
    var isRemote: Bool
    /// What a rule is, without durations, N, texts and severities: instances outlive a reload where it stays the same.
    var fingerprint: LaneUUID
}

extension CompiledRule {
    /// Nil where a parameter is missing or of the wrong kind, which the checker does not let pass.
    init?(_ rule: Rule, in set: RuleSet, lane: String, params: [String: ParamValue]) {
        func resolved(_ term: DurationTerm) -> Int64? {
            switch term {
            case .milliseconds(let value): return max(1, value)
            case .param(let name):
                guard case .duration(let value)? = params[name] else { return nil }
                return max(1, value)
            }
        }
        wait = 0
        count = 0
        switch rule.shape {
        case .atOnce:
            form = .atOnce
        case .noAnswer(_, _, let within):
            guard let within = resolved(within) else { return nil }
            form = .noAnswer
            wait = within
        case .tooMany(_, let term, let within, _):
            guard let within = resolved(within) else { return nil }
            switch term {
            case .number(let number): count = number
            case .param(let name):
                guard case .count(let number)? = params[name] else { return nil }
                count = number
            }
            form = .tooMany
            wait = within
            count = min(max(count, 2), 1000)
        case .lasts(_, let time, _):
            guard let time = resolved(time) else { return nil }
            form = .lasts
            wait = time
        }
        if let term = rule.clearAfter {
            guard let time = resolved(term) else { return nil }
            clearAfter = time
        }
        cooldown = 0
        if let term = rule.cooldown {
            guard let time = resolved(term) else { return nil }
            cooldown = time
        }
        escalations = []
        for escalation in rule.escalations {
            guard let after = resolved(escalation.after) else { return nil }
            escalations.append(Escalation(after: after, severity: escalation.severity, topic: escalation.topic))
        }
        id = rule.id
        title = rule.title
        severity = rule.severity
        category = rule.category
        topic = rule.topic
        same = form == .lasts ? [] : rule.same
        answers = Set(rule.shape.unless.map(\.type))
        if case .lasts(let when, _, _) = rule.shape {
            condition = when.terms
        } else {
            condition = rule.whileCondition?.terms ?? []
        }
        condition.removeAll { !set.states.indices.contains($0.state) }
        at = rule.at
        silencedUntil =
            set.silences
            .filter { $0.rules.contains(rule.id) && ($0.lanes.isEmpty || $0.lanes.contains { $0.covers(lane) }) }
            .map(\.until).max()
        muters = []
        isShadow = rule.isShadow
        isRemote = rule.isRemote
        fingerprint = rule.fingerprint(in: set)
    }
}

extension Rule {
    /// Whether this rule runs on `lane`.
    func isFor(_ lane: String) -> Bool { isEnabled && (lanes.isEmpty || lanes.contains { $0.covers(lane) }) }

    /// on, unless, whether it counts, when, same, while and the states it names.
    func fingerprint(in set: RuleSet) -> LaneUUID {
        var parts: [String] = []
        func add(_ label: String, _ matches: [Match]) {
            parts.append("\(label) \(matches.count)")
            for match in matches { match.describe(into: &parts) }
        }
        func add(_ label: String, _ condition: Condition) {
            parts.append("\(label) \(condition.terms.count)")
            for term in condition.terms where set.states.indices.contains(term.state) {
                let state = set.states[term.state]
                let value = state.values.indices.contains(term.value) ? state.values[term.value].name : ""
                parts += [state.name, term.isNegated ? "is not" : "is", value]
                for value in state.values { add("value \(value.name)", value.setBy) }
            }
        }
        switch shape {
        case .atOnce(let on): add("on", on)
        case .noAnswer(let on, let unless, _):
            add("on", on)
            add("unless", unless)
        case .tooMany(let on, _, _, let unless):
            add("on", on)
            add("unless", unless)
            parts.append("count")
        case .lasts(let when, _, let unless):
            add("when", when)
            add("unless", unless)
        }
        parts.append("same \(same.count)")
        parts += same.map(\.name)
        if let whileCondition { add("while", whileCondition) }
        // An intervention is told on one side all its life: a rule that leaves the shadow, or goes into it, is another.
        if isShadow { parts.append("shadow") }
        return LaneUUID(hashing: parts)
    }
}

extension Match {
    fileprivate func describe(into parts: inout [String]) {
        parts.append("\(type.name) \(tests.count)")
        for test in tests {
            parts.append(test.attribute.name)
            switch test.comparison {
            case .isOneOf(let values): parts += ["= \(values.count)"] + values.map(\.marked)
            case .isNot(let value): parts += ["!=", value.marked]
            case .less(let number): parts.append("< \(number)")
            case .lessOrEqual(let number): parts.append("<= \(number)")
            case .greater(let number): parts.append("> \(number)")
            case .greaterOrEqual(let number): parts.append(">= \(number)")
            case .matches(let pattern): parts += ["matches", pattern.source]
            }
        }
    }
}

extension AttributeValue {
    /// Text and number told apart.
    fileprivate var marked: String {
        switch self {
        case .text(let text): return "text \(text)"
        case .int(let number): return "int \(number)"
        }
    }
}

extension LanePattern {
    /// Whether the lane called `name` is meant: `*` stands for any run of bytes, none included.
    func covers(_ name: String) -> Bool {
        let (pattern, name) = (Array(text.utf8), Array(name.utf8))
        var (p, n) = (0, 0)
        // Where to go on when what follows the last star does not fit: linear in pattern times name, no recursion.
        var (star, resume) = (-1, 0)
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = p
                resume = n
                p += 1
            } else if p < pattern.count, pattern[p] == name[n] {
                p += 1
                n += 1
            } else if star >= 0 {
                p = star + 1
                resume += 1
                n = resume
            } else {
                return false
            }
        }
        while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.count
    }
}

extension DaySpan {
    /// Whether `wall` lies in the span on the store's clock.
    func contains(_ wall: WallInstant, _ localTime: any LocalTime) -> Bool {
        let seconds = Int64(localTime.offsetSeconds(at: wall))
        let local = wall.milliseconds.addingReportingOverflow(
            seconds.multipliedReportingOverflow(by: 1000).partialValue)
        let minutes = Self.floorDivide(local.partialValue, 60_000)
        let day = Self.floorDivide(minutes, 1440)
        let minute = Int(minutes - day * 1440)
        // 1970-01-01 was a Thursday, bit 3.
        let today = Int((day % 7 + 7 + 3) % 7)
        if begin < end { return minute >= begin && minute < end && isOn(today) }
        return (minute >= begin && isOn(today)) || (minute < end && isOn((today + 6) % 7))
    }

    private func isOn(_ weekday: Int) -> Bool { days & (1 << UInt8(weekday)) != 0 }

    private static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
        let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
