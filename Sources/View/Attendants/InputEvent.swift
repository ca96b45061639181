/// What an attendant's hands did, as RFB tells it.
public enum InputEvent: Hashable, Sendable {
    /// X11 keysym. Source: RFC 6143, 7.5.4.
    case key(UInt32, isDown: Bool)
    /// Position on the screen, and the buttons that are down: bit 0 left, 1 middle, 2 right, 3 to 6 the wheel.
    case pointer(x: Int, y: Int, buttons: UInt8)
}

/// What one attendant holds down. Whatever ends the attendant, it is let go on the lane: a till with a stuck Shift is out of order.
struct PressedInput {
    /// More keys than hands hold at once are not taken.
    static let mostKeys = 32

    private var keys: [UInt32] = []
    private var buttons: UInt8 = 0
    private var place = (x: 0, y: 0)

    var isEmpty: Bool { keys.isEmpty && buttons == 0 }

    /// - Returns: whether it may go on to the lane: not a key beyond `mostKeys`, nor one let go that was not pressed here.
    mutating func note(_ event: InputEvent) -> Bool {
        switch event {
        case .key(let key, isDown: true):
            if keys.contains(key) { return true }
            guard keys.count < Self.mostKeys else { return false }
            keys.append(key)
        case .key(let key, isDown: false):
            guard let place = keys.firstIndex(of: key) else { return false }
            keys.remove(at: place)
        case .pointer(let x, let y, let buttons):
            place = (x, y)
            self.buttons = buttons
        }
        return true
    }

    /// What lets go all that is held, the last pressed first. Afterwards nothing is.
    mutating func release() -> [InputEvent] {
        var events: [InputEvent] = keys.reversed().map { .key($0, isDown: false) }
        if buttons != 0 { events.append(.pointer(x: place.x, y: place.y, buttons: 0)) }
        self = PressedInput()
        return events
    }
}
