import Lane
import Loop
import Net

/// Takes what the live view has for the audit: each fact once, however often it is handed over.
///
/// The view keeps a fact until it is told that it is on disk here, so it comes again after a crash of either side. A stream is one life of
/// a view process; the highest number of each is kept in the transaction of the fact itself.
@LoopActor final class ViewDesk {
    /// Lives of view processes that are remembered. Facts of older ones are all here, or gone with the view's state.
    static let mostStreams = 16

    /// Who may tell. What is told stands in the audit: others must not write there.
    var tellers = PeerRule(users: [], groups: [])
    private let runner: @LoopActor () -> LaneRunner?
    /// The longest untouched first.
    private var told: [(stream: String, number: Int64)] = []

    /// - Parameter known: as `known` was in the last life of the agent.
    init(_ known: [UInt8]?, runner: @escaping @LoopActor () -> LaneRunner?) {
        self.runner = runner
        let members = known.flatMap { try? JSONValue(parsing: $0) }?.members ?? []
        told = members.suffix(Self.mostStreams).compactMap { member in
            member.value.int.map { (member.name, $0) }
        }
    }

    /// What has to be remembered.
    var known: [UInt8] {
        var json = JSONWriter()
        json.object { json in for (stream, number) in told { json.member(stream, number) } }
        return json.bytes
    }

    /// - Parameter answer: whether it was known before, once it is on disk; nil where the agent ends meanwhile.
    func take(
        _ fact: ViewFact, stream: String, number: Int64, from peer: LineServer.Peer,
        answer: @escaping @LoopActor (_ wasKnown: Bool?) -> Void
    ) throws(ControlFault) {
        guard tellers.allows(user: peer.user, group: peer.group, memberships: { [] }) else {
            throw ControlFault(
                "forbidden",
                "user \(peer.user) may not write to the audit; the view's user stands in \"view_users\" of \"control\"")
        }
        guard let runner = runner() else {
            throw ControlFault("not_watching", "the lane is not watched now; try again in a moment")
        }
        let last = told.first { $0.stream == stream }?.number ?? 0
        let isNew = number > last
        if isNew {
            told.removeAll { $0.stream == stream }
            told.append((stream, number))
            if told.count > Self.mostStreams { told.removeFirst() }
        }
        let id = LaneUUID(hashing: [runner.messages.identity.source, "view", stream, String(number)])
        runner.keep(isNew ? Self.clean(fact) : nil, by: peer.user, id: id, known: known) { isKept in
            answer(isKept ? !isNew : nil)
        }
    }

    /// Names come from others: a card number among them is left out.
    private static func clean(_ fact: ViewFact) -> ViewFact {
        func clean(_ text: String) -> String { CardText.masked(text) ?? text }
        var fact = fact
        fact.session.attendant = fact.session.attendant.map(clean)
        fact.session.intervention = fact.session.intervention.map { LaneUUID($0) == nil ? clean($0) : $0 }
        if case .closed(var ending) = fact.kind {
            ending.why = ending.why.map(clean)
            fact.kind = .closed(ending)
        }
        return fact
    }
}

extension Facts {
    /// Up to which number the facts of each stream of the live view are in the audit.
    static let viewTold = "view.told"
}
