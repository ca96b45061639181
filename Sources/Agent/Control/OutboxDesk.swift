import Delivery
import Lane
import Loop
import Net
import Outbox

/// Questions about the outbox, and what may be done with its quarantine, over the control socket.
@LoopActor final class OutboxDesk {
    private let outbox: Outbox
    private let limitBytes: Int64
    private let changers: PeerRule
    private let pump: @LoopActor () -> Pump?
    private let runner: @LoopActor () -> LaneRunner?
    private let log: @LoopActor (Notice) -> Void
    private var memberships = Memberships()

    /// What the disk has to answer in, milliseconds: else it is told that it does not.
    private static let patience: Int64 = 2000

    /// - Parameter changers: Who may release and discard.
    init(
        _ outbox: Outbox, limitBytes: Int64, changers: PeerRule, pump: @escaping @LoopActor () -> Pump?,
        runner: @escaping @LoopActor () -> LaneRunner?, log: @escaping @LoopActor (Notice) -> Void
    ) {
        self.outbox = outbox
        self.limitBytes = limitBytes
        self.changers = changers
        self.pump = pump
        self.runner = runner
        self.log = log
    }

    /// The members of the answer behind those that every answer has.
    func answer(
        _ request: ControlRequest, _ peer: LineServer.Peer
    ) async throws(ControlFault) -> (inout JSONWriter) -> Void {
        switch request {
        case .release(let id, let topic):
            return try await perform(QuarantineOrder(id: id, topic: topic, .release), peer)
        case .discard(let id, let topic, let why):
            return try await perform(QuarantineOrder(id: id, topic: topic, .discard(why: why)), peer)
        case .explain, .rules, .state, .follow, .outbox, .view:
            let contents = await contents()
            guard let pump = pump(), let runner = runner() else { throw Self.notWatching }
            let report = OutboxReport(
                pump.status(contents?.depths), contents, limitBytes: limitBytes, heldSignals: runner.counts.held)
            return { report.write(into: &$0) }
        }
    }

    private static let notWatching = ControlFault("not_watching", "the lane is not watched now; try again in a moment")

    /// What the outbox holds; nil where it cannot be read in time.
    private func contents() async -> OutboxContents? {
        await withCheckedContinuation { done in
            let race = Race(done)
            let deadline = EventLoop.shared.schedule(inMilliseconds: Self.patience) { race.end(nil) }
            Task { @LoopActor [outbox] in
                let contents = try? await outbox.contents(listing: OutboxReport.listed)
                EventLoop.shared.cancel(deadline)
                race.end(contents)
            }
        }
    }

    /// The first of two counts.
    @LoopActor private final class Race {
        private var done: CheckedContinuation<OutboxContents?, Never>?
        init(_ done: CheckedContinuation<OutboxContents?, Never>) { self.done = done }
        func end(_ contents: OutboxContents?) {
            done?.resume(returning: contents)
            done = nil
        }
    }

    // MARK: The quarantine

    private func perform(
        _ order: QuarantineOrder, _ peer: LineServer.Peer
    ) async throws(ControlFault) -> (inout JSONWriter) -> Void {
        let mayChange = changers.allows(user: peer.user, group: peer.group) {
            memberships.groups(ofUser: peer.user, primary: peer.group, now: Boottime.milliseconds())
        }
        guard mayChange else {
            throw ControlFault(
                "forbidden",
                "user \(peer.user) may look and not change; root and the agent's user may, and who \"change_users\" and "
                    + "\"change_groups\" of the configuration's \"control\" name")
        }
        try order.check()
        guard let pump = pump(), let runner = runner() else { throw Self.notWatching }
        do {
            let letter = try order.choose(among: try await outbox.deadLetters(limit: QuarantineSize.limit.messages))
            let now = WallInstant(milliseconds: Boottime.wallMilliseconds())
            let audit = order.audit(letter, by: peer.user, at: now, runner.messages)
            guard try await pump.resolve(letter.mark, release: order.isRelease, audit: audit) else {
                throw ControlFault("unknown_message", "somebody else has just dealt with \(letter.id)")
            }
            log(
                Notice(
                    .warning,
                    order.isRelease
                        ? "a message of the quarantine is sent again" : "a message of the quarantine is thrown away",
                    [
                        .init("parcel.id", letter.id.description), .init("topic", letter.topic),
                        .init("uid", String(peer.user)),
                    ]))
            return { order.write(letter, into: &$0) }
        } catch let error as ControlFault {
            throw error
        } catch {
            throw ControlFault("refused", "\(error)")
        }
    }
}
