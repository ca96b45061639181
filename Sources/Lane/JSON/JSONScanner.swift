/// Walks one JSON text, byte by byte. Source: RFC 8259.
///
/// Ours because signals come by the million (a fleet's day is replayed) and a library that builds a tree for each line
/// is an order of magnitude slower; `docs/decisions/0002-json.md`. Total: any bytes give a value or a `JSONFault`, and
/// nesting is bounded.
public struct JSONScanner {
    public let bytes: UnsafeRawBufferPointer
    public private(set) var position: Int

    /// Begins at byte `position`.
    public init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// How deep arrays and objects may nest.
    public static let maximumDepth = 64

    @inline(__always)
    public mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// The next byte that is not blank, not consumed; nil at the end.
    @inline(__always)
    public mutating func peek() -> UInt8? {
        skipBlanks()
        return position < bytes.count ? bytes[position] : nil
    }

    /// Consumes `byte` if it comes next.
    @inline(__always)
    public mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    @inline(__always)
    public mutating func expect(_ byte: UInt8, _ what: StaticString) throws(JSONFault) {
        if !take(byte) { throw missing(what) }
    }

    @inline(never)
    private func missing(_ what: StaticString) -> JSONFault { fault("expected \(what)") }

    /// Nothing but blanks may follow.
    public mutating func expectEnd() throws(JSONFault) {
        if peek() != nil { throw fault("expected nothing after the value") }
    }

    public func fault(_ message: String) -> JSONFault { JSONFault(message: message, offset: position) }

    // MARK: Strings

    /// Where the bytes of a string lie, between its quotes, and whether they hold escapes.
    public struct RawString {
        public let range: Range<Int>
        public let hasEscapes: Bool
        /// No byte is above 0x7F: text without a look at its UTF-8.
        let isASCII: Bool
    }

    /// Consumes a string; its bytes are checked (no raw control characters, whole escapes) but not copied.
    public mutating func rawString() throws(JSONFault) -> RawString {
        try expect(0x22, "a string in double quotes")
        let start = position
        var place = start
        var escapes = false
        // All bytes together: the high bit tells whether any is above 0x7F.
        var all: UInt8 = 0
        while place < bytes.count {
            let byte = bytes[place]
            all |= byte
            if byte == 0x22 {
                position = place + 1
                return RawString(range: start..<place, hasEscapes: escapes, isASCII: all < 0x80)
            }
            if byte == 0x5C {
                escapes = true
                place += 2
                continue
            }
            if byte < 0x20 {
                position = place
                throw fault("a control character in a string; write it as \\u00XX")
            }
            place += 1
        }
        position = bytes.count
        throw fault("the string has no end")
    }

    public mutating func string() throws(JSONFault) -> String { try text(of: rawString()) }

