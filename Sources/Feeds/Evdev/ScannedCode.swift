/// A code that was typed whole and is no card.
struct ScannedCode: Hashable {
    /// What its check digit says.
    enum Check: String, Hashable {
        case ok, bad
        /// The symbology has none that is known here.
        case none
    }

    /// The code itself: without prefix, label id, AIM id, suffix, terminator.
    var text: String
    var aim: AIMIdentifier?
    var check: Check

    /// Reads the part `data` of `text`, which `CardFilter` has passed.
    init(_ text: UnsafeBufferPointer<UInt32>, data: Range<Int>, aim: AIMIdentifier?) {
        var string = ""
        string.reserveCapacity(data.count)
        for scalar in text[data] { string.unicodeScalars.append(UnicodeScalar(scalar) ?? "\u{fffd}") }
        self.text = string
        self.aim = aim
        check = Self.check(text, data, aim)
    }

    /// Without an AIM id, digits as many as a trade item has are taken for one; with one, it says whether they are.
    private static func check(
        _ text: UnsafeBufferPointer<UInt32>, _ data: Range<Int>, _ aim: AIMIdentifier?
    ) -> Check {
        if aim?.isGS1 ?? true,
            let content = GS1ElementString.parse(UnsafeBufferPointer(rebasing: text[data])),
            let isValid = content.gtinIsValid, isValid || aim != nil
        {
            return isValid ? .ok : .bad
        }
        for scalar in text[data] where !(0x30...0x39).contains(scalar) { return .none }
        let digits = Digits(of: text, in: data)
        if GTIN.isValid(digits) || GTIN.isValidUPCE(digits) || GTIN.isPressWithAddOn(digits) { return .ok }
        guard [8, 12, 13, 14].contains(digits.count) else { return .none }
        return aim?.isRetail ?? true ? .bad : .none
    }
}

/// Why a burst of keys was no code: the `reason` of `scan.rejected`.
enum ScanRejection: String, Hashable, CaseIterable {
    /// Keys were lost in it or right before it: whatever it reads, it may be false.
    case afterDrop = "after_drop"
    case tooLong = "too_long"
    case tooShort = "too_short"
    /// A pause inside it: typed by hand, or the host was stuck.
    case slow
    /// A key that types nothing in the configured layout.
    case unknownKey = "unknown_key"
    /// The configured prefix or suffix is not there.
    case noPrefix = "no_prefix"
    case noSuffix = "no_suffix"
    /// The device went away in the middle of it.
    case unplugged
}
