import Agent
import CommandLine
import Glibc
import Lane
import Loop

/// `lanewatch outbox --watch`: until nothing waits.
enum OutboxWatch {
    private static let pause: useconds_t = 1_000_000
    /// Between lines where there is no terminal.
    private static let lineEvery: Int64 = 10_000
    private static let cells = 30

    static func perform(_ arguments: Arguments, _ place: OutboxCommand.Place) -> Int32 {
        guard let control = place.control else { return OutboxCommand.fail("the control socket is turned off") }
        let asJSON = arguments.has(Table.answerJSON)
        let isBar = !asJSON && isatty(1) == 1 && !Terminal.isPlain
        let limit = Boottime.milliseconds() + (arguments.duration(Table.watchFor) ?? .seconds(600)).wholeMilliseconds
        var course = Course()
        var lastLine: Int64?
        var waiting: Int64 = -1
        while true {
            let now = Boottime.milliseconds()
            let line: String
            switch ControlClient.ask(.outbox, path: control) {
            case .success(let answer):
                let report = answer["outbox"] ?? .null
                waiting = report["waiting"]?.int ?? 0
                course.take(report, now: now)
                line = asJSON ? report.written : course.line(report, cells: isBar ? cells : 0)
            case .failure(let error):
                // It may be on its way up again; before the first answer it is a mistake.
                if waiting < 0 { return OutboxCommand.fail(error.description) }
                line = asJSON ? "" : "the agent does not answer"
            }
            let isOver = waiting == 0 || now >= limit
            if isBar {
                Terminal.out("\r\(line)\u{1B}[K" + (isOver ? "\n" : ""))
            } else if !line.isEmpty, asJSON || isOver || lastLine.map({ now - $0 >= lineEvery }) ?? true {
                Terminal.out(line + "\n")
                lastLine = now
            }
            Terminal.flush()
            if waiting == 0 { return 0 }
            if isOver { return OutboxCommand.fail("the time is over, and \(OutboxText.number(waiting)) messages wait") }
            if Terminal.isBroken { return 1 }
            usleep(pause)
        }
    }

    /// What was seen of a drain so far.
    struct Course {
        private var first: Int64?
        private var samples: [(at: Int64, acknowledged: Int64, waiting: Int64)] = []

        init() {}

        /// Sequence numbers count messages, within an epoch.
        private static func acknowledged(_ report: JSONValue) -> Int64 {
            (report["topics"]?.elements ?? []).reduce(0) { sum, topic in
                sum + (topic["acknowledged"]?.text.flatMap { Int64($0.suffix(14)) } ?? 0)
            }
        }

        mutating func take(_ report: JSONValue, now: Int64) {
            let acknowledged = Self.acknowledged(report)
            if first == nil { first = acknowledged }
            samples.append((now, acknowledged, report["waiting"]?.int ?? 0))
            if samples.count > 10 { samples.removeFirst() }
        }

        /// `draining [####....] 42 %, 42 000 of 100 000, 1 480/s, about 40s left`; what holds it up, where nothing moves.
        func line(_ report: JSONValue, cells: Int) -> String {
            guard let last = samples.last, let begin = samples.first, let first else { return "" }
            if last.waiting == 0 { return "nothing waits" }
            let waiting = OutboxText.number(last.waiting)
            if let obstacle = OutboxText.obstacle(report) { return "\(waiting) wait: \(obstacle)" }
            let done = last.acknowledged - first
            let of = max(1, done + last.waiting)
            let seconds = Double(max(1, last.at - begin.at)) / 1000
            let rate = Double(last.acknowledged - begin.acknowledged) / seconds
            let net = Double(begin.waiting - last.waiting) / seconds
            let full = Int(Double(done) / Double(of) * Double(cells))
            let bar =
                cells > 0
                ? "[\(String(repeating: "#", count: full))\(String(repeating: ".", count: cells - full))] " : ""
            let left =
                net > 0
                ? "about \(OutboxText.length(Int64((Double(last.waiting) / net).rounded(.up)))) left"
                : "no end in sight"
            return "draining \(bar)\(done * 100 / of) %, \(OutboxText.number(done)) of \(OutboxText.number(of)), "
                + "\(OutboxText.number(Int64(rate.rounded())))/s, \(left)"
        }
    }
}
