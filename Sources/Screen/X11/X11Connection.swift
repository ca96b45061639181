import CLinux
import CXCB
import Glibc
import Loop

/// What an X server sent back, freed with this value.
struct X11Reply<Value>: ~Copyable {
    let pointer: UnsafeMutablePointer<Value>
    var value: Value { pointer.pointee }
    deinit { free(pointer) }
}

/// A connection to an X server that never waits without a bound: a frozen server costs `X11Patience`, then an error.
///
/// Owned by one thread, or by what stands under one lock. Errors of the protocol are events: counted, never fatal.
/// Source: X Window System Protocol; xcb-requests(3).
final class X11Connection {
    let raw: OpaquePointer
    let address: X11Address
    let isLocal: Bool
    let root: xcb_window_t
    let pixels: PixelLayout?
    /// Why `pixels` is nil, as the end of a sentence.
    let pixelsRefusal: String
    private(set) var extensions = X11Extensions()
    /// Properties whose change is told as `windowsChanged`.
    var watchedNames: Set<xcb_atom_t> = []
    /// Errors of the protocol by code, which nobody waited for or that were answered with "no".
    private(set) var errors: [UInt8: Int] = [:]
    private let patience: Int64

    /// - Throws: `unreachable`: nobody there, or frozen. `refused`: it does not let us in.
    init(_ screen: X11Screen, patience: X11Patience = X11Patience()) throws(ScreenError) {
        let address = try X11Address(screen.display)
        let socket = try address.connect(patience: patience.connecting)
        let authority = try Self.entry(screen, address, socket.peer)
        let isLocal = socket.isLocal
        let raw = try X11Handshake.run(
            socket.descriptor.release(), authority, address, patience: patience.connecting)
        guard let setup = xcb_get_setup(raw), let place = Self.screen(setup, address.screen) else {
            xcb_disconnect(raw)
            throw ScreenError(.unreachable, "\(address.sentence) has no screen \(address.screen)")
        }
        self.raw = raw
        self.address = address
        self.isLocal = isLocal
        self.patience = isLocal ? patience.local : patience.remote
        root = place.root
        switch PixelLayout.of(setup, place) {
        case .success(let layout): (pixels, pixelsRefusal) = (layout, "")
        case .failure(let refusal): (pixels, pixelsRefusal) = (nil, refusal.reason)
        }
        extensions = try X11Extensions(self)
    }

    // Closes the socket; does not wait. Source: xcb_disconnect in xcb.h.
    deinit { xcb_disconnect(raw) }

    var descriptor: Int32 { xcb_get_file_descriptor(raw) }
    var isGone: Bool { xcb_connection_has_error(raw) != 0 }

