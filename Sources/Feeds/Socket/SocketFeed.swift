import CLinux
import Glibc
import Lane
import Loop
import Net

/// The POS application's socket: a Unix stream socket that takes one signal a line as JSON (`Lane.SignalLine`).
///
/// - The lane's own receipt gives number and time; what the line says of them is not taken.
/// - A line with `"ack":true` is answered once its signal is durable: `{"ok":true,"seq":17}`. A faulty line is answered
///   always: `{"ok":false,"error":"…","column":9}`, without `ack` as long as the peer reads. Answers come in the order of
///   the lines.
/// - A writer faster than the disk is not read from until there is room; one past its lines a second is closed.
/// - It asks the POS application for nothing: its snapshot is what the application says when it connects.
/// Sources: unix(7), docs/reference/socket.md.
@LoopActor public final class SocketFeed: Feed {
    public nonisolated let kind = FeedKind.pos
    /// Lines: in, out (to the merge point; with `ack`, durable), dropped (`malformed`, `unknown_type`, `foreign_type`,
    /// `bad_verdict`, `card_data`, `oversized`, `incomplete`, `too_fast`, `not_durable`), held (wait to be durable).
    public private(set) var counts = StageCounts()
    /// Connections: in, out (closed by the peer), dropped (`peer`, `limit`, `too_fast`, `slow_reader`, `stopped`), held (open).
    public private(set) var connectionCounts = StageCounts()
    /// Attributes that were left out because the catalogue does not declare them, or not of that kind.
    public private(set) var ignoredAttributes = 0

    private let options: SocketOptions
    private let intake: SocketIntake
    private let rule: PeerRule
    private let staff: PeerRule
    private var memberships = Memberships()
    private var listener: UnixListener?
    private var sink: (any FeedSink)?
    private var connections: [ObjectIdentifier: SocketConnection] = [:]
    private var turns: [SocketConnection] = []
    private var dirty: [SocketConnection] = []
    private var isTurnScheduled = false
    private var waitingForRoom: [SocketConnection] = []
    private var waitsForRoom = false
    private var notices = NoticeGate()
    private let scratch = Scratch(byteCount: 65_536)

    public nonisolated init(_ options: SocketOptions) {
        self.options = options
        intake = SocketIntake(simulate: options.simulate)
        rule = PeerRule(users: options.users, groups: options.groups)
        staff = PeerRule(users: options.staffUsers, groups: options.staffGroups, own: nil)
    }

    public func start(_ sink: any FeedSink) throws(FeedError) {
        let listener: UnixListener
        do throws(UnixSocketError) {
            listener = try UnixListener.open(options.path, mode: options.mode, group: options.group)
        } catch { throw FeedError(error.description, isRetriable: error.isRetriable) }
        do throws(SystemError) {
            try EventLoop.shared.watch(listener.descriptor.raw, for: .readable) { [weak self] _ in self?.accept() }
        } catch {
            listener.removeFile()
            throw FeedError("the socket \(options.path) cannot be watched: \(error)", isRetriable: true)
        }
        self.listener = consume listener
        self.sink = sink
    }

    /// Closes every connection. Answers that the disk still owes are not given: their signals count as accepted.
    public func stop() {
        guard listener != nil else { return }
        EventLoop.shared.unwatch(listener?.descriptor.raw ?? -1)
        listener?.removeFile()
        listener = nil
        for connection in Array(connections.values) {
            connection.flush()
            close(connection, "stopped")
        }
        turns = []
        waitingForRoom = []
        sink = nil
    }

    /// Nothing: what the POS application has said stays said.
    public func resync() {}

    // MARK: Connections

    private func accept() {
        guard let listening = listener?.descriptor.raw,
            let code = StreamSocket.accept(on: listening, { admit($0) })
        else { return }
        note(.error, "no more connections can be taken", "no_descriptors", [("error", SystemError.text(of: code))])
        StreamSocket.rest(listening) { [weak self] in self?.listener?.descriptor.raw == listening }
    }

    private func admit(_ descriptor: consuming Descriptor) {
        connectionCounts.in += 1
        var peer = lw_peer_credentials()
        guard lw_peer_credentials(descriptor.raw, &peer) == 0 else { return refuse(descriptor, "peer", "who are you?") }
        let now = Boottime.nanoseconds()
        let access = access(of: peer, now: now / 1_000_000)
        guard !access.isEmpty else {
            note(.warning, "peer refused", "peer", [("uid", "\(peer.uid)"), ("pid", "\(peer.pid)")])
            return refuse(
                descriptor, "peer",
                "user \(peer.uid) may not write here; name the user or one of its groups in the configuration")
        }
        guard connections.count < options.connections else {
            note(.warning, "too many connections", "limit", [("limit", "\(options.connections)")])
            return refuse(descriptor, "limit", "\(options.connections) connections are open, and no more are taken")
        }
        let connection = SocketConnection(descriptor, peer: peer, access: access, options: options, now: now) {
            [weak self] in
            self?.ready($0, $1)
        }
        connections[ObjectIdentifier(connection)] = connection
        connection.isOpen = true
        connectionCounts.held += 1
        settle(connection)
    }

