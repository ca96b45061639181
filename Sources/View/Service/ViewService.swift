import Lane
import Loop
import Net
import Screen
import Signing
import Synchronization

/// The live view of one lane, whole: the screen is captured while somebody watches, masked as the lane's states say, and shown to
/// those whom the gate lets in; the hands of those who control reach the screen's pointer and keys.
///
/// Lives on the loop's thread; capture, attendants and the link to the agent have threads of their own.
@LoopActor public final class ViewService {
    public struct Options: Sendable {
        /// What viewers show in their title: the lane.
        public var label = ""
        public var gate = Gate.Options()
        public var access: Access.Options
        /// Certificate and key; nil for no TLS, thus no page and no tokens.
        public var certificates: CertificateFiles?
        public var masks = MaskPlan.standard
        /// The agent's control socket; nil: there is no agent, and its lane's states stay unknown.
        public var control: String?
        /// Where facts for the audit wait for the agent: a file. Nil, or without an agent: there is no audit.
        public var auditFile: String?
        public var sessions = SessionBook.Options()
        public var hooks = HookRunner.Hooks()
        /// What stands on the lane's screen while somebody watches, and while somebody has control; nil: nothing does.
        public var notice: (viewed: String, controlled: String)?
        /// The view's own control socket; nil is none.
        public var socket: ViewControl.Options?
        /// What browsers are shown; nil is nothing. Its name and policy are this lane's.
        public var page: Page.Options? = Page.Options()

        public init(access: Access.Options) { self.access = access }
    }

    public let gate: Gate
    public let capture: Capture
    private let attendants: Attendants
    private let hands: Hands
    private let link: LaneLink?
    /// Who watches.
    public let sessions: SessionBook
    private let trail: AuditTrail?
    private let control: ViewControl?
    private let notice: X11Notice?
    private let tell: @Sendable (Notice) -> Void
    private let desk: NewsDesk

    /// - Parameters:
    ///   - input: where the hands of those who control go; nil: nowhere.
    ///   - notice: shows a text on the lane's screen; nil: nothing can.
    ///   - tell: what an operator may want to read; on any thread.
    ///   - makeSource: the screen; called on the capture thread each time that somebody begins to watch.
    public init(
        _ options: Options, input: X11Input?, notice: X11Notice? = nil, tell: @escaping @Sendable (Notice) -> Void,
        makeSource: @escaping Capture.SourceMaker
    ) throws {
        let plan = options.masks
        let desk = NewsDesk(label: options.label)
        let look: @Sendable () -> Void = { Task { @LoopActor in desk.look() } }
        // What holds before the agent's first word: it is not known.
        let capture = try Capture(
            mask: plan.mask(nil),
            report: { notice in
                tell(notice)
                look()
            }, masked: look, makeSource: makeSource)
        desk.mask = { capture.mask }
        desk.hasScreen = { capture.problem == nil }
        var make: (@Sendable () -> any LaneHand)?
        if let input { make = { input.begin() } }
        let hands = Hands(make: make)
        var hooks = Attendants.Hooks()
        hooks.input = { id, event in hands.take(id, event) }
        hooks.ended = { id, _, _ in hands.end(id) }
        let attendants = Attendants(capture: capture, label: options.label, hooks: hooks)
        let reception = AttendantReception(attendants) { news in Self.pass(news, capture.mask, to: desk, tell) }
        var trail: AuditTrail?
        if let path = options.auditFile, let agent = options.control {
            trail = try AuditTrail(path: path, agent: agent, tell: tell)
        }
        let hookRunner = HookRunner(options.hooks, lane: options.access.lane, tell: tell)
        var bookOptions = options.sessions
        bookOptions.masks = plan.digest
        let book = SessionBook(reception, hands: hands, trail: trail, options: bookOptions) { fact in
            hookRunner.run(fact)
            if case .control(let turn, let other) = fact.kind { tell(Self.notice(of: turn, fact, other)) }
        }
        link = options.control.map { path in
            LaneLink(path: path) { states in
                capture.setMask(plan.mask(states))
            } raised: { open in
                Task { @LoopActor in
                    desk.set(open: open)
                    book.follow(open: open.map { Set($0.map(\.id)) })
                }
            }
        }
        let page = options.page.map { shown in
            var shown = shown
            shown.label = options.label
            shown.policy = options.access.policy
            return Page(shown)
        }
        let gate = Gate(
            options.gate, access: try Access(options.access), certificates: options.certificates,
            reception: book,
            page: { request in page?.answer(request) ?? HTTPResponse(HTTPFault(404, "the page is off")) },
            remark: { remark in
                let fields = remark.fields.sorted { $0.key < $1.key }.map { Notice.Field($0.key, $0.value) }
                tell(Notice(.warning, "the gate: \(remark.message)", fields))
            })
        control = options.socket.map { Self.control($0, book, gate) }
        (self.gate, self.capture, self.attendants, self.hands) = (gate, capture, attendants, hands)
        (sessions, self.trail, self.notice, self.tell, self.desk) = (book, trail, notice, tell, desk)
        connect(options)
        book.start()
    }

