/// What an attendant may do with a lane's screen.
public enum ViewMode: UInt8, Hashable, Sendable, CaseIterable {
    case view = 0
    /// Also touch, click and type.
    case control = 1

    public var name: String { self == .view ? "view" : "control" }

    public init?(name: String) {
        guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}

/// Who was let in, and to what: what a right credential gives.
public struct Grant: Hashable, Sendable {
    /// Nobody by name where no credential was asked for, or one that many share.
    public var attendant: String
    public var mode: ViewMode
    /// The intervention for which it was given; the session ends with it.
    public var intervention: String?
    /// By which way.
    public var way: Way

    public enum Way: String, Hashable, Sendable {
        case token
        /// A short code that the gate itself gave out for one joining.
        case code
        /// The fixed password of the configuration.
        case password
        /// Nothing was asked for.
        case none
    }

    public init(attendant: String, mode: ViewMode, intervention: String? = nil, way: Way) {
        self.attendant = attendant
        self.mode = mode
        self.intervention = intervention
        self.way = way
    }
}

/// Why a credential is refused. The text goes to the log; the one who offered it gets one answer for all (`publicText`).
public enum AccessRefusal: String, Error, Hashable, Sendable, CaseIterable {
    case malformed
    case unknownKey = "unknown_key"
    case badSignature = "bad_signature"
    case wrongLane = "wrong_lane"
    case wrongAttendant = "wrong_attendant"
    case expired
    case tooEarly = "too_early"
    case tooLong = "too_long"
    case beforeBoot = "before_boot"
    case replayed
    case notKept = "not_kept"
    case wrongPassword = "wrong_password"
    case notOffered = "not_offered"

    /// What the other side is told, whatever the reason is.
    public static let publicText = "the credential was not accepted"

    public var text: String {
        switch self {
        case .malformed: "it is no token"
        case .unknownKey: "the token is signed with a key that this lane does not know; give the lane its public half"
        case .badSignature: "the token's signature is wrong"
        case .wrongLane: "the token is for another lane"
        case .wrongAttendant: "the token is another attendant's"
        case .expired: "the token's time is over; ask for a new one, and look at both clocks if it is new"
        case .tooEarly: "the token is from the future; look at both clocks"
        case .tooLong: "the token is valid for longer than tokens may be"
        case .beforeBoot: "the token is older than this boot, and may have been used before it; ask for a new one"
        case .replayed: "the token was used before; ask for a new one"
        case .notKept: "it cannot be noted that the token is used; look at the folder of used tokens"
        case .wrongPassword: "the password is wrong"
        case .notOffered: "this way in is closed"
        }
    }
}
