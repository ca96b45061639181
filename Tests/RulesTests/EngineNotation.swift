import Lane
import Testing

@testable import Rules

/// Rule sets by hand, in the words of the rule files: what tests of the engine are written in.
enum Notation {
    static func match(_ text: String) throws -> Match {
        let parts = text.split(separator: " where ", maxSplits: 1)
        let type = try #require(SignalType(String(parts[0])), "no signal \(parts[0])")
        let tests = try parts.dropFirst().flatMap { part in
            try String(part).components(" and ").map { try test($0, type) }
        }
        return Match(type: type, tests: tests)
    }

    static func matches(_ texts: [String]) throws -> [Match] { try texts.map(match) }

    private static func test(_ text: String, _ type: SignalType) throws -> AttributeTest {
        let words = text.split(separator: " ", maxSplits: 2).map(String.init)
        let name = try #require(AttributeName(words[0]))
        let isInt = SignalCatalogue.shipped[type].declared(name)?.kind == .int
        func value(_ text: String) -> AttributeValue { isInt ? .int(Int64(text) ?? -1) : .text(text) }
        let comparison: AttributeTest.Comparison
        switch words[1] {
        case "=": comparison = .isOneOf(words[2].split(separator: "|").map { value(String($0)) })
        case "!=": comparison = .isNot(value(words[2]))
        case "<": comparison = .less(try #require(Int64(words[2])))
        case "<=": comparison = .lessOrEqual(try #require(Int64(words[2])))
        case ">": comparison = .greater(try #require(Int64(words[2])))
        case ">=": comparison = .greaterOrEqual(try #require(Int64(words[2])))
        default: throw Unreadable(text: text)
        }
        return AttributeTest(attribute: name, comparison: comparison)
    }

    static func duration(_ text: String) throws -> DurationTerm {
        if text.hasPrefix("$") { return .param(String(text.dropFirst())) }
        return .milliseconds(try #require(ResultLine.milliseconds(of: text)))
    }

    static func condition(_ text: String, _ states: [StateDeclaration]) throws -> Condition {
        Condition(
            terms: try text.components(" and ").map { term in
                let words = term.split(separator: " ").map(String.init)
                let state = try #require(states.firstIndex { $0.name == words[0] })
                let value = try #require(states[state].values.firstIndex { $0.name == words.last })
                return Condition.Term(state: state, value: value, isNegated: words.count == 4)
            })
    }

    static func state(_ name: String, _ values: KeyValuePairs<String, [String]>) throws -> StateDeclaration {
        StateDeclaration(
            name: name, values: try values.map { StateDeclaration.Value(name: $0.key, setBy: try matches($0.value)) })
    }

    struct Unreadable: Error { var text: String }
}

extension String {
    fileprivate func components(_ separator: String) -> [String] { split(separator: separator).map(String.init) }
}

extension Rule {
    /// Everything but the shape, with the defaults of the format.
    init(_ id: String, _ shape: Shape) {
        self.init(
            id: id, title: id, severity: .warning, category: "", topic: "sco.interventions", shape: shape, same: [],
            whileCondition: nil, at: nil, lanes: [], clearWhen: [], clearAfter: nil, cooldown: nil, escalations: [],
            mutedBy: [], isShadow: false, isRemote: false, isEnabled: true)
    }

    static func a(_ id: String, on: String...) throws -> Rule { Rule(id, .atOnce(on: try Notation.matches(on))) }

    static func b(_ id: String, on: String, unless: String..., within: String) throws -> Rule {
        Rule(
            id,
            .noAnswer(
                on: [try Notation.match(on)], unless: try Notation.matches(unless),
                within: try Notation.duration(within)))
    }

    static func c(_ id: String, on: String, count: Int, within: String, unless: String...) throws -> Rule {
        Rule(
            id,
            .tooMany(
                on: [try Notation.match(on)], count: .number(count), within: try Notation.duration(within),
                unless: try Notation.matches(unless)))
    }

    static func d(
        _ id: String, when: String, _ states: [StateDeclaration], for time: String, unless: String...
    ) throws -> Rule {
        Rule(
            id,
            .lasts(
                when: try Notation.condition(when, states), for: try Notation.duration(time),
                unless: try Notation.matches(unless)))
    }

    func same(_ names: String...) -> Rule { with { $0.same = names.compactMap { AttributeName($0) } } }
    func clearWhen(_ texts: String...) throws -> Rule {
        let matches = try Notation.matches(texts)
        return with { $0.clearWhen = matches }
    }
    func clearAfter(_ text: String) throws -> Rule {
        let time = try Notation.duration(text)
        return with { $0.clearAfter = time }
    }
    func cooldown(_ text: String) throws -> Rule {
        let time = try Notation.duration(text)
        return with { $0.cooldown = time }
    }
    func mutedBy(_ ids: String...) -> Rule { with { $0.mutedBy = ids } }
    func escalate(_ after: String, _ severity: Severity, topic: String = "sco.interventions") throws -> Rule {
        let time = try Notation.duration(after)
        return with { $0.escalations.append(Escalation(after: time, severity: severity, topic: topic)) }
    }
    func `while`(_ text: String, _ states: [StateDeclaration]) throws -> Rule {
        let condition = try Notation.condition(text, states)
        return with { $0.whileCondition = condition }
    }
    func lanes(_ patterns: String...) -> Rule { with { $0.lanes = patterns.map { LanePattern($0) } } }
    func at(_ begin: Int, _ end: Int, days: UInt8 = 0x7F) -> Rule {
        with { $0.at = DaySpan(days: days, begin: begin, end: end) }
    }
    var shadow: Rule { with { $0.isShadow = true } }
    var disabled: Rule { with { $0.isEnabled = false } }

    func with(_ change: (inout Rule) -> Void) -> Rule {
        var rule = self
        change(&rule)
        return rule
    }
}

extension RuleSet {
    init(_ rules: [Rule], states: [StateDeclaration] = []) {
        self.init()
        self.rules = rules
        self.states = states
    }

    func table(_ lane: String = "L07") -> RuleTable { RuleTable(self, lane: LaneIdentity(store: "0042", lane: lane)) }

    /// The result lines of a test with these signals.
    func lines(
        _ given: [String], until: String = "10m", lane: String = "L07",
        at start: WallInstant = TestTimeline.defaultStart
    ) throws -> [String] {
        try timeline(given, until: until, at: start).lines(table(lane))
    }

    func changes(_ given: [String], until: String = "10m", lane: String = "L07") throws -> [Change] {
        try timeline(given, until: until, at: TestTimeline.defaultStart).run(table(lane))
    }

    private func timeline(_ given: [String], until: String, at start: WallInstant) throws -> TestTimeline {
        TestTimeline(
            start: start, given: try given.map { try GivenLine(parsing: $0) },
            length: try #require(ResultLine.milliseconds(of: until)))
    }
}
