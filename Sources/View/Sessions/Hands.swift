import Loop
import Screen
import Synchronization

/// One attendant's hands on the lane.
public protocol LaneHand: Sendable {
    func play(_ event: InputEvent)
    /// Lets go of all that is held.
    func end()
}

extension X11Input.Session: LaneHand {
    public func play(_ event: InputEvent) {
        switch event {
        case .key(let keysym, let isDown): key(keysym, isDown: isDown)
        case .pointer(let x, let y, let buttons): pointer(x: x, y: y, buttons: buttons)
        }
    }
}

/// Pointer and keys of those whose credential allows control, one of them at a time (`ControlRight`). Any thread.
public final class Hands: Sendable {
    /// Control changed hands, or was refused; on the attendant's thread.
    public struct Turn: Hashable, Sendable {
        public var attendant: AttendantID
        public var isTaken: Bool
        public var other: AttendantID?
    }

    private struct State {
        var right = ControlRight()
        var hands: [AttendantID: any LaneHand] = [:]
        /// Those whose session goes on, and how many of their events went to the lane.
        var played: [AttendantID: Int64] = [:]
        var told: @Sendable (Turn) -> Void = { _ in }
        var mayTake: @Sendable () -> Bool = { true }
    }

    private let make: (@Sendable () -> any LaneHand)?
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameter make: an attendant's hands, made with its first event; nil: nobody's reach the lane.
    public init(
        now: @escaping @Sendable () -> Int64 = { Boottime.milliseconds() }, make: (@Sendable () -> any LaneHand)?
    ) {
        self.now = now
        self.make = make
    }

    /// Before the first attendant.
    func follow(mayTake: @escaping @Sendable () -> Bool, told: @escaping @Sendable (Turn) -> Void) {
        state.withLock { state in
            state.mayTake = mayTake
            state.told = told
        }
    }

    /// What one attendant's hands did; on its own thread.
    ///
    /// An X server that is frozen holds up whoever plays, for half a second: so nothing is played under the lock.
    public func take(_ id: AttendantID, _ event: InputEvent) {
        guard let make else { return }
        let deed: (hand: any LaneHand, former: (any LaneHand)?, turn: Turn?)?
        let refused: Turn?
        let told: @Sendable (Turn) -> Void
        (deed, refused, told) = state.withLock { state in
            guard state.played[id] != nil else { return (nil, nil, state.told) }
            switch state.right.judge(id, event, now: now(), mayTake: state.mayTake) {
            case .idle: return (nil, nil, state.told)
            case .refused(let other, let isNew):
                return (nil, isNew ? Turn(attendant: id, isTaken: false, other: other) : nil, state.told)
            case .mine: return ((Self.hand(of: id, &state, make), nil, nil), nil, state.told)
            case .taken(let other):
                let turn = Turn(attendant: id, isTaken: true, other: other)
                // What it holds it would hold for ever: its releases are not heard any more.
                let former = other.flatMap { state.hands.removeValue(forKey: $0) }
                return ((Self.hand(of: id, &state, make), former, turn), nil, state.told)
            }
        }
        if let deed {
            deed.former?.end()
            deed.hand.play(event)
        }
        if let turn = deed?.turn ?? refused { told(turn) }
    }

    /// Asks for control without touching anything, as a press would: whether it has it now. Any thread: it plays nothing.
    func claim(_ id: AttendantID) -> Bool {
        guard make != nil else { return false }
        let (isGranted, former, turn, told) = state.withLock {
            state -> (Bool, (any LaneHand)?, Turn?, @Sendable (Turn) -> Void) in
            guard state.played[id] != nil else { return (false, nil, nil, state.told) }
            let press = InputEvent.pointer(x: 0, y: 0, buttons: 1)
            switch state.right.judge(id, press, now: now(), mayTake: state.mayTake) {
            case .mine: return (true, nil, nil, state.told)
            case .idle: return (false, nil, nil, state.told)
            case .refused(let other, let isNew):
                return (false, nil, isNew ? Turn(attendant: id, isTaken: false, other: other) : nil, state.told)
            case .taken(let other):
                let former = other.flatMap { state.hands.removeValue(forKey: $0) }
                return (true, former, Turn(attendant: id, isTaken: true, other: other), state.told)
            }
        }
        Self.letGo(former)
        if let turn { told(turn) }
        return isGranted
    }

    /// Control is given back: another may have it at once. What is held is let go. Any thread.
    func giveBack(_ id: AttendantID) {
        let hand = state.withLock { state in
            state.right.leave(id)
            return state.hands.removeValue(forKey: id)
        }
        Self.letGo(hand)
    }

    /// On a thread of its own: the X server may hold it up.
    private static func letGo(_ hand: (any LaneHand)?) {
        guard let hand else { return }
        startThread(name: "letting go") { hand.end() }
    }

    private static func hand(
        of id: AttendantID, _ state: inout State, _ make: @Sendable () -> any LaneHand
    ) -> any LaneHand {
        let hand = state.hands[id] ?? make()
        state.hands[id] = hand
        state.played[id, default: 0] += 1
        return hand
    }

    /// Who has control now.
    public var holder: AttendantID? { state.withLock { $0.right.holder } }

    /// Its session begins.
    func enter(_ id: AttendantID) { state.withLock { $0.played[id] = 0 } }

    /// Its session is over: nothing more of it goes to the lane. What it holds is let go when its thread ends, which does not wait for
    /// the gate.
    /// - Returns: how many of its events went to the lane.
    @discardableResult
    func leave(_ id: AttendantID) -> Int64 {
        state.withLock { state in
            state.right.leave(id)
            return state.played.removeValue(forKey: id) ?? 0
        }
    }

    /// Its thread has ended: what it holds is let go.
    public func end(_ id: AttendantID) {
        let hand = state.withLock { state in
            state.right.leave(id)
            return state.hands.removeValue(forKey: id)
        }
        hand?.end()
    }

    /// How many of its events went to the lane so far.
    func played(_ id: AttendantID) -> Int64 { state.withLock { $0.played[id] ?? 0 } }
}
