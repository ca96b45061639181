/// Which key of an X server's keyboard types what, as the core protocol tells it.
///
/// The server flattens its XKB layout into columns for each key: the two levels of group 1, the two of group 2, then levels three
/// and four of group 1 and of group 2. Source: The X Keyboard Extension: Protocol, 12.4 and 13.
struct KeyboardMap {
    /// Bits of a key event's state. Source: X Window System Protocol, KEYBUTMASK.
    static let shiftBit: UInt16 = 1
    static let lockBit: UInt16 = 2
    static let controlBit: UInt16 = 4
    static let altBit: UInt16 = 8

    /// Where a keysym lies: a key, and the modifiers with which the key types it.
    struct Place: Hashable {
        var code: UInt8
        /// Nil: with and without Shift.
        var shift: Bool?
        /// Nil: with and without the shift to the third level.
        var levelThree: Bool?
        /// A letter: Caps Lock turns the meaning of Shift round.
        var isLetter = false
        /// On the keypad Num Lock alone decides between the two: what Shift does there differs between layouts.
        var numLock: UInt16?

        /// Whether Shift has to be down, with those modifiers locked. Nil: it does not matter.
        func needsShift(_ state: UInt16) -> Bool? {
            if numLock != nil { return false }
            return shift.map { $0 != (isLetter && state & KeyboardMap.lockBit != 0) }
        }

        /// Whether the key can type it without Num Lock being turned.
        func isReachable(_ state: UInt16) -> Bool {
            numLock.map { (shift == true) == (state & $0 != 0) } ?? true
        }

        /// How many modifiers have to be moved for it.
        func changes(_ state: UInt16, levelThreeBit: UInt16) -> Int {
            let isShifted = state & KeyboardMap.shiftBit != 0
            let isThird = state & levelThreeBit != 0
            return (needsShift(state).map { $0 != isShifted } ?? false ? 1 : 0)
                + (levelThree.map { $0 != isThird } ?? false ? 1 : 0)
        }
    }

    let first: UInt8
    private let perCode: Int
    private let keysyms: [Keysym]
    /// The keys of Shift, Lock, Control, Mod1 to Mod5.
    let modifiers: [[UInt8]]
    let levelThreeBit: UInt16
    let numLockBit: UInt16

    /// `keysyms`: `perCode` for each key from `first` on.
    init(first: UInt8, perCode: Int, keysyms: [UInt32], modifiers: [[UInt8]]) {
        self.first = first
        self.perCode = max(1, perCode)
        self.keysyms = keysyms.map { Keysym($0) }
        self.modifiers = modifiers
        let map = (first, self.perCode, self.keysyms)
        levelThreeBit = Self.bit(of: [.levelThree, .modeSwitch], modifiers, map)
        numLockBit = Self.bit(of: [.numLock], modifiers, map)
    }

    /// The last key's code.
    var last: UInt8 { UInt8(clamping: Int(first) + keysyms.count / perCode - 1) }

    /// Keys that type nothing.
    var spare: [UInt8] { (first...max(first, last)).filter { columns($0).allSatisfy { $0 == .none } } }

    func columns(_ code: UInt8) -> ArraySlice<Keysym> {
        let start = (Int(code) - Int(first)) * perCode
        guard start >= 0, start + perCode <= keysyms.count else { return [] }
        return keysyms[start..<start + perCode]
    }

    /// A key that has `keysym` whatever the level: for modifiers.
    func code(of keysym: Keysym) -> UInt8? {
        (first...max(first, last)).first { columns($0).first == keysym }
            ?? (first...max(first, last)).first { columns($0).contains(keysym) }
    }

    /// Where `keysym` lies in `group` (0 to 3): by its number, else by the character that it types.
    func places(of keysym: Keysym, group: Int) -> [Place] {
        let exact = places(group: group) { $0 == keysym }
        let scalar = keysym.scalar
        guard exact.isEmpty, scalar != 0 else { return exact }
        return places(group: group) { $0 != .none && $0.scalar == scalar }
    }

    private func places(group: Int, where matches: (Keysym) -> Bool) -> [Place] {
        var found: [Place] = []
        for code in first...max(first, last) {
            let levels = levels(code, group: group)
            for level in 0..<4 where matches(levels[level]) {
                let hasThird = levels[2] != .none || levels[3] != .none
                let (low, high) = level < 2 ? (levels[0], levels[1]) : (levels[2], levels[3])
                let isKeypad = low != high && (low.isKeypad || high.isKeypad)
                let place = Place(
                    code: code, shift: low == high ? nil : level & 1 == 1, levelThree: hasThird ? level >= 2 : nil,
                    isLetter: low != high && low.upper == high, numLock: isKeypad ? numLockBit : nil)
                if !found.contains(place) { found.append(place) }
            }
        }
        return found
    }

    /// Four levels of a key. Where the second of a pair is missing, the first stands for both, or is a letter of both cases.
    private func levels(_ code: UInt8, group: Int) -> [Keysym] {
        let columns = Array(columns(code))
        func at(_ place: Int) -> Keysym { place < columns.count ? columns[place] : .none }
        var levels = [at(0), at(1), at(4), at(5)]
        let second = [at(2), at(3), at(6), at(7)]
        if group == 1, second.contains(where: { $0 != .none }) { levels = second }
        // Of a third or fourth group the core protocol tells nothing, but that keys of one group are the same in all.
        if group > 1, second.prefix(2) != levels.prefix(2) { return [.none, .none, .none, .none] }
        for pair in [0, 2] where levels[pair + 1] == .none {
            let low = levels[pair]
            levels[pair] = low.lower
            levels[pair + 1] = low.lower == low.upper ? low : low.upper
        }
        return levels
    }

    private static func bit(
        of wanted: [Keysym], _ modifiers: [[UInt8]], _ map: (first: UInt8, perCode: Int, keysyms: [Keysym])
    ) -> UInt16 {
        for (number, codes) in modifiers.enumerated() where number < 8 {
            for code in codes where code >= map.first {
                let start = (Int(code) - Int(map.first)) * map.perCode
                guard start + map.perCode <= map.keysyms.count else { continue }
                if map.keysyms[start..<start + map.perCode].contains(where: wanted.contains) { return 1 << number }
            }
        }
        return 0
    }
}
