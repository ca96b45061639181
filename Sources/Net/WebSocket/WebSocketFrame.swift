/// What a server sends: frames without a mask. Source: RFC 6455, 5.
public enum WebSocketFrame {
    /// The head of a whole binary message of `count` bytes, which follow it. At most 10 bytes.
    public static func binaryHead(_ count: Int) -> [UInt8] { head(0x82, count) }

    /// A whole text message.
    public static func text(_ text: [UInt8]) -> [UInt8] { head(0x81, text.count) + text }

    /// The answer to a ping: its payload again.
    public static func pong(_ payload: [UInt8]) -> [UInt8] { head(0x8A, min(125, payload.count)) + payload.prefix(125) }

    /// Ends the connection; `reason` is cut to what fits, at a character's end. Without a code the frame is empty.
    public static func close(_ code: UInt16?, _ reason: String = "") -> [UInt8] {
        guard let code else { return head(0x88, 0) }
        var text = reason
        while text.utf8.count > 123 { text.removeLast() }
        return head(0x88, 2 + text.utf8.count) + [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(text.utf8)
    }

    private static func head(_ first: UInt8, _ count: Int) -> [UInt8] {
        if count < 126 { return [first, UInt8(count)] }
        if count <= 0xFFFF { return [first, 126, UInt8(count >> 8), UInt8(count & 0xFF)] }
        return [first, 127] + (0..<8).reversed().map { UInt8(UInt64(count) >> (UInt64($0) * 8) & 0xFF) }
    }
}
