import Lane
import Testing

@Suite struct CardTextTests {
    @Test(
        arguments: [
            ("paid with 4111111111111111.", "paid with [masked]."),
            ("5555555555554444 and 378282246310005", "[masked] and [masked]"),
            ("4111 1111 1111 1111 x", "[masked] x"), ("4111-1111-1111-1111", "[masked]"),
            ("3782 822463 10005", "[masked]"),
            (";4111111111111111=2512?after", "[masked]after"), ("%B4111111111111111^A/B^2512", "[masked]"),
            ("a;12345678=9", "a[masked]"), ("41111111111111112512101", "[masked]"),
            ("4222222222222", "[masked]"), ("4222222222225", nil),
            ("4111111111111112", nil), ("0000000000000000", nil), ("411111111111", nil), ("1234", nil), ("", nil),
            ("00000100000000000017", nil), ("2026-11-21T08:14:03.120Z", nil), ("2026-11-21 0814 0312 0000", nil),
            ("4111 1111 1111 111", nil), ("no;=^%", nil),
        ] as [(String, String?)])
    func whatLooksLikeACardIsMasked(_ text: String, _ masked: String?) {
        #expect(CardText.masked(text) == masked)
        #expect(CardText.isSuspect(text) == (masked != nil))
    }

    @Test func anyBytesAreJudged() {
        let alphabet = Array("0123456789;=%^? -BéZ".utf8)
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...60)).map { _ in alphabet.randomElement() ?? 0 }
            let text = String(decoding: bytes, as: UTF8.self)
            let masked = CardText.masked(text)
            #expect(CardText.isSuspect(text) == (masked != nil))
            if let masked { #expect(!CardText.isSuspect(masked), "\(text) -> \(masked)") }
        }
    }

    @Test func everyLuhnNumberOfEveryLengthIsFound() {
        for length in 13...19 {
            for _ in 0..<200 {
                var digits = (0..<length - 1).map { _ in Int.random(in: 0...9) }
                digits[0] = Int.random(in: 1...9)
                // The check digit, by the definition: doubled from the right, beginning beside it.
                let sum = digits.reversed().enumerated().reduce(0) { sum, entry in
                    let value = entry.offset % 2 == 0 ? entry.element * 2 : entry.element
                    return sum + value / 10 + value % 10
                }
                let text = (digits + [(10 - sum % 10) % 10]).map(String.init).joined()
                #expect(CardText.isSuspect(text))
                let wrong = (digits + [(11 - sum % 10) % 10]).map(String.init).joined()
                #expect(!CardText.isSuspect(wrong))
            }
        }
    }

    @Test(arguments: [
        ("4006381333931", true), ("4006381333932", false), ("96385074", true), ("012345678905", true),
        ("10012345678902", true), ("01040063813339311725", true), ("", false), ("400638133393a", false),
    ])
    func tradeItemsHaveTheirCheckDigit(_ text: String, _ isItem: Bool) {
        #expect(CardText.isTradeItem(text) == isItem)
    }
}