    /// The text of `raw`, escapes resolved. Bytes that are no UTF-8 are an error.
    public func text(of raw: RawString) throws(JSONFault) -> String {
        let slice = UnsafeRawBufferPointer(rebasing: bytes[raw.range])
        if !raw.hasEscapes {
            if raw.isASCII { return String(decoding: slice.bindMemory(to: UInt8.self), as: UTF8.self) }
            guard let text = String(validating: slice, as: UTF8.self) else {
                throw JSONFault(message: "the string is not UTF-8", offset: raw.range.lowerBound)
            }
            return text
        }
        var out: [UInt8] = []
        out.reserveCapacity(slice.count)
        var i = 0
        while i < slice.count {
            guard slice[i] == 0x5C else {
                out.append(slice[i])
                i += 1
                continue
            }
            let escape = i + 1 < slice.count ? slice[i + 1] : 0
            i += 2
            switch escape {
            case 0x22, 0x5C, 0x2F: out.append(escape)
            case UInt8(ascii: "b"): out.append(8)
            case UInt8(ascii: "f"): out.append(12)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "t"): out.append(9)
            case UInt8(ascii: "u"):
                guard var unit = Self.hex(slice, i) else {
                    throw JSONFault(message: "\\u needs four hexadecimal digits", offset: raw.range.lowerBound + i)
                }
                i += 4
                if unit & 0xFC00 == 0xD800, i + 1 < slice.count, slice[i] == 0x5C, slice[i + 1] == UInt8(ascii: "u"),
                    let low = Self.hex(slice, i + 2), low & 0xFC00 == 0xDC00
                {
                    unit = 0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF
                    i += 6
                }
                guard let scalar = Unicode.Scalar(unit) else {
                    throw JSONFault(message: "half of a surrogate pair", offset: raw.range.lowerBound + i)
                }
                out.append(contentsOf: Array(String(Character(scalar)).utf8))
            default:
                throw JSONFault(message: "unknown escape", offset: raw.range.lowerBound + i - 1)
            }
        }
        guard let text = String(validating: out, as: UTF8.self) else {
            throw JSONFault(message: "the string is not UTF-8", offset: raw.range.lowerBound)
        }
        return text
    }

    private static func hex(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32? {
        guard at + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    // MARK: Numbers

    public enum Number: Equatable {
        case int(Int64)
        /// Has a fraction or an exponent, or does not fit 64 bits.
        case other(Double)
    }

    public mutating func number() throws(JSONFault) -> Number {
        skipBlanks()
        let start = position
        let negative = position < bytes.count && bytes[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        let firstDigit = position
        var value: Int64 = 0
        var overflow = false
        while let digit = digitHere() {
            let (tens, o1) = value.multipliedReportingOverflow(by: 10)
            let (sum, o2) = tens.addingReportingOverflow(negative ? -digit : digit)
            overflow = overflow || o1 || o2
            value = sum
            position += 1
        }
        guard position > firstDigit else { throw fault("expected a value") }
        if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 {
            throw JSONFault(message: "a number must not begin with 0", offset: firstDigit)
        }
        var whole = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            whole = false
            position += 1
            guard digitHere() != nil else { throw fault("expected a digit after the point") }
            while digitHere() != nil { position += 1 }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            whole = false
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            guard digitHere() != nil else { throw fault("expected a digit in the exponent") }
            while digitHere() != nil { position += 1 }
        }
        if whole && !overflow { return .int(value) }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        return .other(Double(text) ?? .infinity)
    }

    private func digitHere() -> Int64? {
        guard position < bytes.count else { return nil }
        let byte = bytes[position]
        return byte >= 48 && byte <= 57 ? Int64(byte - 48) : nil
    }

    /// Consumes `true`, `false` or `null`, as it stands.
    public mutating func word(_ word: StaticString) throws(JSONFault) {
        skipBlanks()
        let count = word.utf8CodeUnitCount
        guard position + count <= bytes.count,
            (0..<count).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
        else { throw fault("expected a value") }
        position += count
    }

    /// Consumes a value of any kind, checked but not kept.
    public mutating func skipValue(depth: Int = 0) throws(JSONFault) {
        guard depth < Self.maximumDepth else { throw fault("nested too deeply") }
        switch peek() {
        case UInt8(ascii: "\""): _ = try text(of: rawString())
        case UInt8(ascii: "{"):
            position += 1
            if take(UInt8(ascii: "}")) { return }
            repeat {
                _ = try text(of: rawString())
                try expect(UInt8(ascii: ":"), "\":\" after the name")
                try skipValue(depth: depth + 1)
            } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"), "\",\" or \"}\"")
        case UInt8(ascii: "["):
            position += 1
            if take(UInt8(ascii: "]")) { return }
            repeat { try skipValue(depth: depth + 1) } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"), "\",\" or \"]\"")
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: _ = try number()
        }
    }
}

/// What is wrong with a JSON text, and where: `offset` counts bytes from 0.
public struct JSONFault: Error, Hashable, Sendable {
    public var message: String
    public var offset: Int

    public init(message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }
}
