import Lane
import YAML

/// The rules of a set, a line each: what `lanewatch rules` lists.
public struct RuleList: Hashable, Sendable {
    /// Whether a rule calls, as far as the files say.
    public enum Mode: String, Hashable, Sendable {
        case on, shadow, disabled
        /// It is for other lanes.
        case elsewhere
    }

    public struct Line: Hashable, Sendable {
        public var rule: String
        public var title: String
        public var shape: Character
        public var severity: Severity
        public var category: String
        public var mode: Mode
        /// What it waits for, in one line.
        public var waitsFor: String
        public var activeCount = 0
        public var silencedUntil: WallInstant?
        public var mutedBy: [String] = []
        /// Nil where no lane was asked.
        public var tally: RuleTally?
    }

    /// In the order of the files.
    public var lines: [Line]

    /// The rules of the files, without counts. `lane`: whose parameters and overrides count; nil for the defaults. `only`: one
    /// rule; nil for all.
    public init(_ set: RuleSet, lane: String? = nil, only: String? = nil) {
        var params = set.params
        if let lane {
            for override in set.overrides where override.match.contains(where: { $0.covers(lane) }) {
                params.merge(override.set) { $1 }
            }
        }
        lines = set.rules.filter { only == nil || $0.id == only }.map { rule in
            let isElsewhere = lane.map { !rule.isFor($0) } ?? false
            let mode: Mode =
                !rule.isEnabled ? .disabled : isElsewhere ? .elsewhere : rule.isShadow ? .shadow : .on
            return Line(
                rule: rule.id, title: rule.title, shape: rule.shape.letter, severity: rule.severity,
                category: rule.category, mode: mode, waitsFor: rule.summary(set, params))
        }
    }

    /// As a lane's engine has them at `wall`.
    public init(_ set: RuleSet, _ engine: RuleEngine, wall: WallInstant, only: String? = nil) {
        self.init(set, lane: engine.table.lane.lane, only: only)
        for number in lines.indices {
            lines[number].tally = engine.tally(of: lines[number].rule) ?? RuleTally()
            guard let place = engine.table.place(of: lines[number].rule) else { continue }
            let rule = engine.table.rules[place]
            lines[number].activeCount = engine.memory[place].active.count
            lines[number].silencedUntil = rule.silencedUntil.flatMap { wall < $0 ? $0 : nil }
            lines[number].mutedBy = rule.muters.map { Int($0) }.filter { muter in
                !engine.memory[muter].active.isEmpty && (!engine.table.rules[muter].isShadow || rule.isShadow)
            }.map { engine.table.rules[$0].id }
        }
    }

    /// A JSON object a line.
    public func write(to json: inout JSONWriter) {
        json.array { json in for line in lines { json.object { line.write(to: &$0) } } }
    }
}

extension RuleList.Line {
    /// Its members.
    public func write(to json: inout JSONWriter) {
        json.member("rule", rule)
        json.member("title", title)
        json.member("shape", String(shape))
        json.member("severity", severity.name)
        json.member("category", category)
        json.member("mode", mode.rawValue)
        json.member("waitsFor", waitsFor)
        guard let tally else { return }
        json.member("active", activeCount)
        json.member("silencedUntil", orNull: silencedUntil?.rfc3339)
        json.name("mutedBy")
        json.array { json in for rule in mutedBy { json.value(rule) } }
        tally.write(to: &json)
    }
}

extension Shape {
    /// As docs/reference/rules.md calls them.
    public var letter: Character {
        switch self {
        case .atOnce: "A"
        case .noAnswer: "B"
        case .tooMany: "C"
        case .lasts: "D"
        }
    }
}

extension Rule {
    /// What it waits for: `payment.started, then no payment.approved within 45s; for each pay`.
    func summary(_ set: RuleSet, _ params: [String: ParamValue]) -> String {
        func text(_ term: DurationTerm) -> String {
            switch term {
            case .milliseconds(let value): return DurationScalar.text(value)
            case .param(let name):
                guard case .duration(let value)? = params[name] else { return "$\(name)" }
                return DurationScalar.text(value)
            }
        }
        func text(_ term: CountTerm) -> String {
            switch term {
            case .number(let number): return "\(number)"
            case .param(let name):
                guard case .count(let number)? = params[name] else { return "$\(name)" }
                return "\(number)"
            }
        }
        var summary: String
        switch shape {
        case .atOnce(let on): summary = on.text
        case .noAnswer(let on, let unless, let within):
            summary = "\(on.text), then no \(unless.text) within \(text(within))"
        case .tooMany(let on, let count, let within, let unless):
            summary = "\(text(count)) times \(on.text) within \(text(within))"
            if !unless.isEmpty { summary += ", without \(unless.text)" }
        case .lasts(let when, let time, let unless):
            summary = "\(when.text(set)) for \(text(time))"
            if !unless.isEmpty { summary += ", without \(unless.text)" }
        }
        if !same.isEmpty { summary += "; for each \(same.map(\.name).joined(separator: " and "))" }
        if let whileCondition { summary += "; while \(whileCondition.text(set))" }
        if let at { summary += "; at \(at.text)" }
        return summary
    }
}

extension [Match] {
    /// `payment.approved or payment.declined`
    fileprivate var text: String { map(\.text).joined(separator: " or ") }
}

extension Match {
    /// As a rule file writes it; lists are spread out.
    public var text: String {
        if tests.isEmpty { return type.name }
        return "\(type.name) where \(tests.map(\.text).joined(separator: " and "))"
    }
}

extension AttributeTest {
    fileprivate var text: String {
        switch comparison {
        case .isOneOf(let values): "\(attribute.name) = \(values.map(\.description).joined(separator: "|"))"
        case .isNot(let value): "\(attribute.name) != \(value)"
        case .less(let number): "\(attribute.name) < \(number)"
        case .lessOrEqual(let number): "\(attribute.name) <= \(number)"
        case .greater(let number): "\(attribute.name) > \(number)"
        case .greaterOrEqual(let number): "\(attribute.name) >= \(number)"
        case .matches(let pattern): "\(attribute.name) matches /\(pattern.source)/"
        }
    }
}

extension Condition {
    /// `basket is open and network is not down`
    fileprivate func text(_ set: RuleSet) -> String {
        terms.compactMap { term -> String? in
            guard set.states.indices.contains(term.state) else { return nil }
            let state = set.states[term.state]
            guard state.values.indices.contains(term.value) else { return nil }
            return "\(state.name) is \(term.isNegated ? "not " : "")\(state.values[term.value].name)"
        }.joined(separator: " and ")
    }
}
