import Loop
import Net

/// One connection and all that is held for it. What happens to it is `Gate`'s to say.
@LoopActor final class GateConnection {
    enum Stage {
        /// HTTPS: TLS first.
        case tls
        case http
        /// RFB's greeting, in the clear, in TLS, or in a WebSocket.
        case greeting
        /// Let in: bytes go to and fro.
        case passing
        /// Its last bytes go out.
        case closing
        /// They are out; what still comes is thrown away, so that no reset overtakes them (RFC 9112, 9.6).
        case draining
    }

    let outer: OuterSocket
    let address: OuterAddress
    let isWeb: Bool
    /// Smaller ones came before.
    let number: Int
    var stage: Stage
    /// Whether it counts among those that were not let in.
    var isWaiting = true
    var end = GateEnd.closed

    var parser = HTTPParser(GateConnection.httpLimits)
    var requests = 0
    var webSocket: WebSocketParser?
    /// Our own page, by the protocol that it chose inside the WebSocket.
    var isPage = false
    /// Which security types this client wants to hear of: those whose way it is ready to go.
    var way = PageWay.any
    /// The peer said that it goes; else it was lost.
    var saidGoodbye = false
    /// When the session began that this one goes on with.
    var resumedSince: Int64?
    /// What a page is to be told, and could not be yet: the newest counts.
    var news: [UInt8]?
    var pings: Pace
    var handshake: RFBHandshake?
    var isShaking = false
    var startsTLS = false
    var isAsking = false
    var grant: Grant?
    var passage: Passage?

    var output = OutputQueue()
    /// What the client sent and nobody could use yet: at most what one read gave.
    var stash: ArraySlice<UInt8> = []
    var drained = 0
    var deadline: EventLoop.Deadline?
    var interest: EventLoop.Readiness = .readable
    /// TLS cannot go on reading before it has written.
    var readWantsWrite = false
    var goesOn = false

    /// Of what a page says at a time.
    nonisolated static let textBytes = 512

    /// Not let in, a connection holds no more than this of a request.
    nonisolated static var httpLimits: HTTPParser.Limits {
        var limits = HTTPParser.Limits()
        limits.headBytes = 4096
        limits.bodyBytes = 0
        return limits
    }

    init(_ descriptor: consuming Descriptor, isWeb: Bool, pings: Int, number: Int, now: Int64) {
        outer = OuterSocket(descriptor)
        address = OuterAddress(outer.descriptor.raw)
        self.isWeb = isWeb
        self.number = number
        stage = isWeb ? .tls : .greeting
        self.pings = Pace(perSecond: pings, now: now)
    }

    /// Whether bytes of the client can be used now.
    var acceptsInput: Bool {
        switch stage {
        case .tls, .draining: true
        // What is here already is answered before more is read.
        case .http: output.isEmpty && !goesOn
        case .greeting: !startsTLS && !isShaking && stash.isEmpty && (handshake?.missing ?? 0) > 0
        case .passing: passage.map { !$0.isResting && !$0.link.wantsWritable } ?? false
        case .closing: false
        }
    }

    /// How much may be read at once: in RFB's clear part exactly what it can use, as what comes after it is TLS's.
    var readBytes: Int {
        switch stage {
        case .greeting where !outer.isSecure: handshake?.missing ?? 0
        case .passing: 4096
        case .draining: 16 << 10
        default: 2048
        }
    }

    /// Whether the client owes the rest of something it began.
    var isMidMessage: Bool {
        (passage?.framer.isMidMessage ?? false) || (webSocket?.isInside ?? false) || (outer.tls?.hasPending ?? false)
    }

    func send(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        output.append(webSocket == nil ? bytes : WebSocketFrame.binaryHead(bytes.count) + bytes)
    }
}

/// What belongs to somebody who was let in.
@LoopActor final class Passage {
    let visitor: Visitor
    let link: InnerLink
    var framer = ClientMessageFramer()
    var pace: Pace
    var isResting = false
    /// Of a page that came back: of its first session.
    let since: Int64
    /// When the last byte came.
    var heard: Int64
    var bytesIn = 0
    var bytesOut = 0
    var reached: UInt64 = 0
    var reachedAt: Int64 = 0
    var progress: EventLoop.Deadline?
    var half: EventLoop.Deadline?
    var life: EventLoop.Deadline?
    var linkInterest: EventLoop.Readiness = .readable

    init(_ visitor: Visitor, _ link: InnerLink, messagesPerSecond: Int, since: Int64? = nil, now: Int64) {
        self.visitor = visitor
        self.link = link
        pace = Pace(perSecond: messagesPerSecond, now: now)
        self.since = since ?? now
        heard = now
    }

    var deadlines: [EventLoop.Deadline] { [progress, half, life].compactMap { $0 } }
}
