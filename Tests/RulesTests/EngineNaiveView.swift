import Lane

@testable import Rules

/// What a history means: each answer is read from its first entry to its last. Of one history a question is asked once.
final class NaiveView {
    private let lane: NaiveLane
    private let history: [NaiveLane.Entry]
    /// What is known of each state after each entry, one after the other.
    private let known: [Knowledge]
    private var waits: [Int: Wait] = [:]

    init(_ lane: NaiveLane) {
        self.lane = lane
        history = lane.history
        known = Self.knowledge(lane.history, lane.set.states)
    }

    // MARK: States

    /// What is known of one state.
    enum Knowledge {
        case unknown
        case known(value: Int, since: Int64, isAssumed: Bool)
        /// A gap has been since. `isHidden`: a long one, so that the value counts for nothing. `isLost`: nobody confirmed it
        /// in time, and nobody can any more.
        case doubted(value: Int, since: Int64, isAssumed: Bool, isHidden: Bool, until: Int64, isLost: Bool)

        var value: Int? {
            switch self {
            case .unknown: return nil
            case .known(let value, _, _): return value
            case .doubted(let value, _, _, let isHidden, _, _): return isHidden ? nil : value
            }
        }

        var isDoubted: Bool { if case .doubted = self { true } else { false } }

        mutating func hear(_ new: Int, _ at: Int64) {
            switch self {
            case .known(new, _, _): break
            case .doubted(new, let since, let isAssumed, let isHidden, let until, false) where at <= until:
                self = .known(value: new, since: since, isAssumed: isAssumed || isHidden)
            default: self = .known(value: new, since: at, isAssumed: false)
            }
        }

        mutating func miss(from begin: Int64, to end: Int64, isLong: Bool) {
            // A fresh look right after the gap confirms.
            let until = end + 10_000
            switch self {
            case .unknown: break
            case .known(let value, let since, let isAssumed):
                self = .doubted(
                    value: value, since: since, isAssumed: isAssumed, isHidden: isLong, until: until, isLost: false)
            case .doubted(let value, let since, let isAssumed, let isHidden, let before, let isLost):
                self = .doubted(
                    value: value, since: since, isAssumed: isAssumed, isHidden: isHidden || isLong, until: until,
                    isLost: isLost || before < begin)
            }
        }
    }

    /// Whether `hidden` can have changed a state of which that much was known `before`.
    private static func isHidden(
        _ state: StateDeclaration, _ hidden: Set<SignalType>?, _ before: Knowledge
    ) -> Bool {
        guard let hidden else { return true }
        return state.values.enumerated().contains { number, value in
            if case .known(number, _, _) = before { return false }
            return value.setBy.contains { hidden.contains($0.type) }
        }
    }

    private static func knowledge(_ history: [NaiveLane.Entry], _ states: [StateDeclaration]) -> [Knowledge] {
        var now = states.map { _ in Knowledge.unknown }
        var all: [Knowledge] = []
        all.reserveCapacity(history.count * states.count)
        for entry in history {
            switch entry.what {
            case .signal(let heard):
                for state in now.indices {
                    if let value = heard.sets[state] { now[state].hear(value, entry.at) }
                }
            case .gap(let begin, let isLong, let hidden):
                for state in now.indices where isHidden(states[state], hidden, now[state]) {
                    now[state].miss(from: begin, to: entry.at, isLong: isLong)
                }
            default: break
            }
            all += now
        }
        return all
    }

    private func knowledge(_ state: Int, _ entry: Int) -> Knowledge {
        entry < 0 ? .unknown : known[entry * lane.set.states.count + state]
    }

    func holds(_ condition: Condition) -> Bool { holds(condition, history.count - 1) }

    private func holds(_ condition: Condition, _ entry: Int) -> Bool {
        condition.terms.allSatisfy { term in
            guard let value = knowledge(term.state, entry).value else { return false }
            return term.isNegated ? value != term.value : value == term.value
        }
    }

    func refutes(_ condition: Condition) -> Bool { refutes(condition, history.count - 1) }

    private func refutes(_ condition: Condition, _ entry: Int) -> Bool {
        condition.terms.contains { term in
            guard let value = knowledge(term.state, entry).value else { return false }
            return term.isNegated ? value == term.value : value != term.value
        }
    }

    private func isDoubted(_ condition: Condition, _ entry: Int) -> Bool {
        condition.terms.contains { knowledge($0.state, entry).isDoubted }
    }

