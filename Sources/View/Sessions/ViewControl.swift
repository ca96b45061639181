import Lane
import Loop
import Net

/// The view's control socket: who watches now, and ends. One JSON object a line, one as the answer. Source: docs/reference/control.md.
@LoopActor public final class ViewControl {
    public struct Options: Sendable {
        public var server: LineServer.Options
        /// Who may end sessions; who may ask stands in `server.peers`.
        public var changers: PeerRule
        public var store: String
        public var lane: String
        /// IANA name of the store's zone.
        public var timezone: String

        public init(
            server: LineServer.Options, changers: PeerRule, store: String, lane: String, timezone: String = "UTC"
        ) {
            self.server = server
            self.changers = changers
            self.store = store
            self.lane = lane
            self.timezone = timezone
        }
    }

    /// Requests: in = out (done) + dropped (`malformed`, `forbidden`, `unknown`), what the socket itself refused left out.
    public private(set) var counts = StageCounts()
    private let options: Options
    private let lines: @LoopActor () -> [(line: SessionBook.Line, status: VisitorStatus?)]
    private let end: @LoopActor (_ session: String, _ why: String?, _ user: UInt32) throws(ReceptionFault) -> String
    private var memberships = Memberships()
    private var server: LineServer?

    public init(
        _ options: Options, lines: @escaping @LoopActor () -> [(line: SessionBook.Line, status: VisitorStatus?)],
        end: @escaping @LoopActor (_ session: String, _ why: String?, _ user: UInt32) throws(ReceptionFault) -> String
    ) {
        self.options = options
        self.lines = lines
        self.end = end
    }

    public func start(_ tell: @escaping @Sendable (Notice) -> Void) throws(UnixSocketError) {
        let server = LineServer(
            options.server,
            remark: { remark in
                let fields = remark.fields.map { Notice.Field($0.name, $0.value) }
                tell(Notice(.warning, "the view's control socket: \(remark.message)", fields))
            },
            refusal: { Self.refusal($0) },
            answering: { [weak self] line, peer, reply in
                reply(self?.answer(Array(line), peer) ?? Self.refusal("the view is ending"))
            })
        try server.start()
        self.server = server
    }

    public func stop() {
        server?.stop()
        server = nil
    }

    private static func refusal(_ text: String) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("ok", false)
            json.member("error", text)
        }
        return json.bytes
    }

    private struct Fault: Error {
        var reason: String
        var text: String
    }

    private func answer(_ line: [UInt8], _ peer: LineServer.Peer) -> [UInt8] {
        counts.in += 1
        do throws(Fault) {
            let answer = try perform(line, peer)
            counts.out += 1
            return answer
        } catch {
            counts.drop(error.reason)
            return Self.refusal(error.text)
        }
    }

    private func perform(_ line: [UInt8], _ peer: LineServer.Peer) throws(Fault) -> [UInt8] {
        guard let value = try? JSONValue(parsing: line), let members = value.members else {
            throw Fault(reason: "malformed", text: "expected an object: {\"do\":\"sessions\"}")
        }
        func allow(_ names: Set<String>) throws(Fault) {
            guard let stray = members.first(where: { $0.name != "do" && !names.contains($0.name) }) else { return }
            throw Fault(reason: "malformed", text: "no \"\(stray.name.prefix(64))\" is known here")
        }
        switch value["do"]?.text {
        case "sessions":
            try allow([])
            return sessions()
        case "end":
            try allow(["session", "why"])
            guard let session = value["session"]?.text else {
                throw Fault(reason: "malformed", text: "\"end\" needs \"session\", the id of one")
            }
            return try end(session, value["why"]?.text, peer)
        default:
            throw Fault(reason: "malformed", text: "\"do\" is one of: sessions, end")
        }
    }

    private func end(_ session: String, _ why: String?, _ peer: LineServer.Peer) throws(Fault) -> [UInt8] {
        let mayEnd = options.changers.allows(user: peer.user, group: peer.group) {
            memberships.groups(ofUser: peer.user, primary: peer.group, now: Boottime.milliseconds())
        }
        guard mayEnd else {
            throw Fault(
                reason: "forbidden",
                text:
                    "user \(peer.user) may look and not end; root and the view's user may, and who \"change_users\" and "
                    + "\"change_groups\" of \"control\" in \"view\" name")
        }
        if let why {
            guard !why.isEmpty, why.utf8.count <= 500,
                why.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
            else { throw Fault(reason: "malformed", text: "the reason is one line of 1 to 500 bytes") }
            guard !CardText.isSuspect(why) else {
                throw Fault(
                    reason: "malformed", text: "the reason holds what looks like a card number; nothing was done")
            }
        }
        do throws(ReceptionFault) {
            let ended = try self.end(session, why, peer.user)
            return whole { $0.member("ended", ended) }
        } catch { throw Fault(reason: "unknown", text: error.description) }
    }

    private func whole(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("ok", true)
            json.member("store", options.store)
            json.member("lane", options.lane)
            json.member("now", WallInstant(milliseconds: Boottime.wallMilliseconds()))
            json.member("timezone", options.timezone)
            body(&json)
        }
        return json.bytes
    }

    private func sessions() -> [UInt8] {
        let now = Boottime.milliseconds()
        let wall = Boottime.wallMilliseconds()
        return whole { json in
            json.name("sessions")
            json.array { json in
                for (line, status) in lines() {
                    json.object { json in
                        json.member("session", line.session.id)
                        json.member("attendant", orNull: line.session.attendant)
                        json.member("from", line.session.from)
                        json.member("mode", line.session.mode)
                        json.member("way", line.session.way)
                        json.member("intervention", orNull: line.session.intervention)
                        json.member("control", line.hasControl)
                        json.member("since", line.since)
                        json.member("forMs", max(0, wall - line.since.milliseconds))
                        json.member("idleMs", orNull: status.map { max(0, now - $0.heard) })
                        json.member("encrypted", line.visitor.isEncrypted)
                        json.member("web", line.visitor.isWebSocket)
                        json.member("encoding", orNull: status?.encoding.map { RFBEncoding.name($0) })
                        json.member("bytesIn", orNull: status.map { Int64($0.bytesIn) })
                        json.member("bytesOut", orNull: status.map { Int64($0.bytesOut) })
                        json.member("inputs", line.inputs)
                    }
                }
            }
        }
    }
}

extension RFBEncoding {
    /// As people call it.
    static func name(_ encoding: Int32) -> String {
        switch encoding {
        case raw: "Raw"
        case hextile: "Hextile"
        case zlib: "Zlib"
        case tight: "Tight"
        case zrle: "ZRLE"
        default: String(encoding)
        }
    }
}
