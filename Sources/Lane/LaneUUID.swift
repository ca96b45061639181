/// A UUID made from a hash: 128 bits of SHA-256 in the layout of UUIDv8. Source: RFC 9562, section 5.8.
public struct LaneUUID: Hashable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    /// Takes the two halves of one that was kept.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The first 16 bytes of the SHA-256 of `parts`, each preceded by its length, so that no two lists of parts collide
    /// by joining; version and variant bits are set over them.
    public init(hashing parts: [String]) {
        let count = parts.reduce(0) { $0 + 4 + $1.utf8.count }
        let (high, low) = withUnsafeTemporaryAllocation(byteCount: SHA256.paddedCount(count), alignment: 8) { room in
            var place = 0
            for var part in parts {
                part.withUTF8 { utf8 in
                    room.storeBytes(of: UInt32(utf8.count).bigEndian, toByteOffset: place, as: UInt32.self)
                    place = room.copy(utf8, at: place + 4)
                }
            }
            return SHA256.head(of: count, room)
        }
        self.high = high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000
        self.low = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// Whether it is a UUIDv8, as all that are made here.
    public var isOwn: Bool { high >> 12 & 0xF == 8 && low >> 62 == 2 }

    /// Reads the form that `description` writes; nil for anything else.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        var digits: [UInt64] = []
        for (place, byte) in bytes.enumerated() {
            if [8, 13, 18, 23].contains(place) {
                guard byte == 45 else { return nil }
                continue
            }
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            digits.append(UInt64(digit))
        }
        high = digits[0..<16].reduce(0) { $0 << 4 | $1 }
        low = digits[16..<32].reduce(0) { $0 << 4 | $1 }
    }

    public var description: String {
        String(unsafeUninitializedCapacity: 36) { out in
            var place = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    out[place] = UInt8(ascii: "-")
                    place += 1
                }
                let nibble = UInt8(truncatingIfNeeded: (digit < 16 ? high : low) >> UInt64(60 - 4 * (digit % 16))) & 0xF
                out[place] = nibble < 10 ? 48 + nibble : 87 + nibble
                place += 1
            }
            return place
        }
    }
}
