import Lane

@testable import Rules

/// The definition once more, written from docs/reference/rules.md to be read beside it and to be slow: all it keeps is the
/// history, and every question is answered by reading that from its beginning. No index, no heap, no table of waits. It
/// shares nothing with the engine but the rule set. Bounds on numbers of keys and interventions are not its business.
struct NaiveLane {
    /// The place of a key in `keys`; 0 is the lane itself.
    typealias Key = Int

    enum Outcome { case raised, repeated, suppressed, muted }

    struct Told {
        var verb: String
        var rule: String
        var key: Key
        var severity: Severity
        var title: String
        var category: String
        var topic: String
        var isShadow: Bool
        var repeats = 0
        var reason: String?
        var late: Int64?
        var isAssumed = false
        /// Of an escalation: which.
        var number = -1
    }

    enum Happening {
        case signal(Heard)
        /// `hidden` nil: nothing at all was received.
        case gap(begin: Int64, isLong: Bool, hidden: Set<SignalType>?)
        /// The wall clock less the lane clock is another.
        case wall(Int64)
        /// The rules of `eras` from here on.
        case reload(Int)
        case waitOver(rule: String, key: Key)
        case lastingOver(rule: String, Outcome)
        /// The count of C was reached.
        case counted(rule: String, key: Key)
        case unmuted(rule: String)
        case repeated(rule: String, key: Key)
        case told(Told)
    }

    /// A signal, and what it is to the rules in force.
    struct Heard {
        var signal: Signal
        /// By state: the value that it sets.
        var sets: [Int?] = []
        /// By place.
        var on: [Bool] = []
        var unless: [Bool] = []
        var clear: [Bool] = []
        var key: [Key?] = []
    }

    struct Entry {
        var at: Int64
        var what: Happening
    }

    let lane: String
    /// The rules of each set, in the order of places, and the sets themselves.
    private(set) var eras: [(set: RuleSet, rules: [Rule])] = []
    private(set) var history: [Entry] = []
    private var keys: [[String]] = [[]]
    /// Of the history as it is.
    private var read: NaiveView?
    var coverage = NaiveCoverage()

    var set: RuleSet { eras[eras.count - 1].set }
    var rules: [Rule] { eras[eras.count - 1].rules }

    init(_ set: RuleSet, lane: String) {
        self.lane = lane
        eras = [(set, Self.places(set, lane))]
    }

    /// Again and again the first rule of the file all of whose muters already have theirs; then those of this lane.
    static func places(_ set: RuleSet, _ lane: String) -> [Rule] {
        var waiting = set.rules.filter(\.isEnabled)
        let ids = Set(waiting.map(\.id))
        var placed: [Rule] = []
        while let next = waiting.firstIndex(where: { rule in
            rule.mutedBy.allSatisfy { id in !ids.contains(id) || placed.contains { $0.id == id } }
        }) {
            placed.append(waiting.remove(at: next))
        }
        return placed.filter { rule in rule.lanes.isEmpty || rule.lanes.contains { Self.names(lane, $0) } }
    }

    /// The patterns of the dice are whole names, and beginnings with a star.
    static func names(_ lane: String, _ pattern: LanePattern) -> Bool {
        pattern.text.hasSuffix("*") ? lane.hasPrefix(pattern.text.dropLast()) : lane == pattern.text
    }

    // MARK: What happens to a lane

    mutating func step(_ signal: StampedSignal) {
        run { $0 < signal.at.milliseconds }
        let at = max(now, signal.at.milliseconds)
        setWall(signal.wall.milliseconds - at, at)
        let before = view
        record(at, .signal(hear(signal.signal)))
        guard case .signal(let heard) = history[history.count - 1].what else { return }
        statesChanged(before, at)
        for place in rules.indices where heard.clear[place] { clear(place, heard.key[place], "clear_when", at) }
        for place in rules.indices where heard.unless[place] { heardUnless(place, heard.key[place], at) }
        for place in rules.indices where heard.on[place] {
            if heard.unless[place] { coverage.count(.bothUnlessAndOn) }
            heardOn(place, heard.key[place], at)
        }
        unmute(at)
    }

    mutating func end(at last: Int64) { run { $0 <= last } }

