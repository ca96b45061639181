import Lane

/// A lane that lives through a customer's troubles: what a POS application would say, when.
///
/// One day of it lasts 30 seconds and is written for the waits that the shipped rules give to lanes named `demo-*`.
public struct Simulation: Sendable {
    public struct Event: Sendable {
        /// Milliseconds from the start.
        public var at: Int64
        /// The line as it is written to the socket.
        public var line: String
    }

    public static let dayMilliseconds: Int64 = 30_000

    /// The events of the first `milliseconds`, day after day; transactions and payments have a number of their own each day.
    public static func events(milliseconds: Int64) -> [Event] {
        var events: [Event] = []
        var day: Int64 = 0
        while day * dayMilliseconds < milliseconds {
            for (at, words) in script where day * dayMilliseconds + at < milliseconds {
                events.append(Event(at: day * dayMilliseconds + at, line: line(words, day: day)))
            }
            day += 1
        }
        return events
    }

    private static let script: [(Int64, String)] = [
        (0, "app.up app=pos"),
        (100, "device.attached device=scanner port=event3 class=input"),
        (200, "network.up if=eth0"),
        (400, "customer.present"),
        (900, "pos.state state=basket_open txn=T1"),
        (1000, "touch x=410 y=300"),
        (1100, "screen.changed screen=basket"),
        // A code that the POS does not take: the customer tries again and again.
        (1600, "scan.read code=4006381333931 sym=EAN-13 check=ok"),
        (2300, "scan.read code=4006381333931 sym=EAN-13 check=ok"),
        (3000, "scan.read code=4006381333931 sym=EAN-13 check=ok"),
        (4200, "item.accepted sku=4006381333931 txn=T1 price=349"),
        (4900, "item.accepted sku=5449000000996 txn=T1 price=2199 age=18 category=alcohol"),
        (5200, "scale.mismatch grams=1490 expected=1010"),
        (5900, "scale.mismatch grams=1490 expected=1010"),
        (6900, "scale.stable grams=1010"),
        (7200, "staff.cleared badge=b17"),
        (7900, "pos.state state=payment txn=T1"),
        (8000, "payment.started pay=P1 txn=T1 amount=2548 kind=card"),
        (9000, "help.requested txn=T1"),
        // While the terminal is silent, somebody pulls the scanner's cable.
        (10_200, "device.detached device=scanner port=event3 class=input"),
        (12_800, "staff.cleared badge=b17"),
        (15_000, "device.attached device=scanner port=event3 class=input"),
        (17_000, "payment.approved pay=P1 txn=T1"),
        (17_100, "payment.booked pay=P1 txn=T1"),
        (17_300, "printer.paper level=out"),
        (17_500, "pos.state state=idle txn=T1"),
        // The next customer: an item is not on file, cards are declined, coins jam; then the basket is left alone.
        (18_200, "pos.state state=basket_open txn=T2"),
        (18_600, "printer.paper level=ok"),
        (18_700, "item.refused code=2000417 txn=T2 reason=not_on_file"),
        (19_200, "item.accepted sku=2000417 txn=T2 price=129"),
        (19_600, "payment.declined pay=P2 txn=T2 reason=funds"),
        (20_300, "payment.declined pay=P3 txn=T2 reason=funds"),
        (21_000, "payment.declined pay=P4 txn=T2 reason=funds"),
        (21_500, "coin.jam unit=coin"),
        (23_400, "payment.approved pay=P5 txn=T2"),
        (23_500, "payment.booked pay=P5 txn=T2"),
        (26_200, "cash.cleared unit=coin"),
        (28_600, "pos.state state=idle txn=T2"),
        (28_800, "customer.left"),
    ]

    /// `payment.started pay=P1 amount=1299` as a line of the socket.
    static func line(_ words: String, day: Int64) -> String {
        let parts = words.split(separator: " ").map(String.init)
        var json = JSONWriter()
        json.object { json in
            json.member("type", parts.first ?? "")
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
                guard pair.count == 2, let name = AttributeName(pair[0]), let type = SignalType(parts[0]),
                    let declared = SignalCatalogue.shipped[type].declared(name)
                else { continue }
                let isNumbered = pair[0] == "txn" || pair[0] == "pay"
                json.name(pair[0])
                if declared.kind == .int, let number = Int64(pair[1]) {
                    json.value(number)
                } else {
                    json.value(isNumbered ? "\(pair[1])-\(day + 1)" : pair[1])
                }
            }
            json.member("ack", true)
        }
        return json.text
    }
}
