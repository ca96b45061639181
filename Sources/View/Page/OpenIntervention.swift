import Lane

/// What is raised on the lane, as its agent tells it. Source: docs/reference/control.md, `state`.
public struct OpenIntervention: Hashable, Sendable {
    public var id: String
    public var rule: String
    /// For people; the rule's name where the agent is too old to tell it.
    public var title: String
    public var severity: String
    /// RFC 3339.
    public var raisedAt: String

    /// Nil where it is none, or one that a rule only tries.
    init?(_ value: JSONValue) {
        guard let id = value["intervention"]?.text, let rule = value["rule"]?.text, value["shadow"]?.bool != true
        else { return nil }
        self.id = id
        self.rule = rule
        title = value["title"]?.text ?? rule
        severity = value["severity"]?.text ?? ""
        raisedAt = value["raisedAt"]?.text ?? ""
    }
}
