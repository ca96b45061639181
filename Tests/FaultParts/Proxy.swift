import Foundation
import Glibc
import Synchronization

/// The network path between clients and brokers: a listening port a broker, and what happens on the way.
///
/// Knows the frames of Kafka's protocol, not their content: only which request is a Produce, so that its answer can be
/// swallowed. Source: https://kafka.apache.org/protocol: a request begins with its size (4 bytes), key (2), version (2) and
/// correlation id (4), an answer with its size and correlation id. A thread a listener, two a connection.
public final class Proxy: @unchecked Sendable {
    // @unchecked: what changes is under `lock`; `listeners` is set once.

    public enum Mode: Sendable {
        case open
        /// Connections that are there are closed, new ones at once.
        case refused
        /// Nothing gets through, nothing is closed: packets vanish.
        case silent
        /// Answers to Produce vanish; the brokers have what they answer.
        case swallowing
    }

    public struct Counts: Hashable, Sendable {
        public var connections = 0
        public var closed = 0
        public var swallowed = 0
    }

    public let ports: [Int]
    private let listeners: [Int32]
    private let lock = NSCondition()
    private var targets: [Int] = []
    private var mode = Mode.open
    private var links: [ObjectIdentifier: Link] = [:]
    private var isEnded = false
    private var counted = Counts()

    /// One connection from a client to a broker.
    private final class Link: @unchecked Sendable {
        // @unchecked: `open` and `produces` are touched under the proxy's lock alone.
        let client: Int32
        let broker: Int32
        var open = 2
        var produces: Set<Int32> = []

        init(client: Int32, broker: Int32) {
            self.client = client
            self.broker = broker
        }

        func shut() {
            _ = shutdown(client, Int32(SHUT_RDWR))
            _ = shutdown(broker, Int32(SHUT_RDWR))
        }
    }

    /// Listens on as many free loopback ports. Connections wait until `lead(to:)`.
    public init(count: Int) throws {
        var made: [(Int32, Int)] = []
        for _ in 0..<count { made.append(try Self.listener()) }
        listeners = made.map { $0.0 }
        ports = made.map { $0.1 }
        for place in listeners.indices {
            let thread = Thread { [self] in accept(place) }
            thread.name = "proxy"
            thread.start()
        }
    }

    /// The brokers' own ports, in the order of `ports`.
    public func lead(to targets: [Int]) { lock.withLock { self.targets = targets } }

    public func set(_ mode: Mode) {
        lock.withLock {
            self.mode = mode
            if mode == .refused { closeAll() }
            lock.broadcast()
        }
    }

    /// Closes every connection; new ones are as the mode says.
    public func cut() { lock.withLock { closeAll() } }

    public var counts: Counts { lock.withLock { counted } }

    /// Closes all. Threads end within moments.
    public func end() {
        lock.withLock {
            guard !isEnded else { return }
            isEnded = true
            closeAll()
            for listener in listeners { _ = shutdown(listener, Int32(SHUT_RDWR)) }
            lock.broadcast()
        }
    }

    private func closeAll() {
        counted.closed += links.count
        for link in links.values { link.shut() }
    }

    // MARK: Connections

    private func accept(_ place: Int) {
        while true {
            let client = Glibc.accept(listeners[place], nil, nil)
            let (isOver, target) = lock.withLock {
                (isEnded, mode == .refused || place >= targets.count ? nil : targets[place])
            }
            if isOver {
                if client >= 0 { close(client) }
                break
            }
            guard client >= 0 else {
                // Aborted before it was taken, or too many descriptors: neither is the end.
                usleep(1000)
                continue
            }
            guard let target, let broker = Self.connection(to: target) else {
                close(client)
                continue
            }
            for raw in [client, broker] { Self.noDelay(raw) }
            let link = Link(client: client, broker: broker)
            lock.withLock {
                links[ObjectIdentifier(link)] = link
                counted.connections += 1
            }
            for isRequest in [true, false] { Thread { [self] in pass(link, isRequest) }.start() }
        }
        close(listeners[place])
    }

    private enum Passage { case on, thrownAway, over }

    /// Frame by frame, until either side ends.
    private func pass(_ link: Link, _ isRequest: Bool) {
        let (from, to) = isRequest ? (link.client, link.broker) : (link.broker, link.client)
        passing: while let frame = Self.frame(from) {
            switch passage(of: frame, link, isRequest) {
            case .on: if !Self.write(frame, to) { break passing }
            case .thrownAway: continue
            case .over: break passing
            }
        }
        link.shut()
        lock.withLock {
            link.open -= 1
            guard link.open == 0 else { return }
            close(link.client)
            close(link.broker)
            links[ObjectIdentifier(link)] = nil
        }
    }

    /// What is to be done with a frame; waits while the path is silent.
    private func passage(of frame: [UInt8], _ link: Link, _ isRequest: Bool) -> Passage {
        lock.lock()
        defer { lock.unlock() }
        while mode == .silent, !isEnded { lock.wait() }
        if isEnded || mode == .refused { return .over }
        if isRequest {
            if frame.count >= 12, frame[4] == 0, frame[5] == 0 { link.produces.insert(Self.number(frame[8..<12])) }
            return .on
        }
        guard frame.count >= 8, link.produces.remove(Self.number(frame[4..<8])) != nil, mode == .swallowing else {
            return .on
        }
        counted.swallowed += 1
        return .thrownAway
    }

    // MARK: Bytes

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int32 {
        Int32(bitPattern: bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    /// A whole frame with its size; nil at the end.
    private static func frame(_ raw: Int32) -> [UInt8]? {
        var frame = [UInt8](repeating: 0, count: 4)
        guard fill(raw, &frame, from: 0) else { return nil }
        let size = Int(number(frame[0..<4]))
        guard size >= 0, size <= 100 << 20 else { return nil }
        frame += [UInt8](repeating: 0, count: size)
        return fill(raw, &frame, from: 4) ? frame : nil
    }

    private static func fill(_ raw: Int32, _ bytes: inout [UInt8], from start: Int) -> Bool {
        var place = start
        while place < bytes.count {
            let wanted = bytes.count - place
            let count = bytes.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { recv(raw, $0 + place, wanted, 0) } ?? -1
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            place += count
        }
        return true
    }

    private static func write(_ bytes: [UInt8], _ raw: Int32) -> Bool {
        var place = 0
        while place < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                all.baseAddress.map { send(raw, $0 + place, bytes.count - place, Int32(MSG_NOSIGNAL)) } ?? -1
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            place += count
        }
        return true
    }

    // MARK: Sockets

    /// A listening socket and its port.
    static func listener() throws -> (Int32, Int) {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isGood = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(raw, pointer, length) == 0 && listen(raw, 128) == 0 && getsockname(raw, pointer, &length) == 0
            }
        }
        guard raw >= 0, isGood else {
            throw Fault("no loopback port for the proxy: \(String(cString: strerror(errno)))")
        }
        return (raw, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func connection(to port: Int) -> Int32? {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(raw)
            return nil
        }
        return raw
    }

    private static func noDelay(_ raw: Int32) {
        var one: Int32 = 1
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }
}