    /// Nothing was received for `gap`, until `at`; nil is unknown.
    mutating func resume(at: Int64, wall: Int64, gap: Int64?, limit: Int64) {
        let begin = gap.map { at - $0 } ?? now
        if gap != nil { run { $0 < begin } }
        if gap != 0 { see(at, .gap(begin: begin, isLong: gap.map { $0 > limit } ?? true, hidden: nil)) }
        run(lateAt: gap == 0 ? nil : at) { $0 < at }
        setWall(wall - max(now, at), max(now, at))
    }

    /// Signals of `hidden` were not received for `gap`, until `at`.
    mutating func miss(_ hidden: Set<SignalType>, at: Int64, wall: Int64, gap: Int64?, limit: Int64) {
        run { $0 < at }
        setWall(wall - at, at)
        let isLong = gap.map { $0 > limit } ?? true
        see(at, .gap(begin: gap.map { at - $0 } ?? at, isLong: isLong, hidden: hidden))
    }

    private mutating func see(_ at: Int64, _ gap: Happening) {
        let before = view
        record(at, gap)
        for place in rules.indices {
            let dropped = before.armed(place).count + before.rings(place).count
            let kept = view.armed(place).count + view.rings(place).count
            for _ in kept..<max(kept, dropped) { coverage.count(.droppedByGap) }
        }
    }

    mutating func reload(_ set: RuleSet, at: Int64, wall: Int64) {
        run { $0 < at }
        setWall(wall - at, at)
        let old = rules
        let actives = view.active
        eras.append((set, Self.places(set, lane)))
        read = nil
        for place in history.indices {
            if case .signal(let heard) = history[place].what { history[place].what = .signal(hear(heard.signal)) }
        }
        record(at, .reload(eras.count - 1))
        // What belongs to a rule that is gone or another now ends, in the order of the old places.
        for rule in old {
            let new = rules.first { $0.id == rule.id }
            if let new, meaning(new, set) == meaning(rule, eras[eras.count - 2].set) { continue }
            for one in actives where one.told.rule == rule.id {
                coverage.count(new == nil ? .removedCleared : .changedCleared)
                tellClear(one, new == nil ? "rule_removed" : "rule_changed", at)
            }
        }
        tellNewTexts(at)
        unmute(at)
    }

    private mutating func tellNewTexts(_ at: Int64) {
        for rule in rules {
            for one in view.active where one.told.rule == rule.id {
                var told = one.told
                told.title = rule.title
                told.category = rule.category
                told.isShadow = rule.isShadow
                let escalations = rule.escalations.enumerated().filter { one.escalated.contains($0.offset) }
                let latest = escalations.map { milliseconds($0.element.after) }.max()
                let last = escalations.last { milliseconds($0.element.after) == latest }
                told.severity = last?.element.severity ?? rule.severity
                told.topic = last?.element.topic ?? rule.topic
                if told.title == one.told.title, told.category == one.told.category, told.topic == one.told.topic,
                    told.severity == one.told.severity, told.isShadow == one.told.isShadow
                {
                    continue
                }
                coverage.count(.newTexts)
                told.verb = "update"
                told.late = nil
                record(at, .told(told))
            }
        }
    }

    private mutating func setWall(_ offset: Int64, _ at: Int64) {
        if view.wallOffset != offset { record(at, .wall(offset)) }
    }

    private mutating func record(_ at: Int64, _ what: Happening) {
        history.append(Entry(at: at, what: what))
        read = nil
    }

    private var view: NaiveView {
        mutating get {
            if let read { return read }
            let view = NaiveView(self)
            read = view
            return view
        }
    }

    /// The moment of the last thing that happened.
    var now: Int64 { history.reduce(.min) { max($0, $1.at) } }

    // MARK: The phases of a step

    private mutating func statesChanged(_ before: NaiveView, _ at: Int64) {
        let (was, `is`) = (before, view)
        for (place, rule) in rules.enumerated() {
            let condition = condition(rule)
            guard !condition.terms.isEmpty else { continue }
            let (held, holds) = (was.holds(condition), `is`.holds(condition))
            switch rule.shape {
            case .atOnce: break
            case .noAnswer:
                if held, !holds, !was.armed(place).isEmpty { coverage.count(.whileEndsDisarms) }
                if held, !holds, !`is`.active(of: rule.id).isEmpty { coverage.count(.whileEndsRaisedStays) }
            case .tooMany: if held, !holds, !was.rings(place).isEmpty { coverage.count(.whileEndsEmpties) }
            case .lasts:
                let wait = was.wait(place)
                if wait.isDoubted {
                    settled(wait, `is`.wait(place), at)
                    if `is`.refutes(condition) { clear(place, nil, "resync", at) }
                } else if held, !holds {
                    coverage.count(.lastsEnds)
                    clear(place, nil, "state_ended", at)
                } else if !held, holds {
                    coverage.count(.lastsBegins)
                }
            }
        }
    }

