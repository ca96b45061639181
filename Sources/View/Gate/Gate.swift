import Glibc
import Loop
import Net

/// The one door to a lane's screen: everything that comes from the network is read, bounded and authenticated here, in Swift, before a C
/// library sees a byte of it. TLS is OpenSSL's.
///
/// Two kinds of listeners: RFB over TCP, and HTTPS with pages and a WebSocket. Whoever is let in gets an attendant from the
/// `Reception`; from then on bytes are carried to and fro, the client's cut into whole messages first. All of it runs on the
/// loop's thread, and nothing of it waits: whoever is slow, silent or hostile holds a bounded amount of memory for a bounded time.
@LoopActor public final class Gate {
    public let options: Options
    public let access: Access
    public internal(set) var counts = GateCounts()
    /// Where it listens, with the ports it really has; empty before `open`. Adopted sockets are not among them.
    public private(set) var rfbAddresses: [ListenAddress] = []
    public private(set) var httpsAddresses: [ListenAddress] = []

    var certificates: CertificateFiles?
    let reception: any Reception
    let page: @LoopActor (HTTPRequest) -> HTTPResponse
    private let remark: @LoopActor (GateRemark) -> Void
    private var notices = NoticeGate()
    var failures = Failures()
    var resumes = Resumes()
    private var listeners: [Listener] = []
    var connections: [ObjectIdentifier: GateConnection] = [:]
    var nextVisitor: UInt64 = 1
    let scratch = Scratch()

    private final class Listener {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    /// One for all connections: each is read to the end of a piece before the next.
    final class Scratch {
        static let headRoom = 10
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: headRoom + 64 << 10, alignment: 16)
        deinit { bytes.deallocate() }
    }

    /// - Parameters:
    ///   - certificates: nil: no TLS, so no HTTPS and no tokens.
    ///   - page: what is shown to a browser; the WebSocket's path never comes here.
    ///   - remark: what the operator may want to know; never a credential.
    public nonisolated init(
        _ options: Options, access: Access, certificates: CertificateFiles?, reception: any Reception,
        page: @escaping @LoopActor (HTTPRequest) -> HTTPResponse = { _ in HTTPResponse(HTTPFault(404, "no page here"))
        },
        remark: @escaping @LoopActor (GateRemark) -> Void = { _ in }
    ) {
        self.options = options
        self.access = access
        self.certificates = certificates
        self.reception = reception
        self.page = page
        self.remark = remark
    }

    // MARK: Opening and closing

    /// Listens on every address, or on none.
    public func open() throws(GateFault) {
        do throws(GateFault) {
            for address in options.rfb { try listen(address, isWeb: false) }
            for address in options.https { try listen(address, isWeb: true) }
            for (name, descriptor) in options.adopted {
                guard name == "rfb" || name == "https" else {
                    throw GateFault("the unit's socket \"\(name)\" is neither rfb nor https; set FileDescriptorName=")
                }
                let isLoopback = OuterAddress(descriptor).isLoopback
                try check(isWeb: name == "https", isLoopback: isLoopback, "the unit's socket \(name)")
                try watch(Descriptor(owning: descriptor), isWeb: name == "https")
            }
        } catch {
            close()
            throw error
        }
    }

    /// Ends everything. The gate may be opened again.
    public func close() {
        for listener in listeners { EventLoop.shared.unwatch(listener.descriptor.raw) }
        listeners = []
        rfbAddresses = []
        httpsAddresses = []
        resumes.revokeAll()
        for connection in Array(connections.values) {
            if connection.passage != nil { finish(connection, .ended, code: 1001, "the gate is closed") }
            close(connection, .ended)
        }
    }

    private func listen(_ address: ListenAddress, isWeb: Bool) throws(GateFault) {
        try check(isWeb: isWeb, isLoopback: address.isLoopback, "\(address)")
        var port: UInt16 = 0
        let descriptor: Descriptor
        do throws(SystemError) { descriptor = try address.listen(port: &port) } catch {
            throw GateFault(
                "cannot listen on \(address): \(SystemError.text(of: error.code)); choose another address or port")
        }
        try watch(descriptor, isWeb: isWeb)
        guard let found = ListenAddress(host: address.host, port: port) else { return }
        if isWeb { httpsAddresses.append(found) } else { rfbAddresses.append(found) }
    }

