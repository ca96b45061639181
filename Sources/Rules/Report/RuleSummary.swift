import Lane
import YAML

/// What a rule waits for, in one line: `payment.started, then no payment.approved within 45s; for each pay`.
struct RuleSummary {
    private let set: RuleSet
    private let params: [String: ParamValue]

    /// - Parameter params: Those of a lane, or the defaults.
    init(_ set: RuleSet, _ params: [String: ParamValue]) {
        self.set = set
        self.params = params
    }

    func text(_ rule: Rule) -> String {
        var summary: String
        switch rule.shape {
        case .atOnce(let on): summary = Self.text(on)
        case .noAnswer(let on, let unless, let within):
            summary = "\(Self.text(on)), then no \(Self.text(unless)) within \(text(within))"
        case .tooMany(let on, let count, let within, let unless):
            summary = "\(text(count)) times \(Self.text(on)) within \(text(within))"
            if !unless.isEmpty { summary += ", without \(Self.text(unless))" }
        case .lasts(let when, let time, let unless):
            summary = "\(text(when)) for \(text(time))"
            if !unless.isEmpty { summary += ", without \(Self.text(unless))" }
        }
        if !rule.same.isEmpty { summary += "; for each \(rule.same.map(\.name).joined(separator: " and "))" }
        if let whileCondition = rule.whileCondition { summary += "; while \(text(whileCondition))" }
        if let at = rule.at { summary += "; at \(Self.text(at))" }
        return summary
    }

    private func text(_ term: DurationTerm) -> String {
        switch term {
        case .milliseconds(let value): return DurationScalar.text(value)
        case .param(let name):
            guard case .duration(let value)? = params[name] else { return "$\(name)" }
            return DurationScalar.text(value)
        }
    }

    private func text(_ term: CountTerm) -> String {
        switch term {
        case .number(let number): return "\(number)"
        case .param(let name):
            guard case .count(let number)? = params[name] else { return "$\(name)" }
            return "\(number)"
        }
    }

    /// `basket is open and network is not down`
    private func text(_ condition: Condition) -> String {
        condition.terms.compactMap { term -> String? in
            guard set.states.indices.contains(term.state) else { return nil }
            let state = set.states[term.state]
            guard state.values.indices.contains(term.value) else { return nil }
            return "\(state.name) is \(term.isNegated ? "not " : "")\(state.values[term.value].name)"
        }.joined(separator: " and ")
    }

    /// Of a longer list this many are named.
    private static let named = 3

    /// `payment.approved or payment.declined`; `touch, keypad, scan.read or 16 more`
    private static func text(_ matches: [Match]) -> String {
        let texts = matches.map(text)
        guard texts.count > named + 1 else { return texts.joined(separator: " or ") }
        return "\(texts.prefix(named).joined(separator: ", ")) or \(texts.count - named) more"
    }

    private static func text(_ match: Match) -> String {
        if match.tests.isEmpty { return match.type.name }
        return "\(match.type.name) where \(match.tests.map(text).joined(separator: " and "))"
    }

    private static func text(_ test: AttributeTest) -> String {
        let name = test.attribute.name
        switch test.comparison {
        case .isOneOf(let values): return "\(name) = \(values.map(\.description).joined(separator: "|"))"
        case .isNot(let value): return "\(name) != \(value)"
        case .less(let number): return "\(name) < \(number)"
        case .lessOrEqual(let number): return "\(name) <= \(number)"
        case .greater(let number): return "\(name) > \(number)"
        case .greaterOrEqual(let number): return "\(name) >= \(number)"
        case .matches(let pattern): return "\(name) matches /\(pattern.source)/"
        }
    }

    /// As rule files write it: `22:00-06:00`, `Mon-Fri 22:00-06:00`, `Sat,Sun 08:00-20:00`.
    static func text(_ span: DaySpan) -> String {
        func clock(_ minutes: Int) -> String {
            let (hours, rest) = (minutes / 60, minutes % 60)
            return "\(hours < 10 ? "0" : "")\(hours):\(rest < 10 ? "0" : "")\(rest)"
        }
        let time = "\(clock(span.begin))-\(clock(span.end))"
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        let on = names.indices.filter { span.days & (1 << UInt8($0)) != 0 }
        guard let first = on.first, let last = on.last, on.count < 7 else { return time }
        if on.count > 2, last - first == on.count - 1 { return "\(names[first])-\(names[last]) \(time)" }
        return on.map { names[$0] }.joined(separator: ",") + " " + time
    }

    /// As docs/reference/rules.md calls the shapes.
    static func letter(_ shape: Shape) -> Character {
        switch shape {
        case .atOnce: return "A"
        case .noAnswer: return "B"
        case .tooMany: return "C"
        case .lasts: return "D"
        }
    }
}
