import CLinux
import COpenSSL
import Glibc
import Loop
import Synchronization

/// Why a connection that was tried did not come about; one sentence.
public struct ProbeFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// A connection that is tried once, step by step, to say where it ends. For commands: each step blocks, within its limit.
public struct ConnectionProbe: Sendable {
    public let host: String
    public let port: UInt16

    /// Reads `host:port`, `[::1]:9092`, and librdkafka's `ssl://host:port`; the port is 9092 where none is given.
    public init?(_ text: String) {
        var rest = Substring(text.filter { $0 != " " })
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        var port: UInt16? = 9092
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let behind = rest[rest.index(after: end)...]
            if behind.hasPrefix(":") { port = UInt16(behind.dropFirst()) }
        } else if let colon = rest.lastIndex(of: ":") {
            host = String(rest[..<colon])
            port = UInt16(rest[rest.index(after: colon)...])
        } else {
            host = String(rest)
        }
        guard let port, !host.isEmpty else { return nil }
        self.port = port
    }

    /// An address of the host, as the system's resolver gave it.
    public struct Address: Sendable {
        fileprivate var storage: sockaddr_storage
        fileprivate var length: socklen_t
        /// Numeric.
        public var text: String
    }

    /// What a thread of its own finds, as long as somebody waits for it.
    private final class Resolution: Sendable {
        let probe: ConnectionProbe
        let pipe: Descriptor
        let found = Mutex<Result<[Address], ProbeFault>?>(nil)
        init(_ probe: ConnectionProbe, _ pipe: consuming Descriptor) {
            self.probe = probe
            self.pipe = pipe
        }
    }

    /// Every address of the host, within `milliseconds`. The resolver's own limit is its servers' and may be half a minute: it
    /// goes on alone then, and what it finds is forgotten. Source: resolv.conf(5), timeout and attempts.
    public func resolve(milliseconds: Int32) throws(ProbeFault) -> [Address] {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ProbeFault(SystemError("pipe").description) }
        let reading = Descriptor(owning: ends[0])
        let resolution = Resolution(self, Descriptor(owning: ends[1]))
        var thread = pthread_t()
        let context = Unmanaged.passRetained(resolution)
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let resolution = Unmanaged<Resolution>.fromOpaque(context).takeRetainedValue()
                do throws(ProbeFault) {
                    let found = try resolution.probe.resolve()
                    resolution.found.withLock { $0 = .success(found) }
                } catch {
                    resolution.found.withLock { $0 = .failure(error) }
                }
                var byte: UInt8 = 0
                // Nobody may be waiting any more: SIGPIPE is not for that.
                var signals = sigset_t()
                sigemptyset(&signals)
                sigaddset(&signals, SIGPIPE)
                pthread_sigmask(SIG_BLOCK, &signals, nil)
                _ = write(resolution.pipe.raw, &byte, 1)
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return try resolve()
        }
        pthread_detach(thread)
        guard Self.wait(reading.raw, Int16(POLLIN), milliseconds), let result = resolution.found.withLock({ $0 }) else {
            throw ProbeFault("no DNS server says within \(milliseconds / 1000) s what the address of \(host) is")
        }
        return try result.get()
    }

    /// Every address of the host. Source: getaddrinfo(3).
    func resolve() throws(ProbeFault) -> [Address] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            throw ProbeFault("\(host) has no address (\(String(cString: gai_strerror(code))))")
        }
        defer { freeaddrinfo(list) }
        var found: [Address] = []
        var next = list
        while let entry = next, found.count < 16 {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            var storage = sockaddr_storage()
            let length = min(Int(entry.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: length))
            }
            var text = [CChar](repeating: 0, count: 128)
            getnameinfo(address, entry.pointee.ai_addrlen, &text, 128, nil, 0, NI_NUMERICHOST)
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            found.append(
                Address(storage: storage, length: socklen_t(length), text: String(decoding: bytes, as: UTF8.self)))
        }
        return found
    }

    /// Connects, and closes again at once unless it is given away. Source: connect(2), EINPROGRESS.
    public func connect(_ address: Address, milliseconds: Int32) throws(ProbeFault) -> Descriptor {
        var storage = address.storage
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let raw = socket(Int32(storage.ss_family), type, 0)
        guard raw >= 0 else { throw ProbeFault(SystemError("socket").description) }
        let descriptor = Descriptor(owning: raw)
        let code = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(raw, $0, address.length) }
        }
        if code != 0 {
            guard errno == EINPROGRESS else { throw refused(address, errno) }
            guard Self.wait(raw, Int16(POLLOUT), milliseconds) else {
                throw ProbeFault(
                    "\(address.text) port \(port) does not answer within \(milliseconds / 1000) s")
            }
            var fault: Int32 = 0
            var size = socklen_t(4)
            getsockopt(raw, SOL_SOCKET, SO_ERROR, &fault, &size)
            guard fault == 0 else { throw refused(address, fault) }
        }
        return descriptor
    }

    private func refused(_ address: Address, _ code: Int32) -> ProbeFault {
        ProbeFault("\(address.text) port \(port): \(SystemError.text(of: code))")
    }

    private static func wait(_ raw: Int32, _ events: Int16, _ milliseconds: Int32) -> Bool {
        var one = pollfd(fd: raw, events: events, revents: 0)
        return poll(&one, 1, milliseconds) > 0
    }

    /// What the other side showed in a TLS handshake.
    public struct Handshake: Hashable, Sendable {
        /// `TLSv1.3`.
        public var version: String
        public var certificate: Certificate?
    }

    /// Shakes hands over `connection`, whatever the certificate is worth: that is judged elsewhere. Source: SSL_connect(3).
    public func shakeHands(
        over connection: borrowing Descriptor, milliseconds: Int32
    ) throws(ProbeFault) -> Handshake {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw ProbeFault("no TLS here") }
        defer { SSL_CTX_free(context) }
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        guard let session = SSL_new(context) else { throw ProbeFault("no TLS here") }
        defer { SSL_free(session) }
        SSL_set_fd(session, connection.raw)
        _ = lw_ssl_set_host_name(session, host)
        ERR_clear_error()
        let end = Boottime.milliseconds() + Int64(milliseconds)
        while true {
            let code = SSL_connect(session)
            if code == 1 { break }
            let left = Int32(clamping: end - Boottime.milliseconds())
            let wanted = SSL_get_error(session, code)
            guard wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE else {
                let reason = ERR_reason_error_string(ERR_peek_error()).map { ": \(String(cString: $0))" } ?? ""
                ERR_clear_error()
                throw ProbeFault("no TLS with \(host) port \(port)\(reason); is it a plain listener?")
            }
            let events = wanted == SSL_ERROR_WANT_READ ? Int16(POLLIN) : Int16(POLLOUT)
            guard left > 0, Self.wait(connection.raw, events, left) else {
                throw ProbeFault(
                    "\(host) port \(port) does not answer the TLS greeting; is it a plain listener?")
            }
        }
        let certificate = SSL_get1_peer_certificate(session)
        defer { X509_free(certificate) }
        return Handshake(
            version: SSL_get_version(session).map { String(cString: $0) } ?? "",
            certificate: certificate.map { Certificate($0) })
    }
}
