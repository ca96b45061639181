import Loop
import Net

/// What our own page and the gate say to each other beside RFB: texts in the same WebSocket, whose binary messages are RFB's.
///
/// One connection, one credential, one end: news need no ticket of their own and cannot outlive their session, and no stock viewer
/// sees any of it, as it is spoken only where the client chose `pageProtocol`.
extension Gate {
    /// What a page offers as a WebSocket's protocol.
    public nonisolated static let pageProtocol = "lanewatch.v1"

    /// Tells a page something: JSON, a few hundred bytes. It comes when the pictures before it are out; if newer news come first,
    /// those are told instead. Nothing for viewers that are no page of ours.
    public func tell(_ visitor: UInt64, news: [UInt8]) {
        guard let connection = connections.values.first(where: { $0.passage?.visitor.id == visitor }),
            connection.isPage
        else { return }
        if connection.news != nil { counts.newsReplaced += 1 }
        connection.news = news
        sendNews(connection)
        flush(connection)
        settle(connection)
    }

    func sendNews(_ connection: GateConnection) {
        guard let news = connection.news, connection.stage == .passing, let passage = connection.passage,
            connection.output.count < 64 << 10
        else { return }
        connection.news = nil
        connection.output.append(WebSocketFrame.text(news))
        counts.news += 1
        watchProgress(connection, passage)
    }

    /// A page said something. Its texts are counted with the pings.
    func hear(_ connection: GateConnection, _ text: [UInt8]) {
        guard let passage = connection.passage else { return }
        counts.wishes += 1
        reception.hear(passage.visitor, text)
    }

    /// What a page was let in to, and lost; the session before it ends now, if it is still there. Nil where that is not what is offered.
    func resume(_ connection: GateConnection, _ attempt: Access.Attempt) -> Grant? {
        guard connection.isPage, case .plain(_, let code) = attempt,
            let resumed = resumes.take(code, now: Boottime.milliseconds())
        else { return nil }
        if let old = connections.values.first(where: { $0.passage?.visitor.id == resumed.visitor }) {
            finish(old, .replaced, code: 1001)
        }
        counts.resumed += 1
        connection.resumedSince = resumed.since
        return resumed.grant
    }

    /// The way in that a client asks for: `/websockify?way=plain`.
    func pageWay(_ connection: GateConnection, _ request: HTTPRequest) throws(HTTPFault) -> PageWay {
        guard let query = request.query, !query.isEmpty else { return .any }
        guard let way = PageWay(rawValue: query) else { return .any }
        let offer = RFBOffer(
            access.options.policy, isSecure: connection.outer.isSecure, hasTLS: certificates != nil,
            isLoopback: connection.address.isLoopback
        ).only(way)
        guard !offer.isEmpty else { throw HTTPFault(403, "that way in is not open here") }
        return way
    }
}

/// Which security types a client that knows its credential wants to be offered. noVNC takes "none" where it is offered, and then
/// VNC's password, of 8 letters: neither is what somebody with a token means.
enum PageWay: String {
    case any
    case plain = "way=plain"
    case none = "way=none"
}

extension RFBOffer {
    func only(_ way: PageWay) -> RFBOffer {
        var some = self
        switch way {
        case .any: break
        case .plain:
            some.subtypes = subtypes.filter { $0 == Self.plain }
            some.types = types.filter { $0 == Self.veNCrypt && !some.subtypes.isEmpty }
        case .none:
            some.subtypes = []
            some.types = types.filter { $0 == Self.none }
        }
        return some
    }
}

/// Texts of the gate itself.
enum PageNews {
    static func refused(_ reason: String) -> [UInt8] { text("refused", reason) }
    static func ended(_ end: GateEnd) -> [UInt8] { text("ended", end.rawValue) }
    static func resume(_ code: String) -> [UInt8] { text("resume", code) }

    /// Both are words of ours, without anything that JSON escapes.
    private static func text(_ name: String, _ word: String) -> [UInt8] {
        WebSocketFrame.text(Array("{\"\(name)\":\"\(word)\"}".utf8))
    }
}

extension AccessRefusal {
    /// What a page is told. Whose token is signed with a key of the lane's may hear what is wrong with it: such a token says all of that
    /// itself. All others get one answer.
    var bearersReason: String {
        switch self {
        case .expired, .tooEarly, .tooLong, .beforeBoot, .replayed, .wrongLane, .wrongAttendant, .notKept: rawValue
        case .malformed, .unknownKey, .badSignature, .wrongPassword, .notOffered: "credential"
        }
    }
}
