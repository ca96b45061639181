/// Reads what GS1 symbols hold: application identifiers, each with its value, FNC1 between those of variable length
/// (sent as GS, 0x1d). Only the shape is checked, and the check digits that tell a code from a card.
/// Source: GS1 General Specifications, 3.2 and 7.8.
enum GS1ElementString {
    static let groupSeparator: UInt32 = 0x1d

    /// What a text that parses as element strings holds.
    struct Content: Hashable {
        /// Whether AI 01 or 02 is there, and its check digit right.
        var gtinIsValid: Bool?
        /// It names a trade item, a parcel or a place (GTIN, SSCC, GLN) whose check digit is right.
        var hasValidKey = false
    }

    /// Nil unless the whole of `text` is element strings with known identifiers and lengths.
    static func parse(_ text: UnsafeBufferPointer<UInt32>) -> Content? {
        var content = Content()
        var place = 0
        if text.first == groupSeparator { place = 1 }
        guard place < text.count else { return nil }
        while place < text.count {
            guard let identifier = Identifier(text, at: place) else { return nil }
            place += identifier.digits
            var end = place
            while end < text.count, end - place < identifier.maximum, text[end] != groupSeparator { end += 1 }
            let count = end - place
            guard count >= identifier.minimum else { return nil }
            if identifier.isNumeric {
                for scalar in text[place..<end] where !(0x30...0x39).contains(scalar) { return nil }
            }
            if identifier.isGTIN {
                let digits = Digits(of: text, in: place..<end)
                content.gtinIsValid = GTIN.isValid(digits) && content.gtinIsValid != false
            }
            if identifier.isGTIN || identifier.isPlace, GTIN.hasCheckDigit(Digits(of: text, in: place..<end)) {
                content.hasValidKey = true
            }
            place = end
            if place < text.count {
                if text[place] == groupSeparator {
                    place += 1
                    if place == text.count { return content }
                } else if !identifier.isPredefined {
                    return nil
                }
            }
        }
        return content
    }

    /// An application identifier: how many digits it has, and what its value may be.
    private struct Identifier {
        let digits: Int
        let minimum: Int
        let maximum: Int
        let isNumeric: Bool
        /// Of those whose length is known without a separator.
        let isPredefined: Bool
        let isGTIN: Bool
        /// An SSCC or a GLN, which have check digits as GTINs have.
        let isPlace: Bool

        init?(_ text: UnsafeBufferPointer<UInt32>, at place: Int) {
            func digit(_ offset: Int) -> Int? {
                guard place + offset < text.count, (0x30...0x39).contains(text[place + offset]) else { return nil }
                return Int(text[place + offset]) - 0x30
            }
            guard let a = digit(0), let b = digit(1) else { return nil }
            let two = a * 10 + b
            var gtin = false
            switch two {
            case 0: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 18, 18, true, true)
            case 1, 2, 3:
                (digits, minimum, maximum, isNumeric, isPredefined) = (2, 14, 14, true, true)
                gtin = true
            case 11, 12, 13, 15, 16, 17: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 6, 6, true, true)
            case 20: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 2, 2, true, true)
            case 10, 21, 22: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 1, 20, false, false)
            case 30, 37: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 1, 8, true, false)
            case 90: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 1, 30, false, false)
            case 91...99: (digits, minimum, maximum, isNumeric, isPredefined) = (2, 1, 90, false, false)
            case 31...36: (digits, minimum, maximum, isNumeric, isPredefined) = (4, 6, 6, true, true)
            case 41: (digits, minimum, maximum, isNumeric, isPredefined) = (3, 13, 13, true, true)
            case 39: (digits, minimum, maximum, isNumeric, isPredefined) = (4, 1, 18, true, false)
            case 23, 24, 25, 40, 42: (digits, minimum, maximum, isNumeric, isPredefined) = (3, 1, 30, false, false)
            case 43, 70, 71, 72, 80, 81, 82:
                (digits, minimum, maximum, isNumeric, isPredefined) = (4, 1, 70, false, false)
            default: return nil
            }
            isGTIN = gtin
            isPlace = two == 0 || two == 41
            guard place + digits <= text.count else { return nil }
            for offset in 2..<max(2, digits) where digit(offset) == nil { return nil }
        }
    }
}
