import Glibc
import Lane
import Loop
import Net
import Synchronization

/// What became of sessions, on its way into the audit: first on disk here, then with the agent, which answers once it is on disk there.
///
/// Nothing gets lost and nothing counts twice. A fact is kept until the agent has it; one that is handed over again, after a crash of
/// either side, is known by its stream (one life of this process) and its number. The opening of a session that goes on is
/// kept too: where it is found by the next life, this one was killed, and that is told as the session's end.
///
/// Two threads, one for the disk and one for the agent; both sleep while there is nothing to do. Any thread may call.
public final class AuditTrail: Sendable {
    /// Of a fact, at most: its names are bounded.
    static let factBytes = 1536
    static let patience: Duration = .seconds(5)
    static let retryMilliseconds: Int32 = 1000
    /// More at a time are handed over one by one: ten a second, of the twenty answers that the agent's socket gives.
    static let burst = 5
    static let paceMilliseconds: Int32 = 100

    /// Facts: in = out (the agent has it) + dropped (`full`) + held.
    public var counts: StageCounts { state.withLock { $0.counts } }

    private struct State {
        var counts = StageCounts()
        var next: Int64 = 1
        /// The agent has them not, in their order.
        var waiting: [AuditFile.Line] = []
        /// Openings that the agent has, of sessions that go on: by session.
        var open: [String: AuditFile.Line] = [:]
        /// Sessions without an end so far.
        var sessions: Set<String> = []
        var unwritten: [(line: AuditFile.Line, done: @Sendable (Bool) -> Void)] = []
        var heldBytes = 0
        /// Why the last writing failed.
        var fault: String?
        var isOver = false
        var isWriterDone = false
        var courierFault: String?

        /// What the file has to hold.
        var needed: [AuditFile.Line] { open.values.sorted { $0.number < $1.number } + waiting }
    }

    private let path: String
    private let agent: String
    private let limit: Int
    private let stream: String
    private let tell: @Sendable (Notice) -> Void
    private let state = Mutex(State())
    private let toWrite = Semaphore()
    private let toHandOver = Semaphore()

