import Glibc
import Lane
import Loop

/// One customer after the other: the stream that a busy lane makes, without end.
///
/// The same signals on every run. Between two signals 137 ms pass, so that the lane's hour takes 26 000 of them.
struct LaneStream {
    /// What goes wrong now and then.
    struct Troubles: OptionSet {
        let rawValue: Int
        /// Each tenth customer's card is declined three times before it is taken.
        static let declines = Troubles(rawValue: 1)
        /// Each 25th payment is answered after more than a minute.
        static let lateAnswers = Troubles(rawValue: 2)
        /// Each 40th customer leaves the basket alone for more than a minute.
        static let idleBaskets = Troubles(rawValue: 4)
        /// Each 33rd payment is never answered.
        static let unanswered = Troubles(rawValue: 8)
    }

    let troubles: Troubles
    /// Lane time of the last signal, in ms.
    private(set) var at: Int64
    private var customers = 0
    private var signals: Int64 = 0

    init(troubles: Troubles = .declines, startingAt at: Int64 = 1_767_607_200_000) {
        self.troubles = troubles
        self.at = at
    }

    /// The first signals of the stream, at least `count`; it ends with a whole customer.
    static func first(_ count: Int, troubles: Troubles = .declines) -> [StampedSignal] {
        var stream = LaneStream(troubles: troubles)
        var signals: [StampedSignal] = []
        signals.reserveCapacity(count + 64)
        while signals.count < count { stream.appendCustomer(to: &signals) }
        return signals
    }

    mutating func appendCustomer(to out: inout [StampedSignal]) {
        customers += 1
        let (txn, pay) = (text(.txn, "T\(customers)"), text(.pay, "P\(customers)"))
        add(.posState, [text(.state, "basket_open"), txn], &out)
        for item in 0..<8 {
            let sku = AttributeValue.text("40063813339\(item)1")
            add(.touch, [Attribute(.x, .int(10)), Attribute(.y, .int(20))], &out)
            add(.scanRead, [Attribute(.code, sku), text(.sym, "EAN-13"), text(.check, "ok")], &out)
            add(.itemAccepted, [Attribute(.sku, sku), txn, Attribute(.price, .int(349))], &out)
            add(.screenChanged, [text(.screen, "basket")], &out)
            add(.scaleStable, [Attribute(.grams, .int(512))], &out)
            if item == 4, happens(.idleBaskets, 40) { pause(&out) }
        }
        add(.posState, [text(.state, "payment"), txn], &out)
        add(.paymentStarted, [pay, txn, Attribute(.amount, .int(2548))], &out)
        if happens(.declines, 10) { for _ in 0..<3 { add(.paymentDeclined, [pay, txn], &out) } }
        if happens(.lateAnswers, 25) {
            pause(&out)
        } else {
            add(.heartbeat, [Attribute(.cpu, .int(12))], &out)
        }
        if !happens(.unanswered, 33) { add(.paymentApproved, [pay, txn], &out) }
        add(.posState, [text(.state, "idle"), txn], &out)
    }

    private func happens(_ trouble: Troubles, _ every: Int) -> Bool {
        troubles.contains(trouble) && customers % every == 0
    }

    /// More than a minute, and a signal of no rule at its end.
    private mutating func pause(_ out: inout [StampedSignal]) {
        at += 70_000
        add(.heartbeat, [Attribute(.cpu, .int(12))], &out)
    }

    private func text(_ name: AttributeName, _ value: String) -> Attribute { Attribute(name, .text(value)) }

    private mutating func add(_ type: SignalType, _ attributes: [Attribute], _ out: inout [StampedSignal]) {
        at += 137
        signals += 1
        out.append(
            StampedSignal(
                number: signals, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at),
                signal: Signal(type, attributes, feed: .pos)))
    }
}

extension [StampedSignal] {
    /// As a recording, each line without its line feed.
    func lines(lane: String) -> [[UInt8]] {
        map { signal in
            var json = JSONWriter()
            SignalLine.write(signal, lane: lane, into: &json)
            return json.bytes
        }
    }
}
