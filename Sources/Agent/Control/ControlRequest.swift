import Lane

/// A question to a running agent: one line of its control socket (docs/reference/control.md).
public enum ControlRequest: Hashable, Sendable {
    /// What one rule waits for and holds.
    case explain(rule: String)
    /// The rules, a line each, with their counts.
    case rules
    /// What the lane is like.
    case state

    /// The line, without its line feed.
    public var line: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            switch self {
            case .explain(let rule):
                json.member("do", "explain")
                json.member("rule", rule)
            case .rules: json.member("do", "rules")
            case .state: json.member("do", "state")
            }
        }
        return json.bytes
    }

    private static let names = ["explain", "rules", "state"]

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
        default:
            let shown = String(name.prefix(64))
            let way =
                EditDistance.nearest(to: shown, among: Self.names).map { "did you mean \"\($0)\"?" }
                ?? "it is one of: \(Self.names.joined(separator: ", "))"
            throw ControlFault("unknown_request", "no request \"\(shown)\"; \(way)")
        }
        let known: Set<String> = name == "explain" ? ["do", "rule"] : ["do"]
        if let stray = members.first(where: { !known.contains($0.name) }) {
            throw ControlFault("malformed", "\"\(name)\" has no \"\(String(stray.name.prefix(64)))\"")
        }
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
