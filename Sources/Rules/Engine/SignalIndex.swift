import Lane

/// Which rules a signal may concern, found without looking at the others (docs/reference/rules.md, "Cost").
///
/// type → attribute → value → entries, and per type a list of entries without an `=` test. An entry is one match of a
/// rule's list or of a state's value; entries are numbered in the order in which they act (states, clear_when, unless,
/// on; in each the order of the places), so that sorting what was found gives the order of a step. Flat arrays of plain
/// numbers: a probe touches no reference count.
struct SignalIndex: Sendable {
    enum Phase: UInt8, Sendable {
        case state, clear, unless, on
    }

    /// One match, less the test that led to it.
    struct Entry: Sendable {
        var phase: Phase
        /// The place of the rule, or the number of the state.
        var subject: Int32
        /// The value of the state.
        var value: Int32
        var testsFrom: Int32
        var testsTo: Int32
        /// The key's attributes; -1 when the signal's type does not declare one of them, so there never is a key.
        var keyFrom: Int32
        var keyTo: Int32
    }

    struct KeyAttribute: Sendable {
        var name: AttributeName
        var isInt: Bool
    }

    private struct TypeRow: Sendable {
        var probesFrom: Int32 = 0
        var probesTo: Int32 = 0
        var plainFrom: Int32 = 0
        var plainTo: Int32 = 0
    }

    /// One attribute by whose value entries of a type are told apart.
    private struct Probe: Sendable {
        var attribute: AttributeName
        var slotsFrom: Int32
        var mask: Int32
        /// The longest text of its table, in bytes: a longer one needs no hash.
        var longest: Int32
    }

    /// A value of a probe's table. Free when `listTo` is 0.
    private struct Slot: Sendable {
        var isInt = false
        var hash: UInt32 = 0
        var number: Int64 = 0
        var textFrom: Int32 = 0
        var textTo: Int32 = 0
        var listFrom: Int32 = 0
        var listTo: Int32 = 0
    }

    private(set) var entries: [Entry] = []
    private(set) var keyAttributes: [KeyAttribute] = []
    private var tests: [AttributeTest] = []
    private var rows: [TypeRow]
    private var probes: [Probe] = []
    private var slots: [Slot] = []
    private var texts: [UInt8] = []
    /// Numbers of entries, ascending in each list.
    private var lists: [Int32] = []

    // MARK: Building

    private struct Draft {
        var phase: Phase
        var subject: Int
        var value: Int
        var match: Match
        var key: [AttributeName]
    }

    /// `rules` in the order of their places.
    init(states: [StateDeclaration], rules: [Rule]) {
        var drafts: [Draft] = []
        for (number, state) in states.enumerated() {
            for (value, declared) in state.values.enumerated() {
                for match in declared.setBy {
                    drafts.append(Draft(phase: .state, subject: number, value: value, match: match, key: []))
                }
            }
        }
        func add(_ phase: Phase, _ matches: (Rule) -> [Match]) {
            for (place, rule) in rules.enumerated() {
                var key = rule.same
                if case .lasts = rule.shape { key = [] }
                for match in matches(rule) {
                    drafts.append(Draft(phase: phase, subject: place, value: 0, match: match, key: key))
                }
            }
        }
        add(.clear) { $0.clearWhen }
        add(.unless) { $0.shape.unless }
        add(.on) { $0.shape.on }
        rows = [TypeRow](repeating: TypeRow(), count: SignalCatalogue.shipped.entries.count)
        var byType: [[Int]] = Array(repeating: [], count: rows.count)
        for (number, draft) in drafts.enumerated() {
            appendEntry(draft)
            byType[Int(draft.match.type.index)].append(number)
        }
        for (type, numbers) in byType.enumerated() where !numbers.isEmpty { addRow(type, numbers, drafts) }
    }

    private mutating func appendEntry(_ draft: Draft) {
        let declared = SignalCatalogue.shipped[draft.match.type]
        let keys = draft.key.compactMap { name in
            declared.declared(name).map { KeyAttribute(name: name, isInt: $0.kind == .int) }
        }
        let isWhole = keys.count == draft.key.count
        let rest = draft.match.tests.enumerated().filter { $0.offset != draft.match.discriminator }.map(\.element)
        entries.append(
            Entry(
                phase: draft.phase, subject: Int32(draft.subject), value: Int32(draft.value),
                testsFrom: Int32(tests.count), testsTo: Int32(tests.count + rest.count),
                keyFrom: isWhole ? Int32(keyAttributes.count) : -1,
                keyTo: isWhole ? Int32(keyAttributes.count + keys.count) : -1))
        tests += rest
        if isWhole { keyAttributes += keys }
    }

