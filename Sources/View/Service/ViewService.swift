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
        /// What browsers are shown; nil is nothing. Its name and policy are this lane's.
        public var page: Page.Options? = Page.Options()

        public init(access: Access.Options) { self.access = access }
    }

    public let gate: Gate
    public let capture: Capture
    private let attendants: Attendants
    private let hands: Hands
    private let link: LaneLink?
    private let desk: NewsDesk

    /// Pointer and keys of those who control, by attendant. Any thread.
    private final class Hands: Sendable {
        private let input: X11Input?
        private let sessions = Mutex<[AttendantID: X11Input.Session]>([:])

        init(_ input: X11Input?) { self.input = input }

        func take(_ id: AttendantID, _ event: InputEvent) {
            guard let input else { return }
            let session = sessions.withLock { sessions in
                if let known = sessions[id] { return known }
                let made = input.begin()
                sessions[id] = made
                return made
            }
            switch event {
            case .key(let keysym, let isDown): session.key(keysym, isDown: isDown)
            case .pointer(let x, let y, let buttons): session.pointer(x: x, y: y, buttons: buttons)
            }
        }

        func end(_ id: AttendantID) { sessions.withLock { $0.removeValue(forKey: id) }?.end() }
    }

    /// - Parameters:
    ///   - input: where the hands of those who control go; nil: nowhere.
    ///   - tell: what an operator may want to read; on any thread.
    ///   - makeSource: the screen; called on the capture thread each time that somebody begins to watch.
    public init(
        _ options: Options, input: X11Input?, tell: @escaping @Sendable (Notice) -> Void,
        makeSource: @escaping Capture.SourceMaker
    ) throws {
        let plan = options.masks
        // What holds before the agent's first word: it is not known.
        let desk = NewsDesk(label: options.label, mask: plan.mask(nil))
        self.desk = desk
        let report: @Sendable (Notice) -> Void = { notice in
            tell(notice)
            Task { @LoopActor in desk.look() }
        }
        let capture = try Capture(mask: plan.mask(nil), report: report, makeSource: makeSource)
        self.capture = capture
        desk.hasScreen = { capture.problem == nil }
        let hands = Hands(input)
        self.hands = hands
        var hooks = Attendants.Hooks()
        hooks.input = { id, event in hands.take(id, event) }
        hooks.ended = { id, _, _ in hands.end(id) }
        attendants = Attendants(capture: capture, label: options.label, hooks: hooks)
        link = options.control.map { path in
            LaneLink(path: path) { states in
                let mask = plan.mask(states)
                capture.setMask(mask)
                Task { @LoopActor in desk.set(mask: mask) }
            } raised: { open in
                Task { @LoopActor in desk.set(open: open) }
            }
        }
        let reception = AttendantReception(attendants) { news in
            switch news {
            case .came(let visitor, _):
                desk.came(visitor)
                let mask = capture.mask
                let hidden = mask.areas.isEmpty ? "nothing" : mask.reasons.joined(separator: "; ")
                let fields: [Notice.Field] = [.init("mode", visitor.grant.mode.name), .init("mask", hidden)]
                tell(Notice(.info, "an attendant watches the screen", Self.fields(visitor) + fields))
            case .entered(let visitor): desk.entered(visitor)
            case .said(let visitor, let text): desk.said(visitor, text)
            case .left(let visitor, let end):
                desk.left(visitor)
                tell(
                    Notice(
                        .info, "an attendant has left", Self.fields(visitor) + [.init("reason", end.rawValue)]))
            }
        }
        var shown = options.page
        shown?.label = options.label
        shown?.policy = options.access.policy
        let page = shown.map { Page($0) }
        let gate = Gate(
            options.gate, access: try Access(options.access), certificates: options.certificates,
            reception: reception,
            page: { request in page?.answer(request) ?? HTTPResponse(HTTPFault(404, "the page is off")) },
            remark: { remark in
                let fields = remark.fields.sorted { $0.key < $1.key }.map { Notice.Field($0.key, $0.value) }
                tell(Notice(.warning, "the gate: \(remark.message)", fields))
            })
        self.gate = gate
        desk.setControls = { [weak reception] visitor, isOn in reception?.setControls(isOn, of: visitor) ?? false }
        desk.send = { [weak gate] id, news in gate?.tell(id, news: news) }
    }

    /// Opens the gate, and begins to follow the lane.
    public func start() throws(GateFault) {
        try gate.open()
        link?.start()
    }

    /// Ends all sessions.
    public func stop() {
        gate.close()
        link?.stop()
        attendants.stop()
        capture.stop()
    }

    private static func fields(_ visitor: Visitor) -> [Notice.Field] {
        var fields: [Notice.Field] = [.init("visitor", String(visitor.id)), .init("address", visitor.address)]
        if !visitor.grant.attendant.isEmpty { fields.append(.init("attendant", visitor.grant.attendant)) }
        if let intervention = visitor.grant.intervention { fields.append(.init("intervention", intervention)) }
        return fields
    }
}
