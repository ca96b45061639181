import Agent
import CommandLine
import Lane

/// `lanewatch explain RULE` on a lane: what the running agent says of a rule.
enum LaneExplain {
    static func perform(rule: String, arguments: Arguments) -> Int32 {
        switch ControlClient.ask(.explain(rule: rule), path: arguments[Table.control] ?? "") {
        case .success(let answer):
            if arguments.has(Table.json) {
                Terminal.out(Listing.line(answer) + "\n")
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

    /// JSON on one line.
    static func line(_ value: JSONValue) -> String {
        var json = JSONWriter()
        write(value, to: &json)
        return json.text
    }

    private static func write(_ value: JSONValue, to json: inout JSONWriter) {
        switch value {
        case .null: json.null()
        case .bool(let bool): json.value(bool)
        case .int(let int): json.value(int)
        case .double(let double): json.raw(Array("\(double)".utf8))
        case .string(let text): json.value(text)
        case .array(let elements): json.array { json in for element in elements { write(element, to: &json) } }
        case .object(let members):
            json.object { json in
                for member in members {
                    json.name(member.name)
                    write(member.value, to: &json)
                }
            }
        }
    }
}
