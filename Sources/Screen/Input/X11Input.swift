import CXCB
import Glibc
import Lane
import Loop
import Synchronization

/// Pointer and keys of attendants, played into an X server by XTEST.
///
/// Called from the attendants' threads: one lock stands around all of it, held for some ten microseconds, and at worst for
/// `X11Patience` once, when the server freezes. Keys that are held when a session ends are released. What this process still held
/// when it is killed stays held until the key is pressed again: X has no notion of whose XTEST key it is.
///
/// A keysym that is on the lane's keyboard layout is typed by its key, with Shift and AltGr moved as it needs and put back
/// afterwards. One that is not is lent one of the keys that the layout leaves free, at most eight at a time, and they are given
/// back when the last session ends: sooner, and the application would look up a key that means nothing any more.
public final class X11Input: Sendable {
    private let state: Mutex<X11Hands>

    /// Does not fail where there is no X server yet: events are dropped and counted meanwhile, and another attempt is made at most
    /// once a second, when somebody types.
    public init(_ screen: X11Screen) {
        state = Mutex(X11Hands(screen))
    }

    /// One attendant's hands. Ends when it goes.
    public final class Session: Sendable {
        private let input: X11Input
        let number: Int

        fileprivate init(_ input: X11Input, _ number: Int) {
            self.input = input
            self.number = number
        }

        deinit { end() }

        /// The pointer is at (`x`, `y`) of the screen that is shown, clipped to it. `buttons`: bit 0 is button 1.
        public func pointer(x: Int, y: Int, buttons: UInt8) {
            input.state.withLock { $0.pointer(number, x, y, buttons) }
        }

        /// A key was pressed or released, named by its keysym as in RFC 6143, 7.5.4. Pressing it again while it is held is no
        /// event: the X server repeats keys by itself.
        public func key(_ keysym: UInt32, isDown: Bool) {
            input.state.withLock { $0.key(number, Keysym(keysym), isDown) }
        }

        /// Releases all that it holds. Afterwards its events are dropped.
        public func end() {
            input.state.withLock { $0.end(number) }
        }
    }

    public func begin() -> Session { Session(self, state.withLock { $0.begin() }) }

    /// Events in; out to the X server; dropped by reason: `pace`, `unreachable`, `no_key`, `not_allowed`, `repeat`, `ended`,
    /// `not_held`.
    public var counts: StageCounts { state.withLock { $0.counts } }

    /// Why there is no connection, or nil.
    public var fault: ScreenError? { state.withLock { $0.fault } }
}

/// What all sessions hold down, and the connection that plays it. Touched under `X11Input`'s lock alone.
struct X11Hands: @unchecked Sendable {
    struct Hands {
        var buttons: UInt8 = 0
        /// The key that each held keysym went to.
        var keys: [Keysym: UInt8] = [:]
        var pace: InputPace
    }

    static let retry: Int64 = 1_000_000_000
    /// An attempt that took long, at a frozen server, is made again after so many times as long.
    static let calm: Int64 = 10
    static let mostHeldKeys = 32

    private let screen: X11Screen
    private let patience = X11Patience(connecting: 1_000_000_000, local: 500_000_000, remote: 2_000_000_000)
    private var next = 0
    private var sessions: [Int: Hands] = [:]
    private var keyboard: X11Keyboard?
    private var nextAttempt: Int64 = 0
    /// What was held when the connection was lost. The server may be the same one, frozen for a while, and hold it still.
    private var orphans: (keys: Set<UInt8>, buttons: UInt8) = ([], 0)
    /// How many sessions hold a button.
    private var holders = [Int](repeating: 0, count: 9)
    private(set) var counts = StageCounts()
    private(set) var fault: ScreenError?

    init(_ screen: X11Screen) { self.screen = screen }

    mutating func begin() -> Int {
        next += 1
        sessions[next] = Hands(pace: InputPace(now: Boottime.monotonicNanoseconds()))
        return next
    }

    mutating func pointer(_ session: Int, _ x: Int, _ y: Int, _ buttons: UInt8) {
        counts.in += 1
        guard sessions[session] != nil else { return counts.drop("ended") }
        guard let keyboard = connected() else { return counts.drop("unreachable") }
        let held = sessions[session]?.buttons ?? 0
        let isPaced = sessions[session]?.pace.admits(now: Boottime.monotonicNanoseconds()) ?? false
        // What is released always passes: nothing may stay held for pace's sake.
        let wanted = isPaced ? buttons : held & buttons
        guard isPaced || wanted != held else { return counts.drop("pace") }
        do {
            try keyboard.readEvents()
            try keyboard.move(x: x, y: y)
            move(held, to: wanted, keyboard)
            sessions[session]?.buttons = wanted
            try keyboard.x.flush()
            counts.out += 1
        } catch {
            lose(error)
            counts.drop("unreachable")
        }
    }