    /// Has the parts tell each other.
    private func connect(_ options: Options) {
        let (book, desk) = (sessions, desk)
        desk.setControls = { [weak book] visitor, isOn in book?.setControls(isOn, of: visitor) ?? false }
        desk.send = { [weak gate] id, news in gate?.tell(id, news: news) }
        book.turned = { taker, loser in desk.turned(to: taker, from: loser) }
        book.endAtGate = { [weak gate] id in _ = gate?.end(id) }
        guard let notice, let words = options.notice else { return }
        book.watched = { count, isControlled in
            notice.show(count == 0 ? nil : isControlled ? words.controlled : words.viewed)
        }
    }

    private static func control(_ socket: ViewControl.Options, _ book: SessionBook, _ gate: Gate) -> ViewControl {
        ViewControl(
            socket,
            lines: { [weak book, weak gate] in
                let status = Dictionary(grouping: gate?.status ?? []) { $0.visitor.id }
                return (book?.lines ?? []).map { ($0, status[$0.visitor.id]?.first) }
            },
            end: { [weak book] (session, why, user) throws(ReceptionFault) in
                guard let book else { throw ReceptionFault("the view is ending") }
                return try book.end(session, why: why, by: user)
            })
    }

    /// What happens at the reception, to the pages and to the operator.
    private static func pass(
        _ news: AttendantReception.Notice, _ mask: Mask, to desk: NewsDesk, _ tell: @Sendable (Notice) -> Void
    ) {
        switch news {
        case .came(let visitor, _):
            desk.came(visitor)
            let hidden = mask.areas.isEmpty ? "nothing" : mask.reasons.joined(separator: "; ")
            let told: [Notice.Field] = [.init("mode", visitor.grant.mode.name), .init("mask", hidden)]
            tell(Notice(.info, "an attendant watches the screen", fields(visitor) + told))
        case .entered(let visitor): desk.entered(visitor)
        case .said(let visitor, let text): desk.said(visitor, text)
        case .left(let visitor, let end):
            desk.left(visitor)
            tell(Notice(.info, "an attendant has left", fields(visitor) + [.init("reason", end.rawValue)]))
        }
    }

    private nonisolated static func notice(of turn: ViewFact.Turn, _ fact: ViewFact, _ other: String?) -> Notice {
        var fields: [Notice.Field] = [.init("session", fact.session.id), .init("address", fact.session.from)]
        if let attendant = fact.session.attendant { fields.append(.init("attendant", attendant)) }
        if let other { fields.append(.init("other", other)) }
        return Notice(
            .info,
            turn == .taken ? "an attendant has control of the lane" : "an attendant wants control that another has",
            fields)
    }

    /// Opens the gate, and begins to follow the lane.
    public func start() throws(GateFault) {
        try gate.open()
        link?.start()
        // A lane is shown without it too.
        do throws(UnixSocketError) { try control?.start(tell) } catch {
            tell(Notice(.warning, "the view cannot be asked who watches", [.init("error", error.description)]))
        }
    }

    /// Stops and calls `gone`, once, when nobody has been connected for at least `milliseconds`, and at most twice that, and the agent has
    /// taken the audit. For a view that its sockets start again: who comes meanwhile waits in their queue.
    public func stopWhenDeserted(for milliseconds: Int64, _ gone: @escaping @LoopActor () -> Void) {
        let before = gate.counts.connections
        EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self] in
            guard let self else { return }
            // The next life may be weeks away: what this one knows of sessions it hands over itself.
            let isHandedOver = trail.map { $0.counts.held == 0 } ?? true
            guard gate.counts.open == 0, gate.counts.connections == before, isHandedOver else {
                return stopWhenDeserted(for: milliseconds, gone)
            }
            stop()
            gone()
        }
    }

    /// Ends all sessions. Waits for what the audit still has to be told, a second and a half at most.
    public func stop() {
        control?.stop()
        gate.close()
        link?.stop()
        attendants.stop()
        notice?.stop()
        capture.stop()
        guard let trail else { return }
        trail.stop(within: 1500)
        let held = trail.counts.held
        guard held > 0 else { return }
        tell(
            Notice(
                .warning, "the agent has not taken all of the audit; the next view hands it over",
                [.init("count", String(held))]))
    }

    private static func fields(_ visitor: Visitor) -> [Notice.Field] {
        var fields: [Notice.Field] = [.init("visitor", String(visitor.id)), .init("address", visitor.address)]
        if !visitor.grant.attendant.isEmpty { fields.append(.init("attendant", visitor.grant.attendant)) }
        if let intervention = visitor.grant.intervention { fields.append(.init("intervention", intervention)) }
        return fields
    }
}
