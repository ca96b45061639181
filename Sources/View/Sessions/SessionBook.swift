import Lane
import Loop
import Net
import Synchronization

/// Who watches the lane: every session from its beginning to its end, told to the audit.
///
/// Stands between the gate and the attendants. Nobody sees a pixel before it is on disk that they do; who does not leave by
/// themselves ends when their intervention is closed, or when somebody on the lane says so. The loop's thread.
@LoopActor public final class SessionBook: Reception {
    public struct Options: Sendable {
        /// Of `MaskPlan.digest`.
        public var masks = ""
        /// So long after its intervention was closed a session goes on.
        public var closeGraceSeconds: Double = 10

        public init() {}
    }

    /// A session, as it is shown to people.
    public struct Line: Hashable, Sendable {
        public var session: ViewFact.Session
        public var visitor: Visitor
        public var hasControl: Bool
        /// Wall clock.
        public var since: WallInstant
        public var inputs: Int64
    }

    private struct Session {
        let facts: ViewFact.Session
        let visitor: Visitor
        /// Milliseconds of CLOCK_BOOTTIME.
        let began: Int64
        let since: WallInstant
        var attendant: AttendantID?
        var ending: (cause: String, why: String?, by: UInt32?)?
        /// Since when its intervention is not open any more.
        var closedSince: Int64?
    }

    private let attendants: AttendantReception
    private let hands: Hands
    private let trail: AuditTrail?
    private let options: Options
    private let told: @LoopActor (ViewFact) -> Void
    private var sessions: [UInt64: Session] = [:]
    /// The last that left.
    private var left: [(attendant: AttendantID, facts: ViewFact.Session)] = []
    /// Interventions that are open; nil while that is not known.
    private var open: Set<String>?
    private var look: EventLoop.Deadline?
    /// Sessions' ids begin with it: they are of this life of this process alone.
    private nonisolated let life: String
    /// Ends a visitor's session at the gate.
    var endAtGate: @LoopActor (UInt64) -> Void = { _ in }
    /// Control has changed hands; nil for who is gone already.
    var turned: @LoopActor (_ taker: Visitor?, _ loser: Visitor?) -> Void = { _, _ in }
    /// How many there are, and whether one has control: with each change.
    var watched: @LoopActor (_ count: Int, _ isControlled: Bool) -> Void = { _, _ in }

