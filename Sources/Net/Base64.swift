/// Base64, plain and for addresses. Source: RFC 4648, 4 and 5.
public enum Base64 {
    private static let plain = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let address = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// With `+`, `/` and padding.
    public static func encode(_ bytes: [UInt8]) -> String {
        var text = encode(bytes, plain)
        while text.utf8.count % 4 != 0 { text += "=" }
        return text
    }

    /// With `-` and `_`, without padding: letters that no address, shell or form changes.
    public static func encodeForAddress(_ bytes: [UInt8]) -> String { encode(bytes, address) }

    private static func encode(_ bytes: [UInt8], _ letters: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var (bits, count) = (UInt32(0), 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(letters[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(letters[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// What `encode` wrote; nil for anything else: wrong letters, missing padding, bits behind the end.
    public static func decode(_ text: String) -> [UInt8]? {
        let letters = Array(text.utf8)
        guard letters.count % 4 == 0 else { return nil }
        var end = letters.count
        while end > 0, letters.count - end < 2, letters[end - 1] == UInt8(ascii: "=") { end -= 1 }
        return decode(letters[..<end], plus: UInt8(ascii: "+"), slash: UInt8(ascii: "/"))
    }

    /// What `encodeForAddress` wrote; nil for anything else: one text alone stands for given bytes.
    public static func decodeForAddress(_ text: String) -> [UInt8]? {
        decode(Array(text.utf8)[...], plus: UInt8(ascii: "-"), slash: UInt8(ascii: "_"))
    }

    private static func decode(_ letters: ArraySlice<UInt8>, plus: UInt8, slash: UInt8) -> [UInt8]? {
        guard letters.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(letters.count * 3 / 4)
        var (bits, count) = (UInt32(0), 0)
        for letter in letters {
            let value: UInt8
            switch letter {
            case 65...90: value = letter - 65
            case 97...122: value = letter - 71
            case 48...57: value = letter + 4
            case plus: value = 62
            case slash: value = 63
            default: return nil
            }
            bits = (bits << 6 | UInt32(value)) & 0xFFFF
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(bits >> UInt32(count) & 255))
            }
        }
        return bits & (1 << UInt32(count) - 1) == 0 ? bytes : nil
    }
}
