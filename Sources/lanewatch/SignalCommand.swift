import CommandLine
import Feeds
import Lane

/// `lanewatch signal TYPE NAME=VALUE…`: one signal to the agent's socket, from a script.
enum SignalCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let name = arguments[Table.signalType] ?? ""
        guard let type = SignalType(name) else {
            let near = EditDistance.nearest(to: name, among: SignalCatalogue.shipped.entries.map(\.name))
            let way = near.map { "; did you mean \"\($0)\"?" } ?? "; docs/reference/signals.md lists them"
            Terminal.error("lanewatch signal: no signal \"\(name)\"\(way)\n")
            return 2
        }
        var attributes: [Attribute] = []
        for word in arguments.all(Table.signalAttributes) {
            switch attribute(word, of: type) {
            case .success(let attribute): attributes.append(attribute)
            case .failure(let fault):
                Terminal.error("lanewatch signal: \(fault.message)\n")
                return 2
            }
        }
        do throws(SignalClientError) {
            let limit = arguments.duration(Table.timeout) ?? .seconds(5)
            var client = try SignalClient(path: arguments[Table.socket] ?? "", timeout: limit)
            let answer = try client.send(SignalClient.line(type, attributes), timeout: limit)
            if let error = answer.error {
                Terminal.error("lanewatch signal: the agent refused it: \(error)\n")
                return 1
            }
            Terminal.out("\(answer.number ?? 0)\n")
            return 0
        } catch {
            Terminal.error("lanewatch signal: \(error)\n")
            return 1
        }
    }

    private struct Fault: Error {
        var message: String
    }

    private static func attribute(_ word: String, of type: SignalType) -> Result<Attribute, Fault> {
        guard let equals = word.firstIndex(of: "=") else {
            return .failure(Fault(message: "\"\(word)\" is no attribute; write NAME=VALUE"))
        }
        let name = String(word[..<equals])
        let value = String(word[word.index(after: equals)...])
        let entry = SignalCatalogue.shipped[type]
        guard let attribute = AttributeName(name), let declared = entry.declared(attribute) else {
            let names = entry.attributes.map(\.name.name)
            let list = names.isEmpty ? "it has none" : "it has: \(names.joined(separator: ", "))"
            return .failure(Fault(message: "signal \"\(type.name)\" has no attribute \"\(name)\"; \(list)"))
        }
        guard declared.kind == .int else { return .success(Attribute(attribute, .text(value))) }
        guard let number = Int64(value) else {
            return .failure(Fault(message: "attribute \"\(name)\" of \"\(type.name)\" is an int, not \"\(value)\""))
        }
        return .success(Attribute(attribute, .int(number)))
    }
}
