import CLinux
import Glibc
import Loop

/// A Unix stream socket that answers each line with a line: for questions to the agent.
///
/// Every connection is bounded: the length of a line, the time without one, the time in which an answer is to be read;
/// nothing more is read from a peer that has not taken its answer. Runs on the lane's thread, so answers must be quick to
/// make, and only so many a second are made; who asks more waits. Source: unix(7).
@LoopActor public final class LineServer {
    public struct Options: Hashable, Sendable {
        /// Its folder must be there. At most 107 bytes.
        public var path: String
        /// Permissions of the socket file.
        public var mode: UInt32 = 0o600
        /// The group of the socket file; nil leaves the agent's own.
        public var group: UInt32?
        public var peers = PeerRule(users: [], groups: [])
        /// The longest line, in bytes, without its line feed.
        public var lineBytes = 4096
        public var connections = 16
        /// Without a line, or without reading an answer.
        public var idleSeconds = 60
        /// Answers a second, over all connections; fewer of those that take long to make.
        public var answersPerSecond = 20

        public init(path: String) { self.path = path }
    }

    /// Something for the log: a constant phrase, a word that it is counted under, and who it was.
    public struct Remark: Hashable, Sendable {
        public var message: String
        public var fields: [(name: String, value: String)] {
            names.indices.map { (names[$0], values[$0]) }
        }
        private var names: [String]
        private var values: [String]

        init(_ message: String, _ fields: KeyValuePairs<String, String>) {
            self.message = message
            names = fields.map(\.key)
            values = fields.map(\.value)
        }
    }

    /// Lines: in = out (answered) + dropped (`oversized`, `incomplete`, `gone`: nobody waits for the answer any more) + held
    /// (the answer is being made).
    public struct Counts: Hashable, Sendable {
        public var `in` = 0
        public var out = 0
        public var dropped: [String: Int] = [:]
        public var held = 0
    }

    /// Who asks, as it was when it connected.
    public struct Peer: Hashable, Sendable {
        public var user: UInt32
        public var group: UInt32
        public var process: Int32
    }

    /// Gives the answer to a line, without its line feed: at once or later, once. The next line of the peer waits for it.
    public typealias Reply = @LoopActor ([UInt8]) -> Void

    public private(set) var lines = Counts()
    /// Connections: in = out (closed by the peer) + dropped (`peer`, `limit`, `idle`, `stopped`) + open.
    public private(set) var peers = Counts()
    public var open: Int { connections.count }

    /// What the making of answers may take of the thread's time in the long run.
    private static let shareOfThread = 0.1

    private let options: Options
    private let answer: @LoopActor (UnsafeRawBufferPointer, Peer, @escaping Reply) -> Void
    private let refusal: @LoopActor (String) -> [UInt8]
    private let remark: @LoopActor (Remark) -> Void
    private var listener: UnixListener?
    private var memberships = Memberships()
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var bucket: TokenBucket
    private var notices = NoticeGate()
    private let scratch = Scratch()

    /// - Parameters:
    ///   - answer: The answer to a line, without its line feed.
    ///   - refusal: What is said to a peer that may not ask, or whose line is none; without its line feed.
    ///   - remark: What the log should know; the same at most once in ten seconds.
    public convenience init(
        _ options: Options, remark: @escaping @LoopActor (Remark) -> Void = { _ in },
        refusal: @escaping @LoopActor (String) -> [UInt8],
        answer: @escaping @LoopActor (UnsafeRawBufferPointer) -> [UInt8]
    ) {
        self.init(options, remark: remark, refusal: refusal, answering: { line, _, reply in reply(answer(line)) })
    }

    /// - Parameter answering: The answer to a line of a peer, now or later; the line's bytes are there until it returns.
    public init(
        _ options: Options, remark: @escaping @LoopActor (Remark) -> Void = { _ in },
        refusal: @escaping @LoopActor (String) -> [UInt8],
        answering: @escaping @LoopActor (UnsafeRawBufferPointer, Peer, @escaping Reply) -> Void
    ) {
        self.options = options
        self.remark = remark
        self.refusal = refusal
        self.answer = answering
        bucket = TokenBucket(perSecond: options.answersPerSecond, now: 0)
    }

    private final class Scratch {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        deinit { bytes.deallocate() }
    }