    /// Sends what was asked for. XCB would wait without a bound for a server that reads no more, so room is waited for first: what
    /// is sent at once here is far smaller than a socket's buffer.
    func flush() throws(ScreenError) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        var code = poll(&waiting, 1, Int32(clamping: patience / 1_000_000))
        while code < 0 && errno == EINTR { code = poll(&waiting, 1, Int32(clamping: patience / 1_000_000)) }
        guard code != 0 else { throw frozen() }
        _ = xcb_flush(raw)
    }

    private func frozen() -> ScreenError {
        ScreenError(.unreachable, "\(address.sentence) has not answered for \(patience / 1_000_000) ms: is it frozen?")
    }

    /// The reply to a request; nil where the server answered with an error, which is counted. `isSent`: it was flushed already.
    /// - Throws: `unreachable` once the server is gone, or silent past the patience.
    func reply<Value>(
        _ sequence: UInt32, as type: Value.Type, isSent: Bool = false
    ) throws(ScreenError) -> X11Reply<Value>? {
        if !isSent { try flush() }
        let deadline = Boottime.monotonicNanoseconds() + patience
        while true {
            var answer: UnsafeMutableRawPointer?
            var error: UnsafeMutablePointer<xcb_generic_error_t>?
            if xcb_poll_for_reply(raw, sequence, &answer, &error) != 0 {
                if let error {
                    count(error.pointee.error_code)
                    free(error)
                    return nil
                }
                try throwIfGone()
                return answer.map { X11Reply(pointer: $0.assumingMemoryBound(to: type)) }
            }
            try throwIfGone()
            let left = deadline - Boottime.monotonicNanoseconds()
            guard left > 0 else { throw frozen() }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, Int32(clamping: left / 1_000_000 + 1))
        }
    }

    /// Whether the server took a request that was sent with `_checked`.
    func accepts(_ cookie: xcb_void_cookie_t) throws(ScreenError) -> Bool {
        try synchronise()
        // Done by now: XCB has an error of it, or nothing.
        var answer: UnsafeMutableRawPointer?
        var error: UnsafeMutablePointer<xcb_generic_error_t>?
        _ = xcb_poll_for_reply(raw, cookie.sequence, &answer, &error)
        free(answer)
        guard let error else { return true }
        count(error.pointee.error_code)
        free(error)
        return false
    }

    /// Waits until the server has done all that it was asked for.
    func synchronise() throws(ScreenError) {
        _ = try reply(xcb_get_input_focus(raw).sequence, as: xcb_get_input_focus_reply_t.self)
    }

    func throwIfGone() throws(ScreenError) {
        guard !isGone else {
            throw ScreenError(.unreachable, "\(address.sentence) went away: another attempt comes by itself")
        }
    }

    enum Event: Hashable {
        /// What was damaged so far, in the coordinates of the root window, and the request that the server had done last.
        case damaged(PixelRect, after: UInt32)
        /// The root's size, an output, a rotation.
        case screenChanged
        case cursorChanged
        /// A window came, went, moved, or has another name; told once `X11Windows` has asked for it.
        case windowsChanged
        case keymapChanged
        case other
    }

    /// The next event, or nil. `reading`: also what the socket holds, else only what has been read with replies.
    func nextEvent(reading: Bool) -> Event? {
        let next = reading ? xcb_poll_for_event(raw) : xcb_poll_for_queued_event(raw)
        guard let next else { return nil }
        defer { free(next) }
        let type = next.pointee.response_type & 0x7f
        if type == 0 {
            let error = UnsafeRawPointer(next).assumingMemoryBound(to: xcb_generic_error_t.self)
            count(error.pointee.error_code)
            return .other
        }
        if type == extensions.damageEvent {
            let event = UnsafeRawPointer(next).assumingMemoryBound(to: xcb_damage_notify_event_t.self).pointee
            return .damaged(PixelRect(event.area), after: next.pointee.full_sequence)
        }
        if type == extensions.cursorEvent { return .cursorChanged }
        if let first = extensions.randrEvent, type == first || type == first + 1 { return .screenChanged }
        switch Int32(type) {
        case XCB_CONFIGURE_NOTIFY:
            let event = UnsafeRawPointer(next).assumingMemoryBound(to: xcb_configure_notify_event_t.self).pointee
            return event.window == root ? .screenChanged : .windowsChanged
        case XCB_CREATE_NOTIFY, XCB_DESTROY_NOTIFY, XCB_MAP_NOTIFY, XCB_UNMAP_NOTIFY, XCB_REPARENT_NOTIFY,
            XCB_GRAVITY_NOTIFY:
            return .windowsChanged
        case XCB_PROPERTY_NOTIFY:
            let event = UnsafeRawPointer(next).assumingMemoryBound(to: xcb_property_notify_event_t.self).pointee
            return watchedNames.contains(event.atom) ? .windowsChanged : .other
        case XCB_MAPPING_NOTIFY: return .keymapChanged
        default: return .other
        }
    }

    private func count(_ code: UInt8) { errors[code, default: 0] += 1 }

    private static func screen(_ setup: UnsafePointer<xcb_setup_t>, _ number: Int) -> xcb_screen_t? {
        var roots = xcb_setup_roots_iterator(setup)
        for _ in 0..<number where roots.rem > 0 { xcb_screen_next(&roots) }
        return roots.rem > 0 ? roots.data.pointee : nil
    }

    private static func entry(
        _ screen: X11Screen, _ address: X11Address, _ peer: XAuthority.Peer
    ) throws(ScreenError) -> XAuthority.Entry? {
        let named = screen.authority ?? getenv("XAUTHORITY").map { String(cString: $0) }
        let path = named ?? getenv("HOME").map { String(cString: $0) + "/.Xauthority" }
        guard let path else { return nil }
        guard let authority = XAuthority(path: path) else {
            // Servers without access control need none; but a file that was named is meant.
            guard screen.authority != nil else { return nil }
            throw ScreenError(
                .refused,
                "\(address.sentence): the authority file \(path) cannot be read: \(SystemError.text(of: errno))")
        }
        return authority.entry(for: peer, number: address.number)
    }
}

extension PixelRect {
    init(_ rect: xcb_rectangle_t) {
        self.init(x: Int(rect.x), y: Int(rect.y), width: Int(rect.width), height: Int(rect.height))
    }
}
