import Testing

@testable import Feeds

@Suite struct ScanDecoderTests {
    private func decode(_ text: String, _ options: ScanOptions = ScanOptions()) -> [String] {
        let typist = ScanTypist(options)
        typist.type(text)
        typist.enter()
        return typist.take()
    }

    @Test(arguments: [
        ("4006381333931", "4006381333931 - ok"),
        ("4006381333933", "4006381333933 - bad"),
        ("96385074", "96385074 - ok"),
        ("036000291452", "036000291452 - ok"),
        ("04252614", "04252614 - ok"),
        ("15400141288763", "15400141288763 - ok"),
        ("ABC-1234", "ABC-1234 - none"),
        ("https://example.org/a?b=1&c=%20;d", "https://example.org/a?b=1&c=%20;d - none"),
        ("]E04006381333931", "4006381333931 ]E0 ok"),
        ("]E04006381333933", "4006381333933 ]E0 bad"),
        ("]C0400638133393", "400638133393 ]C0 none"),
        ("]X09783161484100", "9783161484100 ]X0 ok"),
        ("F]E04006381333931", "4006381333931 ]E0 ok"),
        ("]A0ABCDEF", "ABCDEF ]A0 none"),
        ("]C1010400638133393110ABC\u{1d}21XY", "010400638133393110ABC\u{1d}21XY ]C1 ok"),
        ("]d201040063813339331725123110LOT", "01040063813339331725123110LOT ]d2 bad"),
        ("0104006381333931", "0104006381333931 - ok"),
        ("9771234567898 12", "9771234567898 12 - none"),
        ("+A123BJC5D6E71", "+A123BJC5D6E71 - none"),
    ])
    func codesComeOutWithSymbologyAndCheck(text: String, expected: String) {
        #expect(decode(text) == [expected])
    }

    @Test(arguments: [
        ScanOptions.Terminator.enter, .keypadEnter, .tab, .lf, .silence,
    ])
    func everyTerminatorEndsACode(terminator: ScanOptions.Terminator) {
        let typist = ScanTypist()
        typist.type("4006381333931")
        switch terminator {
        case .enter: typist.enter()
        case .keypadEnter: typist.tap(KeyCode.keypadEnter)
        case .tab: typist.tap(KeyCode.tab)
        case .lf: typist.tap(KeyCode.j, holding: KeyCode.leftControl)
        default: typist.wait(150_000)
        }
        #expect(typist.take() == ["4006381333931 - ok"])
        typist.wait(1_000_000)
        #expect(typist.take() == [])
        #expect(typist.decoder.begun == 1)
    }

    @Test func carriageReturnAndLineFeedAreOneEnd() {
        for lineFeed in [KeyCode.j, KeyCode.down] {
            let typist = ScanTypist()
            for _ in 0..<2 {
                typist.type("4006381333931")
                typist.enter()
                typist.tap(lineFeed, holding: lineFeed == KeyCode.j ? KeyCode.leftControl : nil)
            }
            #expect(typist.take() == ["4006381333931 - ok", "4006381333931 - ok"])
        }
    }

    @Test func anEnterBeforeTheCodeIsIgnored() {
        let typist = ScanTypist()
        typist.enter()
        typist.type("4006381333931")
        typist.enter()
        #expect(typist.take() == ["4006381333931 - ok"])
    }

    @Test func theArrowDownTypesGroupSeparatorInsideACode() {
        let typist = ScanTypist()
        typist.type("]C110ABC")
        typist.tap(KeyCode.down)
        typist.type("21XY")
        typist.enter()
        #expect(typist.take() == ["10ABC\u{1d}21XY ]C1 none"])
    }

    @Test func altCodesTypeAnything() {
        let typist = ScanTypist()
        typist.typeByAlt("]C110AbC\u{1d}21X%")
        typist.enter()
        #expect(typist.take() == ["10AbC\u{1d}21X% ]C1 none"])
    }

    @Test func keypadDigitsNeedNoNumLock() {
        let typist = ScanTypist()
        for code: UInt16 in [75, 82, 82, 77, 81, 72, 79, 81, 81, 81, 73, 81, 79] { typist.tap(code) }
        typist.tap(KeyCode.keypadEnter)
        #expect(typist.take() == ["4006381333931 - ok"])
    }

    @Test func capsLockIsUnderstood() {
        let typist = ScanTypist()
        typist.tap(KeyCode.capsLock)
        typist.type("abcdef1")
        typist.tap(KeyCode.capsLock)
        typist.type("x")
        typist.enter()
        #expect(typist.take() == ["ABCDEF1x - none"])
    }

    @Test func layoutsDiffer() {
        var german = ScanOptions()
        german.layout = "de"
        let typist = ScanTypist(german)
        // A German scanner types z with the key of the US y, ] with AltGr and 9, ^ as a dead key and a space.
        typist.tap(10, holding: KeyCode.rightAlt)
        typist.type("Q1zy")
        typist.tap(41)
        typist.type(" 123")
        typist.enter()
        #expect(typist.take() == ["yz^123 ]Q1 none"])
        var french = ScanOptions()
        french.layout = "fr"
        let azerty = ScanTypist(french)
        for code: UInt16 in [5, 11, 11, 7, 4, 9, 2, 4, 4, 4, 10, 4, 2] {
            azerty.tap(code, holding: KeyCode.leftShift)
        }
        azerty.enter()
        #expect(azerty.take() == ["4006381333931 - ok"])
    }

