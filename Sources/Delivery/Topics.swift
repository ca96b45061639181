/// The topics the lane writes and reads, by what they are for. An operator may rename each.
public struct Topics: Hashable, Sendable {
    public var interventions = "sco.interventions"
    /// What rules in shadow mode would have raised.
    public var shadow = "sco.rules.shadow"
    /// Compacted: the newest per lane counts.
    public var laneState = "sco.lane-state"
    public var deviceHealth = "sco.device-health"
    /// Hash-chained.
    public var audit = "sco.audit"
    /// Written by the console or a POS application, read by the agent.
    public var attendant = "sco.attendant"

    public init() {}

    /// What is wrong with `name` as a topic; nil for a good one. Source: Apache Kafka, `Topic.validate`.
    public static func fault(of name: String) -> String? {
        if name.isEmpty { return "a topic needs a name" }
        if name == "." || name == ".." { return "a topic cannot be called \"\(name)\"" }
        if name.utf8.count > 249 { return "a topic's name has at most 249 characters, this one \(name.utf8.count)" }
        let isGood = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                return true
            default: return false
            }
        }
        return isGood ? nil : "a topic's name is made of letters of ASCII, digits, \".\", \"_\" and \"-\""
    }
}
