import CLinux
import Glibc
import Lane
import Loop
import Synchronization

/// Programs of the operator's that are told of sessions: a light tower, a chat, a record of one's own.
///
/// Each is started with its arguments and a few variables, without a shell, on a thread of this runner's: no session ever waits for
/// one. It has `seconds`, then it and what it started is killed. At most four run at once, as many as `mostWaiting` wait for that, and
/// more are dropped. Source: posix_spawn(3), waitpid(2).
public final class HookRunner: Sendable {
    /// A program and its arguments; empty is none.
    public struct Hooks: Hashable, Sendable {
        public var open: [String]
        public var control: [String]
        public var close: [String]

        public init(open: [String] = [], control: [String] = [], close: [String] = []) {
            self.open = open
            self.control = control
            self.close = close
        }

        public var isEmpty: Bool { open.isEmpty && control.isEmpty && close.isEmpty }
    }

    static let mostAtOnce = 4
    static let mostWaiting = 32
    /// Of what a hook prints so much goes to the log.
    static let outputBytes = 1024

    private struct Job: Sendable {
        var name: String
        var words: [String]
        var variables: [(String, String)]
    }

    private struct State {
        var running = 0
        var waiting: [Job] = []
        var counts = StageCounts()
    }

    private let hooks: Hooks
    private let lane: String
    private let milliseconds: Int64
    private let tell: @Sendable (Notice) -> Void
    private let state = Mutex(State())

    /// - Parameter lane: what `LANEWATCH_LANE` says: store and lane.
    public init(_ hooks: Hooks, lane: String, seconds: Double = 5, tell: @escaping @Sendable (Notice) -> Void) {
        self.hooks = hooks
        self.lane = lane
        milliseconds = Int64(seconds * 1000)
        self.tell = tell
    }

    /// Hooks: in = out (ended with 0) + dropped (`failed`, `late`, `not_started`, `crowded`) + held.
    public var counts: StageCounts { state.withLock { $0.counts } }

    /// Starts the hook of a fact, if there is one.
    public func run(_ fact: ViewFact) {
        guard let job = job(fact) else { return }
        let (isNew, isCrowded) = state.withLock { state in
            state.counts.in += 1
            guard state.waiting.count < Self.mostWaiting else {
                state.counts.drop("crowded")
                return (false, true)
            }
            state.counts.held += 1
            state.waiting.append(job)
            guard state.running < Self.mostAtOnce else { return (false, false) }
            state.running += 1
            return (true, false)
        }
        if isCrowded { tell(Notice(.warning, "a hook is left out: too many wait", [.init("hook", job.name)])) }
        guard isNew else { return }
        startThread(name: "hook") { [self] in
            while let job = next() { settle(job, perform(job)) }
        }
    }