    @Test func prefixAndSuffixAreTakenOffAndDemanded() {
        var options = ScanOptions()
        options.prefix = "\u{02}"
        options.suffix = "$"
        #expect(decode("\u{02}]E04006381333931$", options) == ["4006381333931 ]E0 ok"])
        #expect(decode("4006381333931$", options) == ["rejected no_prefix"])
        #expect(decode("\u{02}4006381333931", options) == ["rejected no_suffix"])
    }

    @Test func aPauseInsideMakesItNoScan() {
        let typist = ScanTypist()
        typist.type("400638")
        typist.now += 80_000
        typist.type("1333931")
        typist.enter()
        typist.step = 100_000
        typist.type("4006381333931")
        typist.enter()
        #expect(typist.take() == ["rejected slow", "rejected slow"])
    }

    @Test func lengthsAreBounded() {
        var options = ScanOptions()
        options.maximumLength = 20
        #expect(decode("12345", options) == ["rejected too_short"])
        #expect(decode("ABCDEFGHIJKLMNOPQRSTU", options) == ["rejected too_long"])
        #expect(decode("ABCDEFGHIJKLMNOPQRST", options) == ["ABCDEFGHIJKLMNOPQRST - none"])
    }

    @Test func unknownKeysMakeItNoScan() {
        let typist = ScanTypist()
        typist.type("400638")
        typist.tap(59)  // F1
        typist.type("1333931")
        typist.enter()
        #expect(typist.take() == ["rejected unknown_key"])
    }

    @Test func autoRepeatTypesNothing() {
        let typist = ScanTypist()
        typist.type("40063813339")
        typist.send(4, 2)
        typist.send(4, 2)
        typist.type("31")
        typist.enter()
        #expect(typist.take() == ["4006381333931 - ok"])
    }

    @Test func afterADropNothingIsGuessed() {
        let typist = ScanTypist()
        typist.type("40063")
        typist.decoder.drop(at: typist.now, held: [])
        typist.type("4006381333931")  // a whole code, as far as anybody can see
        typist.enter()
        #expect(typist.take() == ["rejected after_drop"])
        typist.type("4006381333931")
        typist.enter()
        #expect(typist.take() == ["4006381333931 - ok"])
        // A drop between codes: the next may have lost its head.
        typist.decoder.drop(at: typist.now, held: [])
        typist.type("4006381333931")
        typist.enter()
        #expect(typist.take() == ["rejected after_drop"])
        // A long pause ends the doubt too.
        typist.decoder.drop(at: typist.now, held: [KeyCode.leftShift])
        typist.now += 200_000
        typist.send(KeyCode.leftShift, 0)
        typist.type("4006381333931")
        typist.enter()
        #expect(typist.take() == ["4006381333931 - ok"])
    }

    @Test func modifiersHeldThroughADropCount() {
        let typist = ScanTypist()
        typist.decoder.drop(at: typist.now, held: [KeyCode.leftShift])
        typist.now += 200_000
        typist.tap(30)
        typist.send(KeyCode.leftShift, 0)
        typist.type("bcdefg")
        typist.enter()
        #expect(typist.take() == ["Abcdefg - none"])
    }

    @Test func unpluggingEndsABurst() {
        let typist = ScanTypist()
        #expect(typist.decoder.close() == nil)
        typist.type("400638")
        #expect(typist.decoder.close() == .rejected(.unplugged))
        #expect(typist.decoder.close() == nil)
    }

    /// Any events at all: nothing traps, bursts are conserved, and what comes out is bounded.
    @Test(arguments: 0..<40) func anythingIsTaken(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var options = ScanOptions()
        options.maximumLength = 64
        options.layout = ["us", "de", "fr"][Int(seed % 3)]
        let decoder = ScanDecoder(options: options, layout: ScanTypist.layout(options))
        var ended = 0
        var now: Int64 = seed % 5 == 0 ? .max - 1_000 : 0
        for _ in 0..<4000 {
            let spread: [Int64] = [0, 4_000, 70_000, 200_000, -50_000, .max / 2, .min / 2]
            now = now &+ spread[Int(random.next() % (random.next() % 20 == 0 ? 7 : 2))]
            let outcome: ScanDecoder.Outcome?
            switch random.next() % 40 {
            case 0: outcome = decoder.settle(at: now)
            case 1 where random.next() % 8 == 0:
                decoder.drop(at: now, held: [UInt16(truncatingIfNeeded: random.next() % 128)])
                outcome = nil
            case 2 where random.next() % 8 == 0: outcome = decoder.close()
            default:
                let code = UInt16(truncatingIfNeeded: random.next() % 16 == 0 ? random.next() : random.next() % 128)
                outcome = decoder.key(code, value: Int32(random.next() % 4), at: now)
            }
            if let outcome {
                ended += 1
                if case .code(let code) = outcome { #expect(code.text.unicodeScalars.count <= 64) }
            }
            #expect(decoder.begun == ended + (decoder.isOpen ? 1 : 0))
        }
        #expect(decoder.begun > 10)
    }
}

/// A small generator with a seed: SplitMix64.
struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
