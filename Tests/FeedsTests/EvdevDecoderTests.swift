import Testing

@testable import Feeds

/// The small decoders: touch, key pad, card reader.
@Suite struct EvdevDecoderTests {
    private let report = (EventType.synchronisation, SynchronisationCode.report, Int32(0))

    private func count(_ decoder: any InputDecoder, _ events: [(UInt16, UInt16, Int32)], at: Int64 = 0) -> Int {
        events.compactMap { decoder.event(type: $0.0, code: $0.1, value: $0.2, at: at) }.count
    }

    @Test func aFingerIsOneTouchHoweverItIsTold() {
        let decoder = TouchDecoder()
        let down = (EventType.key, KeyCode.touch, Int32(1))
        let up = (EventType.key, KeyCode.touch, Int32(0))
        let first = (EventType.absolute, KeyCode.trackingID, Int32(7))
        let second = (EventType.absolute, KeyCode.trackingID, Int32(8))
        let lift = (EventType.absolute, KeyCode.trackingID, Int32(-1))
        let move = (EventType.absolute, UInt16(0), Int32(100))
        #expect(count(decoder, [down, move]) == 0)
        #expect(count(decoder, [report]) == 1)
        #expect(count(decoder, [move, report, up, report]) == 0)
        #expect(count(decoder, [first, down, move, report]) == 1)
        #expect(count(decoder, [second, report]) == 1)
        #expect(count(decoder, [lift, report, lift, up, report]) == 0)
        // A frame cut by a drop is none.
        #expect(count(decoder, [down]) == 0)
        decoder.drop(at: 0, held: [])
        #expect(count(decoder, [report]) == 0)
        #expect(decoder.begun == 3)
    }

    @Test func aKeyPadTellsPressesOnly() {
        let decoder = KeypadDecoder()
        #expect(count(decoder, [(EventType.key, 2, 1), (EventType.key, 2, 2), (EventType.key, 2, 0), report]) == 1)
        #expect(decoder.begun == 1)
    }

    @Test func aSwipeIsToldOnceAndAtOnce() {
        let decoder = SwipeDecoder()
        let key = (EventType.key, UInt16(2), Int32(1))
        #expect(count(decoder, [key], at: 0) == 1)
        for at: Int64 in [2_000, 400_000, 800_000, 1_299_999] { #expect(count(decoder, [key], at: at) == 0) }
        #expect(count(decoder, [key], at: 1_799_999) == 1)
        // Stamps that go back or overflow are taken; a drop in a swipe begins no new one.
        #expect(count(decoder, [key], at: .min) == 0 || decoder.begun == 3)
        decoder.drop(at: 5_000_000, held: [])
        #expect(count(decoder, [key], at: 5_100_000) == 0)
        #expect(count(decoder, [key], at: .max) == 1)
    }

    /// Wherever a card's number stands between things that are no digits, it does not come out.
    @Test(arguments: 0..<300) func noNumberComesOut(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let numbers = [
            "5413330089010442", "4012888888881881", "371449635398431", "6011000990139424", "6759649826438453",
        ]
        let number = numbers[Int(seed) % numbers.count]
        let others = Array("ABCXYZabcxyz-/.,:=^%;+ ").filter { _ in true }
        func some(_ most: UInt64) -> String {
            String((0..<random.next() % most).map { _ in others[Int(random.next() % 23)] })
        }
        let ids = ["", "]C0", "]Q1", "]A0", "]C1", "]d2", "]I0"]
        let text = ids[Int(random.next() % 7)] + some(12) + number + some(12)
        let typist = ScanTypist()
        if seed % 7 == 0 { typist.typeByAlt(text) } else { typist.type(text) }
        typist.enter()
        #expect(typist.take() == ["card"])
    }
}