    private func next() -> Job? {
        state.withLock { state in
            if state.waiting.isEmpty {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    private func job(_ fact: ViewFact) -> Job? {
        let session = fact.session
        var variables: [(String, String)] = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANEWATCH_LANE", lane), ("LANEWATCH_SESSION", session.id),
            ("LANEWATCH_ATTENDANT", session.attendant ?? ""), ("LANEWATCH_MODE", session.mode),
            ("LANEWATCH_WAY", session.way), ("LANEWATCH_FROM", session.from),
            ("LANEWATCH_INTERVENTION", session.intervention ?? ""), ("LANEWATCH_AT", fact.at.rfc3339),
        ]
        let (name, words): (String, [String])
        switch fact.kind {
        case .opened: (name, words) = ("open", hooks.open)
        case .control(let turn, let other):
            (name, words) = ("control", hooks.control)
            variables += [("LANEWATCH_CONTROL", turn.rawValue), ("LANEWATCH_OTHER", other ?? "")]
        case .closed(let ending):
            (name, words) = ("close", hooks.close)
            variables.append(("LANEWATCH_CAUSE", ending.cause))
            if let duration = ending.durationMilliseconds {
                variables.append(("LANEWATCH_DURATION_MS", String(duration)))
            }
        }
        guard !words.isEmpty else { return nil }
        variables.append(("LANEWATCH_EVENT", name))
        return Job(name: name, words: words, variables: variables)
    }

    // MARK: One

    private struct Outcome {
        /// As of waitpid; nil: it was never started, for the reason.
        var status: Int32?
        var isLate = false
        var output: [UInt8] = []
        var reason = ""
    }

    private func settle(_ job: Job, _ outcome: Outcome) {
        // The low seven bits are a signal's number. Source: waitpid(2).
        let status = outcome.status ?? 0
        let (word, text): (String?, String) =
            if outcome.status == nil {
                ("not_started", outcome.reason)
            } else if outcome.isLate {
                ("late", "it took longer than \(milliseconds) ms and was ended")
            } else if status & 0x7F != 0 {
                ("failed", "signal \(status & 0x7F) ended it")
            } else if status != 0 {
                ("failed", "it ended with \(status >> 8 & 0xFF)")
            } else {
                (nil, "")
            }
        var fields: [Notice.Field] = [.init("hook", job.name), .init("program", job.words[0])]
        if !outcome.output.isEmpty {
            let said = String(decoding: outcome.output, as: UTF8.self)
            fields.append(.init("output", CardText.masked(said) ?? said))
        }
        if word != nil {
            tell(Notice(.warning, "a hook failed", fields + [.init("reason", text)]))
        } else if !outcome.output.isEmpty {
            tell(Notice(.info, "a hook said something", fields))
        }
        state.withLock { state in
            state.counts.held -= 1
            if let word { state.counts.drop(word) } else { state.counts.out += 1 }
        }
    }

    private func perform(_ job: Job) -> Outcome {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { return Outcome(reason: "\(SystemError("pipe2"))") }
        let reading = Descriptor(owning: ends[0])
        let started = Self.spawn(job, output: ends[1])
        close(ends[1])
        switch started {
        case .failure(let fault): return Outcome(reason: fault.description)
        case .success(let process): return watch(process, reading.raw)
        }
    }

    private func watch(_ process: pid_t, _ output: Int32) -> Outcome {
        var outcome = Outcome()
        var piece = [UInt8](repeating: 0, count: 4096)
        var hasEnded = false
        let end = Boottime.milliseconds() + milliseconds
        while true {
            hasEnded = hasEnded || Self.hasEnded(process)
            // What it said before it ended is in the pipe; what its children say later is nobody's.
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, hasEnded ? 0 : 20)
            if ready > 0 {
                let count = read(output, &piece, piece.count)
                if count > 0 {
                    outcome.output += piece[..<min(count, max(0, Self.outputBytes - outcome.output.count))]
                    if Boottime.milliseconds() < end { continue }
                } else if !hasEnded {
                    // It has closed its output and goes on.
                    _ = poll(nil, 0, 20)
                }
            }
            if hasEnded { break }
            guard Boottime.milliseconds() < end else {
                outcome.isLate = true
                break
            }
        }
        // While it is not reaped, its number is its group's alone: what it left behind goes with it.
        kill(-process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        outcome.status = status
        return outcome
    }

    /// Whether it has, without reaping it. Source: waitid(2), WNOWAIT.
    private static func hasEnded(_ process: pid_t) -> Bool {
        var found = siginfo_t()
        found.si_signo = 0
        guard waitid(P_PID, id_t(process), &found, WEXITED | WNOHANG | WNOWAIT) == 0 else { return true }
        return found.si_signo != 0
    }

    private static func spawn(_ job: Job, output: Int32) -> Result<pid_t, SystemError> {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        // This process blocks signals and ignores SIGPIPE; a program of somebody else's expects neither.
        var none = sigset_t()
        var pipe = sigset_t()
        sigemptyset(&none)
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &pipe)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var words = job.words.map { strdup($0) } + [nil]
        var variables = job.variables.map { strdup("\($0.0)=\($0.1)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, job.words[0], &actions, &attributes, &words, &variables)
        return code == 0 ? .success(process) : .failure(SystemError("start \(job.words[0])", code: code))
    }
}
