import Rules
import Testing

@Suite struct CheckPatternTests {
    @Test(arguments: [
        ("^pos_error", "pos_error_12", true), ("^pos_error", "a pos_error", false), ("error", "an error here", true),
        ("^.$", "é", true), ("^.$", "", false), ("^$", "", true), ("\\d{3}", "ab123", true),
        ("(?i)ERROR", "error", true),
        ("(a)(b)(c)", "abc", true), ("^\\x{1F600}$", "😀", true), ("a.c", "a\nc", false),
    ])
    func matches(source: String, text: String, expected: Bool) throws {
        let pattern = try Pattern(source)
        #expect(pattern.matches(text) == (expected ? .match : .noMatch))
        // Once more, and through a string that has no contiguous bytes of its own.
        #expect(
            pattern.matches(String(text.unicodeScalars.reversed().reversed().map { Character($0) }))
                == (expected ? .match : .noMatch))
    }

    @Test func aValueThatWouldTakeForeverIsGivenUp() throws {
        let pattern = try Pattern("(a+)+$")
        #expect(pattern.matches(String(repeating: "a", count: 60) + "b") == .limitExceeded)
        #expect(pattern.matches("aaa") == .match)
        #expect(try Pattern("(a|b)*\\d").matches(String(repeating: "ab", count: 200_000)) == .limitExceeded)
    }

    /// PCRE2 counts steps anew at each place of a value where a match may begin.
    @Test func aLongValueIsGivenUpAsAWhole() throws {
        // Each place alone stays below the limit on steps; all of them took minutes.
        let slow = try Pattern("a{0,300}a{0,300}[bc]")
        #expect(slow.matches(String(repeating: "a", count: 60_000)) == .limitExceeded)
        #expect(slow.matches(String(repeating: "a", count: 60)) == .noMatch)
        #expect(try Pattern("a*a*a*[bc]").matches(String(repeating: "a", count: 1000)) == .limitExceeded)
        let plain = try Pattern("error.*timeout")
        let filling = String(repeating: "x", count: 1000)
        #expect(plain.matches("an error \(filling) timeout") == .match)
        #expect(plain.matches("an error \(filling)") == .noMatch)
        let longest = String(repeating: "x", count: Pattern.maximumValueBytes)
        #expect(try Pattern("x$").matches(longest) == .match)
        #expect(try Pattern("x$").matches(longest + "x") == .limitExceeded)
    }

    @Test(arguments: [
        ("^pos_(error", "missing ), unterminated subpattern", 6), ("a(b(c", "missing ), unterminated subpattern", 4),
        ("é(", "missing ), unterminated subpattern", 2), ("[a", "missing ], unterminated character class", 1),
        ("x[]a", "missing ], unterminated character class", 2),
        ("[[:alpha:](]x(", "missing ), unterminated subpattern", 14),
        ("\\Q(\\E(", "missing ), unterminated subpattern", 6), ("(\\(", "missing ), unterminated subpattern", 1),
        ("*", "quantifier does not follow a repeatable item", 1), ("a)", "unmatched closing parenthesis", 2),
        ("a{2,1}", "numbers out of order in {} quantifier", 5), ("[z-a]", "range out of order in character class", 3),
        ("(?<n>a)(?<n>b)", "two named subpatterns have the same name (PCRE2_DUPNAMES not set)", 12),
    ])
    func faultsHaveAPlace(source: String, message: String, character: Int) {
        do throws(PatternFault) {
            _ = try Pattern(source)
            Issue.record("\(source) compiled")
        } catch {
            #expect(error.message == message)
            #expect(error.character == character)
        }
    }

    @Test func longPatternsAndLargeOnesAreRefused() {
        #expect(throws: PatternFault.self) { try Pattern(String(repeating: "a", count: 4097)) }
        #expect(throws: PatternFault.self) { try Pattern("((a{1000}){1000}){1000}") }
        #expect(throws: PatternFault.self) {
            try Pattern(String(repeating: "(", count: 1000) + String(repeating: ")", count: 1000))
        }
    }

    @Test func equalityIsThatOfTheSource() throws {
        #expect(try Pattern("a") == Pattern("a"))
        #expect(try Pattern("a") != Pattern("b"))
        #expect(Set([try Pattern("a"), try Pattern("a"), try Pattern("b")]).count == 2)
    }

    @Test func manyThreadsShareOnePattern() async throws {
        let pattern = try Pattern("^x(a|b)+y$")
        await withTaskGroup(of: Bool.self) { group in
            for task in 0..<8 {
                group.addTask {
                    (0..<2000).allSatisfy { i in
                        let isRight = (i + task) % 2 == 0
                        return pattern.matches(isRight ? "xabaabby" : "xabaabbz") == (isRight ? .match : .noMatch)
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }
}
