import Lane

/// Makes a `SignalIndex`.
struct IndexBuilder {
    private(set) var entries: [SignalIndex.Entry] = []
    private(set) var keyAttributes: [SignalIndex.KeyAttribute] = []
    private(set) var tests: [AttributeTest] = []
    private(set) var rows: [SignalIndex.TypeRow]
    private(set) var probes: [SignalIndex.Probe] = []
    private(set) var slots: [SignalIndex.Slot] = []
    private(set) var texts: [UInt8] = []
    /// Numbers of entries, ascending in each list.
    private(set) var lists: [Int32] = []

    private struct Draft {
        var phase: SignalIndex.Phase
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
        func add(_ phase: SignalIndex.Phase, _ matches: (Rule) -> [Match]) {
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
        rows = [SignalIndex.TypeRow](repeating: SignalIndex.TypeRow(), count: SignalCatalogue.shipped.entries.count)
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
            declared.declared(name).map { SignalIndex.KeyAttribute(name: name, isInt: $0.kind == .int) }
        }
        let isWhole = keys.count == draft.key.count
        let discriminator = draft.match.discriminator
        let rest = draft.match.tests.enumerated().filter { $0.offset != discriminator }.map(\.element)
        entries.append(
            SignalIndex.Entry(
                phase: draft.phase, subject: Int32(draft.subject), value: Int32(draft.value),
                testsFrom: Int32(tests.count), testsTo: Int32(tests.count + rest.count),
                keyFrom: isWhole ? Int32(keyAttributes.count) : -1,
                keyTo: isWhole ? Int32(keyAttributes.count + keys.count) : -1))
        tests += rest
        if isWhole { keyAttributes += keys }
    }

    private mutating func addRow(_ type: Int, _ numbers: [Int], _ drafts: [Draft]) {
        var row = SignalIndex.TypeRow()
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
        slots += [SignalIndex.Slot](repeating: SignalIndex.Slot(), count: size)
        var longest = 0
        for group in groups {
            var slot = SignalIndex.Slot()
            switch group.value {
            case .int(let number):
                slot.isInt = true
                slot.number = number
                slot.hash = SignalIndex.hash(number)
            case .text(let text):
                let bytes = Array(text.utf8)
                slot.hash = bytes.withUnsafeBufferPointer { SignalIndex.hash($0) }
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
            SignalIndex.Probe(
                attribute: attribute, slotsFrom: Int32(from), mask: Int32(size - 1), longest: Int32(longest)))
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
