import Testing

@testable import YAML

/// Files that are not readable, or hold what is not allowed, and all that is printed for each.
@Suite struct YAMLFaultTests {
    static let cases: [(String, String)] = [
        (
            "a: &b c",
            """
            x.yaml:1:4: error: anchors are not allowed; remove "&b"
                1 | a: &b c
                  |    ^^
                  = help: text that starts with & needs quotes

            """
        ),
        (
            "a: *b\nc: !!str d\n",
            """
            x.yaml:1:4: error: aliases are not allowed
                1 | a: *b
                  |    ^^
                  = help: write the value again; text that starts with * needs quotes
            x.yaml:2:4: error: tags are not allowed
                2 | c: !!str d
                  |    ^^^^^
                  = help: text that starts with ! needs quotes

            """
        ),
        (
            "a: 1\nb: {c: 1, c: 2}\na: 2\n",
            """
            x.yaml:2:11: error: the key "c" stands twice in one mapping; it is already on line 2
                2 | b: {c: 1, c: 2}
                  |           ^
            x.yaml:3:1: error: the key "a" stands twice in one mapping; it is already on line 1
                3 | a: 2
                  | ^

            """
        ),
        (
            "a: 1\n---\nb: 2\n",
            """
            x.yaml:2:1: error: a second document begins here; a file holds one
                2 | ---
                  | ^^^
                  = help: remove "---", or use two files

            """
        ),
        (
            "a: b: c\n",
            """
            x.yaml:1:5: error: not readable as YAML: mapping values are not allowed here
                1 | a: b: c
                  |     ^
                  = help: text that holds ": " or starts with a special sign needs quotes

            """
        ),
        (
            "a:\n\tb: c\n",
            """
            x.yaml:2:1: error: not readable as YAML: found character that cannot start any token
                2 | \tb: c
                  | ^
                  = help: lines are indented with blanks, not with tabs

            """
        ),
        (
            "a: \"b\nc: d\n",
            """
            x.yaml:1:4: error: not readable as YAML: this quoted text has no end
                1 | a: "b
                  |    ^

            """
        ),
        (
            "a: [b, c\n",
            """
            x.yaml:1:4: error: not readable as YAML: this list has no "]"
                1 | a: [b, c
                  |    ^

            """
        ),
        (
            "a: {b: c",
            """
            x.yaml:1:4: error: not readable as YAML: this mapping has no "}"
                1 | a: {b: c
                  |    ^

            """
        ),
        (
            "[a]: b\n? [c]\n: d\ne: {'': f}\n",
            """
            x.yaml:1:1: error: a key must be text, not a list
                1 | [a]: b
                  | ^^^
            x.yaml:2:3: error: a key must be text, not a list
                2 | ? [c]
                  |   ^^^
            x.yaml:4:5: error: a key must not be empty
                4 | e: {'': f}
                  |     ^^

            """
        ),
        (
            "a: \u{7}\n",
            """
            x.yaml:1:4: error: not readable as YAML: control characters are not allowed
                1 | a: \u{FFFD}
                  |    ^

            """
        ),
        (
            "%TAG ! x\n---\na: b\n",
            """
            x.yaml:1:1: error: tags are not allowed; remove "%TAG"
                1 | %TAG ! x
                  | ^^^^^^^^

            """
        ),
    ]

    @Test(arguments: cases)
    func isToldAs(text: String, expected: String) { #expect(rendered(text) == expected) }

    @Test(
        arguments: [
            ([0x61, 0x3A, 0x20, 0xFF], "1:4", "the file is not UTF-8"),
            ([0x61, 0x0A, 0xC3], "2:1", "the file is not UTF-8"),
            ([0xED, 0xA0, 0x80], "1:1", "the file is not UTF-8"),
            ([0xC0, 0x80], "1:1", "the file is not UTF-8"),
            ([0xE0, 0x80, 0x80], "1:1", "the file is not UTF-8"),
            ([0xF4, 0x90, 0x80, 0x80], "1:1", "the file is not UTF-8"),
            ([0xFF, 0xFE, 0x61, 0x00], "1:1", "the file is not UTF-8"),
            ([0x61, 0x00], "1:2", "control characters are not allowed"),
            ([0x61, 0x0A, 0x62, 0xE2, 0x80, 0xA8], "2:2", "control characters are not allowed"),
        ] as [([UInt8], String, String)])
    func bytesThatAreNoTextArePlaced(bytes: [UInt8], place: String, message: String) throws {
        let document = YAMLDocument(file: "x", bytes: bytes)
        #expect(document.root == nil)
        let fault = try #require(document.diagnostics.first)
        #expect(document.diagnostics.count == 1)
        #expect("\(fault.range?.start.line ?? 0):\(fault.range?.start.column ?? 0)" == place)
        #expect(fault.message == "not readable as YAML: " + message)
    }
}
