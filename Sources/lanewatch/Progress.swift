import Glibc
import Loop
import Synchronization

/// A bar on standard error for what takes longer than a second. Silent where standard error is no terminal.
///
/// Any thread; work that is done in pieces calls `add` after each.
final class Progress: Sendable {
    private struct State {
        var done: Int64 = 0
        var lastShown: Int64
        var isShown = false
    }

    /// Nothing is shown before.
    private static let patienceMilliseconds: Int64 = 1000
    private static let stepMilliseconds: Int64 = 100
    private static let cells = 30

    /// What is counted.
    enum Unit {
        case bytes, messages

        func text(_ count: Int64) -> String { self == .bytes ? "\(count / 1_000_000)" : "\(count)" }
        var name: String { self == .bytes ? "MB" : "messages" }
    }

    private let what: String
    private let unit: Unit
    private let total: Int64
    private let began: Int64
    private let isOn: Bool
    private let state: Mutex<State>

    /// - Parameters:
    ///   - what: what is being done, for people: `replaying`.
    ///   - total: how many there are of it; 0 where nobody knows.
    init(_ what: String, total: Int64, unit: Unit = .bytes, isOn: Bool = isatty(2) == 1) {
        self.what = what
        self.unit = unit
        self.total = total
        self.isOn = isOn
        began = Boottime.milliseconds()
        state = Mutex(State(lastShown: began))
    }

    func add(_ amount: Int) {
        let now = Boottime.milliseconds()
        let line = state.withLock { state -> String? in
            state.done += Int64(amount)
            guard isOn, now - began >= Self.patienceMilliseconds, now - state.lastShown >= Self.stepMilliseconds else {
                return nil
            }
            state.lastShown = now
            state.isShown = true
            return Self.line(what, done: state.done, of: total, unit, milliseconds: now - began)
        }
        if let line { Terminal.error("\r\(line)\u{1B}[K") }
    }

    /// Takes the bar away.
    func end() {
        let wasShown = state.withLock { state in
            defer { state.isShown = false }
            return state.isShown
        }
        if wasShown { Terminal.error("\r\u{1B}[K") }
    }

    static func line(
        _ what: String, done: Int64, of total: Int64, _ unit: Unit = .bytes, milliseconds: Int64
    ) -> String {
        guard total > 0 else { return "\(what): \(unit.text(done)) \(unit.name), \(milliseconds / 1000) s" }
        let part = min(1, Double(done) / Double(total))
        let full = Int(part * Double(cells))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: cells - full)
        let left = part > 0 ? Int64(Double(milliseconds) / 1000 * (1 - part) / part + 0.5) : 0
        let rest = left >= 120 ? "\(left / 60) min" : "\(left) s"
        let count = "\(unit.text(done)) of \(unit.text(total)) \(unit.name)"
        return "\(what) [\(bar)] \(Int(part * 100)) %, \(count), \(rest) left"
    }
}
