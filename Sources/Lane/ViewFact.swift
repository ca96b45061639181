/// What became of a session of the live view, for the audit. Who, from where and for how long; never what was seen or typed.
///
/// The view process makes it, hands it to the agent as a line of JSON, and the agent puts it into a message of the audit topic
/// (docs/reference/control.md, docs/reference/topics.md).
public struct ViewFact: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Somebody sees the screen from now on.
        case opened(isEncrypted: Bool, isWeb: Bool)
        /// The lane's pointer and keys.
        case control(Turn, other: String?)
        case closed(Ending)
    }

    /// What became of a wish for control.
    public enum Turn: String, Hashable, Sendable, CaseIterable {
        /// It has control; `other` is the session that had it before, if one had.
        case taken
        /// It has not; `other` is the session that has it.
        case refused
    }

    public struct Ending: Hashable, Sendable {
        /// A word: `closed`, `idle`, `intervention_closed`.
        public var cause: String
        /// In words of the one who ended it.
        public var why: String?
        /// The user of this machine who ended it.
        public var by: UInt32?
        /// Nil where it is not known: the view process was killed.
        public var durationMilliseconds: Int64?
        /// Presses and movements that reached the lane; nil where it is not known.
        public var inputs: Int64?

        public init(
            cause: String, why: String? = nil, by: UInt32? = nil, durationMilliseconds: Int64?, inputs: Int64?
        ) {
            self.cause = cause
            self.why = why
            self.by = by
            self.durationMilliseconds = durationMilliseconds
            self.inputs = inputs
        }
    }

    /// What holds for all of a session.
    public struct Session: Hashable, Sendable {
        /// Of one session alone, on whatever lane.
        public var id: String
        /// Nil where a credential was used that names nobody.
        public var attendant: String?
        /// By which credential: `token`, `code`, `password`, `none`.
        public var way: String
        /// What the credential allows: `view`, `control`.
        public var mode: String
        /// For which it was given.
        public var intervention: String?
        /// The network address, without the port.
        public var from: String
        /// Digest of the masks' configuration: `sha256:…`.
        public var masks: String

        public init(
            id: String, attendant: String?, way: String, mode: String, intervention: String?, from: String,
            masks: String
        ) {
            self.id = id
            self.attendant = attendant
            self.way = way
            self.mode = mode
            self.intervention = intervention
            self.from = from
            self.masks = masks
        }
    }

    public var session: Session
    public var at: WallInstant
    public var kind: Kind

    public init(_ session: Session, at: WallInstant, _ kind: Kind) {
        self.session = session
        self.at = at
        self.kind = kind
    }

    /// `ce_type` of its message.
    public var type: String {
        switch kind {
        case .opened: "sco.view.opened.v1"
        case .control: "sco.view.control.v1"
        case .closed: "sco.view.closed.v1"
        }
    }

    // MARK: As JSON

    /// The members of a message's data, but for `at`.
    public func write(into json: inout JSONWriter) {
        json.member("session", session.id)
        json.member("attendant", orNull: session.attendant)
        json.member("way", session.way)
        json.member("mode", session.mode)
        json.member("intervention", orNull: session.intervention)
        json.member("from", session.from)
        json.member("masks", session.masks)
        switch kind {
        case .opened(let isEncrypted, let isWeb):
            json.member("encrypted", isEncrypted)
            json.member("web", isWeb)
        case .control(let turn, let other):
            json.member("control", turn.rawValue)
            json.member("other", orNull: other)
        case .closed(let ending):
            json.member("cause", ending.cause)
            if let why = ending.why { json.member("why", why) }
            if let by = ending.by { json.member("by", Int64(by)) }
            json.member("durationMs", orNull: ending.durationMilliseconds)
            json.member("inputs", orNull: ending.inputs)
        }
    }

    /// The line by which it is handed over. `stream` and `number` say which one it is, however often it comes: numbers of a
    /// stream rise.
    public func line(stream: String, number: Int64) -> [UInt8] {
        var json = JSONWriter(reserving: 512)
        json.object { json in
            json.member("do", "view")
            json.member("stream", stream)
            json.member("number", number)
            json.member("fact", name)
            json.member("at", at)
            write(into: &json)
        }
        return json.bytes
    }

    private var name: String {
        switch kind {
        case .opened: "opened"
        case .control: "control"
        case .closed: "closed"
        }
    }

    /// Reads what `line` writes. Each member has a bound, so the message always fits.
    public init(_ value: JSONValue) throws(ViewFactFault) {
        func text(_ name: String, _ most: Int = 64) throws(ViewFactFault) -> String {
            guard let text = value[name]?.text, !text.isEmpty, text.utf8.count <= most,
                text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
            else { throw ViewFactFault("\"\(name)\" is a text of 1 to \(most) bytes") }
            return text
        }
        func orNull(_ name: String, _ most: Int = 64) throws(ViewFactFault) -> String? {
            if value[name]?.isNull ?? true { return nil }
            return try text(name, most)
        }
        func word(_ name: String, _ words: [String]) throws(ViewFactFault) -> String {
            guard let word = value[name]?.text, words.contains(word) else {
                throw ViewFactFault("\"\(name)\" is one of: \(words.joined(separator: ", "))")
            }
            return word
        }
        func count(_ name: String) throws(ViewFactFault) -> Int64? {
            if value[name]?.isNull ?? true { return nil }
            guard let count = value[name]?.int, count >= 0 else { throw ViewFactFault("\"\(name)\" is 0 or more") }
            return count
        }
        guard let at = value["at"]?.text.flatMap({ WallInstant(rfc3339: $0) }) else {
            throw ViewFactFault("\"at\" is a time such as 2026-11-21T08:14:03.120Z")
        }
        self.at = at
        let masks = try text("masks", 71)
        guard masks.hasPrefix("sha256:"), masks.utf8.count == 71, masks.utf8.dropFirst(7).allSatisfy({ Self.isHex($0) })
        else {
            throw ViewFactFault("\"masks\" is a digest: sha256:…")
        }
        session = Session(
            id: try text("session"), attendant: try orNull("attendant"),
            way: try word("way", ["token", "code", "password", "none"]), mode: try word("mode", ["view", "control"]),
            intervention: try orNull("intervention"), from: try text("from"), masks: masks)
        switch try word("fact", ["opened", "control", "closed"]) {
        case "opened":
            kind = .opened(isEncrypted: value["encrypted"]?.bool ?? false, isWeb: value["web"]?.bool ?? false)
        case "control":
            let turn = Turn(rawValue: try word("control", Turn.allCases.map(\.rawValue))) ?? .refused
            kind = .control(turn, other: try orNull("other"))
        default:
            let cause = try text("cause", 32)
            guard cause.utf8.allSatisfy({ ($0 >= 97 && $0 <= 122) || $0 == 95 }) else {
                throw ViewFactFault("\"cause\" is a word of small letters and _")
            }
            let by = try count("by").map { (number) throws(ViewFactFault) in
                guard let user = UInt32(exactly: number) else { throw ViewFactFault("\"by\" is a user's number") }
                return user
            }
            kind = .closed(
                Ending(
                    cause: cause, why: try orNull("why", 500), by: by, durationMilliseconds: try count("durationMs"),
                    inputs: try count("inputs")))
        }
    }

    private static func isHex(_ byte: UInt8) -> Bool { (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102) }
}

/// What is wrong with a line that should hold a `ViewFact`; half a sentence.
public struct ViewFactFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
