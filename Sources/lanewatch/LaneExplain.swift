import Agent
import CommandLine
import Lane

/// `lanewatch explain RULE` on a lane: what the running agent says of a rule.
enum LaneExplain {
    static func perform(rule: String, arguments: Arguments) -> Int32 {
        switch ControlClient.ask(.explain(rule: rule), path: arguments[Table.control] ?? "") {
        case .success(let answer):
            if arguments.has(Table.json) {
                Terminal.out(answer.written + "\n")
            } else {
                Terminal.out(ExplainText.text(answer, zone: Listing.zone(of: answer)))
            }
            return 0
        case .failure(let error):
            Terminal.error("lanewatch explain: \(error)\n")
            return 1
        }
    }
}

/// What listings of the agent's answers share.
enum Listing {
    /// The store's zone, where this machine knows it; else UTC.
    static func zone(of answer: JSONValue) -> any LocalTime {
        guard let name = answer["timezone"]?.text, StoreZone.exists(name) else { return UTC() }
        return StoreZone(name: name)
    }
}
