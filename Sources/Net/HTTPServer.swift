import CLinux
import Glibc
import Loop

/// A small HTTP/1.1 server for pages that the agent makes itself: metrics, health. GET and HEAD, no TLS, no files.
///
/// Every connection is bounded: one head, one answer, a deadline for each; clients past the limit take the place of the
/// one that has waited longest without a request. Runs on the lane's thread, so pages must be quick to make, and only
/// so many a second are made. Sources: RFC 9110, RFC 9112.
@LoopActor public final class HTTPServer {
    public struct Options: Hashable, Sendable {
        public var addresses: [ListenAddress]
        public var connections = 64
        /// From the first byte of a request to its last, and for reading the whole answer.
        public var requestSeconds: Double = 10
        /// Without a byte of a request.
        public var idleSeconds: Double = 60
        /// Answers on one connection before it is closed.
        public var requestsPerConnection = 1000
        /// Answers a second, over all connections; past it, clients are told 429.
        public var requestsPerSecond = 50
        public init(addresses: [ListenAddress]) { self.addresses = addresses }
    }

    /// At any time `connections == closed + open`.
    public struct Counts: Hashable, Sendable {
        public var connections = 0
        public var open = 0
        public var closed = 0
        public var requests = 0
        /// Answers by status.
        public var answers: [Int: Int] = [:]
        /// Connections closed because a deadline passed, or because a newcomer needed the place.
        public var expired = 0
        public var evicted = 0
    }

    public private(set) var counts = Counts()
    /// Where it listens, with the ports it really has; empty before `start`.
    public private(set) var addresses: [ListenAddress] = []

    private let options: Options
    private let respond: @LoopActor (HTTPRequest) -> HTTPResponse
    private var listeners: [Listener] = []
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var tokens: Double
    private var tokensAt: Int64 = 0
    private let scratch = Scratch()

    private final class Listener {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    private final class Scratch {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 16)
        deinit { bytes.deallocate() }
    }

    public nonisolated init(_ options: Options, respond: @escaping @LoopActor (HTTPRequest) -> HTTPResponse) {
        self.options = options
        self.respond = respond
        tokens = Double(options.requestsPerSecond)
    }

    /// Listens on every address, or on none.
    public func start() throws(HTTPServerError) {
        for address in options.addresses {
            do throws(SystemError) {
                var port: UInt16 = 0
                let listener = Listener(try address.listen(port: &port))
                let raw = listener.descriptor.raw
                try EventLoop.shared.watch(raw, for: .readable) { [weak self] _ in self?.accept(raw) }
                listeners.append(listener)
                if let found = ListenAddress(host: address.host, port: port) { addresses.append(found) }
            } catch {
                stop()
                throw HTTPServerError(
                    description:
                        "cannot listen on \(address): \(SystemError.text(of: error.code)); choose another address or port"
                )
            }
        }
    }

    public func stop() {
        for listener in listeners { EventLoop.shared.unwatch(listener.descriptor.raw) }
        listeners = []
        addresses = []
        for connection in Array(connections.values) { close(connection) }
    }

    // MARK: Connections

    private func accept(_ listening: Int32) {
        guard StreamSocket.accept(on: listening, { admit($0) }) != nil else { return }
        StreamSocket.rest(listening) { [weak self] in
            self?.listeners.contains { $0.descriptor.raw == listening } ?? false
        }
    }

    private func admit(_ descriptor: consuming Descriptor) {
        counts.connections += 1
        counts.open += 1
        if connections.count >= options.connections { evict() }
        let now = Boottime.milliseconds()
        let connection = HTTPConnection(descriptor, now: now)
        let isFull = connections.count >= options.connections
        connections[ObjectIdentifier(connection)] = connection
        do throws(SystemError) {
            try EventLoop.shared.watch(connection.descriptor.raw, for: .readable) { [weak self, unowned connection] _ in
                self?.ready(connection)
            }
        } catch { return close(connection) }
        if isFull {
            return answer(
                connection, HTTPResponse(HTTPFault(503, "too many connections")), isHead: false, keepsAlive: false)
        }
        setDeadline(connection, options.idleSeconds)
    }

