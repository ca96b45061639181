import CLinux
import Glibc

/// Somebody who sends lines and gets an answer to each: standard input, or a connection of the kiosk's socket.
struct Caller {
    static let longest = 4096

    let input: Int32
    let output: Int32
    private var rest: [UInt8] = []

    init(input: Int32, output: Int32) {
        self.input = input
        self.output = output
    }

    /// What has come in as whole lines; nil once there is no more to come, or a line has no end.
    mutating func lines() -> [String]? {
        var piece = [UInt8](repeating: 0, count: Self.longest)
        let count = read(input, &piece, piece.count)
        if count < 0 && (errno == EINTR || errno == EAGAIN) { return [] }
        guard count > 0 else { return nil }
        rest += piece[..<count]
        var found: [String] = []
        while let end = rest.firstIndex(of: 10) {
            found.append(String(decoding: rest[..<end], as: UTF8.self))
            rest.removeFirst(end + 1)
        }
        return rest.count < Self.longest ? found : nil
    }

    func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(output, bytes, bytes.count)
    }
}

/// A Unix socket that takes lines from programs of this user.
enum LineSocket {
    /// Nil where it cannot be had; `errno` says why.
    static func listen(_ path: String) -> Int32? {
        var address = sockaddr_un()
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return nil
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        unlink(path)
        let old = umask(0o177)
        defer { umask(old) }
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0, Glibc.listen(raw, 4) == 0 else {
            close(raw)
            return nil
        }
        return raw
    }
}
