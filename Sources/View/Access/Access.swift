import Loop
import Net
import Signing

/// Which ways into the gate are open.
public struct AccessPolicy: Hashable, Sendable {
    /// A fixed password that many share, from a file: any number of joins.
    public struct Password: Hashable, Sendable {
        var bytes: [UInt8]
        public var mode: ViewMode

        /// - Parameter bytes: a line of a file, its end is cut off. VNC's way looks at the first 8 bytes alone.
        public init?(_ bytes: [UInt8], mode: ViewMode) {
            let line = Array(bytes.prefix { $0 != 0x0A && $0 != 0x0D })
            guard !line.isEmpty, line.count <= 256 else { return nil }
            self.bytes = line
            self.mode = mode
        }
    }

    /// Signed tokens, over TLS alone.
    public var token = true
    /// One-time codes for viewers with a password field alone: inside TLS, and in the clear on loopback.
    public var code = false
    public var password: Password?
    /// Nothing is asked for; what everybody may do then.
    public var none: ViewMode?
    /// Whether `password`, `none` and, in the clear, `code` are open beyond loopback too.
    public var allowRemote = false

    public init() {}
}

/// Says who may come in. Knows nothing of connections.
@LoopActor public final class Access {
    public struct Options: Sendable {
        public var policy = AccessPolicy()
        /// The lane that tokens must name.
        public var lane: String
        /// Public keys whose tokens count; at most 16.
        public var keys: [VerifyingKey] = []
        /// Where numbers of used tokens are kept: below /run. Nil keeps them in memory, for tests.
        public var spentFile: String?
        /// Tokens that were made for longer are refused.
        public var mostSeconds: UInt8 = Token.usualSeconds
        /// By how much the clock of a token's maker may be ahead.
        public var skewSeconds: Int64 = 5

        public init(lane: String) { self.lane = lane }
    }

    /// What was offered. Of it nothing is ever logged but the user's name in a grant.
    public enum Attempt: Hashable, Sendable {
        case none
        case plain(user: [UInt8], password: [UInt8])
        case challenge([UInt8], response: [UInt8])
    }

    public let options: Options
    /// Right and wrong attempts: in = accepted + the sum of refused.
    public private(set) var accepted: [Grant.Way: Int] = [:]
    public private(set) var refused: [AccessRefusal: Int] = [:]
    private var spent: SpentTokens
    private var codes = OneTimeCodes()
    private let boot: Int64?

    /// - Parameters:
    ///   - now: Unix seconds.
    ///   - boot: Unix seconds when the machine was started; nil asks the system.
    public nonisolated init(
        _ options: Options, now: Int64 = Boottime.wallMilliseconds() / 1000, boot: Int64? = nil
    ) throws(TLSFault) {
        self.options = options
        spent = try SpentTokens(path: options.spentFile, now: now)
        self.boot = boot
    }

    /// A code of 8 letters for one joining within `seconds`; nil where codes are not open.
    public func giveCode(
        _ attendant: String, _ mode: ViewMode, intervention: String? = nil, seconds: Int64 = 60,
        now: Int64 = Boottime.wallMilliseconds() / 1000
    ) -> String? {
        guard options.policy.code else { return nil }
        let grant = Grant(attendant: attendant, mode: mode, intervention: intervention, way: .code)
        return codes.give(grant, now: now, seconds: seconds)
    }

    /// Judges an attempt; a right token or code is spent by it.
    ///
    /// - Parameter isLoopback: whether the connection came to a loopback address.
    public func judge(
        _ attempt: Attempt, isLoopback: Bool, now: Int64 = Boottime.wallMilliseconds() / 1000
    ) throws(AccessRefusal) -> Grant {
        do throws(AccessRefusal) {
            let grant = try find(attempt, isNear: isLoopback || options.policy.allowRemote, now: now)
            accepted[grant.way, default: 0] += 1
            return grant
        } catch {
            refused[error, default: 0] += 1
            throw error
        }
    }

    private func find(_ attempt: Attempt, isNear: Bool, now: Int64) throws(AccessRefusal) -> Grant {
        let policy = options.policy
        switch attempt {
        case .none:
            guard let mode = policy.none, isNear else { throw .notOffered }
            return Grant(attendant: "", mode: mode, way: .none)
        case .plain(let user, let password):
            if let fixed = policy.password, isNear, Secrets.areEqual(fixed.bytes, password) {
                return Grant(attendant: "", mode: fixed.mode, way: .password)
            }
            if policy.code, let grant = codes.take(now: now, where: { Secrets.areEqual($0, password) }) { return grant }
            guard policy.token else { throw policy.password == nil ? .notOffered : .wrongPassword }
            return try findToken(user, password, now: now)
        case .challenge(let challenge, let response):
            func answers(_ password: [UInt8]) -> Bool {
                guard let right = Secrets.vncResponse(to: challenge, password: password) else { return false }
                return Secrets.areEqual(right, response)
            }
            if let fixed = policy.password, isNear, answers(fixed.bytes) {
                return Grant(attendant: "", mode: fixed.mode, way: .password)
            }
            if policy.code, let grant = codes.take(now: now, where: answers) { return grant }
            throw .wrongPassword
        }
    }

    private func findToken(_ user: [UInt8], _ password: [UInt8], now: Int64) throws(AccessRefusal) -> Grant {
        guard let text = String(validating: password, as: UTF8.self) else { throw .malformed }
        let token = try Token(text, keys: options.keys)
        // Some viewers have no field for a name: the token has it. One that is given must be the token's.
        guard user.isEmpty || Secrets.areEqual(user, Array(token.attendant.utf8)) else { throw .wrongAttendant }
        try token.check(
            lane: options.lane, now: now, mostSeconds: options.mostSeconds, skewSeconds: options.skewSeconds,
            // Reckoned anew each time: the clock may have been set since the start.
            boot: boot ?? (Boottime.wallMilliseconds() - Boottime.milliseconds()) / 1000)
        try spent.spend(token.number, expires: token.expires, now: now)
        return Grant(
            attendant: token.attendant, mode: token.mode, intervention: token.intervention, way: .token)
    }
}
