/// Digits one after another, each 0–9, not necessarily in memory of their own.
typealias RunOfDigits = BidirectionalCollection<UInt8>

/// Global Trade Item Numbers: EAN-8, UPC-A, EAN-13 and GTIN-14, and UPC-E as scanners send it.
/// Source: GS1 General Specifications, 7.9 (check digit) and 5.2.2.4 (UPC-E).
enum GTIN {
    /// Whether `digits` (each 0–9) is 8, 12, 13 or 14 long and ends with its own check digit.
    static func isValid(_ digits: some RunOfDigits) -> Bool {
        guard [8, 12, 13, 14].contains(digits.count) else { return false }
        return hasCheckDigit(digits)
    }

    /// Whether the weighted sum of `digits`, the last one counted once, the one before three times, and so on, ends in 0.
    static func hasCheckDigit(_ digits: some RunOfDigits) -> Bool {
        var sum = 0
        var weight = 1
        for digit in digits.reversed() {
            sum += Int(digit) * weight
            weight = 4 - weight
        }
        return sum % 10 == 0
    }

    /// Whether `digits` is a UPC-E of 8: number system 0 or 1, six digits, and the check digit of the UPC-A it stands for.
    static func isValidUPCE(_ digits: some RunOfDigits) -> Bool {
        guard digits.count == 8 else { return false }
        let d = Array(digits)
        guard d[0] <= 1 else { return false }
        let body: [UInt8]
        switch d[6] {
        case 0, 1, 2: body = [d[1], d[2], d[6], 0, 0, 0, 0, d[3], d[4], d[5]]
        case 3: body = [d[1], d[2], d[3], 0, 0, 0, 0, 0, d[4], d[5]]
        case 4: body = [d[1], d[2], d[3], d[4], 0, 0, 0, 0, 0, d[5]]
        default: body = [d[1], d[2], d[3], d[4], d[5], 0, 0, 0, 0, d[6]]
        }
        return hasCheckDigit(d[0..<1] + body + d[7..<8])
    }

    /// Whether `digits` is an EAN-13 of the press or of books with its 2 or 5 digits of add-on: 977 (ISSN), 978 and 979
    /// (ISBN). No payment card's number begins so with 15 or 18 digits: a leading 9 is for national use, 16 digits long
    /// where it is used at all. Source: GS1 General Specifications, 5.2.2.5; ISO/IEC 7812-1.
    static func isPressWithAddOn(_ digits: some RunOfDigits) -> Bool {
        guard digits.count == 15 || digits.count == 18 else { return false }
        return digits.starts(with: [9, 7]) && (digits.dropFirst(2).first ?? 0) >= 7 && hasCheckDigit(digits.prefix(13))
    }
}
