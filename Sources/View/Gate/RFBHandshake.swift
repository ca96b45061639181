/// What RFB's security types may be taken on one connection.
struct RFBOffer: Hashable, Sendable {
    /// 1 none, 2 VNC's challenge, 19 VeNCrypt; in the order that clients see.
    var types: [UInt8] = []
    /// VeNCrypt's: 256 Plain, 260 X509None, 261 X509Vnc, 262 X509Plain.
    var subtypes: [UInt32] = []

    static let none: UInt8 = 1
    static let challenge: UInt8 = 2
    static let veNCrypt: UInt8 = 19
    static let plain: UInt32 = 256
    static let x509None: UInt32 = 260
    static let x509Challenge: UInt32 = 261
    static let x509Plain: UInt32 = 262

    /// - Parameters:
    ///   - isSecure: whether the connection is inside TLS already: a secure WebSocket. Otherwise it can become so by VeNCrypt.
    ///   - hasTLS: whether there is a certificate.
    ///   - isLoopback: whether the connection came to a loopback address.
    init(_ policy: AccessPolicy, isSecure: Bool, hasTLS: Bool, isLoopback: Bool) {
        let isNear = isLoopback || policy.allowRemote
        let hasNone = policy.none != nil && isNear
        let hasPassword = policy.password != nil && isNear
        if isSecure {
            if policy.token || hasPassword || policy.code { subtypes.append(Self.plain) }
        } else if hasTLS {
            if policy.token || hasPassword || policy.code { subtypes.append(Self.x509Plain) }
            if hasPassword || policy.code { subtypes.append(Self.x509Challenge) }
            if hasNone { subtypes.append(Self.x509None) }
        }
        if hasNone { types.append(Self.none) }
        if !subtypes.isEmpty { types.append(Self.veNCrypt) }
        if hasPassword || (policy.code && (isSecure || isNear)) { types.append(Self.challenge) }
    }

    var isEmpty: Bool { types.isEmpty }
}

/// The server's side of RFB from the version to ClientInit: bytes of the client in, actions out. A value without a clock.
///
/// Holds at most one answer of a client (`mostPlainBytes`). It takes exactly the bytes that it can use now (`missing`), so that
/// whatever reads for it never takes what belongs to TLS. Sources: RFC 6143, 7.1; the rfbproto community's text on VeNCrypt.
struct RFBHandshake: Sendable {
    enum Action: Hashable, Sendable {
        case send([UInt8])
        /// When all that was sent is out, TLS begins; then `didStartTLS`.
        case startTLS
        /// Somebody has to say `accept` or `refuse`.
        case judge(Access.Attempt)
        /// The client's ClientInit is here.
        case enter
        /// What was sent is the last; the text is for a log.
        case end(String)
    }

    static let version = Array("RFB 003.008\n".utf8)
    /// Of a user's name and a password. The longest token has 382 letters.
    static let mostUserBytes = 128
    static let mostPasswordBytes = 512

    private enum State: Hashable {
        case version
        case type
        case veNCryptVersion
        case subtype
        case tls
        case plainLengths
        case plain(user: Int, password: Int)
        case response
        case judging
        case clientInit
        case over
    }

    private let offer: RFBOffer
    private let challenge: [UInt8]
    private var state = State.version
    private var held: [UInt8] = []
    /// 3, 7 or 8.
    private(set) var minor = 8
    /// 0 before it is chosen.
    private(set) var type: UInt8 = 0
    private(set) var subtype: UInt32 = 0

    /// - Parameter challenge: 16 random bytes.
    init(_ offer: RFBOffer, challenge: [UInt8]) {
        self.offer = offer
        self.challenge = challenge
    }

    /// What the server says first.
    func start() -> [Action] { [.send(Self.version)] }

    /// How many bytes can be used now; 0 while TLS begins, while somebody judges, and at the end.
    var missing: Int { wanted - held.count }

    /// Whether a person may be typing now: a credential was asked for, and nothing of it is here.
    var isAsking: Bool { held.isEmpty && (state == .plainLengths || state == .response) }

    private var wanted: Int {
        switch state {
        case .version: 12
        case .type, .clientInit: 1
        case .veNCryptVersion: 2
        case .subtype: 4
        case .plainLengths: 8
        case .plain(let user, let password): user + password
        case .response: 16
        case .tls, .judging, .over: 0
        }
    }

    /// Takes what it can use from the front of `bytes`.
    mutating func take(_ bytes: inout ArraySlice<UInt8>) -> [Action] {
        var actions: [Action] = []
        while missing > 0, !bytes.isEmpty {
            let count = min(missing, bytes.count)
            held += bytes.prefix(count)
            bytes = bytes.dropFirst(count)
            guard missing == 0 else { break }
            let whole = held
            held = []
            actions += advance(whole)
        }
        return actions
    }