    /// A listener through which nobody could ever come in is a mistake that is told at once.
    private func check(isWeb: Bool, isLoopback: Bool, _ name: String) throws(GateFault) {
        if isWeb, certificates == nil { throw GateFault("\(name): HTTPS needs a certificate") }
        let offer = RFBOffer(
            access.options.policy, isSecure: isWeb, hasTLS: certificates != nil, isLoopback: isLoopback)
        guard offer.isEmpty else { return }
        throw GateFault(
            "\(name): no way in is open there: without TLS, and beyond loopback for anything but tokens, it has to be allowed (allow_remote)"
        )
    }

    private func watch(_ descriptor: consuming Descriptor, isWeb: Bool) throws(GateFault) {
        let listener = Listener(descriptor)
        let raw = listener.descriptor.raw
        do throws(SystemError) {
            try EventLoop.shared.watch(raw, for: .readable) { [weak self] _ in self?.accept(raw, isWeb: isWeb) }
        } catch { throw GateFault("cannot listen: \(error)") }
        listeners.append(listener)
    }

    // MARK: What others ask

    /// Who is here.
    public var visitors: [Visitor] {
        connections.values.compactMap { $0.passage?.visitor }.sorted { $0.id < $1.id }
    }

    /// The same, with how it goes.
    public var status: [VisitorStatus] {
        let all = connections.values.compactMap { connection in
            connection.passage.map { passage in
                VisitorStatus(
                    visitor: passage.visitor, heard: passage.heard, bytesIn: passage.bytesIn,
                    bytesOut: passage.bytesOut, encoding: passage.framer.preferredEncoding)
            }
        }
        return all.sorted { $0.visitor.id < $1.visitor.id }
    }

    /// Ends a visitor's session. False where there is no such visitor.
    @discardableResult
    public func end(_ id: UInt64) -> Bool {
        guard let found = connections.values.first(where: { $0.passage?.visitor.id == id }) else { return false }
        finish(found, .ended, seconds: 0.5)
        return true
    }

    /// Ends all sessions that were given for `intervention`.
    public func end(intervention: String) {
        resumes.revoke(intervention: intervention)
        for one in visitors where one.grant.intervention == intervention { end(one.id) }
    }

    /// Reads the certificate now. Sessions keep the one that they began with.
    public func reloadCertificate() {
        certificates?.reload()
        tellOfCertificate()
    }

    /// What clients see, and what people compare.
    public var certificate: TLSContext? { certificates?.context }

    func currentCertificate(now: Int64) -> TLSContext? {
        let before = certificates.map { $0.reloads + $0.refusals }
        let context = certificates?.current(now: now)
        if before != certificates.map({ $0.reloads + $0.refusals }) { tellOfCertificate() }
        return context
    }

    private func tellOfCertificate() {
        guard let certificates else { return }
        if let fault = certificates.fault {
            tell("the certificate cannot be used; the one before stays in force", ["fault": fault.description])
        } else {
            tell("a certificate is in force", ["fingerprint": certificates.context.fingerprint])
        }
    }

    /// Tells the operator, once in ten seconds of a kind.
    func tell(_ message: String, _ fields: [String: String]) {
        if let suppressed = notices.pass(message, now: Boottime.milliseconds()) {
            remark(GateRemark(message: message, fields: fields, suppressed: suppressed))
        }
    }

    // MARK: Taking connections

    private func accept(_ listening: Int32, isWeb: Bool) {
        guard StreamSocket.accept(on: listening, { admit($0, isWeb: isWeb) }) != nil else { return }
        tell("no descriptor is left for one more connection", [:])
        StreamSocket.rest(listening) { [weak self] in
            self?.listeners.contains { $0.descriptor.raw == listening } ?? false
        }
    }

