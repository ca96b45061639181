import Lane

/// What rules do, in plain words, made from their shape: for listings and for the page of interventions.
///
/// Numbers are those of a lane without overrides. Each phrase begins in lower case and has no full stop.
public struct RuleWords: Sendable {
    private let set: RuleSet
    /// How names of signals, states, attributes and rules are set off from the words around them.
    private let name: @Sendable (String) -> String

    /// - Parameter name: marks a name: the identity for a terminal, backquotes for Markdown.
    public init(_ set: RuleSet, name: @escaping @Sendable (String) -> String = { $0 }) {
        self.set = set
        self.name = name
    }

    // MARK: When it is raised

    /// `when payment.started has had no payment.approved or payment.declined for 45 s, each pay by itself`
    public func raised(_ rule: Rule) -> String {
        let each = rule.same.isEmpty ? "" : ", each " + Self.list(rule.same.map { name($0.name) }, "and") + " by itself"
        switch rule.shape {
        case .atOnce(let on):
            return "when \(alternatives(on)) comes\(each)"
        case .noAnswer(let on, let unless, let within) where on == unless:
            return "when no \(alternatives(on)) has come for \(duration(within)) since the last one\(each)"
        case .noAnswer(let on, let unless, let within):
            return "when \(alternatives(on)) has had no \(alternatives(unless)) for \(duration(within))\(each)"
        case .tooMany(let on, let count, let within, let unless):
            let between = unless.isEmpty ? "" : " with no \(alternatives(unless)) in between"
            return
                "when \(alternatives(on)) has come \(number(count)) times within \(duration(within))\(between)\(each)"
        case .lasts(let when, let wait, let unless):
            let without = unless.isEmpty ? "" : " without any \(alternatives(unless))"
            return "when it has been so for \(duration(wait)) that \(condition(when))\(without)"
        }
    }

    /// What else must hold: `only while basket is open`, `only from 22:00 to 06:00`, `only on lanes L* or demo-*`.
    public func guards(_ rule: Rule) -> [String] {
        var phrases: [String] = []
        if let held = rule.whileCondition { phrases.append("only while \(condition(held))") }
        if let span = rule.at { phrases.append("only " + Self.span(span)) }
        if !rule.lanes.isEmpty {
            phrases.append("only on lanes " + Self.list(rule.lanes.map { name($0.text) }, "or"))
        }
        return phrases
    }

    /// What keeps it back: rules that mute it, and its own cooldown.
    public func keptBack(_ rule: Rule) -> [String] {
        var phrases: [String] = []
        if !rule.mutedBy.isEmpty {
            phrases.append("while \(Self.list(rule.mutedBy.map(name), "or")) is raised\(afterMute(rule))")
        }
        if let cooldown = rule.cooldown { phrases.append("for \(duration(cooldown)) after it was cleared") }
        return phrases
    }

    private func afterMute(_ rule: Rule) -> String {
        if case .lasts = rule.shape { return "; raised after that where it still holds" }
        return ""
    }

    // MARK: What comes after

    /// What clears it, each way by itself.
    public func cleared(_ rule: Rule) -> [String] {
        var phrases: [String] = []
        switch rule.shape {
        case .atOnce, .tooMany: break
        case .noAnswer(_, let unless, _):
            let same = rule.same.isEmpty ? "" : " of the same " + Self.list(rule.same.map { name($0.name) }, "and")
            phrases.append("when \(alternatives(unless))\(same) comes after all")
        case .lasts(let when, _, let unless):
            phrases.append("when \(condition(when)) is not so any more")
            if !unless.isEmpty { phrases.append("when \(alternatives(unless)) comes, which starts the wait again") }
        }
        if !rule.clearWhen.isEmpty { phrases.append("when \(alternatives(rule.clearWhen)) comes") }
        if let after = rule.clearAfter { phrases.append("\(duration(after)) after it was raised") }
        return phrases
    }

    /// `critical 60 s after it was raised`, in the order of the file.
    public func escalated(_ rule: Rule) -> [String] {
        rule.escalations.map { escalation in
            let topic = escalation.topic == rule.topic ? "" : ", told to \(name(escalation.topic))"
            return "\(escalation.severity.name) \(duration(escalation.after)) after it was raised\(topic)"
        }
    }

    // MARK: States

    /// What sets a value of a state: `pos.state (state basket_open)`.
    public func setting(_ value: StateDeclaration.Value) -> String { alternatives(value.setBy) }

    // MARK: Pieces

    /// `pos.state (state idle or void) or staff.cleared`
    private func alternatives(_ matches: [Match]) -> String { Self.list(matches.map(match), "or") }

    private func match(_ match: Match) -> String {
        guard !match.tests.isEmpty else { return name(match.type.name) }
        return "\(name(match.type.name)) (\(match.tests.map(test).joined(separator: " and ")))"
    }

    private func test(_ test: AttributeTest) -> String {
        let attribute = test.attribute.name
        switch test.comparison {
        case .isOneOf(let values): return "\(attribute) \(Self.list(values.map(\.description), "or"))"
        case .isNot(let value): return "\(attribute) not \(value)"
        case .less(let bound): return "\(attribute) below \(bound)"
        case .lessOrEqual(let bound): return "\(attribute) at most \(bound)"
        case .greater(let bound): return "\(attribute) above \(bound)"
        case .greaterOrEqual(let bound): return "\(attribute) at least \(bound)"
        case .matches(let pattern): return "\(attribute) matching /\(pattern.source)/"
        }
    }

    private func condition(_ condition: Condition) -> String {
        let terms = condition.terms.map { term -> String in
            guard set.states.indices.contains(term.state),
                set.states[term.state].values.indices.contains(term.value)
            else { return "an unknown state" }
            let state = set.states[term.state]
            return name("\(state.name) is \(term.isNegated ? "not " : "")\(state.values[term.value].name)")
        }
        return Self.list(terms, "and")
    }

    private func number(_ term: CountTerm) -> String {
        switch term {
        case .number(let number): return String(number)
        case .param(let name):
            if case .count(let number)? = set.params[name] { return String(number) }
            return "$" + name
        }
    }

    private func duration(_ term: DurationTerm) -> String {
        switch term {
        case .milliseconds(let milliseconds): return Self.duration(milliseconds)
        case .param(let name):
            if case .duration(let milliseconds)? = set.params[name] { return Self.duration(milliseconds) }
            return "$" + name
        }
    }

    /// `45 s`, `2 min`, `8 h`, `1500 ms`: in the largest unit that needs no fraction.
    public static func duration(_ milliseconds: Int64) -> String {
        let units: [(length: Int64, name: String)] = [(3_600_000, "h"), (60_000, "min"), (1000, "s")]
        for unit in units where milliseconds != 0 && milliseconds % unit.length == 0 {
            return "\(milliseconds / unit.length) \(unit.name)"
        }
        return "\(milliseconds) ms"
    }

    /// `from 22:00 to 06:00`, `on Mon, Tue from 08:00 to 20:00`.
    static func span(_ span: DaySpan) -> String {
        func clock(_ minutes: Int) -> String {
            let (hour, minute) = minutes.quotientAndRemainder(dividingBy: 60)
            return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
        }
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        let days = names.indices.filter { span.days & (1 << UInt8($0)) != 0 }.map { names[$0] }
        let on = days.count == 7 ? "" : "on " + days.joined(separator: ", ") + " "
        return "\(on)from \(clock(span.begin)) to \(clock(span.end))"
    }

    /// `a`, `a or b`, `a, b or c`.
    static func list(_ items: [String], _ word: String) -> String {
        guard items.count > 1, let last = items.last else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " \(word) \(last)"
    }
}
