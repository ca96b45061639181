import Feeds
import Lane
import Loop
import Net

/// The agent's control socket: people's questions about the running agent, answered on the lane's thread.
///
/// It changes nothing but the quarantine, and takes the live view's facts for the audit. A lane is watched without it too: where it cannot be made, the log says so, and that is all.
@LoopActor final class ControlSocket {
    private let server: LineServer
    private let desk: Desk
    private let followers: LaneFollowers

    /// Questions and what became of them.
    private final class Desk {
        let view: @LoopActor () -> ControlView?
        let outbox: OutboxDesk
        let audit: ViewDesk
        let followers: LaneFollowers
        var refused: [String: Int] = [:]
        init(
            _ view: @escaping @LoopActor () -> ControlView?, _ outbox: OutboxDesk, _ audit: ViewDesk,
            _ followers: LaneFollowers
        ) {
            self.view = view
            self.outbox = outbox
            self.audit = audit
            self.followers = followers
        }
    }

    /// - Parameters:
    ///   - outbox: Answers what is about the outbox.
    ///   - audit: Takes what the live view has for the audit.
    ///   - view: The agent now; nil while it is not watching.
    init(
        _ settings: Configuration.Control, outbox: OutboxDesk, audit: ViewDesk,
        log: @escaping @LoopActor (Notice) -> Void,
        view: @escaping @LoopActor () -> ControlView?
    ) throws(FeedError) {
        var options = LineServer.Options(path: settings.path)
        options.mode = settings.mode
        options.group = try settings.group.map { (name) throws(FeedError) in try Accounts.group(name, "control") }
        options.peers = try Self.rule(
            settings.users + settings.changeUsers + settings.viewUsers, settings.groups + settings.changeGroups)
        let followers = LaneFollowers { view().map { Dictionary($0.engine.laneState) { $1 } } }
        self.followers = followers
        let desk = Desk(view, outbox, audit, followers)
        self.desk = desk
        server = LineServer(
            options,
            remark: { remark in
                let fields = remark.fields.map { Notice.Field($0.name, $0.value) }
                log(Notice(.warning, "the control socket: \(remark.message)", fields))
            },
            refusal: { ControlFault.line($0) },
            answering: { line, peer, reply in Self.answer(line, peer, desk, reply) })
    }

    /// Who is meant, as numbers.
    static func rule(_ users: [String], _ groups: [String]) throws(FeedError) -> PeerRule {
        try Configuration.Control.rule(users, groups, "control")
    }

    func start() throws(FeedError) {
        do throws(UnixSocketError) { try server.start() } catch {
            throw FeedError(error.description, isRetriable: error.isRetriable)
        }
    }

    func stop() {
        followers.end()
        server.stop()
    }

    /// The engine made a step: whoever follows the lane's states is told if it changed one.
    func stepped() { followers.stepped() }

    /// Requests: in = out + dropped (`malformed`, `unknown_request`, `unknown_rule`, `unknown_message`, `forbidden`, `refused`,
    /// `not_watching`, `oversized`, `incomplete`, `gone`) + held.
    var counts: StageCounts {
        var counts = StageCounts()
        counts.in = server.lines.in
        var refused = server.lines.dropped
        refused.merge(desk.refused) { $0 + $1 }
        for (reason, count) in refused { counts.drop(reason, count) }
        counts.held = server.lines.held
        counts.out = counts.in - refused.values.reduce(0, +) - counts.held
        return counts
    }

    /// As of the POS application's socket.
    var connectionCounts: StageCounts {
        var counts = StageCounts()
        counts.in = server.peers.in
        counts.out = server.peers.out
        for (reason, count) in server.peers.dropped { counts.drop(reason, count) }
        counts.held = server.open
        return counts
    }

    private static func answer(
        _ line: UnsafeRawBufferPointer, _ peer: LineServer.Peer, _ desk: Desk, _ reply: @escaping LineServer.Reply
    ) {
        func refuse(_ fault: ControlFault) {
            desk.refused[fault.reason, default: 0] += 1
            reply(ControlFault.line(fault.description))
        }
        do throws(ControlFault) {
            let request = try ControlRequest(parsing: line)
            guard let view = desk.view() else { throw notWatching }
            switch request {
            case .explain, .rules, .state: reply(try view.answer(request))
            case .follow(let after):
                desk.followers.follow(after: after) { revision in
                    guard let view = desk.view() else { return refuse(notWatching) }
                    reply(view.state(revision: revision))
                }
            case .view(let fact, let stream, let number):
                try desk.audit.take(fact, stream: stream, number: number, from: peer) { wasKnown in
                    guard let wasKnown, let view = desk.view() else { return refuse(notWatching) }
                    reply(
                        view.whole { json in
                            json.member("kept", number)
                            json.member("repeated", wasKnown)
                        })
                }
            case .outbox, .release, .discard:
                // The disk is asked: the lane's thread goes on meanwhile.
                Task { @LoopActor in
                    do throws(ControlFault) {
                        let body = try await desk.outbox.answer(request, peer)
                        guard let view = desk.view() else { throw notWatching }
                        reply(view.whole(body))
                    } catch {
                        refuse(error)
                    }
                }
            }
        } catch {
            refuse(error)
        }
    }

    private static let notWatching = ControlFault(
        "not_watching", "the lane is not watched now; try again in a moment")
}

/// Who is meant, as this machine's numbers, for sockets of other programs.
extension Configuration.Control {
    public func askers(_ section: String) throws(FeedError) -> PeerRule {
        try Self.rule(users + changeUsers, groups + changeGroups, section)
    }

    public func changers(_ section: String) throws(FeedError) -> PeerRule {
        try Self.rule(changeUsers, changeGroups, section)
    }

    public func ownerGroup(_ section: String) throws(FeedError) -> UInt32? {
        try group.map { (name) throws(FeedError) in try Accounts.group(name, section) }
    }

    static func rule(_ users: [String], _ groups: [String], _ section: String) throws(FeedError) -> PeerRule {
        var (numbers, groupNumbers): (Set<UInt32>, Set<UInt32>) = ([], [])
        for name in users { numbers.insert(try Accounts.user(name, section)) }
        for name in groups { groupNumbers.insert(try Accounts.group(name, section)) }
        return PeerRule(users: numbers, groups: groupNumbers)
    }
}
