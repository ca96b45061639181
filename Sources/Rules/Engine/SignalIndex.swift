import Lane

/// Which rules a signal may concern, found without looking at the others (docs/reference/rules.md, "Cost").
///
/// type → attribute → value → entries, and per type a list of entries without an `=` test. An entry is one match of a
/// rule's list or of a state's value; entries are numbered in the order in which they act (states, clear_when, unless,
/// on; in each the order of the places), so that sorting what was found gives the order of a step. Flat arrays of plain
/// numbers: a probe touches no reference count.
final class SignalIndex: Sendable {
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

    struct TypeRow: Sendable {
        var probesFrom: Int32 = 0
        var probesTo: Int32 = 0
        var plainFrom: Int32 = 0
        var plainTo: Int32 = 0
    }

    /// One attribute by whose value entries of a type are told apart.
    struct Probe: Sendable {
        var attribute: AttributeName
        var slotsFrom: Int32
        var mask: Int32
        /// The longest text of its table, in bytes: a longer one needs no hash.
        var longest: Int32
    }

    /// A value of a probe's table. Free when `listTo` is 0.
    struct Slot: Sendable {
        var isInt = false
        var hash: UInt32 = 0
        var number: Int64 = 0
        var textFrom: Int32 = 0
        var textTo: Int32 = 0
        var listFrom: Int32 = 0
        var listTo: Int32 = 0
    }

    let entries: [Entry]
    let keyAttributes: [KeyAttribute]
    private let tests: [AttributeTest]
    private let rows: [TypeRow]
    private let probes: [Probe]
    private let slots: [Slot]
    private let texts: [UInt8]
    private let lists: [Int32]

    /// `rules` in the order of their places.
    init(states: [StateDeclaration], rules: [Rule]) {
        let built = IndexBuilder(states: states, rules: rules)
        entries = built.entries
        keyAttributes = built.keyAttributes
        tests = built.tests
        rows = built.rows
        probes = built.probes
        slots = built.slots
        texts = built.texts
        lists = built.lists
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
    static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash
    }

    @inline(__always)
    static func hash(_ number: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: (UInt64(bitPattern: number) &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }
}
