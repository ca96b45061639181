/// Finds what looks like card data in text, so that it goes no further: neither into a queue nor into a log.
///
/// Suspect are a run of 13 to 19 digits that passes Luhn (ISO/IEC 7812-1), in one piece or in a card's usual groups
/// (`4111 1111 1111 1111`, `3782-822463-10005`), a longer run that begins with such a number, and tracks of a magnetic
/// stripe (ISO/IEC 7813): `%B…^`, `;…=`. One number in ten passes Luhn by chance; that is the price.
public enum CardText {
    public static func isSuspect(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isSuspect(UnsafeRawBufferPointer($0)) }
    }

    public static func isSuspect(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 8 else { return false }
        return firstSuspect(bytes, from: 0) != nil
    }

    /// A number that reads as a card's: 13 to 19 digits that pass Luhn.
    public static func isSuspect(_ number: Int64) -> Bool {
        guard number >= 1_000_000_000_000 else { return false }
        return isSuspect(String(number))
    }

    /// `text` with each suspect part replaced by `[masked]`, or nil when there is none.
    public static func masked(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { bytes -> String? in
            guard bytes.count >= 8, var suspect = firstSuspect(bytes, from: 0) else { return nil }
            var out: [UInt8] = []
            var copied = 0
            while true {
                out.append(contentsOf: bytes[copied..<suspect.lowerBound])
                out.append(contentsOf: "[masked]".utf8)
                copied = suspect.upperBound
                guard let next = firstSuspect(bytes, from: copied) else { break }
                suspect = next
            }
            out.append(contentsOf: bytes[copied...])
            return String(decoding: out, as: UTF8.self)
        }
    }

    /// Whether `text` as a whole is a GTIN (8, 12, 13 or 14 digits with a right check digit), alone or as the `01`
    /// element that begins a GS1 string. Source: GS1 General Specifications 7.9.
    public static func isTradeItem(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isTradeItem(UnsafeRawBufferPointer($0)) }
    }

    public static func isTradeItem(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if [8, 12, 13, 14].contains(bytes.count) { return hasGTINCheckDigit(bytes[...]) }
        guard bytes.count >= 16, bytes[0] == 0x30, bytes[1] == 0x31, hasGTINCheckDigit(bytes[2..<16]) else {
            return false
        }
        return !isSuspect(UnsafeRawBufferPointer(rebasing: bytes[16...]))
    }

    private static func hasGTINCheckDigit(_ digits: Slice<UnsafeRawBufferPointer>) -> Bool {
        var sum = 0
        for (place, byte) in digits.reversed().enumerated() {
            guard isDigit(byte) else { return false }
            sum += Int(byte - 48) * (place % 2 == 0 ? 1 : 3)
        }
        return sum % 10 == 0
    }

    // MARK: Search

    /// The first suspect part that begins at `from` or later: whole runs of digits, tracks with their sentinels.
    private static func firstSuspect(_ bytes: UnsafeRawBufferPointer, from: Int) -> Range<Int>? {
        var index = from
        while index < bytes.count {
            guard isDigit(bytes[index]) else {
                index += 1
                continue
            }
            let run = index..<endOfRun(bytes, from: index)
            if let track = track(bytes, run) { return track }
            if run.count >= 13, isNumber(bytes, run) { return run }
            if run.count == 4, let group = groups(bytes, run) { return group }
            index = run.upperBound
        }
        return nil
    }

    /// `%B4111…^` and `;4111…=`, up to the end sentinel `?`, or to the end of the text where there is none.
    private static func track(_ bytes: UnsafeRawBufferPointer, _ run: Range<Int>) -> Range<Int>? {
        guard run.count >= 8, run.upperBound < bytes.count else { return nil }
        var start: Int?
        if bytes[run.upperBound] == UInt8(ascii: "="), run.lowerBound >= 1,
            bytes[run.lowerBound - 1] == UInt8(ascii: ";")
        {
            start = run.lowerBound - 1
        } else if bytes[run.upperBound] == UInt8(ascii: "^"), run.lowerBound >= 2,
            bytes[run.lowerBound - 2] == UInt8(ascii: "%")
        {
            start = run.lowerBound - 2
        }
        guard let start else { return nil }
        let end = bytes[run.upperBound...].firstIndex(of: UInt8(ascii: "?")).map { $0 + 1 } ?? bytes.count
        return start..<end
    }

    /// A run of 13 to 19 digits that passes Luhn; of a longer run, its beginning, if it begins as payment cards do (2–6).
    private static func isNumber(_ bytes: UnsafeRawBufferPointer, _ run: Range<Int>) -> Bool {
        if run.count <= 19 { return passesLuhn(bytes, run) }
        guard (0x32...0x36).contains(bytes[run.lowerBound]) else { return false }
        return (13...19).contains { passesLuhn(bytes, run.lowerBound..<run.lowerBound + $0) }
    }

    /// Four digits, then groups of 4 or 6 behind single blanks or dashes: 4-4-4-4 and longer, 4-6-5, 4-6-4.
    private static func groups(_ bytes: UnsafeRawBufferPointer, _ first: Range<Int>) -> Range<Int>? {
        var digits: [UInt8] = Array(bytes[first])
        var end = first.upperBound
        var counts = [4]
        var found: Range<Int>?
        while counts.count < 5, end + 1 < bytes.count, bytes[end] == 0x20 || bytes[end] == 0x2D, isDigit(bytes[end + 1])
        {
            let run = end + 1..<endOfRun(bytes, from: end + 1)
            guard run.count <= 7 else { break }
            digits.append(contentsOf: bytes[run])
            counts.append(run.count)
            end = run.upperBound
            let isWhole =
                counts == [4, 6, 5] || counts == [4, 6, 4] || (counts.count >= 4 && counts[1] == 4 && counts[2] == 4)
            if isWhole, (13...19).contains(digits.count),
                digits.withUnsafeBytes({ passesLuhn($0, 0..<digits.count) })
            {
                found = first.lowerBound..<end
            }
        }
        return found
    }

    private static func passesLuhn(_ bytes: UnsafeRawBufferPointer, _ run: Range<Int>) -> Bool {
        var sum = 0
        var isDoubled = false
        var isZero = true
        for index in run.reversed() {
            let digit = Int(bytes[index] - 48)
            isZero = isZero && digit == 0
            sum += isDoubled ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
            isDoubled.toggle()
        }
        return sum % 10 == 0 && !isZero
    }

    private static func endOfRun(_ bytes: UnsafeRawBufferPointer, from: Int) -> Int {
        var end = from
        while end < bytes.count, isDigit(bytes[end]) { end += 1 }
        return end
    }

    @inline(__always) private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
}