    /// Since when the condition holds, and whether a long gap lies between.
    private func since(_ condition: Condition, _ entry: Int) -> (at: Int64, isAssumed: Bool) {
        var latest = Int64.min
        var isAssumed = false
        for term in condition.terms {
            switch knowledge(term.state, entry) {
            case .unknown: break
            case .known(_, let since, let assumed), .doubted(_, let since, let assumed, _, _, _):
                latest = max(latest, since)
                isAssumed = isAssumed || assumed
            }
        }
        return (latest, isAssumed && latest < history[entry].at)
    }

    // MARK: Rules through reloads

    /// The entry from which on the rule at `place` has been what it is; -1 from the beginning.
    private func birth(_ place: Int) -> Int {
        let rule = lane.rules[place]
        let meaning = lane.meaning(rule, lane.set)
        for (entry, era) in reloads.reversed() {
            let before = lane.eras[era - 1]
            guard let old = before.rules.first(where: { $0.id == rule.id }), lane.meaning(old, before.set) == meaning
            else { return entry }
        }
        return -1
    }

    private lazy var reloads: [(entry: Int, era: Int)] = history.indices.compactMap { entry in
        if case .reload(let era) = history[entry].what { (entry, era) } else { nil }
    }

    /// The moment of the last reload after `entry`: what was past then, was due then.
    private func reloaded(after entry: Int) -> Int64 {
        reloads.last { $0.entry > entry }.map { history[$0.entry].at } ?? .min
    }

    // MARK: What waits

    /// B: the keys that are armed, in the order they were.
    func armed(_ place: Int) -> [(key: NaiveLane.Key, at: Int64, entry: Int)] {
        let rule = lane.rules[place]
        guard case .noAnswer(_, let unless, _) = rule.shape else { return [] }
        let condition = lane.condition(rule)
        var armed: [(key: NaiveLane.Key, at: Int64, entry: Int)] = []
        let birth = birth(place)
        for entry in history.indices where entry > birth {
            switch history[entry].what {
            case .signal(let heard):
                if !holds(condition, entry) { armed = [] }
                if heard.unless[place] { armed.removeAll { heard.key[place] == nil || $0.key == heard.key[place] } }
                if heard.on[place], holds(condition, entry), let key = heard.key[place],
                    !armed.contains(where: { $0.key == key })
                {
                    armed.append((key, history[entry].at, entry))
                }
            case .gap(_, true, let hidden): if reaches(hidden, unless, condition, entry) { armed = [] }
            case .waitOver(rule.id, let key): armed.removeAll { $0.key == key }
            default: break
            }
        }
        return armed
    }

    /// C: the moments of the newest N, by key.
    func rings(_ place: Int) -> [NaiveLane.Key: [Int64]] {
        let rule = lane.rules[place]
        guard case .tooMany(_, _, _, let unless) = rule.shape else { return [:] }
        let condition = lane.condition(rule)
        var rings: [NaiveLane.Key: [Int64]] = [:]
        let birth = birth(place)
        for entry in history.indices where entry > birth {
            switch history[entry].what {
            case .signal(let heard):
                if !holds(condition, entry) { rings = [:] }
                if heard.unless[place] {
                    if let key = heard.key[place] { rings[key] = nil } else { rings = [:] }
                }
                if heard.on[place], holds(condition, entry), let key = heard.key[place] {
                    rings[key] = ((rings[key] ?? []) + [history[entry].at]).suffix(count(rule.id, entry))
                }
            case .gap(_, true, let hidden): if reaches(hidden, unless, condition, entry) { rings = [:] }
            case .counted(rule.id, let key): rings[key] = nil
            case .reload: for key in rings.keys { rings[key] = rings[key]?.suffix(count(rule.id, entry)) }
            default: break
            }
        }
        return rings
    }

    /// The N of the rule at that entry.
    private func count(_ id: String, _ entry: Int) -> Int {
        let era = reloads.last { $0.entry <= entry }?.era ?? 0
        return lane.eras[era].rules.first { $0.id == id }.map { lane.count($0) } ?? 0
    }

    /// Whether what was not seen can have answered, or have changed a state that the rule names.
    private func reaches(
        _ hidden: Set<SignalType>?, _ unless: [Match], _ condition: Condition, _ entry: Int
    ) -> Bool {
        guard let hidden else { return true }
        return unless.contains { hidden.contains($0.type) }
            || isHidden(condition, hidden, entry)
    }

