/// Event types and key codes of evdev, as far as this folder needs them. Source: linux/input-event-codes.h.
///
/// Written out, so that the pure parts need no C header.
enum EventType {
    static let synchronisation: UInt16 = 0
    static let key: UInt16 = 1
    static let absolute: UInt16 = 3
}

enum SynchronisationCode {
    static let report: UInt16 = 0
    static let dropped: UInt16 = 3
}

enum KeyCode {
    static let tab: UInt16 = 15
    static let i: UInt16 = 23
    static let j: UInt16 = 36
    static let m: UInt16 = 50
    static let rightBrace: UInt16 = 27
    static let enter: UInt16 = 28
    static let leftControl: UInt16 = 29
    static let leftShift: UInt16 = 42
    static let rightShift: UInt16 = 54
    static let leftAlt: UInt16 = 56
    static let capsLock: UInt16 = 58
    static let numLock: UInt16 = 69
    static let scrollLock: UInt16 = 70
    static let keypadEnter: UInt16 = 96
    static let rightControl: UInt16 = 97
    static let rightAlt: UInt16 = 100
    static let down: UInt16 = 108
    static let leftMeta: UInt16 = 125
    static let rightMeta: UInt16 = 126
    static let touch: UInt16 = 0x14a
    static let trackingID: UInt16 = 0x39

    /// Keys that are held while others are typed: what must be known again after a hole.
    static let modifiers: [UInt16] = [
        leftControl, leftShift, rightShift, leftAlt, rightControl, rightAlt, leftMeta, rightMeta,
    ]

    /// Whether `code` types nothing by itself.
    static func isModifier(_ code: UInt16) -> Bool {
        modifiers.contains(code) || code == capsLock || code == numLock || code == scrollLock
    }

    /// The digit printed on `code`, in the top row or on the keypad, or nil. The same on every layout.
    static func digit(_ code: UInt16) -> UInt8? {
        if code >= 2, code <= 10 { return UInt8(code - 1) }
        if code == 11 { return 0 }
        return keypadDigit(code)
    }

    static func keypadDigit(_ code: UInt16) -> UInt8? {
        switch code {
        case 71...73: return UInt8(code - 71) + 7
        case 75...77: return UInt8(code - 75) + 4
        case 79...81: return UInt8(code - 79) + 1
        case 82: return 0
        default: return nil
        }
    }

    /// What the keypad's other keys type, whatever NumLock says.
    static func keypadSign(_ code: UInt16) -> UInt32? {
        switch code {
        case 55: return 0x2a  // *
        case 74: return 0x2d  // -
        case 78: return 0x2b  // +
        case 83: return 0x2e  // .
        case 98: return 0x2f  // /
        default: return nil
        }
    }
}
