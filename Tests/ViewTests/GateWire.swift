import CLinux
import COpenSSL
import Glibc
import Loop
import Net
import Testing

@testable import View

/// The client's side of a connection: blocking, in the clear or in TLS, perhaps with a WebSocket; reads give up after a minute.
final class GateWire: @unchecked Sendable {
    // @unchecked: each test uses its wire from one task at a time.
    enum Fault: Error {
        case ended
        /// Nothing came for a minute.
        case silence
        case refused(String)
    }

    let descriptor: Int32
    private var isClosed = false
    private var context: OpaquePointer?
    private var session: OpaquePointer?
    private(set) var isWebSocket = false
    private var kept: [UInt8] = []
    /// Pings' answers and closes that came.
    private(set) var pongs = 0
    /// What a page is told.
    private(set) var texts: [String] = []
    private(set) var closeCode: UInt16?
    /// Of the server's certificate.
    private(set) var fingerprint = ""

    init(_ port: UInt16, host: String = "127.0.0.1", from: String? = nil, receiveBuffer: Int32? = nil) throws {
        let isSix = host.contains(":")
        // OpenSSL writes with write(2): a server that has gone must not end the tests. The gate's thread blocks all signals.
        signal(SIGPIPE, SIG_IGN)
        descriptor = socket(isSix ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var code: Int32 = -1
        if let from {
            var own = sockaddr_in()
            own.sin_family = sa_family_t(AF_INET)
            inet_pton(AF_INET, from, &own.sin_addr)
            _ = withUnsafePointer(to: own) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if isSix {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            code = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            code = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard code == 0 else {
            Glibc.close(descriptor)
            throw SystemError("connect")
        }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    deinit {
        if let session { SSL_free(session) }
        if let context { SSL_CTX_free(context) }
        if !isClosed { Glibc.close(descriptor) }
    }

    /// Goes away with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        Glibc.close(descriptor)
        isClosed = true
    }

    func startTLS() throws {
        context = SSL_CTX_new(TLS_client_method())
        let session = try #require(SSL_new(context))
        self.session = session
        SSL_set_fd(session, descriptor)
        guard SSL_connect(session) == 1 else {
            ERR_clear_error()
            throw Fault.ended
        }
        if let certificate = SSL_get1_peer_certificate(session) {
            var digest = [UInt8](repeating: 0, count: 32)
            X509_digest(certificate, EVP_sha256(), &digest, nil)
            X509_free(certificate)
            fingerprint = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }
                .joined(separator: ":")
        }
    }

    // MARK: Bytes

    /// Sends as it is; false when the other side is gone.
    @discardableResult func sendRaw(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { room -> Int in
                let base = room.baseAddress.map { $0 + sent }
                if let session {
                    let written = SSL_write(session, base, Int32(room.count - sent))
                    if written <= 0 { ERR_clear_error() }
                    return Int(written)
                }
                return Glibc.send(descriptor, base, room.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Sends, in a masked binary frame where this is a WebSocket.
    @discardableResult func send(_ bytes: [UInt8]) -> Bool {
        sendRaw(isWebSocket ? Self.frame(0x82, bytes) : bytes)
    }

    static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var head: [UInt8]
        switch payload.count {
        case ..<126: head = [first, 0x80 | UInt8(payload.count)]
        case ..<65_536: head = [first, 0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: head = [first, 0xFF] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 255) }
        }
        let mask: [UInt8] = [0xA1, 0x02, 0x5C, 0x77]
        return head + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    private func readSome() throws -> [UInt8] {
        var room = [UInt8](repeating: 0, count: 64 << 10)
        let count: Int
        errno = 0
        if let session {
            count = Int(SSL_read(session, &room, Int32(room.count)))
            if count <= 0 { ERR_clear_error() }
        } else {
            count = recv(descriptor, &room, room.count, 0)
        }
        guard count > 0 else { throw count < 0 && errno == EAGAIN ? Fault.silence : Fault.ended }
        return Array(room[..<count])
    }

    private var frames: [UInt8] = []

    /// The next bytes of payload.
    private func more() throws {
        guard isWebSocket else {
            kept += try readSome()
            return
        }
        while true {
            if let frame = try nextFrame() {
                switch frame.first & 0x0F {
                case 1: texts.append(String(decoding: frame.payload, as: UTF8.self))
                case 2: kept += frame.payload
                case 0xA: pongs += 1
                case 0x8:
                    closeCode =
                        frame.payload.count >= 2 ? UInt16(frame.payload[0]) << 8 | UInt16(frame.payload[1]) : 1005
                    throw Fault.ended
                default: throw Fault.refused("frame \(frame.first)")
                }
                if frame.first & 0x0F != 0x8 { return }
            }
            frames += try readSome()
        }
    }

    private func nextFrame() throws -> (first: UInt8, payload: [UInt8])? {
        guard frames.count >= 2 else { return nil }
        guard frames[1] & 0x80 == 0 else { throw Fault.refused("a masked frame of a server") }
        var (size, head) = (Int(frames[1]), 2)
        if size == 126 {
            head = 4
            guard frames.count >= 4 else { return nil }
            size = Int(frames[2]) << 8 | Int(frames[3])
        } else if size == 127 {
            head = 10
            guard frames.count >= 10 else { return nil }
            size = frames[2..<10].reduce(0) { $0 << 8 | Int($1) }
        }
        guard frames.count >= head + size else { return nil }
        defer { frames.removeFirst(head + size) }
        return (frames[0], Array(frames[head..<(head + size)]))
    }

    func receive(_ count: Int) throws -> [UInt8] {
        while kept.count < count { try more() }
        defer { kept.removeFirst(count) }
        return Array(kept.prefix(count))
    }

    /// Says something as a page does.
    @discardableResult func say(_ text: String) -> Bool { sendRaw(Self.frame(0x81, Array(text.utf8))) }

    /// The next text that fits.
    func text(where fits: (String) -> Bool = { _ in true }) throws -> String {
        while true {
            if let place = texts.firstIndex(where: fits) { return texts.remove(at: place) }
            try more()
        }
    }

    /// Everything until the other side ends.
    func receiveAll() -> [UInt8] {
        while true {
            do { try more() } catch {
                if case .silence? = error as? Fault { isSilent = true }
                defer { kept = [] }
                return kept
            }
        }
    }

    private var isSilent = false

    /// Whether the other side has ended, or ends within a minute.
    func isEnded() -> Bool {
        if !isClosed { _ = receiveAll() }
        return !isSilent
    }

    /// A descriptor behind which this wire is, for a client that knows neither TLS nor WebSockets. It ends with the wire's other side,
    /// or with the descriptor.
    func bridge() throws -> Int32 {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        let inner = ends[1]
        startThread(name: "bridge") { [self] in
            carry(inner)
            Glibc.close(inner)
        }
        return ends[0]
    }

    private func carry(_ inner: Int32) {
        var room = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            var ready = [pollfd(fd: inner, events: Int16(POLLIN), revents: 0)]
            ready.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
            guard poll(&ready, 2, 60_000) > 0 else { return }
            if ready[0].revents != 0 {
                let count = recv(inner, &room, room.count, 0)
                guard count > 0, send(Array(room[..<count])) else { return }
            }
            if ready[1].revents != 0 {
                guard (try? more()) != nil else { return }
                let bytes = kept
                kept = []
                guard Glibc.send(inner, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return }
            }
        }
    }

    // MARK: The ways in

    /// HTTP's way to a WebSocket; throws what was answered instead.
    func upgrade(
        path: String = "/websockify", origin: String? = nil, fields: String = "", isPage: Bool = false
    ) throws {
        var text = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        text += "Sec-WebSocket-Protocol: \(isPage ? "lanewatch.v1, binary" : "binary")\r\n"
        if let origin { text += "Origin: \(origin)\r\n" }
        sendRaw(Array((text + fields + "\r\n").utf8))
        let head = try receiveHead()
        guard head.hasPrefix("HTTP/1.1 101 ") else { throw Fault.refused(head) }
        #expect(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        #expect(head.contains("sec-websocket-protocol: \(isPage ? "lanewatch.v1" : "binary")"))
        isWebSocket = true
        frames = kept
        kept = []
    }

    func receiveHead() throws -> String {
        while true {
            if let end = kept.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: kept[..<end.lowerBound], as: UTF8.self)
                kept.removeFirst(end.upperBound)
                return head
            }
            try more()
        }
    }

    static func four(_ number: Int) -> [UInt8] {
        [UInt8(number >> 24 & 255), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
    }

    /// Up to the choice of a type; the offered ones.
    func greet(_ version: String = "RFB 003.008\n") throws -> [UInt8] {
        #expect(try receive(12) == Array("RFB 003.008\n".utf8))
        send(Array(version.utf8))
        return try receive(Int(try receive(1)[0]))
    }

    /// VeNCrypt up to a subtype, TLS included; the offered ones.
    @discardableResult func veNCrypt(_ subtype: Int) throws -> [Int] {
        send([19])
        #expect(try receive(2) == [0, 2])
        send([0, 2])
        #expect(try receive(1) == [0])
        let offered = try (0..<Int(try receive(1)[0])).map { _ in try receive(4).reduce(0) { $0 << 8 | Int($1) } }
        send(Self.four(subtype))
        if subtype != 256 {
            #expect(try receive(1) == [1])
            try startTLS()
        }
        return offered
    }

    func sendPlain(_ user: String, _ password: String) {
        send(Self.four(user.utf8.count) + Self.four(password.utf8.count) + Array(user.utf8) + Array(password.utf8))
    }

    /// SecurityResult; throws the reason where it is a refusal.
    func result() throws {
        guard try receive(4) != [0, 0, 0, 0] else { return }
        let size = try receive(4).reduce(0) { $0 << 8 | Int($1) }
        throw Fault.refused(String(decoding: try receive(size), as: UTF8.self))
    }

    /// ClientInit, and ServerInit, whose end is returned.
    func enter() throws {
        send([1])
        #expect(try receive(EchoReception.serverInit.count) == EchoReception.serverInit)
    }

    /// A message there and back: key or pointer events are sent back by `EchoReception`.
    func ping() throws {
        let message: [UInt8] = [5, 0, 0, UInt8.random(in: 0...200), 0, UInt8.random(in: 0...200)]
        send(message)
        let answer = try receive(6)
        guard answer == message else { throw Fault.refused("\(message) came back as \(answer)") }
    }

    /// Over RFB's port, with X509Plain.
    static func join(
        _ bed: GateBed, user: String = "", token: String? = nil, receiveBuffer: Int32? = nil, serverInit: Bool = true
    ) throws
        -> GateWire
    {
        let wire = try GateWire(bed.rfb, receiveBuffer: receiveBuffer)
        #expect(try wire.greet().contains(19))
        try wire.veNCrypt(262)
        wire.sendPlain(user, try token ?? bed.token())
        try wire.result()
        if serverInit { try wire.enter() } else { wire.send([1]) }
        return wire
    }

    /// Over HTTPS, with Plain in a WebSocket.
    static func joinWeb(
        _ bed: GateBed, user: String = "", token: String? = nil, serverInit: Bool = true, isPage: Bool = false
    ) throws -> GateWire {
        let wire = try GateWire(bed.https)
        try wire.startTLS()
        try wire.upgrade(path: isPage ? "/websockify?way=plain" : "/websockify", isPage: isPage)
        #expect(try wire.greet().contains(19))
        #expect(try wire.veNCrypt(256) == [256])
        wire.sendPlain(user, try token ?? bed.token())
        try wire.result()
        if serverInit { try wire.enter() } else { wire.send([1]) }
        return wire
    }
}