    private func isHidden(_ condition: Condition, _ hidden: Set<SignalType>?, _ entry: Int) -> Bool {
        condition.terms.contains {
            Self.isHidden(lane.set.states[$0.state], hidden, knowledge($0.state, entry - 1))
        }
    }

    /// D: where the wait stands.
    struct Wait {
        enum Phase { case idle, armed, muted, spent }
        var phase = Phase.idle
        var start: Int64 = 0
        /// When it was armed or went on: not due before.
        var ready: Int64 = .min
        var isAssumed = false
        /// A gap lies between, and not all states are settled.
        var isDoubted = false
        /// One of them was settled by news.
        var isNews = false
    }

    func wait(_ place: Int) -> Wait {
        if let known = waits[place] { return known }
        let wait = readWait(place)
        waits[place] = wait
        return wait
    }

    private func readWait(_ place: Int) -> Wait {
        let rule = lane.rules[place]
        guard case .lasts(let when, _, _) = rule.shape else { return Wait() }
        let birth = birth(place)
        var wait = Wait()
        func arm(_ entry: Int, from start: (at: Int64, isAssumed: Bool)) {
            wait = Wait(phase: .armed, start: start.at, ready: history[entry].at, isAssumed: start.isAssumed)
        }
        for entry in history.indices where entry >= birth {
            let at = history[entry].at
            switch history[entry].what {
            case .reload where entry == birth:
                guard holds(when, entry) else { break }
                arm(entry, from: since(when, entry))
                wait.isDoubted = isDoubted(when, entry)
            case .signal(let heard):
                let (held, holds) = (holds(when, entry - 1), holds(when, entry))
                if wait.isDoubted {
                    settle(&wait, when, entry, heard, rule.id)
                } else if held != holds {
                    if holds { arm(entry, from: since(when, entry)) } else { wait = Wait() }
                }
                if heard.unless[place], holds { arm(entry, from: (at, false)) }
            case .gap(_, let isLong, let hidden):
                guard isHidden(when, hidden, entry) else { break }
                let isWaiting = wait.phase == .armed || wait.phase == .muted
                if isWaiting || (isLong && (wait.phase != .idle || isActive(rule.id, entry))) { wait.isDoubted = true }
                if isWaiting, isLong { wait.isAssumed = true }
            case .lastingOver(rule.id, let outcome): wait.phase = outcome == .muted ? .muted : .spent
            case .unmuted(rule.id): wait.phase = .spent
            default: break
            }
        }
        return wait
    }

    private func settle(_ wait: inout Wait, _ when: Condition, _ entry: Int, _ heard: NaiveLane.Heard, _ rule: String) {
        for term in when.terms where heard.sets[term.state] != nil {
            // Its value is of this very signal, and it was in doubt: news.
            guard knowledge(term.state, entry - 1).isDoubted,
                case .known(_, let since, _) = knowledge(term.state, entry)
            else { continue }
            if case .doubted(let old, let before, _, _, let until, let isLost) = knowledge(term.state, entry - 1),
                old == heard.sets[term.state], since == before, !isLost, history[entry].at <= until
            {
                continue
            }
            wait.isNews = true
        }
        if refutes(when, entry) {
            wait = Wait()
        } else if holds(when, entry), !isDoubted(when, entry) {
            if wait.isNews, !isActive(rule, entry) {
                wait = Wait(phase: .armed, start: history[entry].at, ready: history[entry].at)
            }
            wait.isDoubted = false
            wait.isNews = false
            wait.ready = history[entry].at
        }
    }

    // MARK: What is raised

    struct Active {
        /// As it was told last.
        var told: NaiveLane.Told
        var raisedAt: Int64
        var toldAt: Int64
        /// The entry that raised it.
        var entry: Int
        /// Which escalations were told.
        var escalated: Set<Int> = []
    }

    /// In the order they were raised.
    private(set) lazy var active: [Active] = active(until: history.count - 1)

    func active(of rule: String) -> [Active] { active.filter { $0.told.rule == rule } }

    private func isActive(_ rule: String, _ entry: Int) -> Bool {
        active(until: entry).contains { $0.told.rule == rule }
    }

