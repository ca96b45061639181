import Lane
import Net

/// The till's screen of the demonstration: what the simulated customer does is drawn by a program that listens on a socket, line by
/// line (`Tests/Kiosk`, `demo-kiosk --socket`).
final class DemoTill {
    private var client: LineClient
    private var isBroken = false

    /// Of no account: a test number of the card industry's.
    private static let card = "4111111111111111"
    private static let names = ["4006381333931": "Notebook", "5449000000996": "Red wine", "2000417": "Bread rolls"]

    init(path: String) throws(LineClientError) { client = try LineClient(path: path) }

    /// Draws what `line`, which was told to the agent before, means.
    func show(_ line: String) {
        guard let signal = try? JSONValue(parsing: line) else { return }
        for order in Self.orders(for: signal) where !isBroken {
            do throws(LineClientError) {
                let answer = String(decoding: try client.exchange(Array(order.utf8)), as: UTF8.self)
                if answer != "ok" { Terminal.error("lanewatch demo: the till's screen refused \(order): \(answer)\n") }
            } catch {
                isBroken = true
                Terminal.error("lanewatch demo: the till's screen does not answer any more: \(error)\n")
            }
        }
    }

    /// A card's number is drawn once the lane is paying, so that there is something to hide.
    static func orders(for signal: JSONValue) -> [String] {
        switch signal["type"]?.text {
        case "pos.state":
            switch signal["state"]?.text {
            case "basket_open": return ["basket open"]
            case "payment": return ["pay"]
            case "idle": return ["close"]
            default: return []
            }
        case "item.accepted":
            guard let code = signal["sku"]?.text, let cents = signal["price"]?.int, cents >= 0 else { return [] }
            let rest = cents % 100
            return ["item \(names[code] ?? code) \(cents / 100).\(rest < 10 ? "0" : "")\(rest)"]
        case "payment.started": return ["pan \(card)"]
        case "payment.declined": return ["declined"]
        case "payment.approved": return ["paid"]
        case "help.requested": return ["help on"]
        case "staff.cleared": return ["help off"]
        default: return []
        }
    }
}
