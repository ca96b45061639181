import CYAML

/// What libyaml says of a file it cannot read, in words for the person who wrote it.
enum YAMLSyntaxFault {
    static func diagnostic(of parser: yaml_parser_t, places: PlaceTable, source: SourceText) -> Diagnostic {
        let problem = parser.problem.map { String(cString: $0) } ?? "unknown fault"
        var position = places.position(parser.problem_mark)
        var sentence = problem.replacing(" in this context", with: " here")
        var help = help(for: problem, at: position, in: source)
        // At the end of the file there is nothing to see: the place where the unfinished thing begins says more.
        let rest = source.bytes[position.offset...]
        if let context = parser.context, rest.allSatisfy({ $0 == 0x0A || $0 == 0x0D || $0 == 0x20 || $0 == 0x09 }) {
            position = places.position(parser.context_mark)
            sentence = unfinished(String(cString: context)) ?? sentence
            help = nil
        } else if parser.problem_mark.line == 0 && parser.problem_mark.column == 0, parser.error == YAML_READER_ERROR {
            position = source.position(atOffset: places.begin + parser.problem_offset)
        }
        let end = source.position(atOffset: min(position.offset + 1, source.line(position.line).upperBound))
        return Diagnostic(
            file: source.file, range: SourceRange(start: position, end: max(end, position)),
            message: "not readable as YAML: " + sentence, help: help, source: source)
    }

    private static func unfinished(_ context: String) -> String? {
        switch context {
        case "while scanning a quoted scalar": return "this quoted text has no end"
        case "while parsing a flow sequence": return "this list has no \"]\""
        case "while parsing a flow mapping": return "this mapping has no \"}\""
        case "while scanning a simple key": return "a \":\" is missing after this key"
        default: return nil
        }
    }

    private static func help(for problem: String, at position: SourcePosition, in source: SourceText) -> String? {
        let byte = position.offset < source.bytes.count ? source.bytes[position.offset] : 0
        let opens = byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{")
        if opens, problem.hasPrefix("did not find expected ','") {
            return "inside braces and brackets, text that holds [ ] { } or \",\" needs quotes"
        }
        switch problem {
        case "mapping values are not allowed in this context":
            return "text that holds \": \" or starts with a special sign needs quotes"
        case "found character that cannot start any token":
            return byte == 0x09
                ? "lines are indented with blanks, not with tabs" : "text that starts with a special sign needs quotes"
        case "found a tab character that violates indentation",
            "found a tab character where an indentation space is expected":
            return "lines are indented with blanks, not with tabs"
        case "did not find expected key", "did not find expected '-' indicator",
            "block sequence entries are not allowed in this context":
            return "look at the indentation: what belongs together begins in the same column"
        case "could not find expected ':'":
            return "a \":\" is missing after the key, or this line is not indented far enough"
        case "did not find expected ',' or ']'":
            return "a list in brackets needs a comma between its elements and \"]\" at its end"
        case "did not find expected ',' or '}'":
            return "a mapping in braces needs a comma between its keys and \"}\" at its end"
        default: return nil
        }
    }
}

/// What has to be right before libyaml sees the bytes: UTF-8, and no character that YAML forbids.
enum YAMLBytes {
    /// The first fault, or nil. Source: YAML 1.2.2, 5.1; the Unicode Standard, table 3-7 (well-formed UTF-8).
    ///
    /// U+0085, U+2028 and U+2029 are refused outright: libyaml breaks lines there, YAML 1.2 does not.
    static func fault(in source: SourceText) -> Diagnostic? {
        let bytes = source.bytes
        if bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE]) {
            return fault("the file is not UTF-8", 0, 1, source, help: "it looks like UTF-16; save it as UTF-8")
        }
        var index = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x20 && byte < 0x7F || byte == 0x0A || byte == 0x0D || byte == 0x09 {
                index += 1
                continue
            }
            if byte < 0x80 {
                return fault("control characters are not allowed", index, 1, source)
            }
            guard let (scalar, length) = decode(bytes, at: index) else {
                return fault("the file is not UTF-8", index, 1, source, help: "save it as UTF-8")
            }
            switch scalar {
            case 0x80..<0xA0, 0xFEFF, 0xFFFE, 0xFFFF, 0x2028, 0x2029:
                return fault("control characters are not allowed", index, length, source)
            default: index += length
            }
        }
        return nil
    }

    private static func fault(
        _ message: String, _ offset: Int, _ length: Int, _ source: SourceText, help: String? = nil
    ) -> Diagnostic {
        let range = SourceRange(
            start: source.position(atOffset: offset), end: source.position(atOffset: offset + length))
        return Diagnostic(
            file: source.file, range: range, message: "not readable as YAML: " + message, help: help, source: source)
    }

    /// The scalar that begins at `index` and its length in bytes, or nil where that is no well-formed UTF-8.
    private static func decode(_ bytes: [UInt8], at index: Int) -> (UInt32, Int)? {
        let first = bytes[index]
        let length: Int
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF: length = 3
        case 0xF0...0xF4: length = 4
        default: return nil
        }
        guard index + length <= bytes.count else { return nil }
        var scalar = UInt32(first) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
        for byte in bytes[index + 1..<index + length] {
            guard byte & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        let isShortest = length == 2 || (length == 3 ? scalar >= 0x800 : scalar >= 0x1_0000 && scalar <= 0x10_FFFF)
        guard isShortest, !(0xD800...0xDFFF).contains(scalar) else { return nil }
        return (scalar, length)
    }
}
