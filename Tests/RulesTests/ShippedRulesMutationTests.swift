import Lane
import Testing

@testable import Rules

/// Whether the tests of the shipped rules would notice an edit: each rule is changed in each of its parts, one at a time, and
/// some test must fail.
@Suite struct ShippedRulesMutationTests {
    struct Mutant {
        var rule: String
        var what: String
        var set: RuleSet
    }

    /// Later by one millisecond, or one more; a parameter becomes its own number first, so that no other rule moves.
    private static func more(_ term: DurationTerm, _ set: RuleSet, by step: Int64) -> DurationTerm {
        switch term {
        case .milliseconds(let milliseconds): return .milliseconds(milliseconds + step)
        case .param(let name):
            if case .duration(let milliseconds)? = set.params[name] { return .milliseconds(milliseconds + step) }
            return term
        }
    }

    private static func more(_ term: CountTerm, _ set: RuleSet) -> CountTerm {
        switch term {
        case .number(let number): return .number(number + 1)
        case .param(let name):
            if case .count(let number)? = set.params[name] { return .number(number + 1) }
            return term
        }
    }

    /// Each list with one of its matches left out.
    private static func fewer(_ matches: [Match]) -> [(String, [Match])] {
        guard matches.count > 1 else { return [] }
        return matches.map { match in (match.type.name, matches.filter { $0 != match }) }
    }

    private static func shapes(_ shape: Shape, _ set: RuleSet) -> [(String, Shape)] {
        var shapes: [(String, Shape)] = []
        switch shape {
        case .atOnce(let on):
            for (type, less) in fewer(on) { shapes.append(("on without \(type)", .atOnce(on: less))) }
        case .noAnswer(let on, let answers, let within):
            for (type, less) in fewer(answers) {
                shapes.append(("unless without \(type)", .noAnswer(on: on, unless: less, within: within)))
            }
            for step: Int64 in [-1, 1] {
                let changed = more(within, set, by: step)
                shapes.append(("within \(step) ms", .noAnswer(on: on, unless: answers, within: changed)))
            }
        case .tooMany(let on, let count, let within, let answers):
            for (type, less) in fewer(on) {
                shapes.append(("on without \(type)", .tooMany(on: less, count: count, within: within, unless: answers)))
            }
            for (type, less) in fewer(answers) {
                shapes.append(("unless without \(type)", .tooMany(on: on, count: count, within: within, unless: less)))
            }
            shapes.append(("count + 1", .tooMany(on: on, count: more(count, set), within: within, unless: answers)))
            shapes.append(("a day", .tooMany(on: on, count: count, within: .milliseconds(86_400_000), unless: answers)))
            if !answers.isEmpty {
                shapes.append(("no unless", .tooMany(on: on, count: count, within: within, unless: [])))
            }
        case .lasts(let when, let wait, let starts):
            for (type, less) in fewer(starts) {
                shapes.append(("unless without \(type)", .lasts(when: when, for: wait, unless: less)))
            }
            for step: Int64 in [-1, 1] {
                let changed = more(wait, set, by: step)
                shapes.append(("for \(step) ms", .lasts(when: when, for: changed, unless: starts)))
            }
            for place in when.terms.indices where when.terms.count > 1 {
                var fewer = when
                fewer.terms.remove(at: place)
                shapes.append(("when, term \(place)", .lasts(when: fewer, for: wait, unless: starts)))
            }
            if !starts.isEmpty { shapes.append(("no unless", .lasts(when: when, for: wait, unless: []))) }
        }
        return shapes
    }

    static func mutants(of set: RuleSet) -> [Mutant] {
        var mutants: [Mutant] = []
        for place in set.rules.indices {
            let rule = set.rules[place]
            func add(_ what: String, _ change: (inout Rule) -> Void) {
                var changed = set
                change(&changed.rules[place])
                mutants.append(Mutant(rule: rule.id, what: what, set: changed))
            }
            for (what, shape) in shapes(rule.shape, set) { add(what) { $0.shape = shape } }
            add("severity") { $0.severity = rule.severity == .info ? .warning : .info }
            for muter in rule.mutedBy { add("not muted by \(muter)") { $0.mutedBy.removeAll { $0 == muter } } }
            if rule.whileCondition != nil { add("no while") { $0.whileCondition = nil } }
            if rule.at != nil { add("no at") { $0.at = nil } }
            if !rule.lanes.isEmpty { add("all lanes") { $0.lanes = [] } }
            if !rule.same.isEmpty { add("no same") { $0.same = [] } }
            if !rule.clearWhen.isEmpty { add("no clear_when") { $0.clearWhen = [] } }
            for match in rule.clearWhen where rule.clearWhen.count > 1 {
                add("clear_when without \(match.type.name)") { $0.clearWhen.removeAll { $0 == match } }
            }
            if let after = rule.clearAfter {
                add("clear_after + 1 ms") { $0.clearAfter = more(after, set, by: 1) }
            }
            if rule.cooldown != nil { add("no cooldown") { $0.cooldown = nil } }
            for step in rule.escalations.indices {
                add("escalation \(step) + 1 ms") {
                    $0.escalations[step].after = more($0.escalations[step].after, set, by: 1)
                }
            }
        }
        return mutants
    }

    /// Whether a test fails on `set`. Those about `rule` are asked first: they mostly know.
    private static func notices(_ mutant: Mutant, _ tests: [Substring: [RuleTest]]) -> Bool {
        var tables: [String: RuleTable] = [:]
        func passes(_ test: RuleTest) -> Bool {
            let table = tables[test.lane] ?? RuleTable(mutant.set, lane: LaneIdentity(store: "0000", lane: test.lane))
            tables[test.lane] = table
            return test.timeline.lines(table, reloads: [:]) == test.expected
        }
        let own = mutant.rule[...]
        return !(tests[own] ?? []).allSatisfy(passes)
            || tests.contains { $0.key != own && !$0.value.allSatisfy(passes) }
    }

    @Test func everyPartOfEveryRuleIsTested() throws {
        let set = try ShippedRules.set()
        let tests = Dictionary(grouping: try ShippedRules.tests(), by: ShippedRulesTests.subject)
        let mutants = Self.mutants(of: set)
        #expect(mutants.count > 300)
        var unnoticed: [String] = []
        for mutant in mutants where !Self.notices(mutant, tests) {
            unnoticed.append("\(mutant.rule): \(mutant.what)")
        }
        #expect(unnoticed == [], "no test of rules/*.test.yaml fails with these edits")
    }
}