    private mutating func addRow(_ type: Int, _ numbers: [Int], _ drafts: [Draft]) {
        var row = TypeRow()
        var attributes: [AttributeName] = []
        var values: [[(value: AttributeValue, numbers: [Int32])]] = []
        row.plainFrom = Int32(lists.count)
        for number in numbers {
            let match = drafts[number].match
            guard let test = match.discriminator, case .isOneOf(let alternatives) = match.tests[test].comparison else {
                lists.append(Int32(number))
                continue
            }
            let attribute = match.tests[test].attribute
            let probe = attributes.firstIndex(of: attribute) ?? attributes.count
            if probe == attributes.count {
                attributes.append(attribute)
                values.append([])
            }
            for value in alternatives { values[probe].append((value, [Int32(number)])) }
        }
        row.plainTo = Int32(lists.count)
        row.probesFrom = Int32(probes.count)
        for (attribute, pairs) in zip(attributes, values) { addProbe(attribute, pairs) }
        row.probesTo = Int32(probes.count)
        rows[type] = row
    }

    private mutating func addProbe(_ attribute: AttributeName, _ pairs: [(value: AttributeValue, numbers: [Int32])]) {
        // Grouped by value in the order of first mention; the dictionary is only asked.
        var places: [AttributeValueBytes: Int] = [:]
        var groups: [(value: AttributeValue, numbers: [Int32])] = []
        for pair in pairs {
            let key = AttributeValueBytes(pair.value)
            if let place = places[key] {
                if groups[place].numbers.last != pair.numbers[0] { groups[place].numbers += pair.numbers }
            } else {
                places[key] = groups.count
                groups.append(pair)
            }
        }
        var size = 4
        while size < groups.count * 2 { size *= 2 }
        let from = slots.count
        slots += [Slot](repeating: Slot(), count: size)
        var longest = 0
        for group in groups {
            var slot = Slot()
            switch group.value {
            case .int(let number):
                slot.isInt = true
                slot.number = number
                slot.hash = Self.hash(number)
            case .text(let text):
                let bytes = Array(text.utf8)
                slot.hash = bytes.withUnsafeBufferPointer { Self.hash($0) }
                slot.textFrom = Int32(texts.count)
                texts += bytes
                slot.textTo = Int32(texts.count)
                longest = max(longest, bytes.count)
            }
            slot.listFrom = Int32(lists.count)
            lists += group.numbers
            slot.listTo = Int32(lists.count)
            var place = Int(slot.hash) & (size - 1)
            while slots[from + place].listTo != 0 { place = (place + 1) & (size - 1) }
            slots[from + place] = slot
        }
        probes.append(
            Probe(attribute: attribute, slotsFrom: Int32(from), mask: Int32(size - 1), longest: Int32(longest)))
    }

    // MARK: Asking

    /// What asking cost and could not answer.
    struct Tally: Sendable {
        /// Entries whose remaining tests were looked at.
        var visited = 0
        /// Values that exceeded a pattern's limits.
        var limitExceeded = 0
    }

    /// Appends the numbers of the entries that `signal` meets to `found`, ascending.
    @inline(__always)
    func collect(_ signal: borrowing Signal, into found: inout [Int32], _ tally: inout Tally) {
        let type = Int(signal.type.index)
        guard type < rows.count else { return }
        let row = rows[type]
        for place in Int(row.plainFrom)..<Int(row.plainTo) { consider(lists[place], signal, &found, &tally) }
        for place in Int(row.probesFrom)..<Int(row.probesTo) {
            let probe = probes[place]
            guard let slot = find(probe, signal) else { continue }
            for place in Int(slot.listFrom)..<Int(slot.listTo) { consider(lists[place], signal, &found, &tally) }
        }
        if found.count > 1 { Self.order(&found) }
    }

    @inline(__always)
    private func find(_ probe: Probe, _ signal: borrowing Signal) -> Slot? {
        for attribute in signal.attributes where attribute.name == probe.attribute {
            switch attribute.value {
            case .int(let number):
                return find(probe, Self.hash(number)) { $0.isInt && $0.number == number }
            case .text(let text):
                guard text.utf8.count <= Int(probe.longest) else { return nil }
                let quick: Slot?? = text.utf8.withContiguousStorageIfAvailable { find(probe, $0) }
                if let quick { return quick }
                return Array(text.utf8).withUnsafeBufferPointer { find(probe, $0) }
            }
        }
        return nil
    }

