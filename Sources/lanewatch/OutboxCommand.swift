import Agent
import CommandLine
import Glibc
import Lane
import Loop
import Outbox

/// `lanewatch outbox`: what waits for the brokers, and why; by the running agent, or out of its state folder.
enum OutboxCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let below = arguments.path.dropFirst().first
        if below != nil, let stray = [Table.watch, Table.watchFor].first(where: { arguments.has($0) }) {
            Terminal.error("lanewatch outbox: --\(stray.name) goes with \"lanewatch outbox\" alone\n")
            return 2
        }
        switch below {
        case "export": return OutboxExport.perform(arguments)
        case "release": return OutboxOrder.perform(arguments, .release)
        case "discard": return OutboxOrder.perform(arguments, .discard(why: arguments[Table.why] ?? ""))
        default: return show(arguments)
        }
    }

    private static func show(_ arguments: Arguments) -> Int32 {
        if arguments.has(Table.watch) {
            guard !arguments.has(Table.outboxState) else {
                Terminal.error("lanewatch outbox: --watch needs the running agent; leave out --state\n")
                return 2
            }
            return OutboxWatch.perform(arguments, place(arguments))
        }
        let place = place(arguments)
        var answer: JSONValue
        if let control = place.control {
            switch ControlClient.ask(.outbox, path: control) {
            case .success(let found): answer = found
            case .failure(let error):
                guard error.isNobodyThere, let folder = place.folder() else { return fail(error.description) }
                Terminal.error("no agent listens on \(control); this is read from \(folder)\n")
                guard let found = offline(folder) else { return 1 }
                answer = found
            }
        } else {
            guard let folder = place.folder(), let found = offline(folder) else { return 1 }
            answer = found
        }
        if arguments.has(Table.answerJSON) {
            Terminal.out((answer["outbox"] ?? .null).written + "\n")
        } else {
            Terminal.out(OutboxText.text(answer, zone: Listing.zone(of: answer)))
        }
        return 0
    }

    static func fail(_ why: String) -> Int32 {
        Terminal.error("lanewatch outbox: \(why)\n")
        return 1
    }

    /// What a state folder says by itself, in the form of an answer; nil, with a word, where it cannot be read.
    private static func offline(_ folder: String) -> JSONValue? {
        do throws(OutboxError) {
            guard let reader = try OutboxReader.live(folder: folder) else {
                Terminal.error("lanewatch outbox: no outbox in \(folder): no agent has ever run there\n")
                return nil
            }
            let report = OutboxReport(try reader.contents(listing: OutboxReport.listed))
            var json = JSONWriter()
            json.object { json in
                json.member("now", WallInstant(milliseconds: Boottime.wallMilliseconds()).rfc3339)
                report.write(into: &json)
            }
            return try? JSONValue(parsing: json.bytes)
        } catch {
            Terminal.error("lanewatch outbox: \(error)\n")
            return nil
        }
    }

    // MARK: Where

    /// Which agent to ask, and which folder is its state.
    struct Place {
        /// Nil: no agent is asked.
        var control: String?
        var configPath: String
        var state: String?

        /// The state folder; nil, with a word on standard error, where it is not known.
        func folder() -> String? {
            if let state { return state }
            return configuration()?.stateFolder
        }

        func configuration() -> Configuration? {
            guard let bytes = Files.read(configPath, for: "outbox") else {
                Terminal.error(
                    "lanewatch outbox: name the lane's configuration with --config, or its folder with --state\n")
                return nil
            }
            let file = ConfigurationFile(file: configPath, bytes: bytes)
            guard let configuration = file.configuration else {
                for diagnostic in file.diagnostics where diagnostic.severity == .error {
                    Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
                }
                return nil
            }
            return configuration
        }
    }

    static func place(_ arguments: Arguments) -> Place {
        let config = arguments[Table.outboxConfig] ?? ""
        var place = Place(control: arguments[Table.control], configPath: config, state: arguments[Table.outboxState])
        if place.state != nil {
            place.control = nil
        } else if arguments.has(Table.outboxConfig), !arguments.has(Table.control),
            let configuration = place.configuration()
        {
            place.control = configuration.control?.path
        }
        return place
    }
}