    private mutating func advance(_ bytes: [UInt8]) -> [Action] {
        switch state {
        case .version: return takeVersion(bytes)
        case .type: return takeType(bytes[0])
        case .veNCryptVersion:
            guard bytes == [0, 2] else { return stop("VeNCrypt \(bytes[0]).\(bytes[1]); 0.2 is spoken here", [0xFF]) }
            state = .subtype
            return [.send([0, UInt8(offer.subtypes.count)] + offer.subtypes.flatMap { Self.four($0) })]
        case .subtype: return takeSubtype(bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case .plainLengths:
            let user = bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
            let password = bytes[4...].reduce(0) { $0 << 8 | Int($1) }
            guard user <= Self.mostUserBytes, password <= Self.mostPasswordBytes else {
                return stop("a name of \(user) bytes and a password of \(password)")
            }
            state = .plain(user: user, password: password)
            return user + password == 0 ? advance([]) : []
        case .plain(let user, _):
            state = .judging
            return [.judge(.plain(user: Array(bytes.prefix(user)), password: Array(bytes.dropFirst(user))))]
        case .response:
            state = .judging
            return [.judge(.challenge(challenge, response: bytes))]
        case .clientInit:
            state = .over
            return [.enter]
        case .tls, .judging, .over: return []
        }
    }

    /// Source: RFC 6143, 7.1.1: what is not known counts as 3.3. Newer ones are taken for 3.8, which we said.
    private mutating func takeVersion(_ bytes: [UInt8]) -> [Action] {
        let digits = [4, 5, 6, 8, 9, 10]
        guard bytes.starts(with: "RFB ".utf8), bytes[7] == UInt8(ascii: "."), bytes[11] == 0x0A,
            digits.allSatisfy({ (48...57).contains(bytes[$0]) })
        else { return stop("what came first is no RFB version") }
        let major = bytes[4...6].reduce(0) { $0 * 10 + Int($1) - 48 }
        let said = bytes[8...10].reduce(0) { $0 * 10 + Int($1) - 48 }
        guard major >= 3 else { return stop("RFB \(major).\(said) is too old") }
        minor = major > 3 || said >= 8 ? 8 : said == 7 ? 7 : 3
        guard minor == 3 else {
            state = .type
            return [.send([UInt8(offer.types.count)] + offer.types)]
        }
        // The server decides, and knows no VeNCrypt.
        if offer.types.contains(RFBOffer.none) {
            return [.send(Self.four(1))] + choose(RFBOffer.none)
        }
        if offer.types.contains(RFBOffer.challenge) {
            return [.send(Self.four(2))] + choose(RFBOffer.challenge)
        }
        return stop(
            "RFB 3.3 has no way in that is open", Self.four(0) + Self.reason("a viewer with VeNCrypt is needed"))
    }

    private mutating func takeType(_ chosen: UInt8) -> [Action] {
        guard offer.types.contains(chosen) else {
            return stop("security type \(chosen), which was not offered", failure("that security type was not offered"))
        }
        return choose(chosen)
    }

    private mutating func choose(_ chosen: UInt8) -> [Action] {
        type = chosen
        switch chosen {
        case RFBOffer.none:
            state = .judging
            return [.judge(.none)]
        case RFBOffer.challenge: return ask()
        default:
            state = .veNCryptVersion
            return [.send([0, 2])]
        }
    }

    private mutating func ask() -> [Action] {
        state = .response
        return [.send(challenge)]
    }

    private mutating func takeSubtype(_ chosen: UInt32) -> [Action] {
        guard offer.subtypes.contains(chosen) else {
            return stop("VeNCrypt subtype \(chosen), which was not offered", chosen == RFBOffer.plain ? [] : [0])
        }
        subtype = chosen
        guard chosen != RFBOffer.plain else {
            state = .plainLengths
            return []
        }
        state = .tls
        return [.send([1]), .startTLS]
    }

    /// TLS is complete; what comes next comes inside it.
    mutating func didStartTLS() -> [Action] {
        guard state == .tls else { return [] }
        switch subtype {
        case RFBOffer.x509None:
            state = .judging
            return [.judge(.none)]
        case RFBOffer.x509Challenge: return ask()
        default:
            state = .plainLengths
            return []
        }
    }

    /// The credential was right.
    mutating func accept() -> [Action] {
        guard state == .judging else { return [] }
        state = .clientInit
        // Before 3.8 nothing is said of "no security". Source: RFC 6143, A.1, A.2.
        return minor < 8 && type == RFBOffer.none ? [] : [.send([0, 0, 0, 0])]
    }

    /// The credential was wrong; `text` goes to the client.
    mutating func refuse(_ text: String) -> [Action] {
        guard state == .judging else { return [] }
        return stop(text, failure(text))
    }

    private mutating func stop(_ log: String, _ last: [UInt8] = []) -> [Action] {
        state = .over
        held = []
        return last.isEmpty ? [.end(log)] : [.send(last), .end(log)]
    }

    /// SecurityResult: failed; with a reason from 3.8 on. Source: RFC 6143, 7.1.3.
    private func failure(_ text: String) -> [UInt8] { Self.four(1) + (minor >= 8 ? Self.reason(text) : []) }

    private static func reason(_ text: String) -> [UInt8] { four(UInt32(text.utf8.count)) + Array(text.utf8) }

    private static func four(_ number: UInt32) -> [UInt8] {
        [UInt8(number >> 24), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
    }
}