    /// Makes room: closes the connection that has waited longest for a request or for the rest of one.
    private func evict() {
        let waiting = connections.values.filter { $0.state == .reading }
        guard let oldest = waiting.min(by: { $0.waitsSince < $1.waitsSince }) else { return }
        counts.evicted += 1
        close(oldest)
    }

    private func close(_ connection: HTTPConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        EventLoop.shared.unwatch(connection.descriptor.raw)
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        counts.open -= 1
        counts.closed += 1
    }

    private func setDeadline(_ connection: HTTPConnection, _ seconds: Double) {
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        connection.deadline = EventLoop.shared.schedule(inMilliseconds: Int64(seconds * 1000)) {
            [weak self, weak connection] in
            guard let self, let connection else { return }
            self.counts.expired += 1
            self.close(connection)
        }
    }

    // MARK: Requests

    private func ready(_ connection: HTTPConnection) {
        switch connection.state {
        case .reading where connection.hasMore: return
        case .reading:
            let wasInside = connection.parser.isInside
            guard connection.receive(scratch.bytes) else { return close(connection) }
            if !wasInside, connection.parser.isInside { setDeadline(connection, options.requestSeconds) }
            takeRequest(connection)
        case .writing: proceed(connection, connection.write())
        case .draining: proceed(connection, connection.drain(scratch.bytes))
        }
    }

    private func takeRequest(_ connection: HTTPConnection) {
        do throws(HTTPFault) {
            guard let request = try connection.parser.next() else {
                if connection.hasMore {
                    connection.hasMore = false
                    EventLoop.shared.setInterest(connection.descriptor.raw, .readable)
                }
                return
            }
            connection.requests += 1
            counts.requests += 1
            guard takeToken() else {
                throw HTTPFault(429, "more than \(options.requestsPerSecond) requests a second")
            }
            let keepsAlive = request.keepsAlive && connection.requests < options.requestsPerConnection
            answer(connection, respond(request), isHead: request.method == "HEAD", keepsAlive: keepsAlive)
        } catch {
            answer(connection, HTTPResponse(error), isHead: false, keepsAlive: false)
        }
    }

    private func answer(_ connection: HTTPConnection, _ response: HTTPResponse, isHead: Bool, keepsAlive: Bool) {
        counts.answers[response.status, default: 0] += 1
        let now = Int(Boottime.wallMilliseconds() / 1000)
        connection.begin(response.bytes(isHead: isHead, keepsAlive: keepsAlive, now: now), keepsAlive: keepsAlive)
        setDeadline(connection, options.requestSeconds)
        proceed(connection, connection.write())
    }

    private func proceed(_ connection: HTTPConnection, _ outcome: HTTPConnection.Outcome) {
        switch outcome {
        case .over: close(connection)
        case .pending:
            let interest: EventLoop.Readiness = connection.state == .writing ? .writable : .readable
            EventLoop.shared.setInterest(connection.descriptor.raw, interest)
            if connection.state == .draining { setDeadline(connection, min(2, options.requestSeconds)) }
        case .free:
            connection.waitsSince = Boottime.milliseconds()
            setDeadline(connection, connection.parser.isInside ? options.requestSeconds : options.idleSeconds)
            // What is here already is answered before more is read, or a client that never stops sending would fill
            // memory; and others have their turn between two answers.
            connection.hasMore = connection.parser.isInside
            EventLoop.shared.setInterest(connection.descriptor.raw, connection.hasMore ? [] : .readable)
            guard connection.hasMore else { return }
            EventLoop.shared.schedule(inMilliseconds: 0) { [weak self, weak connection] in
                guard let self, let connection, connection.state == .reading,
                    self.connections[ObjectIdentifier(connection)] != nil
                else { return }
                self.takeRequest(connection)
            }
        }
    }

    private func takeToken() -> Bool {
        let now = Boottime.milliseconds()
        let rate = Double(max(1, options.requestsPerSecond))
        if tokensAt > 0 { tokens = min(rate, tokens + Double(now - tokensAt) * rate / 1000) }
        tokensAt = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}

/// Why the server cannot listen: a sentence with the way out.
public struct HTTPServerError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}
