import Glibc
import Lane
import Loop
import Net
import Synchronization

/// The lane's states, as the agent tells them over its control socket: what masks follow.
///
/// A thread of its own asks again as soon as it is answered; the agent answers when a state has changed, or after a second. One
/// that is gone is noticed at once, one that hangs after `patience`. Source: docs/reference/control.md, `follow`.
public final class LaneLink: Sendable {
    /// How long an answer may take: the agent's second, and what a busy machine adds.
    static let patience: Duration = .seconds(3)
    static let retryMilliseconds: Int32 = 500
    /// An answer with all that is raised.
    static let answerBytes = 1 << 20

    public struct Counts: Hashable, Sendable {
        public var connections = 0
        public var answers = 0
        /// Attempts that ended without an answer.
        public var failures = 0
    }

    private struct State {
        var isOver = false
        var counts = Counts()
        var fault: String?
    }

    private let path: String
    private let told: @Sendable ([String: String?]?) -> Void
    private let toldOpen: @Sendable (Set<String>?) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - path: the agent's control socket.
    ///   - open: the interventions that are raised, by their ids; as `told`, but up to a second later.
    ///   - told: the lane's states, nil while they are not known; on the link's thread, again only when they are others.
    public init(
        path: String, open: @escaping @Sendable (Set<String>?) -> Void = { _ in },
        told: @escaping @Sendable ([String: String?]?) -> Void
    ) {
        self.path = path
        self.told = told
        toldOpen = open
    }

    public var counts: Counts { state.withLock { $0.counts } }
    /// Why the states are not known now; nil while they are.
    public var fault: String? { state.withLock { $0.fault } }

    public func start() { startThread(name: "lane-link") { [self] in run() } }

    /// Nothing is told any more once its thread has seen it, within `patience`.
    public func stop() { state.withLock { $0.isOver = true } }

    private var isOver: Bool { state.withLock { $0.isOver } }

    /// The lane's states, asked for once, within the agent's second.
    public static func states(path: String) throws(LineClientError) -> [String: String?] {
        var client = try LineClient(path: path, answerBytes: answerBytes, timeout: patience)
        return try read(client.exchange(Array("{\"do\":\"follow\",\"after\":0}".utf8), timeout: patience), path).states
    }

    private func run() {
        var known: [String: String?]??
        var knownOpen: Set<String>??
        func tell(_ states: [String: String?]?) {
            guard known != .some(states), !isOver else { return }
            known = .some(states)
            told(states)
        }
        func tell(open: Set<String>?) {
            guard knownOpen != .some(open), !isOver else { return }
            knownOpen = .some(open)
            toldOpen(open)
        }
        while !isOver {
            do throws(LineClientError) {
                var client = try LineClient(path: path, answerBytes: Self.answerBytes, timeout: Self.patience)
                state.withLock { $0.counts.connections += 1 }
                var revision: Int64 = 0
                while !isOver {
                    let line = Array("{\"do\":\"follow\",\"after\":\(revision)}".utf8)
                    let answer = try client.exchange(line, timeout: Self.patience)
                    let (next, states, open) = try Self.read(answer, path)
                    state.withLock { state in
                        state.counts.answers += 1
                        state.fault = nil
                    }
                    tell(states)
                    tell(open: open)
                    revision = next
                }
            } catch {
                state.withLock { state in
                    state.counts.failures += 1
                    state.fault = error.description
                }
                tell(nil)
                tell(open: nil)
                if !isOver { _ = poll(nil, 0, Self.retryMilliseconds) }
            }
        }
    }

    private static func read(
        _ answer: [UInt8], _ path: String
    ) throws(LineClientError) -> (revision: Int64, states: [String: String?], open: Set<String>) {
        guard let value = try? JSONValue(parsing: answer), let isGood = value["ok"]?.bool else {
            throw LineClientError.notAnAgent(path)
        }
        guard isGood, let revision = value["revision"]?.int, let members = value["states"]?.members else {
            throw LineClientError(
                .closed, value["error"]?.text ?? "the agent on \(path) does not tell the lane's states")
        }
        var states: [String: String?] = [:]
        for member in members { states[member.name] = .some(member.value.text) }
        let open = value["open"]?.elements?.compactMap { $0["intervention"]?.text } ?? []
        return (revision, states, Set(open))
    }
}