    /// - Parameters:
    ///   - trail: nil: there is no audit, as there is no agent.
    ///   - told: each fact, once it holds: for hooks.
    public nonisolated init(
        _ attendants: AttendantReception, hands: Hands, trail: AuditTrail?, options: Options = Options(),
        told: @escaping @LoopActor (ViewFact) -> Void = { _ in }
    ) {
        self.attendants = attendants
        self.hands = hands
        self.trail = trail
        self.options = options
        self.told = told
        life = Secrets.random(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Begins to hear of control.
    func start() {
        hands.follow(
            mayTake: { [trail] in trail?.hasRoom ?? true },
            told: { [weak self] turn in Task { @LoopActor in self?.didTurn(turn) } })
    }

    // MARK: Reception

    public var refusal: String? { trail?.refusal }

    public func expect(_ visitor: Visitor, ready: @escaping @LoopActor (ReceptionFault?) -> Void) {
        let grant = visitor.grant
        let facts = ViewFact.Session(
            id: "\(life)-\(visitor.id)", attendant: Self.bounded(grant.attendant), way: grant.way.rawValue,
            mode: grant.mode.name, intervention: grant.intervention.flatMap { Self.bounded($0) },
            from: Self.bounded(visitor.address) ?? "unknown", masks: options.masks)
        let session = Session(
            facts: facts, visitor: visitor, began: Boottime.milliseconds(),
            since: WallInstant(milliseconds: Boottime.wallMilliseconds()))
        sessions[visitor.id] = session
        let fact = ViewFact(
            facts, at: session.since, .opened(isEncrypted: visitor.isEncrypted, isWeb: visitor.isWebSocket))
        guard let trail else { return ready(nil) }
        trail.keep(fact) { isKept in
            Task { @LoopActor in
                ready(isKept ? nil : ReceptionFault(trail.fault ?? "what is seen cannot be noted on this lane"))
            }
        }
    }

    /// As a fact takes it: a line of 64 bytes at most; nil where nothing is left.
    private static func bounded(_ text: String, _ most: Int = 64) -> String? {
        var kept = String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
        while kept.utf8.count > most { kept.removeLast() }
        return kept.isEmpty ? nil : kept
    }

    public func admit(_ visitor: Visitor) throws(ReceptionFault) -> InnerLink {
        let link = try attendants.admit(visitor)
        guard var session = sessions[visitor.id] else { return link }
        session.attendant = attendants.present[visitor.id]
        sessions[visitor.id] = session
        if let id = session.attendant { hands.enter(id) }
        told(
            ViewFact(
                session.facts, at: session.since, .opened(isEncrypted: visitor.isEncrypted, isWeb: visitor.isWebSocket))
        )
        count()
        lookAtInterventions()
        return link
    }

    public func didLeave(_ visitor: Visitor, _ end: GateEnd) {
        guard let session = sessions.removeValue(forKey: visitor.id) else { return }
        var inputs: Int64 = 0
        if let attendant = session.attendant {
            inputs = hands.leave(attendant)
            attendants.didLeave(visitor, end)
            left.append((attendant, session.facts))
            if left.count > 16 { left.removeFirst() }
        }
        let ending = ViewFact.Ending(
            cause: session.ending?.cause ?? end.rawValue, why: session.ending?.why, by: session.ending?.by,
            durationMilliseconds: max(0, Boottime.milliseconds() - session.began), inputs: inputs)
        let fact = keep(session.facts, .closed(ending))
        // Of one that saw nothing, the audit alone has heard.
        guard session.attendant != nil else { return }
        told(fact)
        count()
    }

    public func didEnter(_ visitor: Visitor) { attendants.didEnter(visitor) }

    public func hear(_ visitor: Visitor, _ text: [UInt8]) { attendants.hear(visitor, text) }

    /// A page asks for the lane's keys and pointer, as a press does elsewhere, or gives them back: then another may have them at once.
    /// - Returns: whether it is so now.
    func setControls(_ isOn: Bool, of visitor: Visitor) -> Bool {
        guard let attendant = sessions[visitor.id]?.attendant else { return false }
        guard isOn else {
            _ = attendants.setControls(false, of: visitor)
            hands.giveBack(attendant)
            count()
            return true
        }
        guard visitor.grant.mode == .control, hands.claim(attendant) else { return false }
        return attendants.setControls(true, of: visitor)
    }

    private func keep(_ facts: ViewFact.Session, _ kind: ViewFact.Kind) -> ViewFact {
        let fact = ViewFact(facts, at: WallInstant(milliseconds: Boottime.wallMilliseconds()), kind)
        trail?.keep(fact)
        return fact
    }

    private func didTurn(_ turn: Hands.Turn) {
        guard let facts = facts(of: turn.attendant) else { return }
        let other = turn.other.flatMap { self.facts(of: $0)?.id }
        told(keep(facts, .control(turn.isTaken ? .taken : .refused, other: other)))
        if turn.isTaken {
            let loser = turn.other.flatMap { visitor(of: $0) }
            if let loser, loser.isPage { _ = attendants.setControls(false, of: loser) }
            turned(visitor(of: turn.attendant), loser)
        }
        count()
    }

    /// Also of one that has just left: a press and a goodbye come in one packet.
    private func facts(of attendant: AttendantID) -> ViewFact.Session? {
        sessions.values.first { $0.attendant == attendant }?.facts ?? left.first { $0.attendant == attendant }?.facts
    }

    private func visitor(of attendant: AttendantID) -> Visitor? {
        sessions.values.first { $0.attendant == attendant }?.visitor
    }

    private func count() {
        let present = sessions.values.filter { $0.attendant != nil }
        watched(present.count, hands.holder.map { holder in present.contains { $0.attendant == holder } } ?? false)
    }

    // MARK: Ends

    /// Ends a session, by its id or what follows the hyphen in it.
    /// - Returns: its id.
    public func end(
        _ id: String, cause: String = "ended", why: String? = nil, by user: UInt32? = nil
    ) throws(ReceptionFault) -> String {
        let found = sessions.values.first { $0.facts.id == id || String($0.visitor.id) == id }
        guard let found else {
            throw ReceptionFault("no session \"\(id.prefix(64))\"; \"lanewatch view sessions\" lists them")
        }
        sessions[found.visitor.id]?.ending = (cause, why.flatMap { Self.bounded($0, 500) }, user)
        endAtGate(found.visitor.id)
        return found.facts.id
    }

    /// Which interventions are open now; nil: that is not known, and nobody is ended for it.
    func follow(open: Set<String>?) {
        self.open = open
        lookAtInterventions()
    }

    private func lookAtInterventions() {
        if let look { EventLoop.shared.cancel(look) }
        look = nil
        guard let open else { return }
        let now = Boottime.milliseconds()
        let grace = Int64(options.closeGraceSeconds * 1000)
        var next: Int64?
        for (number, session) in sessions where session.attendant != nil && session.ending == nil {
            guard let intervention = session.facts.intervention else { continue }
            guard !open.contains(intervention) else {
                sessions[number]?.closedSince = nil
                continue
            }
            let since = session.closedSince ?? now
            sessions[number]?.closedSince = since
            if now - since >= grace {
                sessions[number]?.ending = ("intervention_closed", nil, nil)
                endAtGate(number)
            } else {
                next = min(next ?? .max, since + grace)
            }
        }
        guard let next else { return }
        look = EventLoop.shared.schedule(atBoottime: next) { [weak self] in self?.lookAtInterventions() }
    }

    // MARK: Shown

    public var lines: [Line] {
        let holder = hands.holder
        return sessions.values.filter { $0.attendant != nil }.sorted { $0.visitor.id < $1.visitor.id }.map { session in
            Line(
                session: session.facts, visitor: session.visitor,
                hasControl: session.attendant != nil && session.attendant == holder, since: session.since,
                inputs: session.attendant.map { hands.played($0) } ?? 0)
        }
    }
}
