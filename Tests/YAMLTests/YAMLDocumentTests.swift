import Testing

@testable import YAML

/// What a text gives: its diagnostics as they are shown, one string.
func rendered(_ text: String, file: String = "x.yaml") -> String {
    YAMLDocument(file: file, bytes: Array(text.utf8)).diagnostics.map { $0.rendered() }.joined()
}

/// The tree in one line: `{a: [b, "c"]}`, quoted text in quotes, refused nodes as `!`.
func outline(_ node: YAMLNode?) -> String {
    guard let node else { return "-" }
    switch node.content {
    case .scalar(let scalar): return scalar.isPlain ? scalar.text : "\"\(scalar.text)\""
    case .sequence(let elements): return "[" + elements.map { outline($0) }.joined(separator: ", ") + "]"
    case .mapping(let pairs): return "{" + pairs.map { "\($0.key): \(outline($0.value))" }.joined(separator: ", ") + "}"
    case .refused: return "!"
    }
}

func place(_ range: SourceRange) -> String {
    "\(range.start.line):\(range.start.column)-\(range.end.line):\(range.end.column)"
}

@Suite struct YAMLDocumentTests {
    @Test(arguments: [
        ("a: b", "{a: b}"),
        ("a: [b, 'c', \"d\"]\ne:\n  - f\n  - {g: h}\n", "{a: [b, \"c\", \"d\"], e: [f, {g: h}]}"),
        ("", ""), ("# nothing\n", ""), ("~", "~"), ("---\na: b\n...\n", "{a: b}"),
        ("a: >\n  b\n  c\nd: |\n  e\n", "{a: \"b c\n\", d: \"e\n\"}"),
        ("a: b\r\nc: d\r\n", "{a: b, c: d}"),
        ("\u{FEFF}a: ü", "{a: ü}"),
        ("%YAML 1.2\n---\na: b", "{a: b}"),
        ("a: x\n  y", "{a: x y}"),
    ])
    func reads(text: String, tree: String) {
        let document = YAMLDocument(file: "x", bytes: Array(text.utf8))
        #expect(document.diagnostics.isEmpty)
        #expect(outline(document.root) == tree)
    }

    @Test func knowsWhereEverythingStands() throws {
        let text = "# é\nä: [b, 'öc']\nd:\n  - e: f   # g\n    h: i\n\nj: k\n"
        let document = YAMLDocument(file: "x", bytes: Array(text.utf8))
        let root = try #require(document.root)
        let top = try #require(YAMLMapping(root, "it", Findings(document)))
        #expect(place(top.node.range) == "2:1-7:5")
        #expect(place(top.pairs[0].keyRange) == "2:1-2:2")
        #expect(place(top.range(of: "ä")) == "2:4-2:13")
        let elements = top.list("ä")
        #expect(elements.map { place($0.range) } == ["2:5-2:6", "2:8-2:12"])
        #expect(place(elements[1].range(ofBytes: 2..<3)) == "2:10-2:11")
        #expect(place(top.range(of: "d")) == "4:3-5:9")
        #expect(place(top.range(of: "j")) == "7:4-7:5")
        #expect(document.source.position(atOffset: elements[1].range.start.offset) == elements[1].range.start)
    }

    /// A part of a scalar is pointed at only where the file holds the text as it is.
    @Test func pointsIntoPlainAndQuotedTextButNotIntoEscapedOrFoldedText() throws {
        let text = "a: one two\nb: \"one two\"\nc: \"one\\x20two\"\nd: >\n  one two\n"
        let document = YAMLDocument(file: "x", bytes: Array(text.utf8))
        let root = try #require(document.root)
        let top = try #require(YAMLMapping(root, "it", Findings(document)))
        let parts = top.pairs.map { place($0.value.range(ofBytes: 4..<7)) }
        #expect(parts == ["1:8-1:11", "2:9-2:12", "3:4-3:16", "4:4-6:1"])
    }

    @Test(
        arguments: [
            ("", true, true, nil, nil), ("~", true, true, nil, nil), ("null", true, true, nil, nil),
            ("null", false, false, nil, nil), ("true", true, false, true, nil), ("false", false, false, nil, nil),
            ("False", true, false, false, nil), ("yes", true, false, nil, nil), ("0", true, false, nil, 0),
            ("-12", true, false, nil, -12), ("+3", true, false, nil, 3), ("012", true, false, nil, 12),
            ("0o17", true, false, nil, 15), ("0x1F", true, false, nil, 31), ("0x-1", true, false, nil, nil),
            ("+-1", true, false, nil, nil), ("1.0", true, false, nil, nil), ("12", false, false, nil, nil),
            ("9223372036854775807", true, false, nil, .max), ("9223372036854775808", true, false, nil, nil),
            ("-9223372036854775808", true, false, nil, .min), ("-", true, false, nil, nil),
            ("0x", true, false, nil, nil),
        ] as [(String, Bool, Bool, Bool?, Int64?)])
    func scalarsFollowTheCoreSchema(text: String, isPlain: Bool, isNull: Bool, bool: Bool?, int: Int64?) {
        let scalar = YAMLScalar(text, isPlain: isPlain)
        #expect(scalar.isNull == isNull)
        #expect(scalar.bool == bool)
        #expect(scalar.int == int)
    }

    @Test func aFileOverOneMebibyteIsRefused() {
        let bytes = [UInt8](repeating: 0x20, count: YAMLDocument.maximumBytes + 1)
        let document = YAMLDocument(file: "big.yaml", bytes: bytes)
        #expect(document.root == nil)
        #expect(
            document.diagnostics.map { $0.rendered() } == [
                "big.yaml: error: the file is larger than 1 MiB\n      = help: it has 1048577 bytes; spread it over several files\n"
            ])
        #expect(YAMLDocument(file: "x", bytes: bytes.dropLast()).diagnostics.isEmpty)
    }

    @Test(arguments: ["[", "{a: ", "- "])
    func depthIsBounded(opening: String) throws {
        let deepest = String(repeating: opening, count: YAMLDocument.maximumDepth)
        let isFlow = opening != "- "
        let closing = isFlow ? String(repeating: opening == "[" ? "]" : "}", count: YAMLDocument.maximumDepth) : ""
        #expect(rendered(deepest + "x" + closing).isEmpty)
        let tooDeep = YAMLDocument(file: "x", bytes: Array((deepest + opening + "x").utf8))
        #expect(tooDeep.root == nil)
        #expect(tooDeep.diagnostics.map(\.message) == ["more than 64 levels deep"])
        let endless = String(repeating: opening, count: 200_000)
        #expect(
            YAMLDocument(file: "x", bytes: Array(endless.utf8)).diagnostics.map(\.message) == [
                "more than 64 levels deep"
            ])
    }
}
