import CPCRE2

extension PatternFault {
    /// From what pcre2_compile gave: its error number and the offset in bytes, which lies behind the fault.
    init(code: CInt, offset: Int, in source: String) {
        let bytes = Array(source.utf8)
        func character(_ offset: Int) -> Int { bytes.prefix(offset).count { $0 & 0xC0 != 0x80 } }
        switch code {
        case CInt(PCRE2_ERROR_MISSING_CLOSING_PARENTHESIS):
            message = "missing ), unterminated subpattern"
            self.character = max(1, Self.unclosed(in: bytes).group.map { character($0) + 1 } ?? character(offset))
        case CInt(PCRE2_ERROR_MISSING_SQUARE_BRACKET):
            message = "missing ], unterminated character class"
            self.character = max(1, Self.unclosed(in: bytes).bracket.map { character($0) + 1 } ?? character(offset))
        case CInt(PCRE2_ERROR_UNMATCHED_CLOSING_PARENTHESIS):
            // The one fault whose offset is its own, not the next character's.
            message = "unmatched closing parenthesis"
            self.character = character(offset) + 1
        default:
            var buffer = [UInt8](repeating: 0, count: 256)
            let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
            message = length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "error \(code)"
            self.character = max(1, character(offset))
        }
    }

    /// Where the last group and the character class begin that have no end: the library tells only that it reached the end.
    private static func unclosed(in bytes: [UInt8]) -> (group: Int?, bracket: Int?) {
        var groups: [Int] = []
        var index = 0
        func at(_ place: Int, _ text: StaticString) -> Bool {
            text.withUTF8Buffer { place + $0.count <= bytes.count && bytes[place..<place + $0.count].elementsEqual($0) }
        }
        func skip(past text: StaticString, from place: Int) -> Int {
            var place = place
            while place < bytes.count, !at(place, text) { place += 1 }
            return min(bytes.count, place + text.utf8CodeUnitCount)
        }
        while index < bytes.count {
            if at(index, "\\Q") {
                index = skip(past: "\\E", from: index + 2)
            } else if at(index, "\\") {
                index += 2
            } else if at(index, "(?#") {
                index = skip(past: ")", from: index + 3)
            } else if at(index, "[") {
                guard let end = endOfClass(in: bytes, from: index) else { return (groups.last, index) }
                index = end
            } else {
                if at(index, "(") { groups.append(index) }
                if at(index, ")") { groups.removeLast(min(1, groups.count)) }
                index += 1
            }
        }
        return (groups.last, nil)
    }

    /// The index behind the `]` of the class that begins at `start`. A `]` that stands first is a character.
    private static func endOfClass(in bytes: [UInt8], from start: Int) -> Int? {
        var index = start + 1
        if index < bytes.count, bytes[index] == UInt8(ascii: "^") { index += 1 }
        if index < bytes.count, bytes[index] == UInt8(ascii: "]") { index += 1 }
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\"): index += 2
            case UInt8(ascii: "["):
                // [:alpha:] inside a class.
                let rest = bytes[(index + 1)...]
                if rest.first == UInt8(ascii: ":"), let close = rest.firstIndex(of: UInt8(ascii: "]")),
                    bytes[close - 1] == UInt8(ascii: ":"), close > index + 2
                {
                    index = close + 1
                } else {
                    index += 1
                }
            case UInt8(ascii: "]"): return index + 1
            default: index += 1
            }
        }
        return nil
    }
}
