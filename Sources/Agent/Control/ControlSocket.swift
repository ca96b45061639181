import Feeds
import Lane
import Loop
import Net

/// The agent's control socket: people's questions about the running agent, answered on the lane's thread.
///
/// It changes nothing. A lane is watched without it too: where it cannot be made, the log says so, and that is all.
@LoopActor final class ControlSocket {
    private let server: LineServer
    private let desk: Desk

    /// Questions and what became of them.
    private final class Desk {
        let view: @LoopActor () -> ControlView?
        var refused: [String: Int] = [:]
        init(_ view: @escaping @LoopActor () -> ControlView?) { self.view = view }
    }

    /// - Parameter view: The agent now; nil while it is not watching.
    init(
        _ settings: Configuration.Control, log: @escaping @LoopActor (Notice) -> Void,
        view: @escaping @LoopActor () -> ControlView?
    ) throws(FeedError) {
        var options = LineServer.Options(path: settings.path)
        options.mode = settings.mode
        options.group = try settings.group.map { (name) throws(FeedError) in try Accounts.group(name, "control") }
        var (users, groups): (Set<UInt32>, Set<UInt32>) = ([], [])
        for name in settings.users { users.insert(try Accounts.user(name, "control")) }
        for name in settings.groups { groups.insert(try Accounts.group(name, "control")) }
        options.peers = PeerRule(users: users, groups: groups)
        let desk = Desk(view)
        self.desk = desk
        server = LineServer(
            options,
            remark: { remark in
                let fields = remark.fields.map { Notice.Field($0.name, $0.value) }
                log(Notice(.warning, "the control socket: \(remark.message)", fields))
            },
            refusal: { ControlFault.line($0) },
            answer: { line in Self.answer(line, desk) })
    }

    func start() throws(FeedError) {
        do throws(UnixSocketError) { try server.start() } catch {
            throw FeedError(error.description, isRetriable: error.isRetriable)
        }
    }

    func stop() { server.stop() }

    /// Requests: in = out + dropped (`malformed`, `unknown_request`, `unknown_rule`, `not_watching`, `oversized`, `incomplete`).
    var counts: StageCounts {
        var counts = StageCounts()
        counts.in = server.lines.in
        var refused = server.lines.dropped
        refused.merge(desk.refused) { $0 + $1 }
        for (reason, count) in refused { counts.drop(reason, count) }
        counts.out = counts.in - refused.values.reduce(0, +)
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

    private static func answer(_ line: UnsafeRawBufferPointer, _ desk: Desk) -> [UInt8] {
        do throws(ControlFault) {
            let request = try ControlRequest(parsing: line)
            guard let view = desk.view() else {
                throw ControlFault("not_watching", "the lane is not watched now; try again in a moment")
            }
            return try view.answer(request)
        } catch {
            desk.refused[error.reason, default: 0] += 1
            return ControlFault.line(error.description)
        }
    }
}
