import CPCRE2

/// A `pattern` of a schema: found anywhere in a text, `$` only at its very end, as ECMA-262 has it.
///
/// One thread at a time: the match's room is its own.
final class SchemaPattern {
    private let code: OpaquePointer
    private let match: OpaquePointer

    /// Nil where it is no regular expression.
    init?(_ source: String) {
        var fault: CInt = 0
        var offset = 0
        var text = source
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_DOLLAR_ENDONLY) | UInt32(PCRE2_NEVER_BACKSLASH_C)
        let compiled = text.withUTF8 { pcre2_compile_8($0.baseAddress, $0.count, options, &fault, &offset, nil) }
        guard let compiled else { return nil }
        guard let match = pcre2_match_data_create_from_pattern_8(compiled, nil) else {
            pcre2_code_free_8(compiled)
            return nil
        }
        code = compiled
        self.match = match
    }

    deinit {
        pcre2_match_data_free_8(match)
        pcre2_code_free_8(code)
    }

    func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 {
            pcre2_match_8(code, $0.baseAddress, $0.count, 0, UInt32(PCRE2_NO_UTF_CHECK), match, nil) >= 0
        }
    }
}