    public func start() throws(UnixSocketError) {
        let listener = try UnixListener.open(options.path, mode: options.mode, group: options.group)
        do throws(SystemError) {
            try EventLoop.shared.watch(listener.descriptor.raw, for: .readable) { [weak self] _ in self?.accept() }
        } catch {
            listener.removeFile()
            throw UnixSocketError("the socket \(options.path) cannot be watched: \(error)", isRetriable: true)
        }
        self.listener = consume listener
    }

    /// Closes every connection and removes the socket file.
    public func stop() {
        guard listener != nil else { return }
        EventLoop.shared.unwatch(listener?.descriptor.raw ?? -1)
        listener?.removeFile()
        listener = nil
        for connection in Array(connections.values) { close(connection, "stopped") }
    }

    // MARK: Connections

    private final class Connection {
        let descriptor: Descriptor
        let peer: Peer
        var framer: LineFramer
        var output: [UInt8] = []
        var written = 0
        var deadline: EventLoop.Deadline?
        /// Its next line waits for its turn.
        var isWaiting = false
        /// The line whose answer is being made; the number of those before it.
        var isAnswering = false
        var answers = 0
        /// `answering` has not returned yet.
        var isBeingAsked = false
        var isEnding = false
        var interest: EventLoop.Readiness = .readable

        init(_ descriptor: consuming Descriptor, _ peer: Peer, lineBytes: Int) {
            self.descriptor = descriptor
            self.peer = peer
            framer = LineFramer(limit: lineBytes)
        }

        var isRead: Bool { written == output.count }

        /// Writes what it can; false when the peer is gone.
        func flush() -> Bool {
            switch StreamSocket.send(output, from: &written, to: descriptor.raw) {
            case .some: return true
            case .gone: return false
            case .all: break
            }
            output = []
            written = 0
            return true
        }
    }

    private func accept() {
        guard let listening = listener?.descriptor.raw,
            StreamSocket.accept(on: listening, { admit($0) }) != nil
        else { return }
        StreamSocket.rest(listening) { [weak self] in self?.listener?.descriptor.raw == listening }
    }

    private func admit(_ descriptor: consuming Descriptor) {
        peers.in += 1
        var peer = lw_peer_credentials()
        guard lw_peer_credentials(descriptor.raw, &peer) == 0 else { return refuse(descriptor, "peer", "who are you?") }
        let now = Boottime.milliseconds()
        let isAllowed = options.peers.allows(user: peer.uid, group: peer.gid) {
            memberships.groups(ofUser: peer.uid, primary: peer.gid, now: now)
        }
        guard isAllowed else {
            tell("peer", Remark("peer refused", ["uid": "\(peer.uid)", "pid": "\(peer.pid)"]))
            return refuse(
                descriptor, "peer",
                "user \(peer.uid) may not ask here; name the user or one of its groups in the configuration")
        }
        guard connections.count < options.connections else {
            tell("limit", Remark("too many connections", ["limit": "\(options.connections)"]))
            return refuse(descriptor, "limit", "\(options.connections) connections are open, and no more are taken")
        }
        let connection = Connection(
            descriptor, Peer(user: peer.uid, group: peer.gid, process: peer.pid), lineBytes: options.lineBytes)
        do throws(SystemError) {
            try EventLoop.shared.watch(connection.descriptor.raw, for: .readable) { [weak self, weak connection] _ in
                guard let self, let connection else { return }
                self.ready(connection)
            }
        } catch {
            peers.dropped["limit", default: 0] += 1
            return
        }
        connections[ObjectIdentifier(connection)] = connection
        setDeadline(connection)
    }