    private mutating func settled(_ was: NaiveView.Wait, _ wait: NaiveView.Wait, _ at: Int64) {
        if wait.isDoubted { return }
        switch wait.phase {
        case .idle: coverage.count(.doubtRefuted)
        case .armed where wait.start == was.start && wait.isAssumed: coverage.count(.confirmedLong)
        case .armed where wait.start == was.start: coverage.count(.confirmedShort)
        case .armed: coverage.count(.doubtBeginsAnew)
        default: break
        }
    }

    private mutating func heardUnless(_ place: Int, _ key: Key?, _ at: Int64) {
        switch rules[place].shape {
        case .atOnce: break
        case .noAnswer:
            if key == nil { coverage.count(.unlessWithoutKey) }
            coverage.count(.answer)
            clear(place, key, "answered", at)
        case .tooMany: coverage.count(.countEmptied)
        case .lasts(let when, _, _):
            guard view.holds(when) else { return }
            coverage.count(.lastsUnless)
            clear(place, nil, "answered", at)
        }
    }

    private mutating func heardOn(_ place: Int, _ key: Key?, _ at: Int64) {
        let view = view
        guard view.holds(condition(rules[place])) else { return coverage.count(.guardClosed) }
        guard let key else { return coverage.count(.noKey) }
        switch rules[place].shape {
        case .atOnce:
            coverage.count(.atOnce)
            fire(place, key, at)
        case .noAnswer:
            let isNew = view.armed(place).contains { $0.key == key && $0.entry == view.lastSignal }
            coverage.count(isNew ? .armed : .armedAlready)
        case .tooMany(_, _, let within, _):
            let ring = view.rings(place)[key] ?? []
            guard ring.count == count(rules[place]), let oldest = ring.first else { return coverage.count(.countToo) }
            guard at - oldest <= milliseconds(within) else { return coverage.count(.countTooOld) }
            coverage.count(.counted)
            record(at, .counted(rule: rules[place].id, key: key))
            fire(place, key, at)
        case .lasts: break
        }
    }

    // MARK: Timers

    private mutating func run(lateAt end: Int64? = nil, _ isDue: (Int64) -> Bool) {
        while let next = view.nextTimer, isDue(next.deadline) {
            let at = max(now(butGapsTo: end), next.deadline)
            let rule = rules[next.place]
            let lateness = next.late + (end.map { max(0, $0 - next.deadline) } ?? 0)
            let late = lateness > 0 ? lateness : nil
            if late != nil { coverage.count(next.late > 0 ? .dueAlready : .dueInGap) }
            switch next.purpose {
            case .answer(let key):
                coverage.count(.noAnswer)
                record(at, .waitOver(rule: rule.id, key: key))
                fire(next.place, key, at, late)
            case .lasts(let isAssumed):
                coverage.count(.lasted)
                // What it comes to decides what it waits for next: noted once it is known.
                let outcome = fire(next.place, 0, at, late, isAssumed)
                record(at, .lastingOver(rule: rule.id, outcome))
            case .escalate(let one, let number):
                coverage.count(.escalated)
                var told = one.told
                told.verb = "escalate"
                told.severity = rule.escalations[number].severity
                told.topic = rule.escalations[number].topic
                told.number = number
                told.late = late
                record(at, .told(told))
            case .clearAfter(let one):
                coverage.count(.clearedAfter)
                tellClear(one, "clear_after", at)
            }
            unmute(at)
        }
    }

    /// `now`, where timers of a gap that ends at `end` are run: the gap is over only after them.
    private func now(butGapsTo end: Int64?) -> Int64 {
        guard let end else { return now }
        return history.reduce(Int64.min) { latest, entry in
            if case .gap = entry.what, entry.at == end { return latest }
            return max(latest, entry.at)
        }
    }

    // MARK: Firing and clearing

