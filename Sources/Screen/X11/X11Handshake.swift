import CLinux
import CXCB
import Glibc
import Loop
import Synchronization

/// The first bytes to and from an X server. XCB waits for its answer without a bound, so a thread stands by that cuts the
/// connection of a server that is silent for too long.
enum X11Handshake {
    private final class Guard: Sendable {
        let socket: Descriptor
        /// Written to when the handshake is over.
        let end: Descriptor
        let isSilent = Atomic<Bool>(false)

        init(socket: consuming Descriptor, end: consuming Descriptor) {
            self.socket = socket
            self.end = end
        }

        func watch(milliseconds: Int32) {
            var waiting = pollfd(fd: end.raw, events: Int16(POLLIN), revents: 0)
            var code = poll(&waiting, 1, milliseconds)
            while code < 0 && errno == EINTR { code = poll(&waiting, 1, milliseconds) }
            guard code == 0 else { return }
            isSilent.store(true, ordering: .releasing)
            // The one that waits wakes up and finds the connection closed; the descriptor itself is XCB's.
            shutdown(socket.raw, Int32(SHUT_RDWR))
        }
    }

    /// Takes over `descriptor`.
    static func run(
        _ descriptor: Int32, _ authority: XAuthority.Entry?, _ address: X11Address, patience: Int64
    ) throws(ScreenError) -> OpaquePointer {
        let copy = lw_duplicate(descriptor)
        let end = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard copy >= 0, end >= 0 else {
            let reason = SystemError.text(of: errno)
            for one in [descriptor, copy, end] where one >= 0 { close(one) }
            throw ScreenError(.unreachable, "\(address.sentence): no descriptor for it: \(reason)")
        }
        let watcher = Guard(socket: Descriptor(owning: copy), end: Descriptor(owning: end))
        let milliseconds = Int32(clamping: patience / 1_000_000)
        startThread(name: "x11-connect") { watcher.watch(milliseconds: milliseconds) }
        let raw = connect(descriptor, authority)
        var one: UInt64 = 1
        _ = write(end, &one, MemoryLayout<UInt64>.size)
        guard let raw, xcb_connection_has_error(raw) == 0 else {
            if let raw { xcb_disconnect(raw) }
            if watcher.isSilent.load(ordering: .acquiring) {
                throw ScreenError(
                    .unreachable, "\(address.sentence) takes connections and does not answer: is the X server frozen?")
            }
            throw ScreenError(
                .refused,
                "\(address.sentence) does not let us in: is `authority` (or XAUTHORITY) its authority file, "
                    + (authority == nil ? "which has no entry for this display?" : "and up to date?"))
        }
        return raw
    }

    private static func connect(_ descriptor: Int32, _ authority: XAuthority.Entry?) -> OpaquePointer? {
        guard var authority else { return xcb_connect_to_fd(descriptor, nil) }
        let (name, data) = (Int32(authority.name.count), Int32(authority.data.count))
        return authority.name.withUnsafeMutableBytes { nameBytes in
            authority.data.withUnsafeMutableBytes { dataBytes in
                var entry = xcb_auth_info_t(
                    namelen: name, name: nameBytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    datalen: data, data: dataBytes.baseAddress?.assumingMemoryBound(to: CChar.self))
                return xcb_connect_to_fd(descriptor, &entry)
            }
        }
    }
}
