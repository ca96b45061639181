import CLinux
import Glibc
import Loop

/// Where to listen: a numeric address and a port. Text: `127.0.0.1:9464`, `[::1]:9464`.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    public let host: String
    /// 0 lets the system choose.
    public let port: UInt16
    private let isIPv6: Bool

    /// Nil when `host` is no numeric IPv4 or IPv6 address: names may resolve to more than is meant.
    public init?(host: String, port: UInt16) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, host, &four) == 1 {
            isIPv6 = false
        } else if inet_pton(AF_INET6, host, &six) == 1 {
            isIPv6 = true
        } else {
            return nil
        }
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:9464` and `[::1]:9464`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// Whether only this machine can reach it.
    public var isLoopback: Bool { host == "::1" || (!isIPv6 && host.hasPrefix("127.")) }

    public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether somebody takes connections there now. Waits for the answer, which loopback gives at once.
    public var isAnswered: Bool {
        let raw = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return false }
        let descriptor = Descriptor(owning: raw)
        var storage = sockaddr_storage()
        let length = fill(&storage)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor.raw, $0, length) == 0 }
        }
    }

    /// A listening, non-blocking socket; `found` becomes the port it has.
    public func listen(port found: inout UInt16) throws(SystemError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let raw = socket(isIPv6 ? AF_INET6 : AF_INET, type, 0)
        guard raw >= 0 else { throw SystemError("socket") }
        let descriptor = Descriptor(owning: raw)
        var one: Int32 = 1
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if isIPv6 { setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
        var storage = sockaddr_storage()
        var length = fill(&storage)
        let code = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                if bind(raw, address, length) != 0 { return Int32(-1) }
                if Glibc.listen(raw, 128) != 0 { return Int32(-1) }
                return getsockname(raw, address, &length)
            }
        }
        guard code == 0 else { throw SystemError("bind") }
        found = Self.port(of: storage)
        return descriptor
    }

    private func fill(_ storage: inout sockaddr_storage) -> socklen_t {
        withUnsafeMutableBytes(of: &storage) { bytes in
            if isIPv6 {
                var address = sockaddr_in6()
                address.sin6_family = sa_family_t(AF_INET6)
                address.sin6_port = port.bigEndian
                inet_pton(AF_INET6, host, &address.sin6_addr)
                withUnsafeBytes(of: address) { bytes.copyMemory(from: $0) }
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            withUnsafeBytes(of: address) { bytes.copyMemory(from: $0) }
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        }
    }

    /// The port lies at the same place in both families: behind the family.
    private static func port(of storage: sockaddr_storage) -> UInt16 {
        withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
    }
}
