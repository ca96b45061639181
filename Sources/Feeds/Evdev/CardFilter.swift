/// Tells card data from codes, before any text leaves the decoder's own memory.
///
/// The rule, in this order:
/// 1. *A track is card data.* A start sentinel (`%` `;` `+` and, as some readers are set, `@` `!` `#` `&`) at the beginning, or
///    after the end of a track, with an end sentinel `?` behind it; or followed by a letter or none and six digits, since a
///    track may be cut short. Anywhere in the text: `%`, a letter, digits, `^` and `;`, digits, `=`: the heads of track 1 and 2.
/// 2. *A trade item is none.* The whole is a valid GTIN (8, 12, 13 or 14 digits with their own check digit); a book or a
///    magazine with its add-on (977–979 and 15 or 18 digits); `01` and a valid GTIN-14; or, where the scanner said so by an
///    AIM id, a GTIN with an add-on, or GS1 element strings that parse to the end and name a GTIN, SSCC or GLN with its
///    right check digit (to parse alone proves nothing: a card's number that begins with 401 does). One number in ten
///    passes Luhn by chance, so without this one product in ten could never be scanned.
/// 3. *Any other run of 13 to 19 digits that passes Luhn is card data*, wherever it stands, also in groups joined by single
///    spaces or hyphens. So is a longer run that begins with a card number of a known issuer: a reader set to leave out
///    separators puts expiry and service code right behind the number.
///
/// Rule 3 costs one in ten of the long numbers that are neither GTIN nor GS1 (deposit receipts, parcels); rule 2 lets
/// through a number of 13 or 14 digits that is a GTIN too, typed without sentinels by a device that the operator called a
/// scanner: issuers give out 15 to 19. A privacy promise outweighs a scan that the POS gets anyway. Readers known as such
/// (`msr`) never come here: all that they type is dropped.
///
/// Digits count as typed and as printed on the keys, so a wrong layout hides none.
/// Sources: ISO/IEC 7811-2, 7812-1, 7813; the readers' manuals named in docs/explanation/privacy.md.
enum CardFilter {
    /// Whether `text` holds card data. `data` is the part that is the code itself, behind prefix and AIM id.
    static func holdsCard(_ typed: SecretText, data: Range<Int>, aim: AIMIdentifier?) -> Bool {
        let text = typed.text
        if holdsTrack(text, dataStart: data.lowerBound) { return true }
        if isTradeItem(text, data, aim) { return false }
        let joints: (Int) -> Bool = { text[$0] == 0x20 || text[$0] == 0x2d }
        if holdsNumber(data, digitAt: { digit(text[$0]) }, isJoint: joints) { return true }
        let positions = typed.digits
        return holdsNumber(
            data, digitAt: { positions[$0] == SecretText.noDigit ? nil : positions[$0] }, isJoint: { _ in false })
    }

    // MARK: Tracks

    private static func holdsTrack(_ text: UnsafeBufferPointer<UInt32>, dataStart: Int) -> Bool {
        for place in text.indices where isStartSentinel(text[place]) {
            var next = place + 1
            if next < text.count, isLetter(text[next]) { next += 1 }
            let hasFormatCode = next > place + 1
            let firstDigit = next
            while next < text.count, digit(text[next]) != nil { next += 1 }
            let digits = next - firstDigit
            let separator = next < text.count ? text[next] : 0
            if text[place] == 0x25, hasFormatCode, digits >= 1, separator == 0x5e { return true }
            if text[place] == 0x3b, !hasFormatCode, digits >= 8, separator == 0x3d { return true }
            let begins = place == 0 || place == dataStart || text[place - 1] == 0x3f || text[place - 1] < 0x20
            if begins, digits >= 6 || text[next...].contains(0x3f) { return true }
        }
        return false
    }

