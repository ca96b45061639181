import Lane

@testable import Rules

/// The definition once more, written to be read beside it and to be slow: no index, no heap, lists that are searched.
/// It shares nothing with the engine but the rule set, so that where the two agree both have read the same page.
/// Durations and counts must be numbers; gaps, reloads and bounds are not its business.
struct NaiveLane {
    typealias Key = [String]

    struct Timer {
        enum Purpose: Equatable { case answer(Key), lasts, escalate(Key, Int), clearAfter(Key) }
        var deadline: Int64
        var place: Int
        var arm: Int
        var purpose: Purpose
    }

    struct Raised {
        var place: Int
        var key: Key
        var at: Int64
        var told: Int64
        var repeats = 0
        var severity: Severity
    }

    let set: RuleSet
    /// In the order of places, those of this lane.
    private(set) var rules: [Rule] = []
    var states: [Int?]
    var now: Int64 = .min
    var wallOffset: Int64 = 0
    var timers: [Timer] = []
    var arms = 0
    var rings: [Int: [Key: [Int64]]] = [:]
    /// In the order they were raised.
    var raised: [Raised] = []
    var lastClear: [Int: [Key: Int64]] = [:]
    /// D rules that came due muted.
    var muted: Set<Int> = []
    private(set) var told: [String] = []

    init(_ set: RuleSet, lane: String) {
        self.set = set
        states = set.states.map { _ in nil }
        var waiting = set.rules.filter(\.isEnabled)
        let ids = Set(waiting.map(\.id))
        var placed: [Rule] = []
        while let next = waiting.firstIndex(where: { rule in
            rule.mutedBy.allSatisfy { id in !ids.contains(id) || placed.contains { $0.id == id } }
        }) {
            placed.append(waiting.remove(at: next))
        }
        rules = placed.filter { $0.lanes.isEmpty || $0.lanes.contains { $0.text == lane || $0.text == "*" } }
    }

    // MARK: step, idle

    mutating func step(_ signal: StampedSignal) {
        run { $0 < signal.at.milliseconds }
        now = max(now, signal.at.milliseconds)
        wallOffset = signal.wall.milliseconds - now
        setStates(signal.signal)
        for (place, rule) in rules.enumerated() where meets(signal.signal, rule.clearWhen) {
            clear(place, key(place, signal.signal), "clear_when")
        }
        for (place, rule) in rules.enumerated() where meets(signal.signal, unless(rule)) {
            heardUnless(place, signal.signal)
        }
        for (place, rule) in rules.enumerated() where meets(signal.signal, on(rule)) { heardOn(place, signal.signal) }
        unmute()
    }

    mutating func end(at last: Int64) { run { $0 <= last } }

    private mutating func run(_ isDue: (Int64) -> Bool) {
        while let next = timers.min(by: { ($0.deadline, $0.place, $0.arm) < ($1.deadline, $1.place, $1.arm) }),
            isDue(next.deadline)
        {
            timers.removeAll { $0.arm == next.arm }
            now = next.deadline
            switch next.purpose {
            case .answer(let key): fire(next.place, key)
            case .lasts: if fire(next.place, []) == .muted { muted.insert(next.place) }
            case .escalate(let key, let number):
                guard let one = raised.firstIndex(where: { $0.place == next.place && $0.key == key }) else { break }
                raised[one].severity = rules[next.place].escalations[number].severity
                raised[one].told = now
                tell("escalate", raised[one], nil)
            case .clearAfter(let key): clear(next.place, key, "clear_after")
            }
            unmute()
        }
    }

    private mutating func arm(_ place: Int, _ after: DurationTerm, _ purpose: Timer.Purpose) {
        arms += 1
        timers.append(Timer(deadline: now + milliseconds(after), place: place, arm: arms, purpose: purpose))
    }

    private mutating func disarm(_ place: Int, _ isMeant: (Timer.Purpose) -> Bool) {
        timers.removeAll { $0.place == place && isMeant($0.purpose) }
    }

    // MARK: The phases

    private mutating func setStates(_ signal: Signal) {
        let before = rules.map { holds(condition($0)) }
        for (number, state) in set.states.enumerated() {
            for (value, declared) in state.values.enumerated() where meets(signal, declared.setBy) {
                states[number] = value
            }
        }
        for (place, rule) in rules.enumerated() {
            let (was, holds) = (before[place], holds(condition(rule)))
            if was == holds { continue }
            switch rule.shape {
            case .atOnce: break
            case .noAnswer: if !holds { disarm(place) { if case .answer = $0 { true } else { false } } }
            case .tooMany: if !holds { rings[place] = [:] }
            case .lasts(_, let time, _):
                disarm(place) { $0 == .lasts }
                muted.remove(place)
                if holds { arm(place, time, .lasts) } else { clear(place, nil, "state_ended") }
            }
        }
    }

    private mutating func heardUnless(_ place: Int, _ signal: Signal) {
        let key = key(place, signal)
        switch rules[place].shape {
        case .atOnce: break
        case .noAnswer:
            disarm(place) { if case .answer(let armed) = $0 { key == nil || armed == key } else { false } }
            clear(place, key, "answered")
        case .tooMany: if let key { rings[place, default: [:]][key] = nil } else { rings[place] = [:] }
        case .lasts(let when, let time, _):
            guard holds(when) else { return }
            disarm(place) { $0 == .lasts }
            muted.remove(place)
            clear(place, nil, "answered")
            arm(place, time, .lasts)
        }
    }

