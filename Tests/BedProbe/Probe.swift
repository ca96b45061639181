import Feeds
import Glibc
import Lane
import Loop

/// Runs the evdev and hotplug feeds over one allow-list and prints what they say, a line each:
///
/// ```
/// signal scan.read code=4006381333931 check=ok
/// gap evdev scanner SYN_DROPPED
/// note info input device opened device=scanner port=/dev/input/event3
/// counts evdev in=3 out=2 held=0 dropped=1 balanced
/// ```
/// The list is its argument: a JSON array of objects with `role`, `kind`, and of `name vendor product phys link property`
/// and `layout prefix suffix terminators gap silence minimum` what is wanted. SIGUSR1 makes it print its counts, SIGUSR2
/// its wake-ups so far, SIGTERM stop.
@main struct Probe {
    static func main() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGUSR1, SIGUSR2, SIGTERM] { sigaddset(&signals, signal) }
        // Before any thread is started: all inherit it, and only `sigwait` below sees them.
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard CommandLine.arguments.count == 2, let rules = rules(CommandLine.arguments[1]) else {
            print("usage: bed-probe JSON")
            exit(2)
        }
        Task { @LoopActor in Feeding.start(rules) }
        while true {
            var signal: Int32 = 0
            sigwait(&signals, &signal)
            let received = signal
            Task { @LoopActor in Feeding.handle(received) }
        }
    }

    private static func rules(_ text: String) -> [EvdevDeviceRule]? {
        guard let elements = (try? JSONValue(parsing: text))?.elements else { return nil }
        var rules: [EvdevDeviceRule] = []
        for element in elements {
            guard let role = element["role"]?.text, let kind = element["kind"]?.text.flatMap(EvdevDeviceRule.Kind.init)
            else { return nil }
            var match = DeviceMatch()
            match.name = element["name"]?.text
            match.vendor = element["vendor"]?.text.flatMap { UInt16($0, radix: 16) }
            match.product = element["product"]?.text.flatMap { UInt16($0, radix: 16) }
            match.phys = element["phys"]?.text
            match.link = element["link"]?.text
            if let pair = element["property"]?.text?.split(separator: "="), pair.count == 2 {
                match.properties = [String(pair[0]): String(pair[1])]
            }
            var rule = EvdevDeviceRule(role: role, kind: kind, match: match)
            if let layout = element["layout"]?.text { rule.scan.layout = layout }
            if let prefix = element["prefix"]?.text { rule.scan.prefix = prefix }
            if let suffix = element["suffix"]?.text { rule.scan.suffix = suffix }
            if let names = element["terminators"]?.elements {
                rule.scan.terminators = Set(names.compactMap { $0.text.flatMap(ScanOptions.Terminator.init) })
            }
            if let gap = element["gap"]?.int { rule.scan.gapMilliseconds = Int(gap) }
            if let silence = element["silence"]?.int { rule.scan.silenceMilliseconds = Int(silence) }
            if let minimum = element["minimum"]?.int { rule.scan.minimumLength = Int(minimum) }
            rules.append(rule)
        }
        return rules
    }
}

@LoopActor enum Feeding {
    private static var feeds: [any Feed] = []
    private static let sink = LineSink()

    static func start(_ rules: [EvdevDeviceRule]) {
        for rule in rules {
            for problem in rule.problems() { LineSink.say("problem \(problem)") }
        }
        let monitor = DeviceMonitor()
        feeds = [HotplugFeed(rules: rules, monitor: monitor), EvdevFeed(rules: rules, monitor: monitor)]
        for feed in feeds {
            do throws(FeedError) { try feed.start(sink) } catch {
                LineSink.say("failed \(error)")
                exit(1)
            }
        }
        LineSink.say("started")
    }

    static func handle(_ signal: Int32) {
        switch signal {
        case SIGUSR1: tellCounts()
        case SIGUSR2: LineSink.say("wakeups \(EventLoop.shared.wakeUps)")
        default:
            for feed in feeds.reversed() { feed.stop() }
            tellCounts()
            exit(0)
        }
    }

    private static func tellCounts() {
        for feed in feeds {
            let counts = feed.counts
            let balance = counts.isBalanced ? "balanced" : "UNBALANCED"
            LineSink.say(
                "counts \(feed.kind.rawValue) in=\(counts.in) out=\(counts.out) held=\(counts.held) "
                    + "dropped=\(counts.droppedTotal) \(balance)")
        }
    }
}

final class LineSink: FeedSink {
    var room: Int { 1000 }

    func receive(_ reading: Reading) {
        switch reading {
        case .gap(let gap): Self.say("gap \(gap.feed.rawValue) \(gap.subject) \(gap.reason)")
        case .signal(let signal):
            let attributes = signal.attributes.map { " \($0.name.name)=\($0.value)" }.joined()
            Self.say("signal \(signal.type.name)\(attributes)")
        }
    }

    func receive(_ signal: Signal, answer: @escaping @LoopActor (Result<Int64, AcceptFault>) -> Void) {
        receive(.signal(signal))
        answer(.success(0))
    }

    func whenRoom(_ resume: @escaping @LoopActor () -> Void) { resume() }

    func note(_ notice: Notice) {
        let fields = notice.fields.map { " \($0.key)=\($0.value)" }.joined()
        Self.say("note \(notice.level) \(notice.message)\(fields)")
    }

    /// Control characters are shown as `\x1d`, so that a line stays one.
    nonisolated static func say(_ text: String) {
        var line = ""
        for scalar in text.unicodeScalars {
            if scalar.value < 32 {
                let digits = String(scalar.value, radix: 16)
                line += "\\x" + (digits.count < 2 ? "0" : "") + digits
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        var bytes = Array((line + "\n").utf8)
        _ = write(1, &bytes, bytes.count)
    }
}