    private func active(until last: Int) -> [Active] {
        var active: [Active] = []
        guard last >= 0 else { return [] }
        for entry in 0...last {
            let at = history[entry].at
            switch history[entry].what {
            case .told(let told):
                let known = active.firstIndex { $0.told.rule == told.rule && $0.told.key == told.key }
                switch (told.verb, known) {
                case ("clear", let known?): active.remove(at: known)
                case (_, let known?):
                    active[known].told = told
                    active[known].toldAt = at
                    if told.verb == "escalate" { active[known].escalated.insert(told.number) }
                case (_, nil): active.append(Active(told: told, raisedAt: at, toldAt: at, entry: entry))
                }
            case .repeated(let rule, let key):
                if let known = active.firstIndex(where: { $0.told.rule == rule && $0.told.key == key }) {
                    active[known].told.repeats += 1
                }
            case .reload(let era):
                // An escalation that a reload takes away is forgotten.
                for known in active.indices {
                    let rule = lane.eras[era].rules.first { $0.id == active[known].told.rule }
                    active[known].escalated = active[known].escalated.filter { $0 < rule?.escalations.count ?? 0 }
                }
            default: break
            }
        }
        return active
    }

    /// When the rule last cleared for `key`, since it has been there.
    func lastClear(of id: String, _ key: NaiveLane.Key) -> Int64? {
        var last: Int64?
        for entry in history {
            if case .told(let told) = entry.what, told.verb == "clear", told.rule == id, told.key == key {
                last = entry.at
            }
            if case .reload(let era) = entry.what, !lane.eras[era].rules.contains(where: { $0.id == id }) { last = nil }
        }
        return last
    }

    var wallOffset: Int64 {
        for entry in history.reversed() { if case .wall(let offset) = entry.what { return offset } }
        return 0
    }

    var lastSignal: Int {
        history.lastIndex { if case .signal = $0.what { true } else { false } } ?? -1
    }

    // MARK: Timers

    struct Timer {
        enum Purpose {
            case answer(NaiveLane.Key), lasts(isAssumed: Bool), escalate(Active, Int), clearAfter(Active)
        }
        var deadline: Int64
        var place: Int
        /// Armed earlier, run earlier.
        var arm: [Int]
        var purpose: Purpose
        var late: Int64
    }

    /// The first in the order of deadline, place, arming.
    var nextTimer: Timer? {
        var all: [Timer] = []
        func add(_ place: Int, _ due: Int64, _ ready: Int64, _ arm: [Int], _ purpose: Timer.Purpose) {
            all.append(
                Timer(
                    deadline: max(due, ready), place: place, arm: arm, purpose: purpose,
                    late: ready > due ? ready - due : 0))
        }
        for (place, rule) in lane.rules.enumerated() {
            switch rule.shape {
            case .noAnswer(_, _, let within):
                for wait in armed(place) {
                    let due = wait.at + lane.milliseconds(within)
                    add(place, due, reloaded(after: wait.entry), [wait.entry], .answer(wait.key))
                }
            case .lasts(_, let time, _):
                let wait = wait(place)
                guard wait.phase == .armed, !wait.isDoubted else { break }
                let entry = history.lastIndex { $0.at <= wait.ready } ?? -1
                add(
                    place, wait.start + lane.milliseconds(time), max(wait.ready, reloaded(after: entry)), [entry],
                    .lasts(isAssumed: wait.isAssumed))
            default: break
            }
            for (order, one) in active(of: rule.id).enumerated() {
                for (number, escalation) in rule.escalations.enumerated() where !one.escalated.contains(number) {
                    let armed = armed(one, order, number) { $0.escalations.count > number }
                    let due = one.raisedAt + lane.milliseconds(escalation.after)
                    add(place, due, reloaded(after: one.entry), armed, .escalate(one, number))
                }
                if let after = rule.clearAfter {
                    let armed = armed(one, order, 1000) { $0.clearAfter != nil }
                    let due = one.raisedAt + lane.milliseconds(after)
                    add(place, due, reloaded(after: one.entry), armed, .clearAfter(one))
                }
            }
        }
        return all.min { a, b in
            if a.deadline != b.deadline { return a.deadline < b.deadline }
            if a.place != b.place { return a.place < b.place }
            return a.arm.lexicographicallyPrecedes(b.arm)
        }
    }

    /// With the raise, or with the reload that brought it.
    private func armed(_ one: Active, _ order: Int, _ number: Int, _ has: (Rule) -> Bool) -> [Int] {
        for (entry, era) in reloads.reversed() where entry > one.entry {
            if let before = lane.eras[era - 1].rules.first(where: { $0.id == one.told.rule }), !has(before) {
                return [entry, order, number]
            }
        }
        return [one.entry, 0, number]
    }
}
