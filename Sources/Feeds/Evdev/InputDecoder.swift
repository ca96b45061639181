/// What a device's events came to.
enum InputOutcome: Hashable {
    case scan(ScanDecoder.Outcome)
    /// A finger came down.
    case touch
    /// A key of a key pad went down.
    case key
    /// A card was drawn through a reader.
    case swipe
}

/// The pure half of one device: events with the kernel's stamps in, outcomes out. Stamps are microseconds of
/// CLOCK_MONOTONIC. Total: any events are taken.
protocol InputDecoder: AnyObject {
    /// Things begun. Each ends in one outcome, and at most one is open.
    var begun: Int { get }
    var isOpen: Bool { get }
    /// The stamp at which `quiet` has something to say, unless events come before.
    var due: Int64? { get }

    func event(type: UInt16, code: UInt16, value: Int32, at: Int64) -> InputOutcome?
    /// It is `at` now, and no earlier event is unread.
    func quiet(at: Int64) -> InputOutcome?
    /// Events were lost before `at`. `held`: the modifiers that are down now.
    func drop(at: Int64, held: [UInt16])
    /// The device is gone.
    func ended() -> InputOutcome?
}

extension InputDecoder {
    var isOpen: Bool { false }
    var due: Int64? { nil }
    func quiet(at: Int64) -> InputOutcome? { nil }
    func drop(at: Int64, held: [UInt16]) {}
    func ended() -> InputOutcome? { nil }
}

/// A touch screen: says when a finger comes down, never where. Where somebody touches may be a PIN.
///
/// A finger is down by BTN_TOUCH or by a new tracking id; both in one frame are one touch.
/// Source: the kernel's Documentation/input/multi-touch-protocol.rst.
final class TouchDecoder: InputDecoder {
    private(set) var begun = 0
    private var isDownInFrame = false

    func event(type: UInt16, code: UInt16, value: Int32, at: Int64) -> InputOutcome? {
        switch (type, code) {
        case (EventType.key, KeyCode.touch): isDownInFrame = isDownInFrame || value == 1
        case (EventType.absolute, KeyCode.trackingID): isDownInFrame = isDownInFrame || value >= 0
        case (EventType.synchronisation, SynchronisationCode.report):
            guard isDownInFrame else { return nil }
            isDownInFrame = false
            begun += 1
            return .touch
        default: break
        }
        return nil
    }

    func drop(at: Int64, held: [UInt16]) { isDownInFrame = false }
}

/// A key pad: says that a key went down, never which.
final class KeypadDecoder: InputDecoder {
    private(set) var begun = 0

    func event(type: UInt16, code: UInt16, value: Int32, at: Int64) -> InputOutcome? {
        guard type == EventType.key, value == 1 else { return nil }
        begun += 1
        return .key
    }
}

/// A magnetic stripe reader: the first key of a swipe is the swipe; until `ScanDecoder.swipeQuiet` of silence the rest is
/// dropped unread. No key is kept, not even for a moment.
final class SwipeDecoder: InputDecoder {
    private(set) var begun = 0
    private var lastKey: Int64 = .min

    func event(type: UInt16, code: UInt16, value: Int32, at: Int64) -> InputOutcome? {
        guard type == EventType.key, value == 1 else { return nil }
        let (pause, overflow) = at.subtractingReportingOverflow(lastKey)
        let isNew = overflow || pause >= ScanDecoder.swipeQuiet
        lastKey = max(lastKey, at)
        guard isNew else { return nil }
        begun += 1
        return .swipe
    }

    func drop(at: Int64, held: [UInt16]) { lastKey = max(lastKey, at) }
}