    mutating func key(_ session: Int, _ keysym: Keysym, _ isDown: Bool) {
        counts.in += 1
        guard sessions[session] != nil else { return counts.drop("ended") }
        let drop = isDown ? press(session, keysym) : release(session, keysym)
        if let drop { counts.drop(drop) } else { counts.out += 1 }
    }

    mutating func end(_ session: Int) {
        guard let hands = sessions.removeValue(forKey: session) else { return }
        guard let keyboard, !keyboard.x.isGone else {
            orphans.keys.formUnion(hands.keys.values)
            orphans.buttons |= hands.buttons
            return
        }
        move(hands.buttons, to: 0, keyboard)
        for code in hands.keys.values { keyboard.release(code) }
        if sessions.isEmpty { keyboard.giveBack() }
        flush(keyboard)
    }

    /// Nil, or why it was not done.
    private mutating func press(_ session: Int, _ keysym: Keysym) -> String? {
        guard let hands = sessions[session], hands.keys[keysym] == nil else { return "repeat" }
        guard keysym.isAllowed, hands.keys.count < Self.mostHeldKeys else { return "not_allowed" }
        guard sessions[session]?.pace.admits(now: Boottime.monotonicNanoseconds()) ?? false else { return "pace" }
        guard let keyboard = connected() else { return "unreachable" }
        do {
            try keyboard.readEvents()
            let held = sessions.values.reduce(into: Set<UInt8>()) { $0.formUnion($1.keys.values) }
            switch try keyboard.press(keysym, held: held) {
            case .pressed(let code):
                sessions[session]?.keys[keysym] = code
                return nil
            case .notOnLayout: return "no_key"
            case .notAllowed: return "not_allowed"
            }
        } catch {
            lose(error)
            return "unreachable"
        }
    }

    private mutating func release(_ session: Int, _ keysym: Keysym) -> String? {
        guard let code = sessions[session]?.keys.removeValue(forKey: keysym) else { return "not_held" }
        guard let keyboard, !keyboard.x.isGone else { return "unreachable" }
        keyboard.release(code)
        return flush(keyboard) ? nil : "unreachable"
    }

    @discardableResult
    private mutating func flush(_ keyboard: X11Keyboard) -> Bool {
        do {
            try keyboard.x.flush()
            return true
        } catch {
            lose(error)
            return false
        }
    }

    /// Buttons that two sessions hold are released with the last.
    private mutating func move(_ old: UInt8, to new: UInt8, _ keyboard: X11Keyboard) {
        for bit in 0..<8 where (old ^ new) & (1 << bit) != 0 {
            let button = bit + 1
            let isDown = new & (1 << bit) != 0
            holders[button] = max(0, holders[button] + (isDown ? 1 : -1))
            if holders[button] == (isDown ? 1 : 0) { keyboard.button(UInt8(button), isDown: isDown) }
        }
    }

    private mutating func connected() -> X11Keyboard? {
        if let keyboard, !keyboard.x.isGone { return keyboard }
        if keyboard != nil { lose(ScreenError(.unreachable, "the X server went away")) }
        let now = Boottime.monotonicNanoseconds()
        guard now >= nextAttempt else { return nil }
        do {
            let found = try X11Keyboard(screen, patience)
            try found.letGo(orphans.keys, orphans.buttons)
            orphans = ([], 0)
            keyboard = found
            fault = nil
        } catch {
            lose(error)
            nextAttempt += (Boottime.monotonicNanoseconds() - now) * Self.calm
        }
        return keyboard
    }

    /// Whoever comes back holds nothing.
    private mutating func lose(_ error: ScreenError) {
        fault = error
        for hands in sessions.values {
            orphans.keys.formUnion(hands.keys.values)
            orphans.buttons |= hands.buttons
        }
        keyboard = nil
        nextAttempt = Boottime.monotonicNanoseconds() + Self.retry
        holders = [Int](repeating: 0, count: 9)
        for session in sessions.keys {
            sessions[session]?.buttons = 0
            sessions[session]?.keys = [:]
        }
    }
}
