import Agent
import CommandLine
import Glibc
import Kafka
import Lane
import Loop
import Outbox
import Synchronization
import Telemetry
import YAML

/// `lanewatch run`: the agent, until it is told to stop.
///
/// The command's own thread does nothing but wait for signals; all work is on the lane's thread and the outbox's.
enum RunCommand {
    /// How long a stop may take before the process ends as it is; what was accepted is on disk all along.
    private static let stopSeconds: UInt32 = 5

    static func perform(_ arguments: Arguments) -> Int32 {
        // Before any thread starts, so that every thread inherits it: signals are waited for here alone.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        guard
            let (configuration, rules, trust, warnings) = load(
                arguments[Table.config] ?? "", asJSON: arguments.has(Table.json))
        else { return 1 }
        let log = Log(configuration, isColoured: Terminal.isColoured(2))
        for warning in warnings { log.note(LaneAgent.notice(of: warning)) }
        let localTime = StoreZone(name: configuration.timezone)
        do {
            let outbox = try Outbox(OutboxConfiguration(configuration))
            var hooks = LaneAgent.Hooks()
            hooks.onBroken = { reason in
                log.critical("the agent cannot go on and ends; it is to be started again", [.reason: "\(reason)"])
                kill(getpid(), SIGUSR1)
            }
            let agent = LaneAgent(
                configuration, rules: rules, trust: trust, outbox: outbox, localTime: localTime, hooks: hooks
            ) { log.note($0) }
            let pages = AgentPages(agent, log: log)
            try Blocking.run { try await agent.start() }
            do {
                try Blocking.run { try pages.start() }
            } catch {
                Blocking.run { await agent.stop() }
                throw error
            }
            let notifier = ServiceNotifier()
            // The sign of life comes from the lane's own thread: one that hangs misses it, and the unit is started again.
            Blocking.run { notifier.startWatchdog { true } }
            notifier.ready("watching lane \(configuration.identity.partitionKey)")
            ProgramText.release()
            let isGood = waitForSignals(signals, agent, log, notifier)
            notifier.stopping()
            // A second chance for nobody: what hangs now is ended, and nothing that was accepted is lost by it.
            Watchman.end(after: stopSeconds)
            Blocking.run {
                pages.stop()
                await agent.stop()
            }
            log.flush()
            return isGood ? 0 : 1
        } catch {
            log.flush()
            Terminal.error("lanewatch run: \(error)\n")
            return 1
        }
    }

    /// The configuration, its rules, whose are taken, and warnings for the log; nil, with everything told, where one is wrong.
    private static func load(
        _ path: String, asJSON: Bool
    ) -> (Configuration, RuleFiles, RuleTrust, warnings: [Diagnostic])? {
        guard let named = NamedConfiguration(path, for: "run") else { return nil }
        let diagnostics = named.diagnostics
        if let configuration = named.configuration, let rules = named.rules,
            !diagnostics.contains(where: { $0.severity == .error })
        {
            return (configuration, rules, named.trust, diagnostics)
        }
        for diagnostic in diagnostics {
            Terminal.error(asJSON ? diagnostic.json + "\n" : diagnostic.rendered(coloured: Terminal.isColoured(2)))
        }
        return nil
    }

    /// Until SIGTERM or SIGINT (true), or until the agent says that it cannot go on (false). SIGHUP reloads rules.
    private static func waitForSignals(
        _ signals: sigset_t, _ agent: LaneAgent, _ log: Log, _ notifier: ServiceNotifier
    ) -> Bool {
        while true {
            var waited = signals
            var number: Int32 = 0
            guard sigwait(&waited, &number) == 0 else { continue }
            switch number {
            case SIGHUP:
                notifier.reloading()
                let taken = Blocking.value { await agent.reload() }
                notifier.ready(taken ? "new rules are in force" : "the new rules are wrong; the old ones stay")
            case SIGUSR1: return false
            default:
                log.info("stopping", [.reason: number == SIGTERM ? "SIGTERM" : "SIGINT"])
                return true
            }
        }
    }
}
