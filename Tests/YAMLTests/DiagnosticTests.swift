import Lane
import Testing

@testable import YAML

@Suite struct DiagnosticTests {
    func diagnostic(_ text: String, _ from: Int, _ to: Int, help: String? = nil) -> Diagnostic {
        let source = SourceText(file: "x.yaml", bytes: Array(text.utf8))
        let range = SourceRange(start: source.position(atOffset: from), end: source.position(atOffset: to))
        return Diagnostic(file: "x.yaml", range: range, message: "wrong", help: help, source: source)
    }

    @Test(arguments: [
        ("a: b\n", 3, 4, "x.yaml:1:4: error: wrong\n    1 | a: b\n      |    ^\n"),
        ("\ta: b\n", 4, 5, "x.yaml:1:5: error: wrong\n    1 | \ta: b\n      | \t   ^\n"),
        ("ä: öü\n", 4, 8, "x.yaml:1:4: error: wrong\n    1 | ä: öü\n      |    ^^\n"),
        // Over several lines: to the end of the first.
        ("a: b\n  c\n", 3, 8, "x.yaml:1:4: error: wrong\n    1 | a: b\n      |    ^\n"),
        // Nothing there: one caret behind the line.
        ("a:\n", 2, 2, "x.yaml:1:3: error: wrong\n    1 | a:\n      |   ^\n"),
        // An empty line has nothing to show.
        ("\n\n", 1, 1, "x.yaml:2:1: error: wrong\n"), ("", 0, 0, "x.yaml:1:1: error: wrong\n"),
        ("a: b\r\nc: d\r\n", 9, 10, "x.yaml:2:4: error: wrong\n    2 | c: d\n      |    ^\n"),
        ("\u{FEFF}a: b", 6, 7, "x.yaml:1:4: error: wrong\n    1 | a: b\n      |    ^\n"),
        // What could command a terminal is not shown.
        ("a: \u{1B}[2Jb", 3, 7, "x.yaml:1:4: error: wrong\n    1 | a: \u{FFFD}[2Jb\n      |    ^^^^\n"),
    ])
    func isShownWithItsLine(text: String, from: Int, to: Int, expected: String) {
        #expect(diagnostic(text, from, to).rendered() == expected)
    }

    @Test(arguments: [(9, "    9 | a"), (10, "   10 | a"), (99_999, "99999 | a"), (100_000, "100000 | a")])
    func theMarginGrowsWithTheNumberOfTheLine(line: Int, expected: String) {
        let text = String(repeating: "\n", count: line - 1) + "a"
        let lines = diagnostic(text, line - 1, line, help: "h").rendered().split(separator: "\n")
        #expect(lines[1] == expected)
        let bar = expected.prefix { $0 != "|" }.count
        #expect(lines[2] == String(repeating: " ", count: bar) + "| ^")
        #expect(lines[3] == String(repeating: " ", count: bar) + "= help: h")
    }

    @Test func ofALongLineTheNeighbourhoodIsShown() {
        let text = String(repeating: "é", count: 1000) + "X" + String(repeating: "y", count: 1000)
        let lines = diagnostic(text, 2000, 2001).rendered().split(separator: "\n")
        #expect(lines[0] == "x.yaml:1:1001: error: wrong")
        #expect(lines[1].hasPrefix("    1 | …é") && lines[1].hasSuffix("y…"))
        #expect(lines[1].count < 300)
        let column = lines[1].firstIndex(of: "X").map { lines[1].distance(from: lines[1].startIndex, to: $0) }
        #expect(lines[2].count == (column ?? 0) + 1)
        #expect(lines[2].hasSuffix(" ^"))
    }

    @Test func withoutAPlaceOnlyTheFileIsNamed() {
        let diagnostic = Diagnostic(file: "x.yaml", severity: .warning, message: "cannot be read", help: "look")
        #expect(diagnostic.rendered() == "x.yaml: warning: cannot be read\n      = help: look\n")
        #expect(diagnostic.headline == "x.yaml: warning: cannot be read")
    }

    @Test func coloursAreAskedForAndEnd() {
        let plain = diagnostic("a: b", 3, 4, help: "h").rendered()
        let coloured = diagnostic("a: b", 3, 4, help: "h").rendered(coloured: true)
        #expect(coloured.contains("\u{1B}[1;31merror:\u{1B}[0m"))
        #expect(coloured.contains("\u{1B}[1;31m^\u{1B}[0m"))
        let bare = coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "")
        #expect(bare == plain)
    }

    @Test func asJSONItHasTheSameFields() throws {
        var json = JSONWriter()
        diagnostic("a: \"b\"\nc", 3, 6, help: "say \"x\"").write(to: &json)
        #expect(
            json.text
                == #"{"file":"x.yaml","line":1,"column":4,"endLine":1,"endColumn":7,"severity":"error","message":"wrong","help":"say \"x\""}"#
        )
        json.removeAll()
        Diagnostic(file: "y", severity: .warning, message: "m").write(to: &json)
        #expect(
            json.text
                == #"{"file":"y","line":null,"column":null,"endLine":null,"endColumn":null,"severity":"warning","message":"m","help":null}"#
        )
    }

    @Test func quotedTextIsOneLineAndBounded() {
        #expect(Shown.quoted("a\nb\tc\r\u{7}\u{202E}") == "\"a\\nb\\tc\\r\u{FFFD}\u{FFFD}\"")
        #expect(Shown.quoted(String(repeating: "x", count: 81)) == "\"" + String(repeating: "x", count: 80) + "…\"")
    }

    @Test func positionsAndOffsetsAgree() {
        let source = SourceText(file: "x", bytes: Array("a\r\né\rb\n\nc".utf8))
        let places = (0...source.bytes.count).map { source.position(atOffset: $0) }
        #expect(places.map(\.line) == [1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5])
        #expect(places.map(\.column) == [1, 2, 3, 1, 2, 2, 1, 2, 1, 1, 2])
        #expect(source.position(atOffset: 99) == source.position(atOffset: source.bytes.count))
        #expect(source.lineCount == 5)
    }

    /// Found by fuzzing, in one sentence after another: so it is seen to where all of them are made.
    @Test func noSentenceHoldsControlCharacters() {
        let long = String(repeating: "x", count: 200)
        let diagnostic = Diagnostic(
            file: "f.yaml", message: "no layout u\tsb\u{1B}[31m \(long)", help: "one of:\na, b")
        #expect(diagnostic.message == "no layout u\\tsb\u{FFFD}[31m \(long)")
        #expect(diagnostic.help == "one of:\\na, b")
    }
}