    @discardableResult
    private mutating func fire(
        _ place: Int, _ key: Key, _ at: Int64, _ late: Int64? = nil, _ isAssumed: Bool = false
    ) -> Outcome {
        let rule = rules[place]
        let view = view
        if let one = view.active(of: rule.id).first(where: { $0.told.key == key }) {
            record(at, .repeated(rule: rule.id, key: key))
            coverage.count(.repeats)
            if at - one.toldAt >= 60_000 {
                coverage.count(.repeatTold)
                var told = one.told
                told.verb = "update"
                told.late = nil
                told.repeats += 1
                record(at, .told(told))
            }
            return .repeated
        }
        if let term = rule.cooldown, let last = view.lastClear(of: rule.id, key), at < last + milliseconds(term) {
            coverage.count(.cooldown)
            return .suppressed
        }
        let wall = at + view.wallOffset
        if set.silences.contains(where: { silence in
            silence.rules.contains(rule.id) && wall < silence.until.milliseconds
                && (silence.lanes.isEmpty || silence.lanes.contains { Self.names(lane, $0) })
        }) {
            coverage.count(.silenced)
            return .suppressed
        }
        if let span = rule.at, !Self.isWithin(span, wall) {
            coverage.count(.outsideAt)
            return .suppressed
        }
        if isMuted(rule) {
            coverage.count(.muted)
            return .muted
        }
        coverage.count(.raised)
        if isAssumed { coverage.count(.assumed) }
        record(
            at,
            .told(
                Told(
                    verb: "raise", rule: rule.id, key: key, severity: rule.severity, title: rule.title,
                    category: rule.category, topic: rule.topic, isShadow: rule.isShadow, late: late,
                    isAssumed: isAssumed)))
        return .raised
    }

    private mutating func isMuted(_ rule: Rule) -> Bool {
        let rules = rules
        return view.active.contains { one in
            guard rule.mutedBy.contains(one.told.rule), let muter = rules.first(where: { $0.id == one.told.rule })
            else {
                return false
            }
            return !muter.isShadow || rule.isShadow
        }
    }

    private mutating func unmute(_ at: Int64) {
        for (place, rule) in rules.enumerated() {
            guard case .lasts = rule.shape else { continue }
            let wait = view.wait(place)
            guard wait.phase == .muted, !wait.isDoubted, !isMuted(rule) else { continue }
            coverage.count(.unmuted)
            fire(place, 0, at, nil, wait.isAssumed)
            record(at, .unmuted(rule: rule.id))
        }
    }

    /// `key` nil: all of the rule.
    private mutating func clear(_ place: Int, _ key: Key?, _ reason: String, _ at: Int64) {
        let meant = view.active(of: rules[place].id).filter { key == nil || $0.told.key == key }
        if meant.count > 1 { coverage.count(.severalCleared) }
        for one in meant {
            coverage.count(
                reason == "clear_when" ? .clearedWhen : reason == "resync" ? .clearedByResync : .clearedByAnswer)
            tellClear(one, reason, at)
        }
    }

    private mutating func tellClear(_ one: NaiveView.Active, _ reason: String, _ at: Int64) {
        var told = one.told
        told.verb = "clear"
        told.late = nil
        told.reason = reason
        record(at, .told(told))
    }

    /// On a clock that shows UTC; 1970-01-01 was a Thursday.
    private static func isWithin(_ span: DaySpan, _ wall: Int64) -> Bool {
        let minute = Int(wall / 60_000 % 1440)
        let day = Int(wall / 86_400_000 + 3) % 7
        func isOn(_ day: Int) -> Bool { span.days >> UInt8(day) & 1 == 1 }
        if span.begin < span.end { return minute >= span.begin && minute < span.end && isOn(day) }
        return minute >= span.begin ? isOn(day) : minute < span.end && isOn((day + 6) % 7)
    }

    // MARK: Lines

    /// All that was told, a line each.
    var lines: [String] {
        var offset: Int64 = 0
        var lines: [String] = []
        for entry in history {
            if case .wall(let new) = entry.what { offset = new }
            guard case .told(let told) = entry.what else { continue }
            lines.append(
                Self.line(
                    entry.at, entry.at + offset, told.verb, told.rule, keys[told.key], told.severity, told.repeats,
                    told.reason, told.late, told.isAssumed))
        }
        return lines
    }

    static func line(
        _ at: Int64, _ wall: Int64, _ verb: String, _ rule: String, _ key: [String], _ severity: Severity,
        _ repeats: Int, _ reason: String?, _ late: Int64?, _ isAssumed: Bool
    ) -> String {
        "\(at - TestTimeline.defaultStart.milliseconds) wall \(wall - at) \(verb) \(rule) \(key) \(severity.name) "
            + "repeats \(repeats) \(reason ?? "") late \(late ?? 0)\(isAssumed ? " assumed" : "")"
    }

