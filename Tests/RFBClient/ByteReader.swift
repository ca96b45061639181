import Glibc

/// Why a test client gave up.
public enum RFBClientError: Error, Hashable, Sendable {
    case closed
    case timedOut
    /// What came is not RFB, or not what was asked for.
    case wrong(String)
}

/// Bytes from a descriptor, as many as are asked for, or an error within a time limit. Owns the descriptor.
final class ByteReader {
    let descriptor: Int32
    private(set) var received = 0
    private var buffer: [UInt8] = []
    private var place = 0
    var patienceMilliseconds = 10_000

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    var hasBuffered: Bool { place < buffer.count }

    /// Whether something can be read within `milliseconds`, the end included.
    func wait(milliseconds: Int) -> Bool { hasBuffered || isReadable(milliseconds) }

    private func isReadable(_ milliseconds: Int) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(milliseconds)) > 0
    }

    func bytes(_ count: Int) throws -> [UInt8] {
        while buffer.count - place < count { try fill() }
        defer { place += count }
        return Array(buffer[place..<place + count])
    }

    func one() throws -> Int { Int(try bytes(1)[0]) }
    func two() throws -> Int { try bytes(2).reduce(0) { $0 << 8 | Int($1) } }
    func four() throws -> Int { try bytes(4).reduce(0) { $0 << 8 | Int($1) } }

    private func fill() throws {
        if place > 0 {
            buffer.removeFirst(place)
            place = 0
        }
        guard isReadable(patienceMilliseconds) else { throw RFBClientError.timedOut }
        let start = buffer.count
        let room = 64 << 10
        buffer.append(contentsOf: repeatElement(0, count: room))
        let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + start }, room, 0) }
        buffer.removeLast(room - max(0, count))
        if count <= 0 {
            if count < 0, errno == EINTR || errno == EAGAIN { return }
            throw RFBClientError.closed
        }
        received += count
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Glibc.send(descriptor, raw.baseAddress.map { $0 + sent }, raw.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&entry, 1, Int32(patienceMilliseconds)) > 0 else { throw RFBClientError.timedOut }
                continue
            }
            guard count > 0 else { throw RFBClientError.closed }
            sent += count
        }
    }
}