    /// One line, and closed.
    private func refuse(_ descriptor: consuming Descriptor, _ reason: String, _ message: String) {
        peers.dropped[reason, default: 0] += 1
        let line = refusal(message) + [0x0A]
        _ = line.withUnsafeBytes { send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    private func close(_ connection: Connection, _ reason: String?) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        EventLoop.shared.unwatch(connection.descriptor.raw)
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        if connection.isAnswering {
            lines.held -= 1
            lines.dropped["gone", default: 0] += 1
        }
        if let reason { peers.dropped[reason, default: 0] += 1 } else { peers.out += 1 }
    }

    private func setDeadline(_ connection: Connection) {
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        connection.deadline = EventLoop.shared.schedule(inMilliseconds: Int64(options.idleSeconds) * 1000) {
            [weak self, weak connection] in
            guard let self, let connection else { return }
            self.close(connection, "idle")
        }
    }

    private func tell(_ kind: String, _ what: Remark) {
        if notices.pass(kind, now: Boottime.milliseconds()) != nil { remark(what) }
    }

    // MARK: Lines

    private func ready(_ connection: Connection) {
        guard connection.flush() else { return close(connection, nil) }
        work(connection)
    }

    /// Answers lines until the peer has to read, send, or wait.
    private func work(_ connection: Connection) {
        while connection.isRead, !connection.isWaiting, !connection.isAnswering, !connection.isEnding {
            switch connection.framer.next() {
            case .line(let line):
                guard takeToken() else {
                    // The line is told again by nobody: its bytes are kept here until its turn.
                    let bytes = connection.framer.withBytes(of: line) { Array($0) }
                    wait(connection, bytes)
                    continue
                }
                connection.framer.withBytes(of: line) { reply(connection, $0) }
            case .oversized:
                lines.in += 1
                lines.dropped["oversized", default: 0] += 1
                connection.output = refusal("the line is longer than \(options.lineBytes) bytes") + [0x0A]
                setDeadline(connection)
            case nil: if !receive(connection) { return settle(connection) }
            }
            guard connection.flush() else { return close(connection, nil) }
        }
        settle(connection)
    }

    private func reply(_ connection: Connection, _ line: UnsafeRawBufferPointer) {
        lines.in += 1
        lines.held += 1
        connection.isAnswering = true
        connection.answers += 1
        let number = connection.answers
        let began = Boottime.nanoseconds()
        connection.isBeingAsked = true
        answer(line, connection.peer) { [weak self, weak connection] bytes in
            guard let self, let connection, isOpen(connection), connection.isAnswering, connection.answers == number
            else { return }
            connection.isAnswering = false
            lines.held -= 1
            lines.out += 1
            connection.output = bytes + [0x0A]
            guard !connection.isBeingAsked else { return }
            setDeadline(connection)
            ready(connection)
        }
        connection.isBeingAsked = false
        // An answer that took long to make counts as many: the lane's thread has other work.
        let seconds = Double(Boottime.nanoseconds() - began) / 1_000_000_000
        bucket.charge(seconds / Self.shareOfThread * Double(options.answersPerSecond))
        setDeadline(connection)
    }

    private func wait(_ connection: Connection, _ line: [UInt8]) {
        connection.isWaiting = true
        EventLoop.shared.schedule(inMilliseconds: 1000 / Int64(max(1, options.answersPerSecond)) + 1) {
            [weak self, weak connection] in
            guard let self, let connection, self.isOpen(connection) else { return }
            guard self.takeToken() else { return self.wait(connection, line) }
            connection.isWaiting = false
            line.withUnsafeBytes { self.reply(connection, $0) }
            self.ready(connection)
        }
    }

    private func isOpen(_ connection: Connection) -> Bool { connections[ObjectIdentifier(connection)] != nil }

    /// Reads once; false when there is nothing now.
    private func receive(_ connection: Connection) -> Bool {
        while true {
            let count = recv(connection.descriptor.raw, scratch.bytes.baseAddress, scratch.bytes.count, 0)
            if count > 0 {
                connection.framer.append(UnsafeRawBufferPointer(rebasing: scratch.bytes[..<count]))
                return true
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return false }
            connection.isEnding = true
            if connection.framer.finish() {
                lines.in += 1
                lines.dropped["incomplete", default: 0] += 1
                connection.output = refusal("the line has no end: a line feed was expected") + [0x0A]
            }
            return true
        }
    }

    /// What is watched for now; closes what is over.
    private func settle(_ connection: Connection) {
        guard isOpen(connection) else { return }
        if connection.isEnding, connection.isRead, !connection.isAnswering { return close(connection, nil) }
        let wanted: EventLoop.Readiness =
            !connection.isRead ? .writable : connection.isWaiting || connection.isAnswering ? [] : .readable
        if wanted != connection.interest {
            connection.interest = wanted
            EventLoop.shared.setInterest(connection.descriptor.raw, wanted)
        }
    }

    private func takeToken() -> Bool {
        bucket.fill(now: Boottime.nanoseconds())
        return bucket.take()
    }
}