    private func admit(_ descriptor: consuming Descriptor, isWeb: Bool) {
        let now = Boottime.milliseconds()
        let connection = GateConnection(
            descriptor, isWeb: isWeb, pings: options.pingsPerSecond, number: counts.connections, now: now)
        makeRoom(for: connection.address.place)
        counts.connections += 1
        counts.open += 1
        counts.waiting += 1
        connections[ObjectIdentifier(connection)] = connection
        do throws(SystemError) {
            try EventLoop.shared.watch(connection.outer.descriptor.raw, for: .readable) {
                [weak self, weak connection] readiness in
                guard let self, let connection else { return }
                self.ready(connection, readiness)
            }
        } catch { return close(connection, .noRoom) }
        setDeadline(connection, options.entrySeconds)
        if !isWeb { greet(connection) }
    }

    /// The newcomer is never the one who goes: of its own address, or of the address with the most, the oldest does.
    private func makeRoom(for place: [UInt8]) {
        let waiting = connections.values.filter(\.isWaiting)
        let own = waiting.filter { $0.address.place == place }
        if own.count >= options.mostWaitingPerAddress { return evict(own) }
        guard waiting.count >= options.mostWaiting else { return }
        let places = Dictionary(grouping: waiting) { $0.address.place }
        if let most = places.values.max(by: { $0.count < $1.count }) { evict(most) }
    }

    private func evict(_ some: [GateConnection]) {
        guard let oldest = some.min(by: { $0.number < $1.number }) else { return }
        close(oldest, .evicted)
    }

    // MARK: Ending connections

    func isOpen(_ connection: GateConnection) -> Bool { connections[ObjectIdentifier(connection)] != nil }

    func setDeadline(_ connection: GateConnection, _ seconds: Double) {
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        connection.deadline = EventLoop.shared.schedule(inMilliseconds: Int64(seconds * 1000)) {
            [weak self, weak connection] in
            guard let self, let connection else { return }
            // Of one whose end was decided already, that stays the reason.
            let isEnding = connection.stage == .closing || connection.stage == .draining
            self.close(connection, isEnding ? connection.end : .expired)
        }
    }

    /// Lets the last bytes go out, for at most `seconds`, and closes.
    func finish(
        _ connection: GateConnection, _ end: GateEnd, code: UInt16 = 1000, _ reason: String = "", seconds: Double = 2
    ) {
        guard isOpen(connection), connection.stage != .closing, connection.stage != .draining else { return }
        connection.end = end
        if connection.isPage, connection.passage != nil { connection.output.append(PageNews.ended(end)) }
        leave(connection, end)
        if connection.webSocket != nil { connection.output.append(WebSocketFrame.close(code, reason)) }
        connection.stage = .closing
        connection.stash = []
        setDeadline(connection, seconds)
        flush(connection)
        settle(connection)
    }

    func close(_ connection: GateConnection, _ end: GateEnd) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        leave(connection, end)
        EventLoop.shared.unwatch(connection.outer.descriptor.raw)
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        if connection.output.isEmpty, end == .closed || end == connection.end {
            connection.outer.tls?.sayGoodbye()
        } else {
            connection.outer.abandon()
        }
        if connection.isWaiting { counts.waiting -= 1 }
        counts.open -= 1
        counts.ends[end, default: 0] += 1
    }

    /// A visitor goes: its attendant ends with the link. Whatever is left of the connection counts as one that waits.
    private func leave(_ connection: GateConnection, _ end: GateEnd) {
        guard let passage = connection.passage else { return }
        connection.passage = nil
        if connection.isPage {
            let isLost = end.isLoss || (end == .closed && !connection.saidGoodbye)
            resumes.left(passage.visitor.id, isLost: isLost, now: Boottime.milliseconds())
        }
        EventLoop.shared.unwatch(passage.link.descriptor)
        for deadline in passage.deadlines { EventLoop.shared.cancel(deadline) }
        connection.isWaiting = true
        counts.waiting += 1
        counts.present -= 1
        reception.didLeave(passage.visitor, end)
    }
}