    // MARK: Reading rules

    func condition(_ rule: Rule) -> Condition {
        if case .lasts(let when, _, _) = rule.shape { return when }
        return rule.whileCondition ?? Condition(terms: [])
    }

    /// A parameter by the last of the overrides that match.
    private func param(_ name: String) -> ParamValue? {
        let meant = set.overrides.filter { $0.match.contains { Self.names(lane, $0) } }
        return meant.compactMap { $0.set[name] }.last ?? set.params[name]
    }

    func milliseconds(_ term: DurationTerm) -> Int64 {
        switch term {
        case .milliseconds(let value): return value
        case .param(let name): if case .duration(let value)? = param(name) { return value } else { return 1 }
        }
    }

    func count(_ rule: Rule) -> Int {
        guard case .tooMany(_, let term, _, _) = rule.shape else { return 0 }
        switch term {
        case .number(let value): return value
        case .param(let name): if case .count(let value)? = param(name) { return value } else { return 0 }
        }
    }

    /// What a rule means: matches, shape, key, states, and whether it calls anybody; no durations, counts, texts.
    func meaning(_ rule: Rule, _ set: RuleSet) -> [AnyHashable] {
        var parts: [AnyHashable] = [rule.same, rule.isShadow]
        switch rule.shape {
        case .atOnce(let on): parts += ["A", on]
        case .noAnswer(let on, let unless, _): parts += ["B", on, unless]
        case .tooMany(let on, _, _, let unless): parts += ["C", on, unless]
        case .lasts(_, _, let unless): parts += ["D", unless]
        }
        for term in condition(rule).terms {
            parts += [set.states[term.state], set.states[term.state].values[term.value].name, term.isNegated]
        }
        return parts
    }

    private mutating func hear(_ signal: Signal) -> Heard {
        var heard = Heard(signal: signal)
        heard.sets = set.states.map { state in state.values.lastIndex { Self.meets(signal, $0.setBy) } }
        for rule in rules {
            heard.on.append(Self.meets(signal, rule.shape.on))
            heard.unless.append(Self.meets(signal, rule.shape.unless))
            heard.clear.append(Self.meets(signal, rule.clearWhen))
            heard.key.append(key(rule, signal))
        }
        return heard
    }

    private mutating func key(_ rule: Rule, _ signal: Signal) -> Key? {
        if case .lasts = rule.shape { return 0 }
        let values = rule.same.compactMap { signal[$0]?.description }
        guard values.count == rule.same.count else { return nil }
        if let known = keys.firstIndex(of: values) { return known }
        keys.append(values)
        return keys.count - 1
    }

    private static func meets(_ signal: Signal, _ matches: [Match]) -> Bool {
        matches.contains { match in
            match.type == signal.type
                && match.tests.allSatisfy { test in signal[test.attribute].map { meets($0, test) } ?? false }
        }
    }

    private static func meets(_ value: AttributeValue, _ test: AttributeTest) -> Bool {
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
}

/// How often each branch of the definition was taken.
struct NaiveCoverage {
    enum Branch: Int, CaseIterable {
        // 3.1
        case atOnce, armed, armedAlready, answer, unlessWithoutKey, noAnswer, countToo, countTooOld, counted
        case countEmptied, lastsBegins, lastsEnds, lastsUnless, lasted, whileEndsDisarms, whileEndsEmpties
        case whileEndsRaisedStays, guardClosed, noKey, bothUnlessAndOn
        case repeats, repeatTold, cooldown, silenced, outsideAt, muted, raised, unmuted, escalated
        case clearedWhen, clearedAfter, clearedByAnswer, severalCleared
        // After a gap
        case dueInGap, confirmedShort, confirmedLong, doubtBeginsAnew, doubtRefuted, clearedByResync, assumed
        case droppedByGap
        // Reload
        case dueAlready, newTexts, changedCleared, removedCleared
    }

    private(set) var counts = [Int](repeating: 0, count: Branch.allCases.count)

    mutating func count(_ branch: Branch) { counts[branch.rawValue] += 1 }

    mutating func add(_ other: NaiveCoverage) {
        for place in counts.indices { counts[place] += other.counts[place] }
    }
}
