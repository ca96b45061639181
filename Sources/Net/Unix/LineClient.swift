import CLinux
import Glibc
import Loop

/// The other side of a socket that answers lines: sends one, waits for one. For commands and tests.
///
/// Blocks the calling thread, within its time limit; never use it on the loop.
public struct LineClient: ~Copyable {
    private let descriptor: Descriptor
    private let path: String
    private var framer: LineFramer

    /// Connects to the agent that listens on `path`; answers are at most `answerBytes` long.
    public init(path: String, answerBytes: Int = 65_536, timeout: Duration = .seconds(5)) throws(LineClientError) {
        guard let address = UnixAddress(path) else {
            throw LineClientError(.unusable, "the socket's path is empty or longer than 107 bytes: \(path)")
        }
        guard let descriptor = UnixAddress.socket() else {
            throw LineClientError(.unusable, "no socket can be made: \(SystemError("socket"))")
        }
        let end = Self.end(timeout)
        // EAGAIN: the agent's queue of new connections is full; it gets free within milliseconds.
        while address.connect(descriptor.raw) != 0 {
            let code = errno
            if code == EINTR { continue }
            guard code == EAGAIN, Boottime.milliseconds() < end else { throw Self.fault(code, path) }
            _ = poll(nil, 0, 5)
        }
        self.descriptor = descriptor
        self.path = path
        framer = LineFramer(limit: answerBytes)
    }

    /// Sends `line` (without its line feed) and waits for a line.
    public mutating func exchange(
        _ line: [UInt8], timeout: Duration = .seconds(5)
    ) throws(LineClientError) -> [UInt8] {
        let end = Self.end(timeout)
        try write(line + [0x0A], until: end)
        return try answer(until: end)
    }

    private func write(_ bytes: [UInt8], until end: Int64) throws(LineClientError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { bytes -> Int in
                guard let base = bytes.baseAddress else { return 0 }
                return Glibc.send(descriptor.raw, base + written, bytes.count - written, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLOUT), until: end)
            } else if errno == EPIPE || errno == ECONNRESET {
                // It may have said why before it closed: the answer tells.
                return
            } else if errno != EINTR {
                throw LineClientError(.closed, "the agent on \(path) cannot be written to: \(SystemError("send"))")
            }
        }
    }

    private mutating func answer(until end: Int64) throws(LineClientError) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            switch framer.next() {
            case .line(let range): return framer.withBytes(of: range) { Array($0) }
            case .oversized: throw LineClientError.notAnAgent(path)
            case nil: break
            }
            let count = recv(descriptor.raw, &chunk, chunk.count, 0)
            if count > 0 {
                chunk.withUnsafeBytes { framer.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            } else if count == 0 || errno == ECONNRESET {
                throw LineClientError(
                    .closed, "the agent on \(path) closed the connection without an answer; look at its log")
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLIN), until: end)
            } else if errno != EINTR {
                throw LineClientError(.closed, "the agent on \(path) cannot be read from: \(SystemError("recv"))")
            }
        }
    }

    private func wait(for events: Int16, until end: Int64) throws(LineClientError) {
        let left = end - Boottime.milliseconds()
        guard left > 0 else {
            throw LineClientError(
                .timeout, "the agent on \(path) has not answered in time; what was asked may be done nevertheless")
        }
        var entry = pollfd(fd: descriptor.raw, events: events, revents: 0)
        _ = poll(&entry, 1, Int32(clamping: left))
    }

    private static func end(_ timeout: Duration) -> Int64 {
        let (seconds, attoseconds) = timeout.components
        return Boottime.milliseconds() + max(0, min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    private static func fault(_ code: Int32, _ path: String) -> LineClientError {
        switch code {
        case ENOENT, ECONNREFUSED, ENOTSOCK:
            return LineClientError(
                .noAgent, "no agent listens on \(path); start it (\"systemctl start lanewatch\"), or name its socket")
        case EACCES, EPERM:
            return LineClientError(
                .forbidden, "you may not open \(path); be a member of its group (\"ls -l \(path)\" names it)")
        case EAGAIN:
            return LineClientError(.timeout, "the agent on \(path) takes no connection; it is busy or it hangs")
        default:
            return LineClientError(.unusable, "\(path) cannot be used: \(SystemError.text(of: code))")
        }
    }
}

/// Why a line could not be sent or was not answered; a sentence with the way out.
public struct LineClientError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        case noAgent, forbidden, timeout, closed, notAnAgent, unusable
    }

    public let code: Code
    public let description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// What listens there answers otherwise than an agent does.
    public static func notAnAgent(_ path: String) -> LineClientError {
        LineClientError(.notAnAgent, "what listens on \(path) does not answer as an agent does")
    }
}
