import CLinux
import Glibc
import Loop
import Net

/// Listening sockets that systemd opened before the process began. Source: sd_listen_fds(3).
public enum ActivatedSockets {
    /// The first descriptor that is passed.
    static let firstDescriptor: Int32 = 3
    /// More are none of ours.
    static let most = 16

    /// Which descriptors the environment names, with the unit's `FileDescriptorName=`. Empty where they are not for `process`.
    static func parse(_ environment: [String: String], process: Int32) -> [(name: String, descriptor: Int32)] {
        guard environment["LISTEN_PID"].flatMap({ Int32($0) }) == process,
            let count = environment["LISTEN_FDS"].flatMap({ Int($0) }), count > 0, count <= most
        else { return [] }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { (names.count > $0 ? String(names[$0]) : "", firstDescriptor + Int32($0)) }
    }

    /// Takes over the sockets, once; the environment says nothing of them to children any more.
    ///
    /// - Throws: where one is no listening stream socket.
    public static func take() throws(GateFault) -> [(name: String, descriptor: Int32)] {
        var environment: [String: String] = [:]
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
            unsetenv(name)
        }
        let found = parse(environment, process: getpid())
        for (name, descriptor) in found {
            var isListening: Int32 = 0
            var length = socklen_t(4)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0, isListening != 0 else {
                throw GateFault(
                    "socket \(name) of the unit does not listen; ListenStream= with Accept=no is needed")
            }
            let flags = fcntl(descriptor, F_GETFL)
            guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
                fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
            else { throw GateFault("socket \(name) of the unit: \(SystemError.text(of: errno))") }
        }
        return found
    }
}

/// Why the gate cannot open; one sentence with the way out.
public struct GateFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
