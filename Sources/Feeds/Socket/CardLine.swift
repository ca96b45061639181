import Lane

/// Looks for card data in the bytes of a line, member by member, without making text of any value.
enum CardLine {
    /// The name of the first member whose value looks like card data; empty where it stands outside of plain values, or where
    /// the name is none to show; nil where there is none. A right GTIN in `code` or `sku` is an article.
    static func suspect(in bytes: UnsafeRawBufferPointer) -> String? {
        guard CardText.isSuspect(bytes) else { return nil }
        var scanner = JSONScanner(bytes)
        guard scanner.take(UInt8(ascii: "{")) else { return "" }
        repeat {
            guard let name = try? scanner.rawString(), scanner.take(UInt8(ascii: ":")) else { return "" }
            let nameBytes = UnsafeRawBufferPointer(rebasing: bytes[name.range])
            if CardText.isSuspect(nameBytes) { return "" }
            guard let value = value(&scanner, bytes) else { return "" }
            // Hexadecimal digits look so by chance: such a trace context is left out, and the signal is taken.
            if nameBytes.elementsEqual("traceparent".utf8) { continue }
            if nameBytes.elementsEqual("intervention".utf8), isOwnID(value) { continue }
            if CardText.isSuspect(value), !(isTradeItem(nameBytes) && CardText.isTradeItem(value)) {
                // It is shown: a terminal would obey control characters.
                let isPlain = nameBytes.count <= 64 && nameBytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
                return isPlain ? String(decoding: nameBytes, as: UTF8.self) : ""
            }
        } while scanner.take(UInt8(ascii: ","))
        // Whatever looked suspect lay across members, such as a grouping by commas: of no account.
        return nil
    }

    /// The bytes of a plain value, quotes left off; nil for an object, a list, or no value at all.
    private static func value(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        switch scanner.peek() {
        case UInt8(ascii: "\""):
            guard let raw = try? scanner.rawString() else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes[raw.range])
        case nil, UInt8(ascii: "{"), UInt8(ascii: "["): return nil
        default:
            let start = scanner.position
            guard (try? scanner.skipValue()) != nil else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes[start..<scanner.position])
        }
    }

    /// An intervention's id: its hexadecimal digits look so by chance.
    private static func isOwnID(_ value: UnsafeRawBufferPointer) -> Bool {
        value.count == 36 && LaneUUID(String(decoding: value, as: UTF8.self))?.isOwn == true
    }

    private static func isTradeItem(_ name: UnsafeRawBufferPointer) -> Bool {
        name.elementsEqual("code".utf8) || name.elementsEqual("sku".utf8)
    }
}
