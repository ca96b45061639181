import Agent
import CommandLine
import Glibc
import Lane
import Loop
import Outbox

/// `lanewatch outbox release` and `discard`: by the running agent, or in its state folder where none runs.
enum OutboxOrder {
    static func perform(_ arguments: Arguments, _ deed: QuarantineOrder.Deed) -> Int32 {
        let order = QuarantineOrder(
            id: arguments[Table.withheldID] ?? "", topic: arguments[Table.withheldTopic], deed)
        do throws(ControlFault) { try order.check() } catch { return OutboxCommand.fail(error.description) }
        let place = OutboxCommand.place(arguments)
        guard let control = place.control else { return offline(order, place) }
        switch ControlClient.ask(order.request, path: control) {
        case .success(let answer):
            tell(order, id: (answer["released"] ?? answer["discarded"])?["id"]?.text ?? "", "")
            return 0
        case .failure(let error):
            return error.isNobodyThere ? offline(order, place) : OutboxCommand.fail(error.description)
        }
    }

    private static func tell(_ order: QuarantineOrder, id: String, _ when: String) {
        Terminal.out(order.isRelease ? "\(id) is sent again\(when)\n" : "\(id) is discarded\n")
    }

    /// Takes the lock of the state folder, as an agent does.
    private static func offline(_ order: QuarantineOrder, _ place: OutboxCommand.Place) -> Int32 {
        // The audit needs the lane's name, its topics and its rules: the folder alone does not have them.
        guard let named = NamedConfiguration(place.configPath, for: "outbox") else { return 1 }
        guard let configuration = named.configuration, let rules = named.rules else {
            for diagnostic in named.diagnostics where diagnostic.severity == .error {
                Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
            }
            return OutboxCommand.fail("no agent runs, and the lane's configuration or its rules are wrong")
        }
        let folder = place.state ?? configuration.stateFolder
        guard access(folder + "/outbox.sqlite", F_OK) == 0 else {
            return OutboxCommand.fail("no outbox can be seen in \(folder); be root or the agent's user")
        }
        let messages = LaneMessages(
            identity: configuration.identity, topics: configuration.topics, rulesDigest: rules.set.digest)
        do {
            var opening = OutboxConfiguration(configuration)
            opening.folder = folder
            let outbox = try Outbox(opening)
            let result: Result<DeadLetter, any Error> = Blocking.value {
                do {
                    let done = try await order.perform(on: outbox, by: getuid(), messages)
                    await outbox.close()
                    return .success(done)
                } catch {
                    await outbox.close()
                    return .failure(error)
                }
            }
            let letter = try result.get()
            Terminal.error("no agent runs; this was done in \(folder)\n")
            tell(order, id: letter.id.description, " after the agent's next start")
            return 0
        } catch {
            return OutboxCommand.fail("\(error)")
        }
    }
}
