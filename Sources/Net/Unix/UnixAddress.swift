import CLinux
import Glibc
import Loop

/// A path as an address of a Unix socket. Source: unix(7).
struct UnixAddress {
    let path: String
    private let address: sockaddr_un

    /// Nil when the path is empty or longer than 107 bytes, which the kernel's structure cannot hold.
    init?(_ path: String) {
        var address = sockaddr_un()
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, !bytes.contains(0), bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            return nil
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        self.path = path
        self.address = address
    }

    func bind(_ descriptor: Int32) -> Int32 { apply { Glibc.bind(descriptor, $0, $1) } }

    func connect(_ descriptor: Int32) -> Int32 { apply { Glibc.connect(descriptor, $0, $1) } }

    private func apply(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    static func socket() -> Descriptor? {
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        return raw >= 0 ? Descriptor(owning: raw) : nil
    }
}
