import CLinux
import Glibc
import Loop
import Net

/// The way in: TLS, HTTP, WebSocket, RFB's greeting, the credential.
extension Gate {
    /// The loop says that a client's descriptor is ready.
    func ready(_ connection: GateConnection, _ readiness: EventLoop.Readiness) {
        guard isOpen(connection) else { return }
        if connection.isShaking { return shake(connection) }
        if readiness.contains(.writable) || connection.readWantsWrite {
            connection.readWantsWrite = false
            flush(connection)
        }
        guard isOpen(connection) else { return }
        if readiness.contains(.readable) { connection.passage?.heard = Boottime.milliseconds() }
        if connection.acceptsInput {
            receive(connection)
        } else if !readiness.isDisjoint(with: [.hangUp, .failure]) {
            // Nothing can be read from it now, and epoll would report it again and again.
            close(connection, connection.end)
        }
        settle(connection)
    }

    func greet(_ connection: GateConnection) {
        let offer = RFBOffer(
            access.options.policy, isSecure: connection.outer.isSecure, hasTLS: certificates != nil,
            isLoopback: connection.address.isLoopback
        ).only(connection.way)
        let handshake = RFBHandshake(offer, challenge: Secrets.random(16))
        connection.handshake = handshake
        perform(connection, handshake.start())
        flush(connection)
        settle(connection)
    }

    // MARK: TLS

    private func startTLS(_ connection: GateConnection) {
        guard let context = currentCertificate(now: Boottime.milliseconds()), connection.outer.startTLS(context) else {
            return close(connection, .noRoom)
        }
        connection.isShaking = true
        shake(connection)
    }

    private func shake(_ connection: GateConnection) {
        guard let tls = connection.outer.tls else { return }
        switch tls.handshake() {
        case .wantsRead: setInterest(connection, .readable)
        case .wantsWrite: setInterest(connection, .writable)
        case .closed: close(connection, .closed)
        case .failed(let reason):
            if reason == "http request" { answerInTheClear(connection) }
            tell("a client's TLS was refused", ["address": connection.address.text, "reason": reason])
            // Ended without a reset: OpenSSL's alert, or our answer, is on its way.
            connection.end = .garbage
            close(connection, .garbage)
        case .done:
            connection.isShaking = false
            if connection.stage == .tls {
                connection.stage = .http
            } else if let actions = connection.handshake?.didStartTLS() {
                perform(connection, actions)
                flush(connection)
            }
            receive(connection)
            settle(connection)
        }
    }