    private mutating func heardOn(_ place: Int, _ signal: Signal) {
        guard holds(condition(rules[place])), let key = key(place, signal) else { return }
        switch rules[place].shape {
        case .atOnce: fire(place, key)
        case .noAnswer(_, _, let within):
            if timers.contains(where: { $0.place == place && $0.purpose == .answer(key) }) { return }
            arm(place, within, .answer(key))
        case .tooMany(_, let term, let within, _):
            guard case .number(let count) = term else { return }
            let ring = Array(((rings[place]?[key] ?? []) + [now]).suffix(count))
            rings[place, default: [:]][key] = ring
            if ring.count == count, now - ring[0] <= milliseconds(within) {
                rings[place]?[key] = nil
                fire(place, key)
            }
        case .lasts: break
        }
    }

    // MARK: Firing and clearing

    private enum Outcome { case muted, other }

    @discardableResult
    private mutating func fire(_ place: Int, _ key: Key) -> Outcome {
        let rule = rules[place]
        if let one = raised.firstIndex(where: { $0.place == place && $0.key == key }) {
            raised[one].repeats += 1
            if now - raised[one].told >= 60_000 {
                raised[one].told = now
                tell("update", raised[one], nil)
            }
            return .other
        }
        if let term = rule.cooldown, let last = lastClear[place]?[key], now < last + milliseconds(term) {
            return .other
        }
        let wall = now + wallOffset
        if set.silences.contains(where: { $0.rules.contains(rule.id) && wall < $0.until.milliseconds }) {
            return .other
        }
        if let span = rule.at {
            // The sets of the dice have spans within one day, on all days.
            let minute = Int(wall / 60_000 % 1440)
            if minute < span.begin || minute >= span.end { return .other }
        }
        if isMuted(rule) { return .muted }
        let one = Raised(place: place, key: key, at: now, told: now, severity: rule.severity)
        raised.append(one)
        for (number, escalation) in rule.escalations.enumerated() {
            arm(place, escalation.after, .escalate(key, number))
        }
        if let after = rule.clearAfter { arm(place, after, .clearAfter(key)) }
        tell("raise", one, nil)
        return .other
    }

    private func isMuted(_ rule: Rule) -> Bool {
        raised.contains { one in
            let muter = rules[one.place]
            return rule.mutedBy.contains(muter.id) && (!muter.isShadow || rule.isShadow)
        }
    }

    private mutating func unmute() {
        for place in rules.indices where muted.contains(place) && !isMuted(rules[place]) {
            muted.remove(place)
            fire(place, [])
        }
    }

    /// `key` nil: all of the rule.
    private mutating func clear(_ place: Int, _ key: Key?, _ reason: String) {
        for one in raised where one.place == place && (key == nil || one.key == key) {
            raised.removeAll { $0.place == place && $0.key == one.key }
            disarm(place) { purpose in
                switch purpose {
                case .escalate(let other, _), .clearAfter(let other): return other == one.key
                default: return false
                }
            }
            lastClear[place, default: [:]][one.key] = now
            tell("clear", one, reason)
        }
    }

    private mutating func tell(_ verb: String, _ one: Raised, _ reason: String?) {
        told.append(Self.line(now, verb, rules[one.place].id, one.key, one.severity, one.repeats, reason))
    }

    static func line(
        _ at: Int64, _ verb: String, _ rule: String, _ key: Key, _ severity: Severity, _ repeats: Int, _ reason: String?
    ) -> String { "\(at) \(verb) \(rule) \(key) \(severity.name) \(repeats) \(reason ?? "")" }

    // MARK: Reading rules

    private func condition(_ rule: Rule) -> Condition {
        if case .lasts(let when, _, _) = rule.shape { return when }
        return rule.whileCondition ?? Condition(terms: [])
    }

    private func holds(_ condition: Condition) -> Bool {
        condition.terms.allSatisfy { term in
            guard let value = states[term.state] else { return false }
            return term.isNegated ? value != term.value : value == term.value
        }
    }

    private func on(_ rule: Rule) -> [Match] {
        switch rule.shape {
        case .atOnce(let on), .noAnswer(let on, _, _), .tooMany(let on, _, _, _): return on
        case .lasts: return []
        }
    }

    private func unless(_ rule: Rule) -> [Match] {
        switch rule.shape {
        case .atOnce: return []
        case .noAnswer(_, let unless, _), .tooMany(_, _, _, let unless), .lasts(_, _, let unless): return unless
        }
    }

    private func key(_ place: Int, _ signal: Signal) -> Key? {
        if case .lasts = rules[place].shape { return [] }
        let values = rules[place].same.compactMap { signal[$0]?.description }
        return values.count == rules[place].same.count ? values : nil
    }

    private func meets(_ signal: Signal, _ matches: [Match]) -> Bool {
        matches.contains { match in
            match.type == signal.type
                && match.tests.allSatisfy { test in signal[test.attribute].map { meets($0, test) } ?? false }
        }
    }

    private func meets(_ value: AttributeValue, _ test: AttributeTest) -> Bool {
        if case .int(let number) = value {
            switch test.comparison {
            case .less(let bound): return number < bound
            case .lessOrEqual(let bound): return number <= bound
            case .greater(let bound): return number > bound
            case .greaterOrEqual(let bound): return number >= bound
            default: break
            }
        }
        switch test.comparison {
        case .isOneOf(let values): return values.contains(value)
        case .isNot(let refused): return value != refused
        default: return false
        }
    }

    private func milliseconds(_ term: DurationTerm) -> Int64 {
        if case .milliseconds(let value) = term { return value }
        return 1
    }
}
