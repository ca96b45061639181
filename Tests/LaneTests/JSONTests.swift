import Lane
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        (#"{"a":[1,-2,3.5,true,false,null,"x"]}"#, 1), ("[]", 1), ("\"\\u00e9\\ud83d\\ude00\\n\"", 1), (" 0 ", 1),
        ("-0", 1),
        ("9223372036854775807", 1), ("1e3", 1),
    ])
    func accepts(_ text: String, _ n: Int) throws {
        _ = try JSONValue(parsing: text)
    }

    @Test func readsEscapesAndSurrogates() throws {
        #expect(try JSONValue(parsing: #""é😀\t\/""#) == .string("é😀\t/"))
    }

    @Test(arguments: [
        ("", "expected a value", 0), ("{", "expected a string in double quotes", 1),
        (#"{"a" 1}"#, "expected \":\" after the name", 5),
        ("[1,]", "expected a value", 3), ("01", "a number must not begin with 0", 0), (#""\x""#, "unknown escape", 2),
        ("\"abc", "the string has no end", 4), ("tru", "expected a value", 0),
        ("1 2", "expected nothing after the value", 2),
        (#""\ud800""#, "half of a surrogate pair", 7), ("-", "expected a value", 1),
        ("1.", "expected a digit after the point", 2),
    ])
    func refuses(_ text: String, _ message: String, _ offset: Int) {
        #expect(throws: JSONFault(message: message, offset: offset)) { try JSONValue(parsing: text) }
    }

    @Test func boundsItsDepth() {
        let deep = String(repeating: "[", count: 5000)
        #expect(throws: JSONFault.self) { try JSONValue(parsing: deep) }
    }

    @Test func numbersThatDoNotFitAreNotInts() throws {
        guard case .double(let value) = try JSONValue(parsing: "9223372036854775808") else {
            Issue.record("expected a double")
            return
        }
        #expect(value == 9_223_372_036_854_775_808)
    }

    @Test func invalidUTF8IsRefused() {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func writesWhatItReads() throws {
        var json = JSONWriter()
        json.object { json in
            json.member("text", "a\"b\\c\n\u{1}é")
            json.member("n", -5)
            json.name("list")
            json.array { json in
                json.value(Int64(1))
                json.value(true)
                json.null()
                json.object { _ in }
            }
            json.member("none", orNull: String?.none)
        }
        #expect(json.text == #"{"text":"a\"b\\c\n\u0001é","n":-5,"list":[1,true,null,{}],"none":null}"#)
        let read = try JSONValue(parsing: json.bytes)
        #expect(read["text"]?.text == "a\"b\\c\n\u{1}é")
        #expect(read["list"]?.elements?.count == 4)
    }

    /// Any bytes give a value or a fault, and a fault's place lies in the text.
    @Test func randomBytesNeverTrap() {
        var random = SplitMix(seed: 7)
        let seedText = Array(#"{"type":"payment.started","pay":"P1\u00e9","amount":1299,"x":[{"a":null}]}"#.utf8)
        for _ in 0..<20_000 {
            var bytes = seedText
            for _ in 0..<Int(random.next() % 4 + 1) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                }
            }
            do {
                _ = try JSONValue(parsing: bytes)
            } catch { #expect(error.offset >= 0 && error.offset <= bytes.count) }
            _ = try? bytes.withUnsafeBytes { buffer throws(SignalLineFault) in try SignalLine(parsing: buffer) }
        }
    }
}

/// A small generator with a seed, so that a failure can be run again.
struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
