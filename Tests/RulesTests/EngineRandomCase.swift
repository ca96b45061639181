import Lane

@testable import Rules

/// A lane's life made by dice: signals, and all that may happen to time and to rules between them.
struct RandomCase {
    enum Event {
        case signal(StampedSignal)
        /// A restart, a suspend: nil is a gap of unknown length.
        case gap(at: Int64, wall: Int64, length: Int64?)
        case miss(SignalSource, at: Int64, wall: Int64, length: Int64?)
        case wall(at: Int64, wall: Int64)
        case reload(RuleSet, at: Int64, wall: Int64)
        /// The engine goes on from its snapshot, or from an older one and the signals since: nothing is to be seen of it.
        case snapshot, replay
    }

    let seed: Int
    private(set) var set = RuleSet()
    private(set) var events: [Event] = []
    private(set) var end: Int64 = 0

    init(seed: Int, rules: Int, events count: Int) {
        self.seed = seed
        var lane = RandomLane(seed: seed)
        lane.narrow()
        set = lane.set(rules: 2 + lane.dice.roll(rules))
        var (latest, at) = (set, TestTimeline.defaultStart.milliseconds)
        var clock: Int64 = 0
        var number: Int64 = 0
        // The newest signals that set states: what sources tell again after a gap.
        var told: [SignalType: Signal] = [:]
        func add(_ signal: Signal) {
            number += 1
            if !signal.attributes.isEmpty || signal.type.name.hasPrefix("network") { told[signal.type] = signal }
            events.append(
                .signal(
                    StampedSignal(
                        number: number, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at + clock),
                        signal: signal)))
        }
        let paces = [
            [0, 0, 0, 1, 499, 500, 1000, 1000, 2500, 7000, 61_000], [0, 1, 500, 500, 1000, 1000, 2500, 5000],
        ]
        let pace = lane.dice.pick(paces)
        func lookAnew() {
            at += Int64(lane.dice.pick([0, 1, 500, 9999, 10_000, 10_001]))
            for name in ["pos.state", "network.down", "network.up"] {
                if let type = SignalType(name), let signal = told[type], !lane.dice.chance(4) { add(signal) }
                if lane.dice.chance(6) { add(lane.signal()) }
            }
        }
        for _ in 0..<(count / 2 + lane.dice.roll(count)) {
            at += Int64(lane.dice.pick(pace))
            switch lane.dice.roll(20) {
            case 0, 1:
                let length = lane.dice.pick([1, 900, 2500, 9999, 10_000, 10_001, 30_000, nil])
                at += Int64(length ?? 5000)
                events.append(.gap(at: at, wall: at + clock, length: length.map { Int64($0) }))
                if !lane.dice.chance(3) { lookAnew() }
            case 2:
                guard let source = SignalSource(lane.dice.pick(["pos", "reach", "touch"])) else { continue }
                let length = lane.dice.pick([500, 10_000, 10_001, nil]).map { Int64($0) }
                events.append(.miss(source, at: at, wall: at + clock, length: length))
                if lane.dice.chance(2) { lookAnew() }
            case 3:
                clock += Int64(lane.dice.pick([-3_600_000, 1500, 60_000, 43_200_000]))
                events.append(.wall(at: at, wall: at + clock))
            case 4:
                latest = lane.edited(latest)
                events.append(.reload(latest, at: at, wall: at + clock))
            case 5: events.append(.snapshot)
            case 6: events.append(.replay)
            default:
                add(lane.signal())
            }
        }
        end = at + 30_000
    }

    // MARK: Both sides

    private func line(_ change: Change) -> String {
        let one = change.intervention
        return NaiveLane.line(
            change.at.milliseconds, change.wall.milliseconds, change.kind.rawValue, one.rule, one.key.map(\.value),
            one.severity, one.repeats, one.reason?.rawValue, one.lateBy, one.assumed)
    }

    /// What the engine says, and whether its numbers and ids are right.
    func engineLines() -> (lines: [String], fault: String?) {
        var engine = RuleEngine(table: set.table())
        var changes: [Change] = []
        var table = engine.table
        var (kept, journal) = (engine.snapshot(), [StampedSignal]())
        func take(_ step: Step) { changes += step.changes }
        for event in events {
            switch event {
            case .signal(let signal):
                take(engine.step(signal))
                journal.append(signal)
                continue
            case .gap(let at, let wall, let length):
                take(
                    engine.resume(
                        at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: wall),
                        gapMilliseconds: length))
            case .miss(let source, let at, let wall, let length):
                take(
                    engine.miss(
                        source.types, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: wall),
                        gapMilliseconds: length))
            case .wall(let at, let wall):
                take(
                    engine.resume(
                        at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: wall), gapMilliseconds: 0))
            case .reload(let other, let at, let wall):
                table = other.table()
                take(
                    engine.adopt(table, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: wall)))
            case .snapshot:
                guard let again = try? RuleEngine(restoring: engine.snapshot(), table: table) else {
                    return ([], "the engine does not read its own snapshot")
                }
                engine = again
            case .replay:
                guard var again = try? RuleEngine(restoring: kept, table: table) else {
                    return ([], "the engine does not read an older snapshot")
                }
                for signal in journal { _ = again.step(signal) }
                guard again.snapshot() == engine.snapshot() else {
                    return ([], "the journal gives another engine: \(again.changeNumber) of \(engine.changeNumber)")
                }
                engine = again
                continue
            }
            (kept, journal) = (engine.snapshot(), [])
        }
        take(engine.idle(until: LaneInstant(milliseconds: end), inclusive: true))
        let raises = changes.filter { $0.kind == .raise }
        var fault: String?
        if changes.map(\.number) != changes.indices.map({ Int64($0) + 1 }) { fault = "numbers have holes" }
        if Set(raises.map(\.intervention.id)).count != raises.count { fault = "two interventions have one id" }
        return (changes.map(line), fault)
    }

    /// What the definition says.
    func naiveLines(_ coverage: inout NaiveCoverage) -> [String] {
        var naive = NaiveLane(set, lane: "L07")
        for event in events {
            switch event {
            case .signal(let signal): naive.step(signal)
            case .gap(let at, let wall, let length): naive.resume(at: at, wall: wall, gap: length, limit: 10_000)
            case .miss(let source, let at, let wall, let length):
                naive.miss(source.types, at: at, wall: wall, gap: length, limit: 10_000)
            case .wall(let at, let wall): naive.resume(at: at, wall: wall, gap: 0, limit: 10_000)
            case .reload(let set, let at, let wall): naive.reload(set, at: at, wall: wall)
            case .snapshot, .replay: break
            }
        }
        naive.end(at: end)
        coverage.add(naive.coverage)
        return naive.lines
    }

    /// Nil where both say the same.
    func difference(_ coverage: inout NaiveCoverage) -> String? {
        let (found, fault) = engineLines()
        if let fault { return fault }
        let expected = naiveLines(&coverage)
        if expected == found { return nil }
        let lines = LineDiff.of(expected: expected, found: found)
        return "first difference (- definition, + engine): " + (lines.first { !$0.hasPrefix("  ") } ?? "")
    }

    /// The case in words, for whoever has to look at it.
    var story: [String] {
        let zero = TestTimeline.defaultStart.milliseconds
        return set.rules.map { "rule \($0)" }
            + events.map { event in
                switch event {
                case .signal(let one):
                    let words = one.signal.attributes.map { "\($0.name.name)=\($0.value)" }.joined(separator: " ")
                    return "\(one.at.milliseconds - zero) \(one.signal.type.name) \(words)"
                case .gap(let at, _, let length): return "\(at - zero) back \(length.map { "\($0)" } ?? "unknown")"
                case .miss(let source, let at, _, let length):
                    return "\(at - zero) sees \(source.name) \(length.map { "\($0)" } ?? "unknown")"
                case .wall(let at, let wall): return "\(at - zero) wall \(wall - at)"
                case .reload(let set, let at, _):
                    return "\(at - zero) reload\n" + set.rules.map { "     rule \($0)" }.joined(separator: "\n")
                case .snapshot: return "snapshot"
                case .replay: return "replay"
                }
            }
    }
}

