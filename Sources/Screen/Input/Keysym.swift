import CXKBCommon

/// What a key means, as X and RFB number it. Source: X11/keysymdef.h; RFC 6143, 7.5.4.
struct Keysym: Hashable, RawRepresentable {
    let rawValue: UInt32
    init(rawValue: UInt32) { self.rawValue = rawValue }
    init(_ rawValue: UInt32) { self.rawValue = rawValue }

    static let none = Keysym(0)
    static let tab = Keysym(0xff09)
    static let shift = Keysym(0xffe1)
    static let numLock = Keysym(0xff7f)
    static let levelThree = Keysym(0xfe03)
    static let modeSwitch = Keysym(0xff7e)

    /// Shift, Control, Caps Lock, Meta, Alt, Super, Hyper, the shifts to other levels, Num Lock: they type nothing themselves.
    var isModifier: Bool {
        (0xffe1...0xffee).contains(rawValue) || (0xfe01...0xfe13).contains(rawValue)
            || self == .modeSwitch || self == .numLock
    }

    var isKeypad: Bool { (0xff80...0xffbd).contains(rawValue) }

    /// Whether it may be typed into a till at all. Not: what ends the X server, moves to another console, changes the keyboard's
    /// own settings, or a vendor's keys for power, sleep and the like.
    var isAllowed: Bool {
        switch rawValue {
        case 0x20...0xfcff, 0x0100_0020...0x0110_ffff: return true
        case 0xfe01...0xfe13, 0xfe20, 0xfe50...0xfe6f: return true
        case 0xff08...0xffee, 0xffff: return true
        default: return false
        }
    }

    /// With Control and Alt held these leave the till's application: another console, or the end of the X server.
    var leavesWithControlAlt: Bool {
        (0xffbe...0xffc9).contains(rawValue) || [0xff08, 0xffff, 0xffab, 0xffad].contains(rawValue)
    }

    /// 0 where it types no character.
    var scalar: UInt32 { xkb_keysym_to_utf32(rawValue) }
    var lower: Keysym { Keysym(xkb_keysym_to_lower(rawValue)) }
    var upper: Keysym { Keysym(xkb_keysym_to_upper(rawValue)) }

    /// What does as well where a keyboard has not this one.
    var substitute: Keysym? {
        switch rawValue {
        case 0xffe2: return Keysym(0xffe1)  // Shift
        case 0xffe4: return Keysym(0xffe3)  // Control
        case 0xffea, 0xffe7, 0xffe8: return Keysym(0xffe9)  // right Alt, Meta: Alt
        case 0xffec: return Keysym(0xffeb)  // Super
        case 0xfe20: return .tab  // Shift and Tab
        case 0xff7e: return .levelThree
        case 0xfe03: return .modeSwitch
        case 0xff8d: return Keysym(0xff0d)  // the keypad's Enter
        case 0xffaa...0xffb9: return Keysym(rawValue - 0xff80)  // the keypad's figures and signs are 0x80 above ASCII
        case 0xff95...0xff9c: return Self.keypadMoves[Int(rawValue - 0xff95)]
        case 0xff9f: return Keysym(0xffff)
        case 0xff9e: return Keysym(0xff63)
        default: return nil
        }
    }

    /// Of the keypad's Home, Left, Up, Right, Down, Page Up, Page Down, End.
    private static let keypadMoves: [Keysym] = [
        Keysym(0xff50), Keysym(0xff51), Keysym(0xff52), Keysym(0xff53), Keysym(0xff54), Keysym(0xff55), Keysym(0xff56),
        Keysym(0xff57),
    ]
}
