import Agent
import CommandLine
import Lane
import Rules
import YAML

/// `lanewatch rules`: the rules of the running agent with what came of them, or those of files.
enum RulesCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let order = arguments[Table.sort].flatMap { RulesText.Order(rawValue: $0) } ?? .id
        let files = arguments.all(Table.listedRules)
        return files.isEmpty ? live(arguments, order) : offline(files, arguments, order)
    }

    private static func live(_ arguments: Arguments, _ order: RulesText.Order) -> Int32 {
        if arguments.has(Table.listedLane) {
            Terminal.error("lanewatch rules: --lane goes with --rules; a running agent knows its lane\n")
            return 2
        }
        switch ControlClient.ask(.rules, path: arguments[Table.control] ?? "") {
        case .success(let answer):
            let rules = RulesText.sorted(answer["rules"]?.elements ?? [], by: order)
            guard !arguments.has(Table.json) else { return show(rules) }
            let now = answer["now"]?.text.flatMap { WallInstant(rfc3339: $0) } ?? WallInstant(milliseconds: 0)
            Terminal.out(RulesText.live(rules, now: now, zone: Listing.zone(of: answer)))
            Terminal.out(
                "\nlane \(answer["store"]?.text ?? "")/\(answer["lane"]?.text ?? ""), rules \(answer["digest"]?.text ?? "")\n"
            )
            Terminal.out(RulesText.rollout(answer, zone: Listing.zone(of: answer)))
            return 0
        case .failure(let error):
            Terminal.error("lanewatch rules: \(error)\n")
            return 1
        }
    }

    private static func offline(_ files: [String], _ arguments: Arguments, _ order: RulesText.Order) -> Int32 {
        let named = NamedRules(files, at: .now)
        for diagnostic in named.diagnostics {
            Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
        }
        guard let set = named.rules?.set else { return named.code }
        var json = JSONWriter()
        RuleList(set, lane: arguments[Table.listedLane]).write(to: &json)
        let rules = RulesText.sorted((try? JSONValue(parsing: json.bytes))?.elements ?? [], by: order)
        if arguments.has(Table.json) { return show(rules) }
        Terminal.out(RulesText.files(rules))
        Terminal.out("\n\(rules.count) rules, \(set.digest)\n")
        return 0
    }

    /// A JSON object a line.
    private static func show(_ rules: [JSONValue]) -> Int32 {
        for rule in rules { Terminal.out(rule.written + "\n") }
        return 0
    }
}