extension RandomLane {
    /// The set with one to three edits: each row of the table of a reload.
    ///
    /// Cooldowns and the time of counts only grow shorter: what is too old to matter is forgotten, so that a longer time finds
    /// nothing of it.
    mutating func edited(_ old: RuleSet) -> RuleSet {
        var set = old
        for _ in 0...dice.roll(3) {
            guard !set.rules.isEmpty else { break }
            let place = dice.roll(set.rules.count)
            switch dice.roll(10) {
            case 0, 1: set.rules[place].shape = withTimes(set.rules[place].shape)
            case 2: set.rules[place].severity = dice.pick(Severity.allCases)
            case 3: set.rules[place].title = "title \(dice.roll(3))"
            case 4: set.rules[place].escalations = dice.chance(3) ? [] : [escalation(), escalation()]
            case 5: set.rules[place].clearAfter = dice.chance(3) ? nil : time()
            case 6: set.rules[place].shape = other(set.rules[place].shape)
            case 7: set.rules[place].isEnabled.toggle()
            case 8: set.rules.remove(at: place)
            default: set.rules.shuffle(using: &dice)
            }
            if let cooldown = set.rules.indices.contains(place) ? set.rules[place].cooldown : nil, dice.chance(4),
                case .milliseconds(let time) = cooldown
            {
                set.rules[place].cooldown = .milliseconds(max(1, time / 2))
            }
        }
        // A rule that was taken away may come back.
        if dice.chance(3) {
            let gone = (0..<12).filter { number in !set.rules.contains { $0.id == "r\(number)" } }
            if let first = gone.first {
                var rule = rule(first)
                rule.mutedBy = []
                set.rules.append(rule)
            }
        }
        set.digest = "sha256:\(dice.next())"
        return set
    }

    mutating func escalation() -> Escalation {
        Escalation(after: time(), severity: dice.pick(Severity.allCases), topic: "a")
    }

    private mutating func withTimes(_ shape: Shape) -> Shape {
        switch shape {
        case .atOnce: return shape
        case .noAnswer(let on, let unless, _): return .noAnswer(on: on, unless: unless, within: time())
        case .tooMany(let on, _, let within, let unless):
            var within = within
            if case .milliseconds(let time) = within { within = .milliseconds(max(1, time / 2)) }
            return .tooMany(on: on, count: .number(2 + dice.roll(3)), within: within, unless: unless)
        case .lasts(let when, _, let unless): return .lasts(when: when, for: time(), unless: unless)
        }
    }

    private mutating func other(_ shape: Shape) -> Shape {
        switch shape {
        case .atOnce: return .atOnce(on: matches(2))
        case .noAnswer(let on, _, let within): return .noAnswer(on: on, unless: matches(2), within: within)
        case .tooMany(let on, let count, let within, _):
            return .tooMany(on: on, count: count, within: within, unless: matches(2))
        case .lasts(let when, let time, _): return .lasts(when: when, for: time, unless: matches(2))
        }
    }
}