    /// - Parameters:
    ///   - path: the file, in a folder of this process's own.
    ///   - agent: the agent's control socket.
    ///   - limit: bytes that may wait; past it no session is opened.
    ///   - tell: what an operator should read; on any thread.
    public init(
        path: String, agent: String, limit: Int = 4 << 20, tell: @escaping @Sendable (Notice) -> Void
    ) throws(AuditFault) {
        self.path = path
        self.agent = agent
        self.limit = limit
        self.tell = tell
        stream = Secrets.random(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let file = try AuditFile(path)
        let (lines, unreadable) = try file.read(limit: 2 * limit)
        if unreadable > 0 {
            tell(
                Notice(
                    .error, "lines of the audit's file cannot be read and are left out",
                    [.init("path", path), .init("count", String(unreadable))]))
        }
        let orphans = Self.orphans(lines)
        state.withLock { state in
            state.waiting = lines
            state.heldBytes = lines.reduce(0) { $0 + $1.bytes.count }
            state.counts.in = lines.count
            state.counts.held = lines.count
        }
        let shared = Owner(file)
        startThread(name: "view-audit") { [self] in write(shared.file) }
        startThread(name: "view-courier") { [self] in handOver() }
        for fact in orphans { keep(fact) }
        if !lines.isEmpty { toHandOver.signal() }
    }

    /// Carries the file to its thread.
    private final class Owner: @unchecked Sendable {
        // @unchecked: made before the thread that alone touches the file.
        let file: AuditFile
        init(_ file: AuditFile) { self.file = file }
    }

    /// Sessions that were open when the process before this one was killed, as ended.
    private static func orphans(_ lines: [AuditFile.Line]) -> [ViewFact] {
        var open: [(id: String, fact: ViewFact)] = []
        for line in lines {
            switch line.fact.kind {
            case .opened: open.append((line.fact.session.id, line.fact))
            case .closed: open.removeAll { $0.id == line.fact.session.id }
            case .control: break
            }
        }
        let now = WallInstant(milliseconds: Boottime.wallMilliseconds())
        return open.map {
            ViewFact(
                $0.fact.session, at: now,
                .closed(.init(cause: "killed", durationMilliseconds: nil, inputs: nil)))
        }
    }

    // MARK: What others ask

    /// Why no session may be opened now, for its visitor; nil where one may.
    public var refusal: String? {
        let refusal: (text: String?, isFault: Bool) = state.withLock { state in
            if state.fault != nil {
                return ("no session is opened now: what is seen cannot be noted on this lane", true)
            }
            // Room for its own opening and end, and for the ends of those that are open.
            guard state.heldBytes + (state.sessions.count + 2) * Self.factBytes <= limit else {
                return ("no session is opened now: too much waits for the audit on this lane", false)
            }
            return (nil, false)
        }
        // Perhaps the disk is well again.
        if refusal.isFault { toWrite.signal() }
        return refusal.text
    }

    /// Whether control may change hands: it is told too.
    public var hasRoom: Bool {
        state.withLock { $0.fault == nil && $0.heldBytes + ($0.sessions.count + 1) * Self.factBytes <= limit }
    }

    /// The longer words for the log.
    public var fault: String? {
        state.withLock { state in
            state.fault
                ?? (state.heldBytes + (state.sessions.count + 2) * Self.factBytes > limit
                    ? "\(path) holds \(state.waiting.count) facts that the agent has not taken; start the agent, or look why it refuses them"
                    : nil)
        }
    }

    /// Keeps a fact.
    /// - Parameter done: whether it is on disk here; once, on the trail's thread. One that is not stays in memory, and is handed over
    ///   all the same when the agent is there.
    public func keep(_ fact: ViewFact, done: @escaping @Sendable (Bool) -> Void = { _ in }) {
        let isKept = state.withLock { state in
            guard !state.isOver else { return false }
            state.counts.in += 1
            // An end has its room since the opening; what cannot be is bounded all the same.
            guard state.heldBytes <= 2 * limit else {
                state.counts.drop("full")
                return false
            }
            let bytes = fact.line(stream: stream, number: state.next)
            let line = AuditFile.Line(stream: stream, number: state.next, bytes: bytes, fact: fact)
            state.next += 1
            state.counts.held += 1
            state.heldBytes += bytes.count
            state.waiting.append(line)
            switch fact.kind {
            case .opened: state.sessions.insert(fact.session.id)
            case .closed:
                state.sessions.remove(fact.session.id)
                if let line = state.open.removeValue(forKey: fact.session.id) { state.heldBytes -= line.bytes.count }
            case .control: break
            }
            state.unwritten.append((line, done))
            return true
        }
        guard isKept else { return done(false) }
        toWrite.signal()
    }

    /// Writes what is left and ends both threads; waits at most `milliseconds` for that. Facts that the agent has not taken by then
    /// are handed over by the next life.
    public func stop(within milliseconds: Int32) {
        guard !state.withLock({ $0.isOver }) else { return }
        let end = Boottime.milliseconds() + Int64(milliseconds)
        while Boottime.milliseconds() < end, !state.withLock({ $0.waiting.isEmpty || $0.courierFault != nil }) {
            _ = poll(nil, 0, 10)
        }
        state.withLock { $0.isOver = true }
        toWrite.signal()
        toHandOver.signal()
        while Boottime.milliseconds() < end, !state.withLock({ $0.isWriterDone }) { _ = poll(nil, 0, 5) }
    }

    // MARK: To the disk

    private func write(_ file: AuditFile) {
        while true {
            toWrite.wait()
            let (batch, isOver) = state.withLock { state in
                let batch = state.unwritten
                state.unwritten = []
                return (batch, state.isOver)
            }
            var isWritten = true
            do throws(AuditFault) {
                try file.append(batch.map(\.line))
                try trim(file)
                state.withLock { $0.fault = nil }
            } catch {
                isWritten = false
                let isNew = state.withLock { state in
                    defer { state.fault = error.description }
                    return state.fault == nil
                }
                if isNew { tell(Notice(.error, "the audit cannot be written", [.init("error", error.description)])) }
            }
            for (_, done) in batch { done(isWritten) }
            toHandOver.signal()
            guard !isOver else { return state.withLock { $0.isWriterDone = true } }
        }
    }

    /// Writes the file anew where most of it is not needed any more, or where what is needed failed to be written before.
    private func trim(_ file: AuditFile) throws(AuditFault) {
        let (needed, hadFault) = state.withLock { state in
            // What is to be appended next is not written here already.
            let pending = Set(state.unwritten.map(\.line.number))
            let needed = state.needed.filter { $0.stream != stream || !pending.contains($0.number) }
            return (needed, state.fault != nil)
        }
        let bytes = needed.reduce(0) { $0 + $1.bytes.count + 1 }
        guard hadFault || file.bytes > bytes + 65_536 || (needed.isEmpty && file.bytes > 0) else { return }
        try file.replace(with: needed)
    }

    // MARK: To the agent

    private func handOver() {
        while true {
            toHandOver.wait()
            while let first = state.withLock({ $0.isOver ? nil : $0.waiting.first }) {
                do throws(LineClientError) {
                    var client = try LineClient(path: agent, timeout: Self.patience)
                    var next: AuditFile.Line? = first
                    var handed = 0
                    while let line = next {
                        try Self.hand(line, &client, agent)
                        handed += 1
                        next = settle(line)
                        // The agent answers so many a second, and the masks' states go the same way.
                        if handed > Self.burst, next != nil { _ = poll(nil, 0, Self.paceMilliseconds) }
                    }
                } catch {
                    let isNew = state.withLock { state in
                        defer { state.courierFault = error.description }
                        return state.courierFault == nil
                    }
                    if isNew {
                        tell(
                            Notice(
                                .warning, "the agent does not take the audit; it waits on the lane",
                                [.init("error", error.description)]))
                    }
                    if !state.withLock({ $0.isOver }) { _ = poll(nil, 0, Self.retryMilliseconds) }
                }
            }
            if state.withLock({ $0.isOver }) { return }
        }
    }

    private static func hand(
        _ line: AuditFile.Line, _ client: inout LineClient, _ path: String
    ) throws(LineClientError) {
        let answer = try client.exchange(line.bytes, timeout: patience)
        guard let value = try? JSONValue(parsing: answer), let isGood = value["ok"]?.bool else {
            throw LineClientError.notAnAgent(path)
        }
        guard isGood, value["kept"]?.int == line.number else {
            throw LineClientError(.closed, value["error"]?.text ?? "the agent on \(path) does not say that it kept it")
        }
    }

    /// The agent has it. The next one, or nil.
    private func settle(_ line: AuditFile.Line) -> AuditFile.Line? {
        let (next, isTold) = state.withLock { state in
            state.waiting.removeFirst()
            state.counts.held -= 1
            state.counts.out += 1
            if case .opened = line.fact.kind, state.sessions.contains(line.fact.session.id) {
                state.open[line.fact.session.id] = line
            } else {
                state.heldBytes -= line.bytes.count
            }
            defer { state.courierFault = nil }
            return (state.isOver ? nil : state.waiting.first, state.courierFault != nil)
        }
        if isTold { tell(Notice(.info, "the agent takes the audit again")) }
        // What is not needed any more leaves the file.
        if next == nil { toWrite.signal() }
        return next
    }
}