    private func access(of peer: lw_peer_credentials, now: Int64) -> SocketAccess {
        var access: SocketAccess = []
        for (right, rule) in [(.pos, rule), (.staff, staff)] as [(SocketAccess, PeerRule)] {
            let isAllowed = rule.allows(user: peer.uid, group: peer.gid) {
                memberships.groups(ofUser: peer.uid, primary: peer.gid, now: now)
            }
            if isAllowed { access.insert(right) }
        }
        return access
    }

    /// One line, and closed.
    private func refuse(_ descriptor: consuming Descriptor, _ reason: String, _ message: String) {
        connectionCounts.drop(reason)
        let answer = SocketAnswer.refused(message)
        _ = answer.withUnsafeBytes { send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    private func close(_ connection: SocketConnection, _ reason: String?) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        connection.isOpen = false
        connection.unwatch()
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        connection.wait = .end
        connectionCounts.held -= 1
        if let reason { connectionCounts.drop(reason) } else { connectionCounts.out += 1 }
    }

    private func isOpen(_ connection: SocketConnection) -> Bool { connection.isOpen }

    private func ready(_ connection: SocketConnection, _ readiness: EventLoop.Readiness) {
        if connection.unsent > 0 { connection.flush() }
        if connection.wait == .bytes || (connection.wait == .reader && !isBehind(connection)) {
            work(connection)
        } else {
            refresh(connection)
        }
    }

    // MARK: Lines

    private func isBehind(_ connection: SocketConnection) -> Bool { connection.unsent >= options.answerBytes }

    /// Takes lines, as many as a turn allows, until something has to be waited for.
    private func work(_ connection: SocketConnection) {
        connection.bucket.fill(now: Boottime.nanoseconds())
        connection.wait = takeLines(connection)
        connection.flush()
        settle(connection)
    }

    private func takeLines(_ connection: SocketConnection) -> SocketConnection.Wait {
        guard let sink else { return .end }
        var left = options.linesPerTurn
        // Bytes are read twice a turn at most: a line that never ends is a turn like any other.
        var reads = 2
        while left > 0 {
            if connection.endReason != nil { return .end }
            if isBehind(connection) {
                connection.flush()
                if isBehind(connection) { return .reader }
            }
            if connection.answers.count >= options.pendingAnswers { return .answers }
            if sink.room <= 0 { return .room }
            switch connection.framer.next() {
            case .line(let line):
                left -= 1
                connection.framer.withBytes(of: line) { take($0, connection, sink) }
            case .oversized:
                left -= 1
                counts.in += 1
                refuse(connection, "oversized", "the line is longer than \(options.lineBytes) bytes")
            case nil:
                if connection.sawEnd {
                    if connection.framer.finish() {
                        counts.in += 1
                        refuse(connection, "incomplete", "the line has no end: a line feed was expected")
                    }
                    return .end
                }
                if reads == 0 { return .turn }
                reads -= 1
                switch connection.receive(scratch.bytes) {
                case .bytes: break
                case .nothingNow:
                    connection.framer.releaseIfEmpty()
                    return .bytes
                case .end: connection.sawEnd = true
                }
            }
        }
        return .turn
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ connection: SocketConnection, _ sink: any FeedSink) {
        counts.in += 1
        guard connection.bucket.take() else {
            connection.endReason = "too_fast"
            note(
                .warning, "writer too fast", "too_fast",
                [("uid", "\(connection.peer.uid)"), ("pid", "\(connection.peer.pid)")])
            return refuse(
                connection, "too_fast", "more than \(options.linesPerSecond) lines a second; the connection is closed",
                asked: true)
        }
        switch intake.take(bytes, connection.access) {
        case .success(let accepted):
            ignoredAttributes += accepted.ignored.count
            guard accepted.wantsAnswer else {
                counts.out += 1
                return sink.receive(.signal(accepted.signal))
            }
            counts.held += 1
            let place = connection.answers.open()
            let ignored = accepted.ignored
            let tether = connection.tether
            sink.receive(accepted.signal) { result in self.answer(result, ignored, place, tether.connection) }
        case .failure(let refused):
            if refused.reason == "card_data" {
                note(.warning, "card data dropped", "card_data", [("pid", "\(connection.peer.pid)")])
            }
            refuse(connection, refused.reason, refused.message, column: refused.column, asked: refused.wantsAnswer)
        }
    }

    /// Counts a line as dropped and tells its writer why.
    private func refuse(
        _ connection: SocketConnection, _ reason: String, _ message: String, column: Int? = nil, asked: Bool = false
    ) {
        counts.drop(reason)
        guard asked || connection.unsent < options.unaskedBytes else { return }
        connection.answers.append(SocketAnswer.refused(message, column: column), to: &connection.output)
    }

    // MARK: Answers

    private func answer(
        _ result: Result<Int64, AcceptFault>, _ ignored: [String], _ place: Int, _ connection: SocketConnection?
    ) {
        counts.held -= 1
        switch result {
        case .success: counts.out += 1
        case .failure: counts.drop("not_durable")
        }
        guard let connection, connection.isOpen else { return }
        switch result {
        case .success(let number) where ignored.isEmpty:
            connection.answers.fill(place, accepted: number, to: &connection.output)
        case .success(let number):
            connection.answers.fill(
                place, SocketAnswer.accepted(number, ignored: ignored), to: &connection.output)
        case .failure(let fault):
            connection.answers.fill(place, SocketAnswer.refused(fault.message), to: &connection.output)
        }
        // A group commit answers many at once: they go out together.
        if !connection.isDirty {
            connection.isDirty = true
            dirty.append(connection)
            scheduleTurn()
        }
    }

    // MARK: Turns

    /// After lines were taken: gets in line for what is waited for.
    private func settle(_ connection: SocketConnection) {
        switch connection.wait {
        case .turn:
            turns.append(connection)
            scheduleTurn()
        case .room:
            // First come, first served: the one that took the last room is behind those that found none.
            waitingForRoom.append(connection)
            waitForRoom()
        case .bytes, .reader, .answers, .end: break
        }
        refresh(connection)
    }

    /// After lines were taken or bytes went out: what is watched for, timed, or over.
    private func refresh(_ connection: SocketConnection) {
        guard isOpen(connection) else { return }
        if connection.wait == .end, connection.answers.count == 0, connection.unsent == 0 {
            return close(connection, connection.endReason)
        }
        guard connection.updateWatch() else { return close(connection, "limit") }
        setDeadline(connection)
    }

    private func setDeadline(_ connection: SocketConnection) {
        let isNeeded = connection.unsent > 0 && (connection.wait == .reader || connection.wait == .end)
        if !isNeeded, let deadline = connection.deadline {
            EventLoop.shared.cancel(deadline)
            connection.deadline = nil
        } else if isNeeded, connection.deadline == nil {
            connection.deadline = EventLoop.shared.schedule(inMilliseconds: Int64(options.answerSeconds) * 1000) {
                [weak self, weak connection] in
                guard let self, let connection else { return }
                self.note(.warning, "peer does not read", "slow_reader", [("pid", "\(connection.peer.pid)")])
                self.close(connection, connection.endReason ?? "slow_reader")
            }
        }
    }

    /// The next turn: after the loop has looked at every other descriptor.
    private func scheduleTurn() {
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        EventLoop.shared.schedule(inMilliseconds: 0) { [weak self] in self?.turn() }
    }

    private func turn() {
        isTurnScheduled = false
        let (dirty, turns) = (self.dirty, self.turns)
        self.dirty = []
        self.turns = []
        for connection in dirty where isOpen(connection) {
            connection.flush()
            let isFree = connection.wait == .answers || (connection.wait == .reader && !isBehind(connection))
            if isFree { work(connection) } else { refresh(connection) }
        }
        for connection in turns where isOpen(connection) && connection.wait == .turn { work(connection) }
    }

    private func waitForRoom() {
        guard !waitsForRoom, let sink else { return }
        waitsForRoom = true
        sink.whenRoom { [weak self] in
            guard let self else { return }
            self.waitsForRoom = false
            for connection in self.waitingForRoom where connection.wait == .room { connection.wait = .turn }
            self.turns = self.waitingForRoom + self.turns
            self.waitingForRoom = []
            self.scheduleTurn()
        }
    }

    private func note(_ level: Notice.Level, _ message: String, _ kind: String, _ fields: [(String, String)]) {
        guard let suppressed = notices.pass(kind, now: Boottime.milliseconds()) else { return }
        var all = fields.map { Notice.Field($0.0, $0.1) }
        if suppressed > 0 { all.append(Notice.Field("suppressed", "\(suppressed)")) }
        sink?.note(Notice(level, message, [Notice.Field("feed", "pos")] + all))
    }
}

/// Where bytes are read to before a connection keeps them; one for all, as the loop reads one at a time.
private final class Scratch {
    let bytes: UnsafeMutableRawBufferPointer
    init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 16) }
    deinit { bytes.deallocate() }
}
