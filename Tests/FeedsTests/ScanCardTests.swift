import Testing

@testable import Feeds

/// What is card data and what is not: `CardFilter`'s rule, through the decoder. The numbers are the networks' own test numbers.
@Suite struct ScanCardTests {
    private func decode(_ text: String, layout: String = "us") -> [String] {
        var options = ScanOptions()
        options.layout = layout
        let typist = ScanTypist(options)
        typist.type(text)
        typist.enter()
        return typist.take()
    }

    @Test(arguments: [
        "%B4111111111111111^DOE/JOHN^2512101000000000?;4111111111111111=25121010000000000000?",
        ";4111111111111111=25121010000000000000?",
        "%B4111111111111111^DOE/JOHN^2512101000000000?",
        "+0123456789012345678901234567890?", "%E?;E?", "@12?", "!ABC?", "#ABC?", "&ABC?",
        "%B41111111", ";41111111", "XX%B4111^DOE", "X;411111111111=25",
        "4111111111111111", "5555555555554444", "378282246310005", "30569309025904", "6011111111111117",
        "3530111333300000", "6304000000000000", "2223003122003222", "4222222222222222224",
        "ABC4111111111111111XYZ", "https://x.example/4111111111111111/", "4111 1111 1111 1111", "4111-1111-1111-1111",
        "3782 822463 10005", "41111111111111112512101000000000", "]C04111111111111111", "]Q14111111111111111",
        "]E04111111111111111", "]C1" + "4111111111111111", "PAN:4111 1111 1111 1111",
    ])
    func cardDataIsDropped(text: String) {
        #expect(decode(text) == ["card"], "\(text.count) characters")
    }

    @Test(arguments: [
        // Valid trade items that also pass Luhn.
        "4006381330060", "5449000000095", "10614141000071",
        // A magazine with its add-on of 2 and 5, where the whole passes Luhn.
        "977144875804408", "978316148410000007",
        "0104006381333931", "]C100006141411234567890", "]e00104006381333931", "]d20104006381333931214111111111111111",
        "1234567890123456", "98412345678901234567", "]C0123456789012345678901234567890",
        "20251121-4111",
    ])
    func codesAreNot(text: String) {
        let outcomes = decode(text)
        #expect(outcomes.count == 1)
        #expect(outcomes.first.map { !$0.hasPrefix("card") && !$0.hasPrefix("rejected") } == true, "\(outcomes)")
    }

    /// The samples above do what they claim: they pass Luhn, so that only the exemption can have saved them.
    @Test(arguments: ["4006381330060", "5449000000095", "10614141000071"])
    func samplesAreBothCardAndItem(text: String) {
        var digits = text.utf8.map { $0 - 48 }
        #expect(GTIN.isValid(digits))
        digits.reverse()
        let sum = digits.enumerated().reduce(0) { sum, pair in
            let value = pair.offset % 2 == 1 ? Int(pair.element) * 2 : Int(pair.element)
            return sum + (value > 9 ? value - 9 : value)
        }
        #expect(sum % 10 == 0)
    }

    @Test func aWrongLayoutHidesNoNumber() {
        // A reader set to US, read as French: digits come out as &é"'(-è_çà.
        #expect(decode("4111111111111111", layout: "fr") == ["card"])
        #expect(decode(";4111111111111111=2512?", layout: "de") == ["card"])
    }

    @Test func altCodesHideNoNumber() {
        let typist = ScanTypist()
        typist.typeByAlt(";4111111111111111=2512?")
        typist.enter()
        #expect(typist.take() == ["card"])
    }

    @Test func oneSwipeIsOneCard() {
        let typist = ScanTypist()
        typist.type("%B4111111111111111^DOE^2512?")
        typist.enter()
        typist.type(";4111111111111111=2512?")
        typist.enter()
        typist.now += 400_000
        typist.type("4111111111")
        typist.wait(150_000)
        #expect(typist.take() == ["card", "tail", "tail"])
        typist.now += 500_000
        typist.type("4006381333931")
        typist.enter()
        #expect(typist.take() == ["4006381333931 - ok"])
        #expect(typist.decoder.begun == 4)
    }

    @Test func aSlowSwipeIsACard() {
        let typist = ScanTypist()
        typist.type("%B411111111")
        typist.now += 100_000
        typist.type("1111111^DOE^2512?")
        typist.enter()
        #expect(typist.take() == ["card"])
    }

    @Test func everyThirteenDigitItemIsAScan() {
        // Of the valid items about one in ten passes Luhn: none may be lost.
        var random = SplitMix(seed: 7)
        for _ in 0..<300 {
            var digits = (0..<12).map { _ in UInt8(random.next() % 10) }
            for check: UInt8 in 0...9 where GTIN.isValid(digits + [check]) {
                digits.append(check)
                break
            }
            let text = digits.map { String($0) }.joined()
            #expect(decode(text) == ["\(text) - ok"])
        }
    }
}
