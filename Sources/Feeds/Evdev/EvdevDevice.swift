import CLinux
import Glibc
import Loop

/// What a device tells its feed.
@LoopActor protocol EvdevDeviceOwner: AnyObject {
    func device(_ device: EvdevDevice, began: Int, outcome: InputOutcome?)
    /// Events were lost; nothing of what was in progress will be completed.
    func deviceDropped(_ device: EvdevDevice)
    /// It hung up, or reading failed: `errno`, or 0. It is closed and says nothing more.
    func deviceEnded(_ device: EvdevDevice, code: Int32)
}

/// One opened device of the allow-list: reads when the kernel has events, decodes, and closes at the first sign of the end.
@LoopActor final class EvdevDevice {
    let rule: EvdevDeviceRule
    let path: String
    private let decoder: any InputDecoder
    private var node: EvdevNode?
    private weak var owner: (any EvdevDeviceOwner)?
    private var deadline: EventLoop.Deadline?

    /// Reads in one wake-up. A device that has more is read again at once; the others get their turn between.
    private static let readsAtOnce = 16
    /// Reads of what is left after a hang-up: no queue of the kernel is longer.
    private static let readsAtEnd = 4096

    init(rule: EvdevDeviceRule, path: String, node: EvdevNode, decoder: any InputDecoder) {
        self.rule = rule
        self.path = path
        self.node = node
        self.decoder = decoder
    }

    /// Begins to read; what is queued already is read before this returns.
    func start(_ owner: any EvdevDeviceOwner) throws(SystemError) {
        guard let raw = node?.raw else { return }
        self.owner = owner
        try EventLoop.shared.watch(raw, for: .readable) { [weak self] readiness in self?.ready(readiness) }
        ready(.readable)
    }

    /// Closes it; what was in progress is dropped.
    func stop() {
        guard node != nil else { return }
        decode { $0.ended() }
        close()
    }

    /// Whether the kernel has let go of it, though nobody has told yet.
    var hasHungUp: Bool {
        guard let raw = node?.raw else { return true }
        var poll = pollfd(fd: raw, events: 0, revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0 && poll.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
    }

    // MARK: Reading

    private func ready(_ readiness: EventLoop.Readiness) {
        // Hung up: what is queued is read, to the first error or nothing, and then it is closed and never watched again. A
        // device that hung up stays ready for ever; who waits for an error to be told would spin.
        let isOver = !readiness.isDisjoint(with: [.hangUp, .failure])
        if let code = drain(isOver ? Self.readsAtEnd : Self.readsAtOnce) {
            end(code)
        } else if isOver {
            end(0)
        } else {
            arm()
        }
    }

    /// Reads until the queue is empty or `limit`; returns why no more will come.
    private func drain(_ limit: Int) -> Int32? {
        for _ in 0..<limit {
            let pass = node?.read { event in
                self.decode { $0.event(type: event.type, code: event.code, value: event.value, at: event.at) }
            }
            switch pass {
            case nil: return 0
            case .events: continue
            case .empty: return nil
            case .ended(let code): return code
            case .dropped(let at):
                if let code = dropped(at: at) { return code }
            }
        }
        return nil
    }

    /// Throws away what is queued, asks which modifiers are held now, and starts anew from there.
    private func dropped(at: Int64) -> Int32? {
        var last = at
        discarding: for _ in 0..<Self.readsAtEnd {
            switch node?.read({ last = max(last, $0.at) }) {
            case .events: continue
            case .dropped(let again): last = max(last, again)
            case .ended(let code): return code
            case .empty, nil: break discarding
            }
        }
        let held = node?.heldModifiers() ?? []
        decode {
            $0.drop(at: last, held: held)
            return nil
        }
        owner?.deviceDropped(self)
        return nil
    }

    private func decode(_ body: (any InputDecoder) -> InputOutcome?) {
        let before = decoder.begun
        let outcome = body(decoder)
        if outcome != nil || decoder.begun != before {
            owner?.device(self, began: decoder.begun - before, outcome: outcome)
        }
    }

    // MARK: Silence

    /// Keeps at most one deadline. Keys only move what is due back, so an early one looks and arms again: one wake-up a code,
    /// not one a key.
    private func arm() {
        guard deadline == nil, let due = decoder.due else { return }
        let wait = max(0, due - Boottime.monotonicNanoseconds() / 1000)
        deadline = EventLoop.shared.schedule(inMilliseconds: wait / 1000 + 1) { [weak self] in self?.lookForSilence() }
    }

    private func lookForSilence() {
        deadline = nil
        // The moment before the reading: a key that comes in between is later than it.
        let now = Boottime.monotonicNanoseconds() / 1000
        if let code = drain(Self.readsAtOnce) { return end(code) }
        decode { $0.quiet(at: now) }
        arm()
    }

    // MARK: The end

    private func end(_ code: Int32) {
        guard node != nil else { return }
        stop()
        owner?.deviceEnded(self, code: code)
    }

    private func close() {
        if let deadline { EventLoop.shared.cancel(deadline) }
        deadline = nil
        if let raw = node?.raw { EventLoop.shared.unwatch(raw) }
        node = nil
    }
}
