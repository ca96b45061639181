import Lane

@testable import Rules

/// Numbers that look random and are the same on every run (SplitMix64).
struct Dice: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: Int) { state = UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// 0 to `below` − 1.
    mutating func roll(_ below: Int) -> Int { Int.random(in: 0..<below, using: &self) }
    mutating func chance(_ one: Int) -> Bool { roll(one) == 0 }
    mutating func pick<T>(_ items: [T]) -> T { items[roll(items.count)] }
}

/// Rule sets and streams of signals made by dice: few names and short times, so that everything meets everything.
struct RandomLane {
    var dice: Dice
    /// What the rules match, and the types of the signals.
    private var matchPool: [String] = Self.matchNames
    private var typePool: [String] = Self.types

    init(seed: Int) { dice = Dice(seed) }

    /// Few types, so that a short life has many meetings.
    mutating func narrow() {
        let names = Array(Set(Self.types).sorted().shuffled(using: &dice).prefix(2 + dice.roll(2)))
        typePool = names + ["pos.state", dice.pick(["network.down", "network.up"])]
        matchPool = Self.matchNames.filter { match in names.contains { match.hasPrefix($0) } }
        if matchPool.isEmpty { matchPool = Self.matchNames }
    }

    static let types = [
        "payment.started", "payment.approved", "payment.declined", "item.accepted", "touch", "staff.cleared",
        "pos.state", "pos.state", "network.down", "network.up",
    ]

    static let states: [StateDeclaration] = {
        let made: [StateDeclaration]? = try? [
            Notation.state(
                "basket",
                [
                    "open": ["pos.state where state = basket_open"], "paying": ["pos.state where state = payment"],
                    "closed": ["pos.state where state = idle|void", "staff.cleared"],
                ]),
            Notation.state("network", ["down": ["network.down"], "up": ["network.up", "staff.cleared"]]),
        ]
        return made ?? []
    }()

    static let matchNames = [
        "payment.started", "payment.approved", "payment.declined", "payment.started where kind = card",
        "payment.declined where pay = P1|P2", "item.accepted where age >= 16", "item.accepted where sku != S1", "touch",
        "staff.cleared", "item.accepted", "item.accepted where sku = S1 and age < 18", "pos.state where state = idle",
    ]
    static let conditions = [
        "basket is open", "basket is not closed", "basket is open", "network is down", "network is not up",
        "basket is open and network is up",
        "basket is not paying and network is not down",
    ]

    mutating func match() -> Match {
        (try? Notation.match(dice.pick(matchPool))) ?? Match(type: SignalCatalogue.shipped.types[0], tests: [])
    }

    mutating func matches(_ most: Int) -> [Match] { (0..<(1 + dice.roll(most))).map { _ in match() } }

    mutating func time() -> DurationTerm {
        dice.chance(8)
            ? .param("time") : .milliseconds(Int64(dice.pick([1, 500, 1000, 2000, 3000, 5000, 10_000, 20_000])))
    }

    mutating func condition() -> Condition {
        (try? Notation.condition(dice.pick(Self.conditions), Self.states)) ?? Condition(terms: [])
    }

