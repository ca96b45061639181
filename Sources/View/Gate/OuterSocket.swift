import CLinux
import Glibc
import Loop
import Net

/// A client's connection, in the clear or inside TLS; neither reads nor writes ever wait.
final class OuterSocket {
    typealias Step = TLSSession.Step

    let descriptor: Descriptor
    private(set) var tls: TLSSession?
    private var clearBytes: UInt64 = 0

    /// What the kernel holds for a peer that does not read: the rest waits here, where it is counted.
    static let sendBufferBytes: Int32 = 128 << 10

    init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        let raw = self.descriptor.raw
        var size = Self.sendBufferBytes
        setsockopt(raw, SOL_SOCKET, SO_SNDBUF, &size, 4)
        var one: Int32 = 1
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        // A peer that is gone without a word is noticed by the kernel, within a minute: no timer of ours.
        setsockopt(raw, SOL_SOCKET, SO_KEEPALIVE, &one, 4)
        var (idle, between, count): (Int32, Int32, Int32) = (30, 10, 3)
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &idle, 4)
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_KEEPINTVL, &between, 4)
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_KEEPCNT, &count, 4)
    }

    /// From here on everything goes through TLS. False where OpenSSL has no memory.
    func startTLS(_ context: TLSContext) -> Bool {
        tls = TLSSession(context, descriptor: descriptor.raw)
        return tls != nil
    }

    var isSecure: Bool { tls != nil }

    func read(into room: UnsafeMutableRawBufferPointer) -> Step {
        if let tls { return tls.read(into: room) }
        while true {
            let count = recv(descriptor.raw, room.baseAddress, room.count, Int32(MSG_DONTWAIT))
            if count > 0 { return .done(count) }
            if count == 0 { return .closed }
            if errno == EAGAIN { return .wantsRead }
            if errno != EINTR { return .closed }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Step {
        if let tls { return tls.write(bytes) }
        while true {
            let count = send(descriptor.raw, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            if count >= 0 {
                clearBytes += UInt64(count)
                return .done(count)
            }
            if errno == EAGAIN { return .wantsWrite }
            if errno != EINTR { return .closed }
        }
    }

    /// Bytes that the kernel still holds for the peer. Source: tcp(7), SIOCOUTQ.
    var bytesInKernel: Int { max(0, Int(lw_unsent_bytes(descriptor.raw))) }

    /// How many bytes the peer's kernel has acknowledged.
    var reachedBytes: UInt64 {
        let sent = clearBytes + (tls?.sentBytes ?? 0)
        return sent - min(sent, UInt64(bytesInKernel))
    }

    /// What is still to be sent is thrown away with the connection: nothing of one that is stuck stays in the kernel.
    /// Source: socket(7), SO_LINGER.
    func abandon() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.raw, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }
}

/// Where a connection comes from and where it came to.
struct OuterAddress: Hashable, Sendable {
    /// Numeric, without the port: for people.
    var text: String
    /// What counts as one: an IPv4 address, or the 64-bit network of an IPv6 address, in which one machine has all there are.
    var place: [UInt8]
    /// Whether it came to an address that only this machine can reach.
    var isLoopback: Bool

    init(_ descriptor: Int32) {
        let peer = Self.bytes(descriptor, getpeername)
        let own = Self.bytes(descriptor, getsockname)
        place = peer.count == 16 ? Array(peer.prefix(8)) : peer
        text = Self.text(peer)
        isLoopback = own.first == 127 && own.count == 4 || own == [UInt8](repeating: 0, count: 15) + [1]
    }

    private static func bytes(
        _ descriptor: Int32, _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> [UInt8] {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(descriptor, $0, &length) }
        }
        guard code == 0 else { return [] }
        return withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET: Array(bytes[4..<8])
            case AF_INET6: Array(bytes[8..<24])
            default: []
            }
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        guard bytes.count == 4 || bytes.count == 16 else { return "unknown" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { room in
            guard let base = room.baseAddress,
                inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, base, 64) != nil
            else { return "unknown" }
            return String(cString: base)
        }
    }
}
