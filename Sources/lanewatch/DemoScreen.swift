import Agent
import Lane
import Loop
import Rules

/// What the demonstration shows: a line a signal, a line a change, a summary. Coloured where the output is a terminal.
@LoopActor final class DemoScreen {
    private var begin: LaneInstant?

    nonisolated init() {}

    nonisolated func introduce(
        bootstrap: String, topics: [String], partitions: Int, milliseconds: Int64, _ view: DemoView?
    ) {
        Terminal.out(
            """
            A simulated lane, the shipped rules, and a Kafka of three brokers in this process, for \(milliseconds / 1000) s.
            Look in from another terminal:

              kcat -b \(bootstrap) -X broker.address.family=v4 -C -t sco.interventions -f '%h\\n%s\\n\\n'

            Topics, \(partitions) partitions each: \(topics.joined(separator: ", "))


            """)
        if let view {
            Terminal.out(
                """
                The lane's screen, live, and black while the customer pays:

                  https://\(view.https)/
                  in a VNC viewer: \(view.rfb)

                The lane has made its certificate itself, so the browser asks once whether to go on.


                """)
        }
        Terminal.flush()
    }

    func show(_ signal: StampedSignal) {
        let attributes = signal.signal.attributes.map { " \($0.name.name)=\($0.value)" }.joined()
        line(at: signal.at, Terminal.coloured("signal   \(signal.signal.type.name)\(attributes)", "2"))
    }

    func show(_ change: Change) {
        let intervention = change.intervention
        let key = intervention.key.map { " \($0.name)=\($0.value)" }.joined()
        let text: String
        switch change.kind {
        case .raise:
            text = Terminal.coloured("RAISE    \(intervention.title)\(key)", Self.colour(intervention.severity))
        case .escalate:
            text = Terminal.coloured("ESCALATE \(intervention.title)\(key)", Self.colour(intervention.severity))
        case .update: text = "update   \(intervention.title)\(key)"
        case .clear:
            let reason = intervention.reason.map { " (\($0.rawValue))" } ?? ""
            text = Terminal.coloured("clear    \(intervention.title)\(key)\(reason)", "32")
        }
        line(at: change.at, change.kind == .clear ? text : "\(text)  [\(intervention.severity.name)]")
    }

    private func line(at: LaneInstant, _ text: String) {
        let begin = self.begin ?? at
        self.begin = begin
        let milliseconds = max(0, at.milliseconds(since: begin))
        let seconds = String(milliseconds / 1000)
        let rest = String(milliseconds % 1000 + 1000).dropFirst()
        let time = String(repeating: " ", count: max(0, 4 - seconds.count)) + "\(seconds).\(rest)"
        Terminal.out("\(time)  \(text)\n")
        Terminal.flush()
    }

    /// Whether all that was raised was delivered.
    nonisolated func conclude(_ summary: DemoCommand.Summary) -> Bool {
        let isGood = summary.depth == 0 && summary.signals > 0
        let slowest = (summary.slowestDetection * 10_000).rounded() / 10
        Terminal.out(
            """

            signals in                     \(summary.signals)
            interventions raised           \(summary.raised)
            interventions cleared          \(summary.cleared)
            messages acknowledged by Kafka \(summary.acknowledged)
            slowest detection              \(slowest) ms, from signal or deadline to disk
            outbox                         \(summary.depth == 0 ? "empty" : "\(summary.depth) messages undelivered")

            """)
        return isGood
    }

    private static func colour(_ severity: Severity) -> String {
        switch severity {
        case .info: return "36"
        case .warning: return "33;1"
        case .critical: return "31;1"
        }
    }
}
