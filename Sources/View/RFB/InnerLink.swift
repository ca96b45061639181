import CLinux
import Glibc
import Loop

/// The gate's end of the socket pair behind which one attendant's encoder works.
///
/// The encoder speaks RFB 3.3 without security, the shortest greeting there is, and waits for nothing: what it wants to hear is
/// written before it starts (`greeting`), and what it says to it (12 + 4 bytes) is swallowed here. So the viewer, which has spoken its
/// own version with the gate, gets ServerInit first, and everything after it as it is.
///
/// Not thread safe: one owner, the gate's loop. `descriptor` does not block; watch it for reading always, and for writing while
/// `wantsWritable`. Dropping the link ends the attendant's thread.
///
/// What the gate has to do:
/// ```swift
/// let link = try attendants.admit(visitor)          // after all the gate's own checks
/// // readable: link.read(into:) until .nothing; queue for the viewer, then link.unsent = bytes that wait for the network
/// // from the viewer: framer.feed(bytes, into: &messages); link.send(messages); stop reading from it while link.wantsWritable
/// ```
public final class InnerLink {
    /// The version that the encoder expects, and its ClientInit: the screen is shared. Source: RFC 6143, 7.1.1, 7.3.1, A.1.
    public static let greeting: [UInt8] = Array("RFB 003.003\n".utf8) + [1]

    public enum Reading: Hashable, Sendable {
        /// So many bytes for the viewer are in the buffer.
        case bytes(Int)
        case nothing
        /// The attendant has ended.
        case ended
    }

    private let socket: Descriptor
    private let backlog: Backlog
    private var greetingOfServer = ServerGreeting()
    private var waiting: [UInt8] = []
    private var written = 0

    /// The most bytes from a viewer that may wait for its encoder. One that had more was not stopped in time.
    public static let mostWaiting = 64 << 10

    /// Takes over the gate's end of a pair and greets the encoder, which is not yet there to hear it.
    init(owning socket: consuming Descriptor, backlog: Backlog) throws(SystemError) {
        let flags = fcntl(socket.raw, F_GETFL)
        guard flags >= 0, fcntl(socket.raw, F_SETFL, flags | O_NONBLOCK) == 0 else { throw SystemError("fcntl") }
        guard Glibc.send(socket.raw, Self.greeting, Self.greeting.count, Int32(MSG_NOSIGNAL)) == Self.greeting.count
        else { throw SystemError("send") }
        self.socket = socket
        self.backlog = backlog
    }

    public var descriptor: Int32 { socket.raw }

    /// How many bytes of pictures wait at the gate for the network: set it after each read from here and each write to the
    /// viewer. Past `Backlog.limit` no more pictures are made.
    public var unsent: Int {
        get { backlog.unsent }
        set { backlog.report(newValue) }
    }

    /// Whether bytes of the viewer wait until the encoder has read others.
    public var wantsWritable: Bool { !waiting.isEmpty }

    /// Reads what the encoder has for the viewer.
    /// - Throws: `RFBRefusal` of code `greeting` where the encoder does not begin as agreed.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(RFBRefusal) -> Reading {
        while true {
            let count = recv(socket.raw, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count == 0 { return .ended }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? .nothing : .ended
            }
            let swallowed = try greetingOfServer.swallow(UnsafeRawBufferPointer(buffer)[..<count])
            guard swallowed < count else { continue }
            if swallowed > 0, let base = buffer.baseAddress { memmove(base, base + swallowed, count - swallowed) }
            return .bytes(count - swallowed)
        }
    }

    /// Sends whole messages to the encoder, or keeps them until it has room.
    /// - Returns: false where more than `mostWaiting` bytes would wait, or the encoder has ended: the connection is to be ended.
    public func send(_ messages: [UInt8]) -> Bool {
        guard !messages.isEmpty else { return true }
        guard waiting.count - written + messages.count <= Self.mostWaiting else { return false }
        waiting += messages
        return flush()
    }

    /// Sends what waits, as far as there is room: when the descriptor is writable.
    /// - Returns: false where the encoder has ended.
    public func flush() -> Bool {
        while written < waiting.count {
            let count = waiting.withUnsafeBytes { bytes in
                Glibc.send(
                    socket.raw, bytes.baseAddress.map { $0 + written }, bytes.count - written,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            written += count
        }
        waiting.removeAll(keepingCapacity: waiting.capacity <= 4096)
        written = 0
        return true
    }
}

/// What a server says before ServerInit when it was greeted with RFB 3.3: its version, 12 bytes, and "no security", 4 bytes.
struct ServerGreeting {
    private var seen: [UInt8] = []

    /// - Returns: how many of `bytes`, from their beginning, belong to it.
    mutating func swallow(_ bytes: Slice<UnsafeRawBufferPointer>) throws(RFBRefusal) -> Int {
        guard seen.count < 16 else { return 0 }
        let taken = bytes.prefix(16 - seen.count)
        seen += taken
        if seen.count == 16, !seen.starts(with: "RFB 003.".utf8) || seen[12...] != [0, 0, 0, 1] {
            throw RFBRefusal(.greeting, "the encoder did not greet as RFB 3.3 without security does")
        }
        return taken.count
    }
}
