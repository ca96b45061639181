import Lane

/// A question to a running agent: one line of its control socket (docs/reference/control.md).
public enum ControlRequest: Hashable, Sendable {
    /// What one rule waits for and holds.
    case explain(rule: String)
    /// The rules, a line each, with their counts.
    case rules
    /// What the lane is like.
    case state
    /// The same as soon as the states' revision is not `after` any more, or after a second.
    case follow(after: Int64)
    /// What waits for the brokers, and why.
    case outbox
    /// Sends a message of the quarantine again. `id` is its id or the beginning of it; `topic` where several topics have it.
    case release(id: String, topic: String?)
    /// Throws a message of the quarantine away.
    case discard(id: String, topic: String?, why: String)
    /// What became of a session of the live view, for the audit: from the view process alone. Of a stream each number counts once.
    case view(ViewFact, stream: String, number: Int64)

    /// The line, without its line feed.
    public var line: [UInt8] {
        if case .view(let fact, let stream, let number) = self { return fact.line(stream: stream, number: number) }
        var json = JSONWriter()
        json.object { json in
            switch self {
            case .explain(let rule):
                json.member("do", "explain")
                json.member("rule", rule)
            case .rules: json.member("do", "rules")
            case .state: json.member("do", "state")
            case .follow(let after):
                json.member("do", "follow")
                json.member("after", after)
            case .outbox: json.member("do", "outbox")
            case .release(let id, let topic):
                json.member("do", "release")
                json.member("id", id)
                if let topic { json.member("topic", topic) }
            case .discard(let id, let topic, let why):
                json.member("do", "discard")
                json.member("id", id)
                if let topic { json.member("topic", topic) }
                json.member("why", why)
            case .view: break
            }
        }
        return json.bytes
    }

    private static let names = ["explain", "rules", "state", "follow", "outbox", "release", "discard", "view"]
    /// What each takes besides "do".
    private static let members: [String: Set<String>] = [
        "explain": ["rule"], "follow": ["after"], "release": ["id", "topic"], "discard": ["id", "topic", "why"],
        "view": [
            "stream", "number", "fact", "at", "session", "attendant", "way", "mode", "intervention", "from", "masks",
            "encrypted", "web", "control", "other", "cause", "why", "by", "durationMs", "inputs",
        ],
    ]

    /// Reads a line; what is no request is said in one sentence.
    public init(parsing line: UnsafeRawBufferPointer) throws(ControlFault) {
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: Array(line)) } catch {
            throw ControlFault("malformed", "\(error.message), at column \(error.offset + 1)")
        }
        guard let members = value.members else {
            throw ControlFault("malformed", "expected an object: {\"do\":\"rules\"}")
        }
        guard let name = value["do"]?.text else {
            throw ControlFault("malformed", "no \"do\"; it is one of: \(Self.names.joined(separator: ", "))")
        }
        switch name {
        case "explain":
            guard let rule = value["rule"]?.text else {
                throw ControlFault("malformed", "\"explain\" needs \"rule\", the id of a rule")
            }
            self = .explain(rule: rule)
        case "rules": self = .rules
        case "state": self = .state
        case "follow": self = .follow(after: value["after"]?.int ?? 0)
        case "outbox": self = .outbox
        case "release": self = .release(id: try Self.id(value, name), topic: value["topic"]?.text)
        case "discard":
            guard let why = value["why"]?.text else {
                throw ControlFault("malformed", "\"discard\" needs \"why\": a reason for the audit")
            }
            self = .discard(id: try Self.id(value, name), topic: value["topic"]?.text, why: why)
        case "view":
            guard let stream = value["stream"]?.text, (16...64).contains(stream.utf8.count),
                let number = value["number"]?.int, number > 0
            else {
                throw ControlFault("malformed", "\"view\" needs \"stream\" and \"number\", which say which fact it is")
            }
            do throws(ViewFactFault) { self = .view(try ViewFact(value), stream: stream, number: number) } catch {
                throw ControlFault("malformed", "\"view\": \(error)")
            }
        default:
            let shown = String(name.prefix(64))
            let way =
                EditDistance.nearest(to: shown, among: Self.names).map { "did you mean \"\($0)\"?" }
                ?? "it is one of: \(Self.names.joined(separator: ", "))"
            throw ControlFault("unknown_request", "no request \"\(shown)\"; \(way)")
        }
        let known = Self.members[name] ?? []
        if let stray = members.first(where: { $0.name != "do" && !known.contains($0.name) }) {
            throw ControlFault("malformed", "\"\(name)\" has no \"\(String(stray.name.prefix(64)))\"")
        }
    }

    private static func id(_ value: JSONValue, _ name: String) throws(ControlFault) -> String {
        guard let id = value["id"]?.text, !id.isEmpty else {
            throw ControlFault("malformed", "\"\(name)\" needs \"id\", the id of a message in quarantine")
        }
        return id
    }
}

/// Why a request is not answered.
public struct ControlFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The word it is counted under.
    public let reason: String
    public let description: String

    init(_ reason: String, _ description: String) {
        self.reason = reason
        self.description = description
    }

    /// `{"ok":false,"error":"…"}`
    static func line(_ message: String) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("ok", false)
            json.member("error", message)
        }
        return json.bytes
    }
}
