import Lane
import LaneTesting
import Testing

@Suite struct SignalLineTests {
    @Test func readsALineOfTheSocket() throws {
        let line = try SignalLine(parsing: #"{"type":"payment.started","pay":"P1","amount":1299,"ack":true}"#)
        #expect(line.type == .paymentStarted)
        #expect(line.attributes == [Attribute(.pay, "P1"), Attribute(.amount, 1299)])
        #expect(line.wantsAnswer)
        #expect(line.ignored.isEmpty)
    }

    @Test func attributesMayStandBeforeTheType() throws {
        let line = try SignalLine(parsing: #"{"pay":"P1","extra":{"a":[1]},"type":"payment.started"}"#)
        #expect(line.attributes == [Attribute(.pay, "P1")])
        #expect(line.ignored == ["extra"])
    }

    @Test func readsALineOfARecording() throws {
        let line = try SignalLine(parsing: #"{"seq":7,"t":1500,"lane":"L07","type":"touch","x":1,"y":-2}"#)
        #expect(line.number == 7)
        #expect(line.at == LaneInstant(milliseconds: 1500))
        #expect(line.lane == "L07")
        #expect(line.attributes == [Attribute(.x, 1), Attribute(.y, -2)])
    }

    @Test(arguments: [
        #"{"type":"payment.started","amount":"12"}"#, #"{"type":"payment.started","pay":5}"#,
        #"{"type":"payment.started","pay":null}"#, #"{"type":"payment.started","sku":"4"}"#,
        #"{"type":"payment.started","amount":1.5}"#, #"{"type":"payment.started","amount":99999999999999999999}"#,
    ])
    func leavesOutWhatIsNotDeclared(_ text: String) throws {
        let line = try SignalLine(parsing: text)
        #expect(line.attributes.isEmpty)
        #expect(line.ignored.count == 1)
    }

    @Test(arguments: [
        ("{}", "no \"type\"; a signal needs one", 1),
        (#"{"type":"payment.start"}"#, "no signal \"payment.start\"; did you mean \"payment.started\"?", 10),
        (#"{"type":"zzz"}"#, "no signal \"zzz\"", 10),
        (#"{"type":"zzz\u001b"}"#, #"no signal "zzz\u001b""#, 10),
        (#"{"type":"touch","feed":"\u001b"}"#, #"no feed "\u001b""#, 32),
        (#"{"type":"touch","t":"x"}"#, "expected a value", 21),
        (#"{"type":"touch","ack":1}"#, "expected a value", 23),
        (#"["touch"]"#, "expected an object: {\"type\":\"…\", …}", 1),
        (#"{"type":"touch"} x"#, "expected nothing after the value", 18),
        (#"{"type":"touch","type":"touch"}"#, "\"type\" twice", 25),
        (#"{"type":"touch","lane":"a","lane":"b"}"#, "\"lane\" twice", 35),
        (#"{"t":1,"type":"touch","t":2}"#, "\"t\" twice", 27),
    ])
    func tellsTheFaultAndItsColumn(_ text: String, _ message: String, _ column: Int) {
        #expect(throws: SignalLineFault(message: message, column: column)) { try SignalLine(parsing: text) }
    }

    @Test func writesWhatItReads() throws {
        let signal = try #require(Signal.make("item.accepted", ["sku": "a\"b", "price": -3]))
        let stamped = StampedSignal(
            number: 3, at: LaneInstant(milliseconds: 10), wall: WallInstant(milliseconds: 20), signal: signal)
        var json = JSONWriter()
        SignalLine.write(stamped, lane: "L1", into: &json)
        #expect(json.text == #"{"seq":3,"t":10,"lane":"L1","type":"item.accepted","sku":"a\"b","price":-3}"#)
        json.removeAll()
        SignalLine.write(stamped, lane: nil, journal: true, into: &json)
        let line = try SignalLine(parsing: json.text)
        #expect(line.wall == stamped.wall && line.feed == .pos && line.attributes == signal.attributes)
    }

    /// The line's own members must never hide an attribute.
    @Test func noAttributeIsNamedLikeALinesOwnMember() {
        for name in SignalCatalogue.shipped.attributeNames {
            #expect(!["type", "seq", "t", "wall", "lane", "feed", "ack", "traceparent"].contains(name))
        }
    }
}