    /// Somebody wrote `http:` for `https:`.
    private func answerInTheClear(_ connection: GateConnection) {
        // What is not read makes the kernel reset the connection, answer and all.
        _ = recv(connection.outer.descriptor.raw, scratch.bytes.baseAddress, scratch.bytes.count, Int32(MSG_DONTWAIT))
        let response = HTTPResponse(HTTPFault(400, "this port speaks https: write https:// before the address"))
        let bytes = response.head(keepsAlive: false, now: Int(Boottime.wallMilliseconds() / 1000)) + response.body
        _ = send(connection.outer.descriptor.raw, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    // MARK: Reading

    /// Reads what can be used now, a few pieces at a time: others have their turn in between.
    func receive(_ connection: GateConnection) {
        if connection.stage == .tls, connection.outer.tls == nil {
            // Not before the first byte: silence costs no session.
            return startTLS(connection)
        }
        for _ in 0..<8 {
            guard isOpen(connection), connection.acceptsInput, !connection.isShaking else { return }
            let room = UnsafeMutableRawBufferPointer(rebasing: scratch.bytes[..<connection.readBytes])
            switch connection.outer.read(into: room) {
            case .done(let count): take(connection, UnsafeRawBufferPointer(rebasing: room[..<count]))
            case .wantsRead: return
            case .wantsWrite:
                connection.readWantsWrite = true
                return
            case .closed: return close(connection, connection.end)
            case .failed(let reason):
                tell("a client's TLS was refused", ["address": connection.address.text, "reason": reason])
                return close(connection, .garbage)
            }
        }
        // What TLS holds already, epoll does not know of.
        if isOpen(connection), connection.acceptsInput, let tls = connection.outer.tls, tls.readableBytes > 0 {
            goOn(connection)
        }
    }

    /// Looks at the connection once more, when others had their turn.
    func goOn(_ connection: GateConnection) {
        guard !connection.goesOn else { return }
        connection.goesOn = true
        EventLoop.shared.schedule(inMilliseconds: 0) { [weak self, weak connection] in
            guard let self, let connection, self.isOpen(connection) else { return }
            connection.goesOn = false
            self.drainStash(connection)
            self.receive(connection)
            self.settle(connection)
        }
    }

    private func take(_ connection: GateConnection, _ bytes: UnsafeRawBufferPointer) {
        switch connection.stage {
        case .tls, .closing: return
        case .draining:
            connection.drained += bytes.count
            if connection.drained > 64 << 10 { close(connection, connection.end) }
            return
        case .http:
            connection.parser.append(bytes)
            return takeRequest(connection)
        case .greeting, .passing: break
        }
        guard let events = connection.webSocket?.take(bytes) else {
            connection.stash += bytes
            return drainStash(connection)
        }
        let frames = connection.webSocket?.takeEmptyFrames() ?? 0
        if frames > 0, connection.pings.take(frames, now: Boottime.milliseconds()) > 0 {
            tell("a client sends too many pings", ["address": connection.address.text])
            return finish(connection, .flooded, code: 1008, "too many pings")
        }
        for event in events { obey(connection, event) }
        drainStash(connection)
        flush(connection)
    }

    private func obey(_ connection: GateConnection, _ event: WebSocketParser.Event) {
        guard isOpen(connection), connection.stage == .greeting || connection.stage == .passing else { return }
        switch event {
        case .bytes(let bytes): connection.stash += bytes
        case .text(let text): hear(connection, text)
        case .ping(let payload):
            // Who does not read gets none: pings are answered for who wants to know that we live.
            if connection.output.count < 64 << 10 { connection.output.append(WebSocketFrame.pong(payload)) }
        case .pong: break
        case .close(let code):
            // What came before it is used no more: who says goodbye has let go of the keys.
            connection.saidGoodbye = true
            finish(connection, .closed, code: code ?? 1000)
        case .fault(let fault):
            tell("a WebSocket was ended", ["address": connection.address.text, "reason": fault.reason])
            finish(connection, .garbage, code: fault.code, fault.reason)
        }
    }

    /// Hands on what the client sent, as far as it can be used now.
    func drainStash(_ connection: GateConnection) {
        while isOpen(connection), !connection.stash.isEmpty {
            switch connection.stage {
            case .greeting:
                guard !connection.startsTLS, let actions = connection.handshake?.take(&connection.stash) else { return }
                let isStuck = actions.isEmpty && connection.handshake?.missing == 0
                perform(connection, actions)
                if isStuck { return }
            case .passing:
                guard passOn(connection) else { return }
            default:
                connection.stash = []
            }
        }
    }

    // MARK: HTTP

    private func takeRequest(_ connection: GateConnection) {
        do throws(HTTPFault) {
            guard let request = try connection.parser.next() else { return }
            connection.requests += 1
            if request.path == options.webSocketPath { return try upgrade(connection, request) }
            counts.pages += 1
            let keepsAlive = request.keepsAlive && connection.requests < 100
            answer(connection, page(request), isHead: request.method == "HEAD", keepsAlive: keepsAlive)
        } catch { answer(connection, HTTPResponse(error), isHead: false, keepsAlive: false) }
    }

    private func upgrade(_ connection: GateConnection, _ request: HTTPRequest) throws(HTTPFault) {
        // A client waits for the answer before it speaks RFC 6455.
        guard !connection.parser.isInside else { throw HTTPFault(400, "bytes behind the request") }
        let way = try pageWay(connection, request)
        connection.output.append(try options.upgrade.answer(to: request))
        connection.way = way
        connection.isPage = options.upgrade.chosenProtocol(of: request) == Self.pageProtocol
        var limits = WebSocketParser.Limits()
        if connection.isPage { limits.textBytes = GateConnection.textBytes }
        // A clipboard that is larger than RFB's framer takes would be refused there.
        limits.messageBytes = ClientMessageFramer.mostHeld + 16 << 20
        connection.webSocket = WebSocketParser(limits)
        connection.stage = .greeting
        setDeadline(connection, options.entrySeconds)
        greet(connection)
    }

    private func answer(_ connection: GateConnection, _ response: HTTPResponse, isHead: Bool, keepsAlive: Bool) {
        let now = Int(Boottime.wallMilliseconds() / 1000)
        connection.output.append(response.head(keepsAlive: keepsAlive, now: now))
        if !isHead { connection.output.append(response.body) }
        guard keepsAlive else { return finish(connection, .answered, seconds: options.pageSeconds) }
        setDeadline(connection, options.pageSeconds)
        flush(connection)
    }

    // MARK: RFB's greeting

    private func perform(_ connection: GateConnection, _ actions: [RFBHandshake.Action]) {
        for action in actions {
            guard isOpen(connection), connection.stage == .greeting else { return }
            switch action {
            case .send(let bytes): connection.send(bytes)
            case .startTLS: connection.startsTLS = true
            case .judge(let attempt): judge(connection, attempt)
            case .enter: enter(connection)
            case .end(let text):
                if connection.end == .closed {
                    connection.end = .garbage
                    tell("a client's greeting was refused", ["address": connection.address.text, "reason": text])
                }
                finish(connection, connection.end, code: 1008, "")
            }
        }
        guard isOpen(connection), connection.stage == .greeting else { return }
        flush(connection)
        watchAsking(connection)
    }

    /// A person has longer than a program.
    private func watchAsking(_ connection: GateConnection) {
        guard let handshake = connection.handshake, connection.stage == .greeting else { return }
        guard handshake.isAsking != connection.isAsking else { return }
        connection.isAsking = handshake.isAsking
        setDeadline(connection, connection.isAsking ? options.typingSeconds : options.entrySeconds)
    }

    private func judge(_ connection: GateConnection, _ attempt: Access.Attempt) {
        if let grant = resume(connection, attempt) {
            connection.grant = grant
            if let actions = connection.handshake?.accept() { perform(connection, actions) }
            return
        }
        let visitors = connections.values.filter { $0.passage != nil }
        let fromHere = visitors.filter { $0.address.place == connection.address.place }.count
        if visitors.count >= options.mostVisitors || fromHere >= options.mostVisitorsPerAddress {
            return refuse(connection, .full, "as many watch as may watch at a time", because: "full")
        }
        if let refusal = reception.refusal {
            tell("nobody can be shown the screen now", ["reason": refusal])
            return refuse(connection, .noRoom, refusal, because: "no_room")
        }
        do throws(AccessRefusal) {
            let grant = try access.judge(attempt, isLoopback: connection.address.isLoopback)
            let same = visitors.filter { $0.passage?.visitor.grant.attendant == grant.attendant }.count
            if !grant.attendant.isEmpty, same >= options.mostVisitorsPerAccount {
                return refuse(
                    connection, .full, "this attendant watches as often as anybody may", because: "full_attendant")
            }
            connection.grant = grant
            if let actions = connection.handshake?.accept() { perform(connection, actions) }
        } catch {
            let now = Boottime.milliseconds()
            let delay = failures.note(
                connection.address.place, now: now, most: Int64(options.mostDelaySeconds * 1000))
            tell(
                "somebody was not let in",
                ["address": connection.address.text, "reason": error.rawValue, "text": error.text])
            EventLoop.shared.schedule(inMilliseconds: delay) { [weak self, weak connection] in
                guard let self, let connection, self.isOpen(connection) else { return }
                self.refuse(connection, .refused, AccessRefusal.publicText, because: error.bearersReason)
            }
        }
    }

    private func refuse(_ connection: GateConnection, _ end: GateEnd, _ text: String, because reason: String) {
        connection.end = end
        if connection.isPage { connection.output.append(PageNews.refused(reason)) }
        if let actions = connection.handshake?.refuse(text) { perform(connection, actions) }
    }

    private func enter(_ connection: GateConnection) {
        guard let grant = connection.grant else { return close(connection, .refused) }
        let visitor = Visitor(
            id: nextVisitor, grant: grant, address: connection.address.text,
            isEncrypted: connection.outer.isSecure, isWebSocket: connection.webSocket != nil,
            isPage: connection.isPage)
        nextVisitor += 1
        let reception = reception
        // It waits where it is, with the deadline that it has.
        reception.expect(visitor) { [weak self, weak connection] fault in
            guard let self, let connection, self.isOpen(connection), connection.stage == .greeting else {
                // It went away meanwhile.
                return reception.didLeave(visitor, .closed)
            }
            if let fault { return self.turnAway(connection, visitor, fault) }
            do throws(ReceptionFault) {
                self.begin(connection, visitor, try reception.admit(visitor))
                // What it sent meanwhile.
                self.goOn(connection)
            } catch { self.turnAway(connection, visitor, error) }
        }
    }

    private func turnAway(_ connection: GateConnection, _ visitor: Visitor, _ fault: ReceptionFault) {
        reception.didLeave(visitor, .noRoom)
        tell("nobody can be shown the screen now", ["reason": fault.description])
        if connection.isPage { connection.output.append(PageNews.refused("no_room")) }
        finish(connection, .noRoom, code: 1013, "try again later")
    }

    // MARK: Writing

    /// Sends what goes.
    func flush(_ connection: GateConnection) {
        guard isOpen(connection), !connection.isShaking else { return }
        switch connection.output.flush({ connection.outer.write($0) }) {
        case .gone: return close(connection, connection.end)
        case .some:
            connection.passage?.link.unsent = connection.output.count
            return
        case .all: break
        }
        connection.passage?.link.unsent = 0
        if connection.news != nil { sendNews(connection) }
        switch connection.stage {
        case .greeting where connection.startsTLS:
            connection.startsTLS = false
            startTLS(connection)
        case .http where connection.requests > 0 && connection.parser.isInside: goOnWithRequests(connection)
        case .closing:
            connection.outer.tls?.sayGoodbye()
            shutdown(connection.outer.descriptor.raw, Int32(SHUT_WR))
            connection.stage = .draining
            setDeadline(connection, 2)
        default: break
        }
    }

    /// A request that came with the one before it.
    private func goOnWithRequests(_ connection: GateConnection) {
        guard !connection.goesOn else { return }
        connection.goesOn = true
        EventLoop.shared.schedule(inMilliseconds: 0) { [weak self, weak connection] in
            guard let self, let connection, self.isOpen(connection), connection.stage == .http else { return }
            connection.goesOn = false
            if connection.output.isEmpty { self.takeRequest(connection) }
            self.settle(connection)
        }
    }

    /// Watches for what can happen next.
    func settle(_ connection: GateConnection) {
        guard isOpen(connection), !connection.isShaking else { return }
        if let passage = connection.passage {
            settle(passage)
            watchHalf(connection, passage)
        }
        var wanted: EventLoop.Readiness = []
        if connection.acceptsInput { wanted.insert(.readable) }
        if !connection.output.isEmpty || connection.readWantsWrite { wanted.insert(.writable) }
        setInterest(connection, wanted)
    }

    func setInterest(_ connection: GateConnection, _ wanted: EventLoop.Readiness) {
        guard isOpen(connection), wanted != connection.interest else { return }
        connection.interest = wanted
        EventLoop.shared.setInterest(connection.outer.descriptor.raw, wanted)
    }
}
