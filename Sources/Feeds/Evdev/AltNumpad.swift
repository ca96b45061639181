/// A character typed by its number: Alt held, digits on the keypad, Alt released.
///
/// Numbers below 128 are ASCII however they are written. From 160 on, with a leading 0, they are Latin-1; the rest depend on a
/// code page that nobody here knows, and are no character.
struct AltNumpad {
    private var number: UInt32 = 0
    private var digits = 0
    private var leadsWithZero = false
    private(set) var isHeld = false

    mutating func press() {
        self = AltNumpad()
        isHeld = true
    }

    mutating func add(_ digit: UInt8) {
        if digits == 0 { leadsWithZero = digit == 0 }
        digits += 1
        number = min(number * 10 + UInt32(digit), 100_000)
    }

    /// What was typed, or nil when no digit was; 0 when it is no character.
    mutating func release() -> UInt32? {
        defer { self = AltNumpad() }
        guard isHeld, digits > 0 else { return nil }
        if number < 128 { return number }
        return leadsWithZero && (160...255).contains(number) ? number : 0
    }
}
