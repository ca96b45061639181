import CommandLine
import Glibc

/// The program: reads the command line, runs a command, ends with its exit code. A file a command.
@main
enum Main {
    nonisolated static func main() {
        // A reader that goes away (`| head`) is an error of a write, not the end of the process.
        _ = Glibc.signal(SIGPIPE, SIG_IGN)
        let words = Array(Swift.CommandLine.arguments.dropFirst())
        do throws(UsageError) {
            switch try Table.all.parse(words, columns: Terminal.columns) {
            case .show(let text):
                Terminal.out(text)
                end(0)
            case .run(let arguments):
                Terminal.isPlain = arguments.has(Table.noColor)
                end(perform(arguments))
            }
        } catch {
            Terminal.error("\(error)\n")
            end(error.exitCode)
        }
    }

    private static func perform(_ arguments: Arguments) -> Int32 {
        switch arguments.path.first {
        case "run": return RunCommand.perform(arguments)
        case "test": return TestCommand.perform(arguments)
        case "replay": return ReplayCommand.perform(arguments)
        case "explain": return ExplainCommand.perform(arguments)
        case "check": return CheckCommand.perform(arguments)
        case "rules": return RulesCommand.perform(arguments)
        case "outbox": return OutboxCommand.perform(arguments)
        case "bundle": return BundleCommand.perform(arguments)
        case "doctor": return DoctorCommand.perform(arguments)
        case "signal": return SignalCommand.perform(arguments)
        case "view": return ViewCommand.perform(arguments)
        case "verify": return VerifyCommand.perform(arguments)
        case "demo": return DemoCommand.perform(arguments)
        case "topics": return TopicsCommand.perform(arguments)
        case "manual": return ManualCommand.perform(arguments)
        default:
            Terminal.out(Table.all.help(columns: Terminal.columns) ?? "")
            return 2
        }
    }

    /// Ends the process at once: threads of libraries may still run, and exit handlers must not wait for them.
    private static func end(_ code: Int32) -> Never {
        Terminal.flush()
        _exit(Terminal.isBroken && code == 0 ? 1 : code)
    }
}
