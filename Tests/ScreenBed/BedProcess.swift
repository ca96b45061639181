import Glibc

/// A program beside a test or a benchmark, ended with this value, by its own process id.
public final class BedProcess {
    public let pid: pid_t
    private let output: Int32

    /// Starts `words`, the program by its path or its name in PATH. Its standard output can be read (`line`); its standard error goes to
    /// the file `errors`.
    public init?(_ words: [String], environment: [String] = [], errors: String = "/dev/null") {
        var pipe: [Int32] = [-1, -1]
        guard let program = words.first, Glibc.pipe(&pipe) == 0 else { return nil }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
        var place = environ
        while let one = place.pointee {
            variables.append(strdup(one))
            place += 1
        }
        variables.append(nil)
        defer { for text in arguments + variables { free(text) } }
        // Nothing that this program blocks stays blocked there.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var child: pid_t = 0
        let code = posix_spawnp(&child, program, &actions, &attributes, arguments, variables)
        close(pipe[1])
        guard code == 0 else {
            close(pipe[0])
            return nil
        }
        (pid, output) = (child, pipe[0])
    }

    deinit {
        stop(SIGTERM)
        close(output)
    }

    private var isReaped = false

    /// Ends it with `signal`, after two seconds with SIGKILL, and waits for it.
    public func stop(_ signal: Int32) {
        guard !isReaped else { return }
        isReaped = true
        kill(pid, SIGCONT)
        kill(pid, signal)
        var status: Int32 = 0
        for _ in 0..<200 {
            if waitpid(pid, &status, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
    }

    public var isRunning: Bool {
        guard !isReaped else { return false }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) != 0 else { return true }
        isReaped = true
        return false
    }

    /// A line of its output, waited for; nil where it ends before or says nothing for so long.
    public func line(seconds: Int = 20) -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < 4096 {
            var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(seconds) * 1000) > 0, read(output, &byte, 1) == 1 else { return nil }
            if byte == 10 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        return nil
    }

    /// An X server without a screen, and the display that it chose. Nil where it is not installed.
    public static func xvfb(_ size: String) -> (process: BedProcess, display: String)? {
        let words = ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
        guard let process = BedProcess(words), let number = process.line(), Int(number) != nil else { return nil }
        return (process, ":" + number)
    }
}

/// Loopback's side of a viewer.
public enum Loopback {
    /// A port that nobody has now.
    public static func freePort() -> UInt16 {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        var address = address(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(raw, pointer, size) == 0 ? getsockname(raw, pointer, &size) : -1
            }
        }
        return code == 0 ? UInt16(bigEndian: address.sin_port) : 0
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// A connection; nil where nobody listens.
    public static func connection(_ port: UInt16) -> Int32? {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        var address = address(port)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(raw)
            return nil
        }
        var one: Int32 = 1
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return raw
    }

    /// A connection whose next bytes are ServerInit: RFB 3.8 without security. Nil where that is not possible.
    public static func viewer(_ port: UInt16) -> Int32? {
        guard let raw = connection(port) else { return nil }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        func hear(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            return recv(raw, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
        }
        func say(_ bytes: [UInt8]) { _ = send(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
        let isIn: Bool = {
            guard hear(12) != nil else { return false }
            say(Array("RFB 003.008\n".utf8))
            guard let count = hear(1)?.first, count > 0, let types = hear(Int(count)), types.contains(1) else {
                return false
            }
            say([1])
            guard hear(4) == [0, 0, 0, 0] else { return false }
            say([1])
            return true
        }()
        guard isIn else {
            close(raw)
            return nil
        }
        limit = timeval(tv_sec: 0, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return raw
    }
}
