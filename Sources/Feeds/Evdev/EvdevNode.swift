import CEvdev
import CLinux
import Glibc
import Loop

/// What libevdev says of an opened node: who it is and what it can do.
struct EvdevIdentity: Hashable {
    var name: String
    var vendor: UInt16
    var product: UInt16
    /// It has the keys that codes are typed with.
    var typesText: Bool
    /// It has keys or buttons at all.
    var hasKeys: Bool
    /// It says when a finger comes down.
    var hasTouch: Bool

    /// Whether a device that can do this can play `kind`. A scanner's second node, which has volume keys only, cannot.
    func suits(_ kind: EvdevDeviceRule.Kind) -> Bool {
        switch kind {
        case .scanner, .msr: typesText
        case .keypad: hasKeys && !hasTouch
        case .touch: hasTouch
        case .presence: false
        }
    }
}

/// An opened event node. Never grabbed, never written to.
///
/// libevdev tells identity and capabilities, sets the clock, and tells which keys are held after a hole; each time a context of
/// its own that lives for the call. The events themselves are read here: libevdev would keep them in a queue of its own,
/// which nobody can wipe, and a card's number typed by a reader would stay in memory. The buffer here is wiped after each
/// read. Source: the kernel's Documentation/input/event-codes.rst; libevdev.h.
///
/// Owner: one `EvdevDevice`, on the lane's thread.
///
/// That another program holds the device by EVIOCGRAB cannot be seen without grabbing, so `device.grabbed` is never said.
final class EvdevNode {
    /// Events a read can bring: the kernel's queue of a device has 64 or more.
    static let batch = 64

    private let descriptor: Descriptor
    private let buffer: UnsafeMutableRawPointer
    private let size: Int
    /// Bytes of an event that a read cut off. The kernel never does; a pty in a test may.
    private var carried = 0
    /// Between SYN_DROPPED and the SYN_REPORT behind it nothing counts.
    private var isDropping = false

    var raw: Int32 { descriptor.raw }

    /// Opens `path`; `errno` as a SystemError when it cannot.
    static func open(_ path: String) throws(SystemError) -> Int32 {
        // O_NOCTTY: a test's node is a terminal.
        let raw = lw_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0)
        guard raw >= 0 else { throw SystemError("open") }
        return raw
    }

    /// Takes over `raw`.
    init(owning raw: Int32) {
        descriptor = Descriptor(owning: raw)
        size = Self.batch * MemoryLayout<input_event>.stride
        buffer = .allocate(byteCount: size, alignment: MemoryLayout<input_event>.alignment)
        explicit_bzero(buffer, size)
    }

    deinit {
        explicit_bzero(buffer, size)
        buffer.deallocate()
    }

    /// Who it is. Stamps are CLOCK_MONOTONIC from here on.
    func identify() throws(SystemError) -> EvdevIdentity {
        let device = try context()
        defer { libevdev_free(device) }
        let code = libevdev_set_clock_id(device, CLOCK_MONOTONIC)
        guard code == 0 else { throw SystemError("EVIOCSCLOCKID", code: -code) }
        func has(_ type: UInt16, _ code: UInt16) -> Bool {
            libevdev_has_event_code(device, UInt32(type), UInt32(code)) == 1
        }
        let name = libevdev_get_name(device).map { String(cString: $0) } ?? ""
        return EvdevIdentity(
            name: name, vendor: UInt16(truncatingIfNeeded: libevdev_get_id_vendor(device)),
            product: UInt16(truncatingIfNeeded: libevdev_get_id_product(device)),
            typesText: has(EventType.key, KeyCode.enter) && has(EventType.key, 2) && has(EventType.key, 11),
            hasKeys: libevdev_has_event_type(device, UInt32(EventType.key)) == 1,
            hasTouch: has(EventType.key, KeyCode.touch) || has(EventType.absolute, KeyCode.trackingID))
    }

    /// The modifiers that are down now; empty when the device does not say.
    func heldModifiers() -> [UInt16] {
        guard let device = try? context() else { return [] }
        defer { libevdev_free(device) }
        return KeyCode.modifiers.filter { libevdev_get_event_value(device, UInt32(EventType.key), UInt32($0)) != 0 }
    }

    private func context() throws(SystemError) -> OpaquePointer {
        // Its complaints would go to stderr.
        libevdev_set_log_function(nil, nil)
        var device: OpaquePointer?
        let code = libevdev_new_from_fd(descriptor.raw, &device)
        guard code == 0, let device else { throw SystemError("libevdev_new_from_fd", code: -code) }
        return device
    }

    /// How one read went.
    enum Pass: Hashable {
        case events
        /// Events were lost before this stamp; what stood behind in the queue is thrown away. Go on with `discard`.
        case dropped(at: Int64)
        case empty
        /// No more will ever come: `errno`, or 0 for an end of file.
        case ended(Int32)
    }

    struct Event {
        var type: UInt16
        var code: UInt16
        var value: Int32
        /// Microseconds of CLOCK_MONOTONIC.
        var at: Int64
    }

    /// Reads once and hands each event to `body`. The memory that held them is wiped before this returns.
    func read(_ body: (Event) -> Void) -> Pass {
        let count = Glibc.read(descriptor.raw, buffer + carried, size - carried)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return .empty }
            return .ended(count == 0 ? 0 : errno)
        }
        let stride = MemoryLayout<input_event>.stride
        let end = carried + count
        var place = 0
        var lost: Int64?
        while place + stride <= end {
            let event = (buffer + place).loadUnaligned(as: input_event.self)
            place += stride
            let at = Int64(event.time.tv_sec) &* 1_000_000 &+ Int64(event.time.tv_usec)
            if event.type == EventType.synchronisation, event.code == SynchronisationCode.dropped {
                isDropping = true
            } else if isDropping {
                guard event.type == EventType.synchronisation, event.code == SynchronisationCode.report else {
                    continue
                }
                isDropping = false
                lost = at
            } else if lost == nil {
                body(Event(type: event.type, code: event.code, value: event.value, at: at))
            } else {
                // Older than the state that will be asked for, and in doubt anyway.
                lost = at
            }
        }
        carried = end - place
        if carried > 0 { memmove(buffer, buffer + place, carried) }
        explicit_bzero(buffer + carried, size - carried)
        return lost.map { .dropped(at: $0) } ?? .events
    }
}