    private static func isStartSentinel(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x25, 0x3b, 0x2b, 0x40, 0x21, 0x23, 0x26: return true  // % ; + @ ! # &
        default: return false
        }
    }

    // MARK: Trade items

    private static func isTradeItem(
        _ text: UnsafeBufferPointer<UInt32>, _ data: Range<Int>, _ aim: AIMIdentifier?
    ) -> Bool {
        if let aim, aim.isGS1, let content = GS1ElementString.parse(UnsafeBufferPointer(rebasing: text[data])),
            content.hasValidKey
        {
            return true
        }
        for place in data where digit(text[place]) == nil { return false }
        let digits = Digits(of: text, in: data)
        if GTIN.isValid(digits) || GTIN.isPressWithAddOn(digits) { return true }
        if digits.count == 16, digits.starts(with: [0, 1]) { return GTIN.isValid(digits.dropFirst(2)) }
        guard let aim, aim.isRetail else { return false }
        return [8, 12, 13].contains { (length: Int) in
            (digits.count == length + 2 || digits.count == length + 5) && GTIN.isValid(digits.prefix(length))
        }
    }

    // MARK: Numbers

    /// Looks at every run of digits in `data`, where it lies: the digit of an AIM id in front is no part of one.
    private static func holdsNumber(_ data: Range<Int>, digitAt: (Int) -> UInt8?, isJoint: (Int) -> Bool) -> Bool {
        let count = data.upperBound
        var place = data.lowerBound
        while place < count {
            guard digitAt(place) != nil else {
                place += 1
                continue
            }
            var end = place
            while end < count, digitAt(end) != nil { end += 1 }
            let length = end - place
            if (13...19).contains(length), passesLuhn(place..<end, digitAt) { return true }
            if length > 19, beginsWithCardNumber(place, length, digitAt) { return true }
            if isGroupedNumber(place, count, digitAt, isJoint) { return true }
            place = end
        }
        return false
    }

    private static func passesLuhn(_ range: Range<Int>, _ digitAt: (Int) -> UInt8?) -> Bool {
        var sum = 0
        var doubled = false
        for place in range.reversed() {
            guard let digit = digitAt(place) else { continue }
            let value = doubled ? Int(digit) * 2 : Int(digit)
            sum += value > 9 ? value - 9 : value
            doubled.toggle()
        }
        return sum % 10 == 0
    }

    /// 4111 1111 1111 1111, or with hyphens: groups of 2 to 7 digits, 13 to 19 in all, of a known issuer.
    private static func isGroupedNumber(
        _ start: Int, _ count: Int, _ digitAt: (Int) -> UInt8?, _ isJoint: (Int) -> Bool
    ) -> Bool {
        var place = start
        var total = 0
        var group = 0
        while place < count {
            if digitAt(place) != nil {
                group += 1
                total += 1
            } else if isJoint(place), (2...7).contains(group), place + 1 < count, digitAt(place + 1) != nil {
                group = 0
            } else {
                break
            }
            place += 1
        }
        guard place - start > total, (13...19).contains(total) else { return false }
        return issuerLengths(start, digitAt).contains(total) && passesLuhn(start..<place, digitAt)
    }

    private static func beginsWithCardNumber(_ start: Int, _ length: Int, _ digitAt: (Int) -> UInt8?) -> Bool {
        issuerLengths(start, digitAt).contains { $0 <= length && passesLuhn(start..<start + $0, digitAt) }
    }

    /// How long the card numbers are that begin like the digits at `start`; empty for none.
    /// Source: ISO/IEC 7812-1 and the networks' published ranges (Visa, Mastercard, American Express, Diners, Discover,
    /// JCB, UnionPay, Maestro).
    private static func issuerLengths(_ start: Int, _ digitAt: (Int) -> UInt8?) -> [Int] {
        guard let first = digitAt(start) else { return [] }
        // A group has two digits at least, a run more: the caller has looked.
        guard let second = digitAt(start + 1) else { return [] }
        switch (first, second) {
        case (2, 2...7): return [16]
        case (3, 4), (3, 7): return [15]
        case (3, 0), (3, 6), (3, 8), (3, 9): return [14, 16]
        case (3, 5): return [16]
        case (4, _): return [16, 19, 13]
        case (5, 1...5): return [16]
        case (5, _), (6, _): return [16, 19]
        default: return []
        }
    }

    private static func digit(_ scalar: UInt32) -> UInt8? {
        (0x30...0x39).contains(scalar) ? UInt8(scalar - 0x30) : nil
    }

    private static func isLetter(_ scalar: UInt32) -> Bool {
        (0x41...0x5a).contains(scalar) || (0x61...0x7a).contains(scalar)
    }
}
