/// Writes JSON into bytes, without blanks, members in the order they are given. Source: RFC 8259.
///
/// ```swift
/// var json = JSONWriter()
/// json.object { json in
///     json.member("ok", true)
///     json.member("seq", 17)
/// }
/// ```
public struct JSONWriter: Sendable {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    /// Room for `count` bytes from the start.
    public init(reserving count: Int) { bytes.reserveCapacity(count) }

    /// Everything written so far as text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        begin()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        begin()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// The name of the member whose value is written next.
    public mutating func name(_ name: String) {
        quote(name, before: UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func value(_ value: String) {
        quote(value, before: nil)
        needsComma = true
    }

    public mutating func value(_ value: Int64) {
        begin()
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var place = digits.count
            var rest = value.magnitude
            repeat {
                place -= 1
                digits[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                place -= 1
                digits[place] = UInt8(ascii: "-")
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[place...]))
        }
        needsComma = true
    }

    /// `value` as RFC 3339, a text.
    public mutating func value(_ value: WallInstant) {
        begin()
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: WallInstant.rfc3339Count + 2) { text in
            text[0] = 0x22
            value.writeRFC3339(UnsafeMutableBufferPointer(rebasing: text[1...]))
            text[text.count - 1] = 0x22
            bytes.append(contentsOf: UnsafeBufferPointer(text))
        }
        needsComma = true
    }

    public mutating func value(_ value: Bool) {
        begin()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
        needsComma = true
    }

    /// A whole value as it was read. A number that is no integer is written as Swift describes it.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let bool): self.value(bool)
        case .int(let int): self.value(int)
        case .double(let double): raw(Array("\(double)".utf8))
        case .string(let text): self.value(text)
        case .array(let elements): array { json in for element in elements { json.value(element) } }
        case .object(let members):
            object { json in
                for member in members {
                    json.name(member.name)
                    json.value(member.value)
                }
            }
        }
    }

    public mutating func null() {
        begin()
        bytes.append(contentsOf: "null".utf8)
        needsComma = true
    }

    public mutating func value(_ value: AttributeValue) {
        switch value {
        case .text(let text): self.value(text)
        case .int(let number): self.value(number)
        }
    }

    /// A value that is JSON already.
    public mutating func raw(_ json: [UInt8]) {
        begin()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    public mutating func member(_ name: String, _ value: String) {
        self.name(name)
        self.value(value)
    }

    public mutating func member(_ name: String, _ value: Int64) {
        self.name(name)
        self.value(value)
    }

    public mutating func member(_ name: String, _ value: WallInstant) {
        self.name(name)
        self.value(value)
    }

    public mutating func member(_ name: String, _ value: Int) { member(name, Int64(value)) }

    public mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        self.value(value)
    }

    public mutating func member(_ name: String, orNull value: String?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    public mutating func member(_ name: String, orNull value: Int64?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Ends a line of JSON Lines; another value may follow.
    public mutating func endLine() {
        bytes.append(0x0A)
        needsComma = false
    }

    private mutating func begin() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    /// A comma where one is due, `text` in quotes, and what comes behind it.
    private mutating func quote(_ text: String, before next: UInt8?) {
        var text = text
        text.withUTF8 { utf8 in
            // Nearly all text needs no escape and is copied as it is; room is looked for once.
            guard Self.isPlain(UnsafeRawBufferPointer(utf8)) else { return escape(utf8, before: next) }
            let comma = needsComma ? 1 : 0
            bytes.append(room: utf8.count + 4) { out in
                out[0] = UInt8(ascii: ",")
                out[comma] = 0x22
                let end = out.copy(utf8, at: comma + 1)
                out[end] = 0x22
                guard let next else { return end + 1 }
                out[end + 1] = next
                return end + 2
            }
        }
    }

    private mutating func escape(_ utf8: UnsafeBufferPointer<UInt8>, before next: UInt8?) {
        begin()
        bytes.append(0x22)
        var copied = 0
        for (place, byte) in utf8.enumerated() where Self.needsEscape(byte) {
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[copied..<place]))
            escape(byte)
            copied = place + 1
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[copied...]))
        bytes.append(0x22)
        if let next { bytes.append(next) }
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F
    }

    /// Whether no byte needs an escape; eight at a time.
    private static func isPlain(_ utf8: UnsafeRawBufferPointer) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        func hasZero(_ word: UInt64) -> UInt64 { (word &- ones) & ~word }
        var place = 0
        var found: UInt64 = 0
        while place + 8 <= utf8.count {
            let word = utf8.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            // A byte below 0x20, a quote, a backslash, DEL: the top bit of some byte is set. A byte behind one that is
            // found may be found without cause: then all is looked at once more.
            found |= (word &- ones &* 0x20) & ~word
            found |= hasZero(word ^ ones &* 0x22) | hasZero(word ^ ones &* 0x5C) | hasZero(word ^ ones &* 0x7F)
            place += 8
        }
        guard found & (ones &* 0x80) == 0 else { return false }
        while place < utf8.count {
            let byte = utf8[place]
            if needsEscape(byte) { return false }
            place += 1
        }
        return true
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(0x5C)
        switch byte {
        case 0x22, 0x5C: bytes.append(byte)
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            for digit in [byte >> 4, byte & 15] { bytes.append(digit < 10 ? 48 + digit : 87 + digit) }
        }
    }
}
