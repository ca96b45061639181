import CLinux
import Glibc
import Lane
import Loop

/// The other side of `SocketFeed`, for `lanewatch signal` and tests: sends a line and waits for its answer.
///
/// Blocks the calling thread, within its time limit; never use it on the loop.
public struct SignalClient: ~Copyable {
    /// What the agent said about a line.
    public struct Answer: Hashable, Sendable {
        /// The signal's number, once it is durable; nil where the agent refused the line.
        public var number: Int64?
        /// Why it was refused.
        public var error: String?
        /// Where in the line, in bytes from 1.
        public var column: Int?
        /// Attributes that were left out: not declared for the type, or of another kind.
        public var ignored: [String] = []
    }

    private let descriptor: Descriptor
    private let path: String
    private var framer = LineFramer(limit: 65_536)

    /// Connects to the agent that listens on `path`.
    public init(path: String, timeout: Duration = .seconds(5)) throws(SignalClientError) {
        guard let address = UnixAddress(path) else {
            throw SignalClientError(.unusable, "the socket's path is empty or longer than 107 bytes: \(path)")
        }
        guard let descriptor = UnixAddress.socket() else {
            throw SignalClientError(.unusable, "no socket can be made: \(SystemError("socket"))")
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
    }

    /// The line of a signal that asks for an answer.
    public static func line(_ type: SignalType, _ attributes: [Attribute], traceparent: String? = nil) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("type", type.name)
            for attribute in attributes {
                json.name(attribute.name.name)
                json.value(attribute.value)
            }
            if let traceparent { json.member("traceparent", traceparent) }
            json.member("ack", true)
        }
        return json.bytes
    }

    /// Sends `line` (without its line feed; it must ask for an answer) and waits for the answer.
    public mutating func send(_ line: [UInt8], timeout: Duration = .seconds(5)) throws(SignalClientError) -> Answer {
        let end = Self.end(timeout)
        try write(line + [0x0A], until: end)
        return try answer(until: end)
    }

    private func write(_ bytes: [UInt8], until end: Int64) throws(SignalClientError) {
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
                throw SignalClientError(.closed, "the agent on \(path) cannot be written to: \(SystemError("send"))")
            }
        }
    }

    private mutating func answer(until end: Int64) throws(SignalClientError) -> Answer {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            switch framer.next() {
            case .line(let range): return try parse(framer.withBytes(of: range) { Array($0) })
            case .oversized:
                throw SignalClientError(.notAnAgent, "what listens on \(path) does not answer as an agent does")
            case nil: break
            }
            let count = recv(descriptor.raw, &chunk, chunk.count, 0)
            if count > 0 {
                chunk.withUnsafeBytes { framer.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            } else if count == 0 || errno == ECONNRESET {
                throw SignalClientError(
                    .closed, "the agent on \(path) closed the connection without an answer; look at its log")
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLIN), until: end)
            } else if errno != EINTR {
                throw SignalClientError(.closed, "the agent on \(path) cannot be read from: \(SystemError("recv"))")
            }
        }
    }

    private func parse(_ line: [UInt8]) throws(SignalClientError) -> Answer {
        guard let value = try? JSONValue(parsing: line), let ok = value["ok"]?.bool, ok == (value["seq"]?.int != nil)
        else {
            throw SignalClientError(.notAnAgent, "what listens on \(path) does not answer as an agent does")
        }
        return Answer(
            number: value["seq"]?.int, error: ok ? nil : value["error"]?.text ?? "no reason given",
            column: value["column"]?.int.map { Int($0) },
            ignored: value["ignored"]?.elements?.compactMap(\.text) ?? [])
    }

    private func wait(for events: Int16, until end: Int64) throws(SignalClientError) {
        let left = end - Boottime.milliseconds()
        guard left > 0 else {
            throw SignalClientError(
                .timeout, "the agent on \(path) has not answered in time; the signal may be accepted nevertheless")
        }
        var entry = pollfd(fd: descriptor.raw, events: events, revents: 0)
        _ = poll(&entry, 1, Int32(clamping: left))
    }

    private static func end(_ timeout: Duration) -> Int64 {
        let (seconds, attoseconds) = timeout.components
        return Boottime.milliseconds() + max(0, min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    private static func fault(_ code: Int32, _ path: String) -> SignalClientError {
        switch code {
        case ENOENT, ECONNREFUSED, ENOTSOCK:
            return SignalClientError(
                .noAgent, "no agent listens on \(path); start it (\"systemctl start lanewatch\"), or name its socket")
        case EACCES, EPERM:
            return SignalClientError(
                .forbidden, "you may not open \(path); be a member of its group (\"ls -l \(path)\" names it)")
        case EAGAIN:
            return SignalClientError(.timeout, "the agent on \(path) takes no connection; it is busy or it hangs")
        default:
            return SignalClientError(.unusable, "\(path) cannot be used: \(SystemError.text(of: code))")
        }
    }
}

/// Why a signal could not be sent; a sentence with the way out.
public struct SignalClientError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        case noAgent, forbidden, timeout, closed, notAnAgent, unusable
    }

    public let code: Code
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
