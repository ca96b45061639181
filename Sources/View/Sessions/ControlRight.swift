import Loop

/// Who has the lane's pointer and keys: one session at a time.
///
/// A press (of a key, or a button) takes control where nobody has it, or the one who has it has not moved for `rest`. Moving alone
/// takes nothing: who only looks often has a pointer over the picture. A value; time is milliseconds of CLOCK_BOOTTIME.
struct ControlRight {
    /// So long after its last event a session may lose control to another's press.
    static let rest: Int64 = 10_000

    enum Verdict: Hashable {
        /// It goes to the lane.
        case mine
        /// It goes to the lane, and control has changed hands: who had it before, if somebody had.
        case taken(from: AttendantID?)
        /// Another has control. `isNew`: this one was not told so in the last `rest`.
        case refused(by: AttendantID, isNew: Bool)
        /// It takes no control, and needs none.
        case idle
    }

    private(set) var holder: AttendantID?
    /// When the holder's last event was.
    private var heard: Int64 = 0
    private var refusals: [AttendantID: Int64] = [:]

    /// - Parameter mayTake: asked only where control would change hands.
    mutating func judge(_ id: AttendantID, _ event: InputEvent, now: Int64, mayTake: () -> Bool) -> Verdict {
        if holder == id {
            heard = now
            return .mine
        }
        guard event.isPress else { return .idle }
        if let holder, now - heard < Self.rest || !mayTake() { return refuse(id, by: holder, now) }
        guard holder != nil || mayTake() else { return .idle }
        defer { (holder, heard) = (id, now) }
        refusals[id] = nil
        return .taken(from: holder)
    }

    private mutating func refuse(_ id: AttendantID, by other: AttendantID, _ now: Int64) -> Verdict {
        let isNew = refusals[id].map { now - $0 >= Self.rest } ?? true
        if isNew { refusals[id] = now }
        return .refused(by: other, isNew: isNew)
    }

    /// Its session is over.
    mutating func leave(_ id: AttendantID) {
        refusals[id] = nil
        if holder == id { holder = nil }
    }
}

extension InputEvent {
    /// Something is pressed, or held while moving.
    var isPress: Bool {
        switch self {
        case .key(_, let isDown): isDown
        case .pointer(_, _, let buttons): buttons != 0
        }
    }
}