    mutating func rule(_ number: Int) -> Rule {
        let shape: Shape
        switch dice.roll(4) {
        case 0: shape = .atOnce(on: matches(2))
        case 1: shape = .noAnswer(on: matches(2), unless: matches(2), within: time())
        case 2:
            shape = .tooMany(
                on: matches(2), count: dice.chance(8) ? .param("many") : .number(2 + dice.roll(3)), within: time(),
                unless: dice.chance(2) ? matches(1) : [])
        default: shape = .lasts(when: condition(), for: time(), unless: dice.chance(2) ? matches(2) : [])
        }
        var rule = Rule("r\(number)", shape)
        var isLasts = false
        if case .lasts = shape { isLasts = true }
        if !isLasts {
            let keys: [[String]] = [[], ["pay"], ["txn"], ["pay", "txn"]]
            rule.same = dice.pick(keys).compactMap { AttributeName($0) }
            if dice.chance(2) { rule.whileCondition = condition() }
        }
        if dice.chance(2) { rule.clearWhen = matches(2) }
        if dice.chance(3) { rule.clearAfter = time() }
        if dice.chance(3) { rule.cooldown = time() }
        for _ in 0..<dice.roll(3) {
            rule.escalations.append(
                Escalation(after: time(), severity: dice.pick(Severity.allCases), topic: dice.pick(["a", "b"])))
        }
        // Only earlier ones, so that there is no cycle.
        if number > 0 {
            for _ in 0..<(isLasts ? 1 + dice.roll(3) : dice.roll(4)) { rule.mutedBy.append("r\(dice.roll(number))") }
        }
        // The stream begins on a Monday at 10:00.
        if dice.chance(6) {
            rule.at = dice.pick([
                DaySpan(days: 0x7F, begin: 600, end: 601 + dice.roll(3)), DaySpan(days: 0x01, begin: 540, end: 1440),
                DaySpan(days: 0x40, begin: 1320, end: 601), DaySpan(days: 0x7E, begin: 0, end: 1440),
            ])
        }
        rule.isShadow = dice.chance(5)
        rule.isEnabled = !dice.chance(12)
        if dice.chance(10) { rule.lanes = [LanePattern("fuel-*")] }
        return rule
    }

    mutating func set(rules: Int) -> RuleSet {
        var set = RuleSet((0..<rules).map { rule($0) }, states: Self.states)
        set.rules.shuffle(using: &dice)
        set.params = ["time": .duration(4000), "many": .count(3)]
        if dice.chance(2) {
            set.overrides = [
                LaneOverride(match: [LanePattern("L*")], set: ["time": .duration(1500)]),
                LaneOverride(match: [LanePattern("fuel-*")], set: ["time": .duration(1), "many": .count(2)]),
                LaneOverride(match: [LanePattern("L07")], set: ["many": .count(2)]),
            ]
        }
        set.digest = "sha256:\(dice.next())"
        if dice.chance(3) {
            set.silences = [
                Silence(
                    rules: ["r0", "r1"], lanes: dice.pick([[], [LanePattern("L*")], [LanePattern("fuel-*")]]),
                    until: WallInstant(milliseconds: TestTimeline.defaultStart.milliseconds + 20_000), why: "x")
            ]
        }
        return set
    }

    mutating func signal() -> Signal {
        let type = SignalType(dice.pick(typePool)) ?? SignalCatalogue.shipped.types[0]
        var attributes: [Attribute] = []
        for declared in SignalCatalogue.shipped[type].attributes where !dice.chance(6) {
            switch declared.name.name {
            case "pay": attributes.append(Attribute(declared.name, .text(dice.pick(["P1", "P2", "P3", ""]))))
            case "txn": attributes.append(Attribute(declared.name, .text(dice.pick(["T1", "T2"]))))
            case "sku": attributes.append(Attribute(declared.name, .text(dice.pick(["S1", "S2"]))))
            case "kind": attributes.append(Attribute(declared.name, .text(dice.pick(["card", "cash"]))))
            case "age": attributes.append(Attribute(declared.name, .int(Int64(dice.pick([0, 16, 18])))))
            case "state":
                let states = ["basket_open", "payment", "idle", "void", "receipt"]
                attributes.append(Attribute(declared.name, .text(dice.pick(states))))
            default: break
            }
        }
        return Signal(type, attributes, feed: .pos, traceparent: dice.chance(5) ? "00-\(dice.roll(9))" : nil)
    }

    /// `count` signals, mostly close together, some at one moment, some after a long pause.
    mutating func stream(_ count: Int) -> [StampedSignal] {
        var at = TestTimeline.defaultStart.milliseconds
        return (1...count).map { number in
            at += Int64(dice.pick([0, 0, 1, 499, 500, 1000, 1000, 2500, 7000, 61_000]))
            return StampedSignal(
                number: Int64(number), at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at),
                signal: signal())
        }
    }
}
