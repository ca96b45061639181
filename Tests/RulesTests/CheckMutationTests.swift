import Lane
import Rules
import Testing
import YAML

/// Files that nobody would write: the checker answers all of them, and points inside the file.
@Suite struct CheckMutationTests {
    /// SplitMix64: the same files on every run.
    struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    static let fragments: [String] = [
        "\"", "'", "[", "]", "{", "}", ": ", ":", "- ", "\n", "\n  ", "#", " #", "$", "$wait", "&a", "*a", "!x", "|",
        ">", ",", "?",
        "%", "@", "\t", "\u{0}", "\u{7F}", "é", "\u{FEFF}", "\u{2028}", "😀", "\u{FFFF}", "---\n", "...\n", " and ",
        " or ", " not ",
        " where ", " matches /", "/", "=", "!=", ">=", "~", "null", "true", "0", "-1", "99999999999999999999", "0x",
        "1.5s", "45 s",
        "Mon-Fri ", "24:00", "format: 2\n", "on: ", "when: ", "<<: ", "\r", "\r\n", "(", "\\",
    ]

    static func mutated(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &dice) {
            let place = Int.random(in: 0...bytes.count, using: &dice)
            switch Int.random(in: 0..<8, using: &dice) {
            case 0:
                if place < bytes.count { bytes[place] = UInt8.random(in: .min ... .max, using: &dice) }
            case 1:
                let end = min(bytes.count, place + Int.random(in: 1...40, using: &dice))
                bytes.removeSubrange(place..<end)
            case 2, 3:
                let fragment = fragments.randomElement(using: &dice) ?? ""
                bytes.insert(contentsOf: Array(fragment.utf8), at: place)
            case 4:
                // A line moves elsewhere.
                var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
                let line = lines.remove(at: Int.random(in: 0..<lines.count, using: &dice))
                lines.insert(line, at: Int.random(in: 0...lines.count, using: &dice))
                bytes = Array(lines.joined(separator: [0x0A]))
            case 5:
                // A line is indented, or stands twice.
                var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) }
                let number = Int.random(in: 0..<lines.count, using: &dice)
                if Bool.random(using: &dice) {
                    lines[number].insert(0x20, at: 0)
                } else {
                    lines.insert(lines[number], at: number)
                }
                bytes = Array(lines.joined(separator: [0x0A]))
            case 6:
                // A piece from elsewhere.
                let from = Int.random(in: 0...bytes.count, using: &dice)
                let piece = Array(bytes[from..<min(bytes.count, from + Int.random(in: 1...30, using: &dice))])
                bytes.insert(contentsOf: piece, at: place)
            default:
                if place < bytes.count { bytes.removeSubrange(place...) }
            }
            if bytes.isEmpty { bytes = [0x0A] }
        }
        return bytes
    }

    /// What must be true of every answer.
    static func faults(of loaded: (ruleSet: RuleSet?, diagnostics: [Diagnostic]), _ bytes: [UInt8]) -> [String] {
        var faults: [String] = []
        let errors = loaded.diagnostics.count { $0.severity == .error }
        if loaded.ruleSet == nil && errors == 0 { faults.append("neither a set nor an error") }
        if loaded.ruleSet != nil && errors > 0 { faults.append("a set and an error") }
        if errors > 0 && errors < loaded.diagnostics.count { faults.append("a warning beside an error") }
        let source = SourceText(file: "x", bytes: bytes)
        var last = 0
        for diagnostic in loaded.diagnostics {
            let rendered = diagnostic.rendered()
            if rendered.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" && $0 != "\t" }) {
                faults.append("a control character in: \(rendered)")
            }
            if diagnostic.message.isEmpty || diagnostic.message.contains("\n") {
                faults.append("message: \(diagnostic.message)")
            }
            guard let range = diagnostic.range else {
                faults.append("no place: \(rendered)")
                continue
            }
            for position in [range.start, range.end] where source.position(atOffset: position.offset) != position {
                faults.append("\(position) is not \(source.position(atOffset: position.offset)): \(rendered)")
            }
            if range.end < range.start || range.end.offset > bytes.count { faults.append("range: \(rendered)") }
            if range.start.offset < last { faults.append("order: \(rendered)") }
            last = range.start.offset
        }
        return faults
    }

    @Test(arguments: ["example.yaml", "12.yaml", "06.yaml", ""], [1, 2] as [UInt64])
    func everyMutationIsAnswered(file: String, seed: UInt64) throws {
        let original = file.isEmpty ? [] : try Golden.bytes(file)
        var dice = Dice(state: seed)
        var (sets, refused) = (0, 0)
        for round in 0..<600 {
            // No file: one of the wrong cases, another each time.
            let wrong = CheckWrongTests.cases.randomElement(using: &dice)?.text ?? ""
            let bytes = Self.mutated(file.isEmpty ? Array(wrong.utf8) : original, &dice)
            let loaded = RuleFile.load(files: [(name: "x.yaml", bytes: bytes)])
            if loaded.ruleSet == nil { refused += 1 } else { sets += 1 }
            let faults = Self.faults(of: loaded, bytes)
            #expect(faults.isEmpty, "round \(round) of \(file), seed \(seed)")
        }
        #expect(refused > 0)
        if file == "example.yaml" { #expect(sets > 0) }
    }

    @Test func anyBytesAreAnswered() {
        var dice = Dice(state: 3)
        for _ in 0..<2000 {
            let count = Int.random(in: 0...80, using: &dice)
            let bytes: [UInt8]
            if Bool.random(using: &dice) {
                bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &dice) }
            } else {
                bytes = (0..<count / 4).flatMap { _ in Array((Self.fragments.randomElement(using: &dice) ?? "").utf8) }
            }
            #expect(Self.faults(of: RuleFile.load(files: [(name: "x", bytes: bytes)]), bytes).isEmpty)
        }
    }

    /// A large file of nothing but faults, is refused soon and in bounded room.
    @Test(arguments: [
        (
            "  - {id: a, on: tuch, muted_by: [nobody, someone-else, network-dwon], severty: inf}\n",
            "format: 1\nrules:\n"
        ),
        (
            "  - {id: %, on: touch, muted_by: a-rule-with-a-long-name-%%, severity: info, clear_after: 1m}\n",
            "format: 1\nrules:\n"
        ),
        ("a%: b\n", ""), ("- ", ""), ("{a: ", ""), ("\"", ""), ("? ", ""), ("a: |\n", ""), ("[a, ", ""),
        ("{a%: 1, ", "format: 1\nx: "),
        ("x and ", "format: 1\nrules: [{on: touch where "), ("*", ""), ("&a ", ""),
        ("  - {id: r%, on: touch, muted_by: [r%, r1]}\n", "format: 1\nrules:\n"),
    ])
    func aFileOfFaultsIsRefusedInTime(piece: String, before: String) {
        var text = before
        var number = 0
        while text.utf8.count + piece.utf8.count + 8 < YAMLDocument.maximumBytes / 4 {
            number += 1
            text += piece.replacing("%", with: String(number))
        }
        let clock = ContinuousClock()
        var shown = 0
        let time = clock.measure {
            let loaded = RuleFile.load(files: [(name: "x.yaml", bytes: Array(text.utf8))])
            #expect(loaded.ruleSet == nil)
            #expect(loaded.diagnostics.count <= Findings.maximum + 1)
            shown = loaded.diagnostics.reduce(0) { $0 + $1.rendered().utf8.count }
        }
        // A generous bound for a debug build on a busy machine: what grows with the square of the file takes minutes.
        #expect(time < .seconds(20))
        #expect(shown < 4 << 20)
    }
}
