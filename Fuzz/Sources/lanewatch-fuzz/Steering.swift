import Lane
import Rules

/// What a target decides by lot: the bytes behind the first NUL of its input, and when they are used up, or there are
/// none, numbers made of the whole input.
struct Steering {
    private var bytes: ArraySlice<UInt8>
    private var state: UInt64

    init(_ input: [UInt8]) {
        bytes = input.firstIndex(of: 0).map { input[($0 + 1)...] } ?? []
        state = input.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } | 1
    }

    /// What stands before the NUL.
    static func text(_ input: [UInt8]) -> [UInt8] { Array(input.prefix { $0 != 0 }) }

    /// 0 to `bound` - 1.
    mutating func next(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        if let byte = bytes.popFirst() { return Int(byte) % bound }
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 33) % bound
    }

    mutating func pick<Item>(_ items: [Item]) -> Item? { items.isEmpty ? nil : items[next(items.count)] }

    /// `input` in odd pieces.
    mutating func pieces(_ input: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        while start < input.count {
            let size = next(4) == 0 ? 1 + next(64) : 1 + next(5)
            let end = min(input.count, start + size)
            pieces.append(input[start..<end])
            start = end
        }
        return pieces
    }
}

/// Signals such as a rule set may meet: of the types and values it names, and of others.
struct LotSignals {
    private var types: [SignalType] = []
    private var values: [AttributeName: [AttributeValue]] = [:]
    private var number: Int64 = 0
    private var at: Int64 = 1_767_607_200_000

    private static let moves: [Int64] = [
        0, 0, 1, 999, 1000, 4000, 10_000, 45_000, 60_000, 61_000, 600_000, 3_600_000, 86_400_000, -5000,
    ]
    private static let numbers: [Int64] = [0, 1, -1, 5, 16, 50, 100, .max, .min]
    private static let texts = [
        "", "a", "P1", "x y", "scanner", "open", "\u{0}", "é\u{301}", String(repeating: "k", count: 300),
    ]

    init(_ set: RuleSet) {
        for state in set.states { for value in state.values { add(value.setBy) } }
        for rule in set.rules.prefix(50) {
            add(rule.clearWhen)
            switch rule.shape {
            case .atOnce(let on): add(on)
            case .noAnswer(let on, let unless, _): add(on + unless)
            case .tooMany(let on, _, _, let unless): add(on + unless)
            case .lasts(_, _, let unless): add(unless)
            }
        }
    }

    private mutating func add(_ matches: [Match]) {
        for match in matches {
            types.append(match.type)
            for test in match.tests {
                switch test.comparison {
                case .isOneOf(let wanted): values[test.attribute, default: []] += wanted.prefix(8)
                case .isNot(let value): values[test.attribute, default: []].append(value)
                case .less(let bound), .lessOrEqual(let bound), .greater(let bound), .greaterOrEqual(let bound):
                    values[test.attribute, default: []] += [.int(bound), .int(bound &+ 1), .int(bound &- 1)]
                case .matches: break
                }
            }
        }
    }

    mutating func next(_ lot: inout Steering) -> StampedSignal {
        let all = SignalCatalogue.shipped.types
        let type = lot.next(8) == 0 ? lot.pick(all) : lot.pick(types)
        let entry = SignalCatalogue.shipped[type ?? all[lot.next(all.count)]]
        var attributes: [Attribute] = []
        for declared in entry.attributes where lot.next(6) != 0 {
            if lot.next(3) != 0, let value = lot.pick(values[declared.name] ?? []) {
                attributes.append(Attribute(declared.name, value))
            } else if (declared.kind == .int) != (lot.next(16) == 0) {
                attributes.append(Attribute(declared.name, .int(lot.pick(Self.numbers) ?? 0)))
            } else {
                attributes.append(Attribute(declared.name, .text(lot.pick(Self.texts) ?? "")))
            }
        }
        let move = lot.next(64) == 0 ? (lot.next(2) == 0 ? Int64.max : .min) : lot.pick(Self.moves) ?? 0
        at = at.addingReportingOverflow(move).overflow ? move : at + move
        number += 1
        let wall = lot.next(64) == 0 ? (lot.pick(Self.numbers) ?? 0) : at
        return StampedSignal(
            number: number, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: wall),
            signal: Signal(type ?? all[0], attributes, feed: entry.from.first ?? .pos))
    }
}
