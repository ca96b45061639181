import Lane
import Testing

@Suite struct TimeTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (1_767_607_200_000, "2026-01-05T10:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (4_107_542_399_000, "2100-02-28T23:59:59.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
    func writesAndReadsRFC3339(_ milliseconds: Int64, _ text: String) {
        #expect(WallInstant(milliseconds: milliseconds).rfc3339 == text)
        #expect(WallInstant(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("2026-11-21T08:14:03+01:00", 1_795_245_243_000), ("2026-11-21T08:14:03.1-00:30", 1_795_250_643_100),
        ("2026-11-21t08:14:03.123456z", 1_795_248_843_123),
    ])
    func readsOffsetsAndFractions(_ text: String, _ milliseconds: Int64) {
        #expect(WallInstant(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "２０２６-01-01T00:00:00Z",
    ])
    func refusesWhatIsNoInstant(_ text: String) { #expect(WallInstant(rfc3339: text) == nil) }

    @Test func everyDayHasItsNumber() {
        for day in stride(from: -1_000_000, through: 1_000_000, by: 37) {
            let date = CivilDate(dayNumber: day)
            #expect(date.dayNumber == day)
            #expect((1...CivilDate.daysIn(month: date.month, of: date.year)).contains(date.day))
        }
    }

    @Test func laneTimeSaturates() {
        #expect(LaneInstant(milliseconds: .max).advanced(byMilliseconds: 1).milliseconds == .max)
        #expect(LaneInstant(milliseconds: .min).advanced(byMilliseconds: -1).milliseconds == .min)
        #expect(LaneInstant(milliseconds: .min).milliseconds(since: LaneInstant(milliseconds: .max)) == .min)
    }
}

@Suite struct HashTests {
    /// Vectors of FIPS 180-4 and of NIST's CAVP (SHA256ShortMsg).
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func knownDigests(_ text: String, _ hex: String) { #expect(SHA256.hex(Array(text.utf8)) == hex) }

    @Test func aMillionTimesA() {
        var hash = SHA256()
        let piece = [UInt8](repeating: 0x61, count: 997)
        var left = 1_000_000
        while left > 0 {
            let count = min(left, piece.count)
            piece[0..<count].withUnsafeBytes { hash.update($0) }
            left -= count
        }
        let hex = hash.finish().map { String(Int($0) + 0x100, radix: 16).suffix(2) }.joined()
        #expect(hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func uuidsAreVersion8AndReadBack() {
        let id = LaneUUID(hashing: ["/stores/1/lanes/7", "payment-timeout", "P1"])
        let text = id.description
        #expect(text.count == 36)
        #expect(Array(text)[14] == "8")
        #expect("89ab".contains(Array(text)[19]))
        #expect(LaneUUID(text) == id)
        #expect(LaneUUID("not a uuid") == nil)
    }

    @Test func partsDoNotJoin() {
        #expect(LaneUUID(hashing: ["a", "bc"]) != LaneUUID(hashing: ["ab", "c"]))
        #expect(LaneUUID(hashing: ["a"]) != LaneUUID(hashing: ["a", ""]))
    }
}

@Suite struct EditDistanceTests {
    @Test(arguments: [
        ("within", "witin", 1), ("open", "opened", 2), ("ab", "ba", 1), ("", "abc", 3), ("same", "same", 0),
    ])
    func counts(_ a: String, _ b: String, _ distance: Int) {
        #expect(EditDistance.between(a, b) == distance)
        #expect(EditDistance.between(b, a) == distance)
    }

    @Test func suggestsOnlyWhatIsNear() {
        #expect(
            EditDistance.nearest(to: "payment.decline", among: ["payment.started", "payment.declined"])
                == "payment.declined")
        #expect(EditDistance.nearest(to: "major", among: ["info", "warning", "critical"]) == nil)
    }
}
