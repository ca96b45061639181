import Agent
import CommandLine
import Lane

/// `lanewatch view sessions` and `lanewatch view end`: asked of the running view.
enum ViewSessions {
    static func list(_ arguments: Arguments) -> Int32 {
        guard let path = path(arguments) else { return 1 }
        switch ViewClient.ask(.sessions, path: path) {
        case .success(let answer):
            if arguments.has(Table.answerJSON) {
                for session in answer["sessions"]?.elements ?? [] { Terminal.out(session.written + "\n") }
            } else {
                Terminal.out(SessionsText.text(answer, zone: Listing.zone(of: answer)))
            }
            return 0
        case .failure(let error): return fail("sessions", error.description)
        }
    }

    static func end(_ arguments: Arguments) -> Int32 {
        guard let path = path(arguments) else { return 1 }
        switch ViewClient.ask(
            .end(session: arguments[Table.sessionID] ?? "", why: arguments[Table.endWhy]), path: path)
        {
        case .success(let answer):
            Terminal.out("\(answer["ended"]?.text ?? "") is ended\n")
            return 0
        case .failure(let error): return fail("end", error.description)
        }
    }

    private static func fail(_ command: String, _ why: String) -> Int32 {
        Terminal.error("lanewatch view \(command): \(why)\n")
        return 1
    }

    /// The socket that was named, else that of the configuration that was named.
    private static func path(_ arguments: Arguments) -> String? {
        if !arguments.has(Table.config) || arguments.has(Table.viewSocket) {
            return arguments[Table.viewSocket] ?? ViewClient.standardPath
        }
        guard let configuration = ViewCommand.configuration(arguments) else { return nil }
        guard let control = (configuration.view ?? ViewSettings()).control else {
            Terminal.error("lanewatch view: the configuration turns the view's control socket off (control: false)\n")
            return nil
        }
        return control.path
    }
}
