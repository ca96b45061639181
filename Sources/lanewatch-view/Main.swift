import Agent
import Glibc
import Lane
import Loop
import Telemetry
import View
import YAML

/// `lanewatch-view --config FILE`: the live view of one lane, until it is told to stop; `lanewatch-view token …`: a token for it.
/// `lanewatch view` starts both.
@main
enum Main {
    private static let stopSeconds: UInt32 = 5

    nonisolated static func main() {
        _ = Glibc.signal(SIGPIPE, SIG_IGN)
        // Before any thread starts: signals are waited for here alone.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        let words = Array(CommandLine.arguments.dropFirst())
        if words.first == "masks" {
            guard let order = MaskPreview.Order(words.dropFirst()) else {
                complain(
                    "usage: lanewatch view masks --config FILE [--state NAME=VALUE]… [--unknown] [--preview FILE.png]")
                exit(2)
            }
            guard let plan = ViewPlan(path: order.config, complain: complain) else { exit(1) }
            exit(MaskPreview(order: order, plan: plan).perform())
        }
        if words.first == "token" { exit(TokenOrder.perform(words.dropFirst(), complain: complain)) }
        guard words.count == 2, words[0] == "--config" else {
            complain("usage: lanewatch view --config FILE")
            exit(2)
        }
        guard let plan = ViewPlan(path: words[1], complain: complain) else { exit(1) }
        exit(run(plan, signals))
    }

    private static func run(_ plan: ViewPlan, _ signals: sigset_t) -> Int32 {
        let log = plan.log
        let notifier = ServiceNotifier()
        do {
            let sockets = try ActivatedSockets.take()
            let service = try Blocking.value { Result { try plan.makeService(sockets) { log.note($0) } } }.get()
            try Blocking.run { try service.start() }
            if !sockets.isEmpty {
                // Nobody watches: the sockets wait for the next one, and the lane pays nothing meanwhile.
                Blocking.run { service.stopWhenDeserted(for: plan.settings.linger) { _ = kill(getpid(), SIGTERM) } }
            }
            let addresses = Blocking.value { (rfb: service.gate.rfbAddresses, https: service.gate.httpsAddresses) }
            log.note(plan.opened(rfb: addresses.rfb, https: addresses.https))
            notifier.ready("showing lane \(plan.configuration.identity.partitionKey)")
            ProgramText.release()
            wait(signals) { Blocking.run { service.gate.reloadCertificate() } }
            notifier.stopping()
            Watchman.end(after: stopSeconds)
            Blocking.run { service.stop() }
            log.flush()
            return 0
        } catch {
            log.flush()
            complain("lanewatch view: \(error)")
            return 1
        }
    }

    /// Until SIGTERM or SIGINT; SIGHUP reads the certificate again.
    private static func wait(_ signals: sigset_t, reload: () -> Void) {
        while true {
            var waited = signals
            var number: Int32 = 0
            guard sigwait(&waited, &number) == 0 else { continue }
            if number != SIGHUP { return }
            reload()
        }
    }

    static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }
}