    @inline(__always)
    private func find(_ probe: Probe, _ bytes: UnsafeBufferPointer<UInt8>) -> Slot? {
        find(probe, Self.hash(bytes)) { slot in
            guard !slot.isInt, Int(slot.textTo - slot.textFrom) == bytes.count else { return false }
            let from = Int(slot.textFrom)
            for place in 0..<bytes.count where texts[from + place] != bytes[place] { return false }
            return true
        }
    }

    @inline(__always)
    private func find(_ probe: Probe, _ hash: UInt32, _ isEqual: (Slot) -> Bool) -> Slot? {
        var place = Int(hash) & Int(probe.mask)
        while true {
            let slot = slots[Int(probe.slotsFrom) + place]
            if slot.listTo == 0 { return nil }
            if slot.hash == hash, isEqual(slot) { return slot }
            place = (place + 1) & Int(probe.mask)
        }
    }

    @inline(__always)
    private func consider(
        _ number: Int32, _ signal: borrowing Signal, _ found: inout [Int32], _ tally: inout Tally
    ) {
        tally.visited += 1
        let entry = entries[Int(number)]
        for place in Int(entry.testsFrom)..<Int(entry.testsTo) {
            if !tests[place].holds(for: signal, &tally.limitExceeded) { return }
        }
        found.append(number)
    }

    /// Sorts, without allocation where few were found.
    private static func order(_ found: inout [Int32]) {
        guard found.count <= 16 else { return found.sort() }
        for place in 1..<found.count {
            let number = found[place]
            var to = place
            while to > 0, found[to - 1] > number {
                found[to] = found[to - 1]
                to -= 1
            }
            found[to] = number
        }
    }

    @inline(__always)
    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash
    }

    @inline(__always)
    private static func hash(_ number: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: (UInt64(bitPattern: number) &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }
}

/// A value compared by bytes.
private struct AttributeValueBytes: Hashable {
    private let isInt: Bool
    private let bytes: [UInt8]

    init(_ value: AttributeValue) {
        if case .int = value { isInt = true } else { isInt = false }
        bytes = Array(value.description.utf8)
    }
}

extension Match {
    /// The place of the first `=` test: what the index finds this match by.
    var discriminator: Int? {
        tests.firstIndex { if case .isOneOf = $0.comparison { true } else { false } }
    }
}

extension Shape {
    var on: [Match] {
        switch self {
        case .atOnce(let on), .noAnswer(let on, _, _), .tooMany(let on, _, _, _): return on
        case .lasts: return []
        }
    }

    var unless: [Match] {
        switch self {
        case .atOnce: return []
        case .noAnswer(_, let unless, _), .tooMany(_, _, _, let unless), .lasts(_, _, let unless): return unless
        }
    }
}

extension AttributeTest {
    /// Whether the test holds. Of an attribute that is absent or of another kind every test is false, `!=` too.
    func holds(for signal: borrowing Signal, _ limitExceeded: inout Int) -> Bool {
        guard let value = signal[attribute] else { return false }
        switch (comparison, value) {
        case (.isOneOf(let values), _): return values.contains { $0.hasSameBytes(as: value) }
        case (.isNot(.int(let refused)), .int(let number)): return number != refused
        case (.isNot(.text(let refused)), .text(let text)): return !text.hasSameBytes(as: refused)
        case (.less(let bound), .int(let number)): return number < bound
        case (.lessOrEqual(let bound), .int(let number)): return number <= bound
        case (.greater(let bound), .int(let number)): return number > bound
        case (.greaterOrEqual(let bound), .int(let number)): return number >= bound
        case (.matches(let pattern), .text(let text)):
            switch pattern.matches(text) {
            case .match: return true
            case .noMatch: return false
            case .limitExceeded:
                limitExceeded += 1
                return false
            }
        default: return false
        }
    }
}

extension AttributeValue {
    fileprivate func hasSameBytes(as other: AttributeValue) -> Bool {
        switch (self, other) {
        case (.int(let a), .int(let b)): return a == b
        case (.text(let a), .text(let b)): return a.hasSameBytes(as: b)
        default: return false
        }
    }
}
