import CLinux
import CXCB
import Glibc
import Loop

/// A connected socket to an X server.
struct X11Socket: ~Copyable {
    let descriptor: Descriptor
    let peer: XAuthority.Peer
    /// Over a Unix socket: descriptors and memory can be passed.
    let isLocal: Bool
}

/// Where an X server listens, taken from a display's name as X(7) has it: `:0`, `unix:0.1`, `host:10`.
struct X11Address {
    /// As configured, for sentences.
    let name: String
    let host: String
    let number: Int
    /// The screen's number.
    let screen: Int

    init(_ display: String?) throws(ScreenError) {
        let named = display ?? getenv("DISPLAY").map { String(cString: $0) } ?? ""
        guard !named.isEmpty else {
            throw ScreenError(
                .unreachable, "no X display is named: set `display` (such as \":0\") or the variable DISPLAY")
        }
        var host: UnsafeMutablePointer<CChar>?
        var number: Int32 = 0
        var screen: Int32 = 0
        let isDisplay = xcb_parse_display(named, &host, &number, &screen) != 0
        defer { free(host) }
        guard isDisplay, (0..<60_000).contains(number), screen >= 0 else {
            throw ScreenError(.unreachable, "\"\(named)\" is no X display's name: expected one such as \":0\"")
        }
        name = named
        self.host = host.map { String(cString: $0) } ?? ""
        self.number = Int(number)
        self.screen = Int(screen)
    }

    private var isUnix: Bool { host.isEmpty || host == "unix" }

    /// A connected socket, and who is at its other end. Waits at most `patience` nanoseconds, but for the resolver.
    func connect(patience: Int64) throws(ScreenError) -> X11Socket {
        if isUnix { return try connectLocally() }
        return try connectOverNetwork(patience: patience)
    }

    private static var thisHost: XAuthority.Peer {
        var name = [CChar](repeating: 0, count: 256)
        _ = gethostname(&name, name.count - 1)
        return .local(host: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    /// The socket in the file system first, whose folder others cannot write to; then the abstract one.
    private func connectLocally() throws(ScreenError) -> X11Socket {
        let path = "/tmp/.X11-unix/X\(number)"
        var failure: Int32 = 0
        for isAbstract in [false, true] {
            let raw = socket(
                AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            guard raw >= 0 else { throw fault("no socket", errno) }
            let descriptor = Descriptor(owning: raw)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = (isAbstract ? [0] : []) + Array(path.utf8)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
            let code = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(raw, $0, length) }
            }
            let reason = errno
            if code == 0 { return X11Socket(descriptor: descriptor, peer: Self.thisHost, isLocal: true) }
            if failure == 0 { failure = reason }
        }
        throw fault("nothing answers at \(path)", failure)
    }

    private func connectOverNetwork(patience: Int64) throws(ScreenError) -> X11Socket {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(6000 + number), &hints, &list)
        guard code == 0 else {
            throw ScreenError(
                .unreachable, "\(sentence): the host is not known: \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        let deadline = Boottime.monotonicNanoseconds() + patience
        var failure: Int32 = ECONNREFUSED
        var next = list
        while let candidate = next?.pointee {
            next = candidate.ai_next
            let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            let raw = socket(candidate.ai_family, type, 0)
            guard raw >= 0, let address = candidate.ai_addr else { continue }
            let descriptor = Descriptor(owning: raw)
            failure = Self.connect(raw, address, candidate.ai_addrlen, deadline: deadline)
            guard failure == 0 else { continue }
            // As ssh's forwarding wants it: the cookie of this machine stands for a display on its loopback.
            let bytes = Self.bytes(of: address)
            let isLoopback = bytes.count == 4 ? bytes.first == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
            let peer = isLoopback ? Self.thisHost : XAuthority.Peer.address(bytes)
            return X11Socket(descriptor: descriptor, peer: peer, isLocal: false)
        }
        throw fault("nothing answers at port \(6000 + number) of \(host)", failure)
    }

    /// - Returns: 0, else `errno`.
    private static func connect(
        _ raw: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t, deadline: Int64
    ) -> Int32 {
        if Glibc.connect(raw, address, length) == 0 { return 0 }
        guard errno == EINPROGRESS else { return errno }
        let milliseconds = max(0, (deadline - Boottime.monotonicNanoseconds()) / 1_000_000)
        var waiting = pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)
        guard poll(&waiting, 1, Int32(clamping: milliseconds)) > 0 else { return ETIMEDOUT }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno
    }

    private static func bytes(of address: UnsafePointer<sockaddr>) -> [UInt8] {
        if Int32(address.pointee.sa_family) == AF_INET {
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) }
            }
        }
        return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
            withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
        }
    }

    var sentence: String { "X display \"\(name)\"" }

    private func fault(_ what: String, _ code: Int32) -> ScreenError {
        ScreenError(.unreachable, "\(sentence): \(what): \(SystemError.text(of: code)); is the X server running?")
    }
}
