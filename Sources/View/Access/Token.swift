import Net
import Signing

/// A ticket to one lane's screen: who, where, what, until when; signed, for one joining.
///
/// Text of letters, digits, `-` and `_`: base64 for addresses (RFC 4648, 5) of
/// ```
///  byte   0        format, 1
///         1        mode: 0 view, 1 control
///         2-5      the signing key's name: the first 4 bytes of SHA-256 of its public half
///         6-13     Unix seconds when its time ends, most significant first
///         14       for how many seconds it is valid: 1 to 255, when it is made 60
///         15-26    its number: 12 random bytes
///         27       attendant's length, 1 to 64; then UTF-8
///                  lane's length, 1 to 64; then UTF-8
///                  intervention's length, 0 to 64; then UTF-8
///  the last 64     Ed25519 signature (RFC 8032) of "lanewatch view token\n" and all bytes before it
/// ```
/// Signed with a private key, not with a secret that the lane shares: who takes a lane's disk can make no token for another.
public struct Token: Hashable, Sendable {
    public var attendant: String
    public var lane: String
    public var mode: ViewMode
    public var intervention: String?
    /// Unix seconds: from then on it is refused.
    public var expires: Int64
    /// For how many seconds it was made: it began at `expires - seconds`.
    public var seconds: UInt8
    /// 12 random bytes.
    public var number: [UInt8]

    /// What `lanewatch view token` gives.
    public static let usualSeconds: UInt8 = 60
    /// Longer texts are no tokens, whatever they say.
    public static let mostCharacters = 512
    static let numberBytes = 12
    static let mostNameBytes = 64

    /// - Parameter now: Unix seconds.
    public init(
        attendant: String, lane: String, mode: ViewMode, intervention: String? = nil, now: Int64,
        seconds: UInt8 = Token.usualSeconds
    ) {
        self.attendant = attendant
        self.lane = lane
        self.mode = mode
        self.intervention = intervention
        self.seconds = max(1, seconds)
        expires = now + Int64(self.seconds)
        number = Secrets.random(Self.numberBytes)
    }

    /// The first 4 bytes of the digest of a public key: which one to check with.
    static func name(of key: VerifyingKey) -> [UInt8] { Array(Secrets.sha256(key.bytes).prefix(4)) }

    /// The text, signed. Nil where a name is empty or longer than 64 bytes.
    public func text(signedWith key: SigningKey) throws(SigningFault) -> String? {
        guard let bytes = encoded(by: Self.name(of: key.verifyingKey)) else { return nil }
        return Base64.encodeForAddress(bytes + (try key.sign(Self.context + bytes)))
    }

    private static let context = Array("lanewatch view token\n".utf8)

    func encoded(by keyName: [UInt8]) -> [UInt8]? {
        guard number.count == Self.numberBytes, keyName.count == 4, expires >= 0 else { return nil }
        var bytes: [UInt8] = [1, mode.rawValue] + keyName
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(expires >> Int64(shift) & 0xFF)) }
        bytes.append(seconds)
        bytes += number
        for (name, least) in [(attendant, 1), (lane, 1), (intervention ?? "", 0)] {
            let text = Array(name.utf8)
            guard text.count >= least, text.count <= Self.mostNameBytes else { return nil }
            bytes.append(UInt8(text.count))
            bytes += text
        }
        return bytes
    }

    /// What a text says, its signature checked with the one of `keys` that it names; nothing else is: no time, no lane.
    public init(_ text: String, keys: [VerifyingKey]) throws(AccessRefusal) {
        let (token, keyName, signed, signature) = try Self.read(text)
        guard let key = keys.first(where: { Self.name(of: $0) == keyName }) else { throw .unknownKey }
        guard key.isSignature(signature, of: Self.context + signed) else { throw .badSignature }
        self = token
    }

    /// The parts of a text, unchecked.
    static func read(
        _ text: String
    ) throws(AccessRefusal) -> (token: Token, keyName: [UInt8], signed: [UInt8], signature: [UInt8]) {
        guard text.utf8.count <= mostCharacters, let bytes = Base64.decodeForAddress(text),
            bytes.count > 27 + VerifyingKey.signatureByteCount
        else { throw .malformed }
        let signed = Array(bytes.dropLast(VerifyingKey.signatureByteCount))
        guard signed[0] == 1, let mode = ViewMode(rawValue: signed[1]), signed[6] < 0x80, signed[14] > 0 else {
            throw .malformed
        }
        var rest = signed[27...]
        let attendant = try name(&rest)
        let lane = try name(&rest)
        let intervention = try name(&rest)
        guard rest.isEmpty, !attendant.isEmpty, !lane.isEmpty else { throw .malformed }
        var token = Token(
            attendant: attendant, lane: lane, mode: mode, intervention: intervention.isEmpty ? nil : intervention,
            now: 0, seconds: signed[14])
        token.expires = signed[6..<14].reduce(0) { $0 << 8 | Int64($1) }
        token.number = Array(signed[15..<27])
        return (token, Array(signed[2..<6]), signed, Array(bytes.suffix(VerifyingKey.signatureByteCount)))
    }

    private static func name(_ rest: inout ArraySlice<UInt8>) throws(AccessRefusal) -> String {
        guard let count = rest.popFirst(), count <= mostNameBytes, rest.count >= count else { throw .malformed }
        let bytes = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        // No control characters: names stand in logs and on the page.
        guard let text = String(validating: bytes, as: UTF8.self), bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { throw .malformed }
        return text
    }

    /// Whether it is for this lane, and its time is now.
    ///
    /// - Parameters:
    ///   - now: Unix seconds, as the lane's clock has them.
    ///   - mostSeconds: tokens that were made for longer are refused.
    ///   - skewSeconds: by how much the maker's clock may be ahead of the lane's.
    ///   - boot: Unix seconds when the lane was started: whether an older token was used is not known any more.
    func check(
        lane: String, now: Int64, mostSeconds: UInt8, skewSeconds: Int64, boot: Int64
    ) throws(AccessRefusal) {
        guard self.lane == lane else { throw .wrongLane }
        guard seconds <= mostSeconds else { throw .tooLong }
        guard expires > now else { throw .expired }
        // Cannot overflow: expires is positive, and not more than 2^63 - 1.
        let begins = expires - Int64(seconds)
        guard begins <= now + skewSeconds else { throw .tooEarly }
        guard begins >= boot else { throw .beforeBoot }
    }
}
