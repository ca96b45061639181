import Glibc
import Loop
import Synchronization

/// The lives of a product, and what is measured in them.
final class PeersTrial {
    private let options: PeersBenchmark.Options
    private let kafka: RealKafka
    private let reader: TopicReader
    private let templateFile: String
    private var template: Template?
    /// Numbers of lines are given out once.
    private var next = 0
    private(set) var figures: [String: PeerFigures] = [:]

    var bytes: Int { template?.bytes ?? 0 }

    init(_ options: PeersBenchmark.Options, _ kafka: RealKafka, _ reader: TopicReader, templateFile: String) {
        self.options = options
        self.kafka = kafka
        self.reader = reader
        self.templateFile = templateFile
        next = 2
    }

    private func make(_ product: Product, _ bootstrap: String) throws -> ProductProcess {
        try ProductProcess(
            product, bootstrap: bootstrap, program: options.program, bench: options.bench, template: templateFile,
            settings: options.settings)
    }

    /// Ranges of `count` lines in all, one a writer.
    private func ranges(_ count: Int, writers: Int) -> [Ledger.Range] {
        let each = max(2, count / writers / 2 * 2)
        return (0..<writers).map { _ in
            defer { next += each }
            return Ledger.Range(first: next, count: each)
        }
    }

    private func lines(of process: ProductProcess) -> @Sendable (Int) -> [UInt8] {
        guard !process.isOurs, let template else { return { Array(Lines.ours($0).utf8) } }
        return { template.line($0) + [10] }
    }

    // MARK: Before

    /// Has our agent make two messages: what the others are given to carry.
    func makeTemplate() throws {
        let ours = Product(name: "Lanewatch", topic: Product.oursTopic, kind: .ours)
        let process = try make(ours, kafka.direct)
        defer { process.end() }
        try process.start()
        let number = PlainChild.templateNumber
        let samples = reader.sample(2, within: 30) {
            Peer(process.socketPath)?.write(Lines.ours(number) + Lines.ours(number + 1))
            usleep(200_000)
        }
        guard let samples, let template = Template(samples, of: number) else {
            throw RealKafka.Failure(description: "no messages of ours came: \(Text.file(process.folder.path + "/log"))")
        }
        self.template = template
        let file = open(templateFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let text = Array(template.file.utf8)
        guard write(file, text, text.count) == text.count else { throw SystemError("write") }
        close(file)
    }

    /// A fresh JVM is slow: some hundred thousand messages, until the rate grows no more, and a few seconds one by one.
    func warmUp() throws {
        let plain = Product(name: "warm", topic: "plain", kind: .plain(wide: false))
        let process = try make(plain, kafka.direct)
        defer { process.end() }
        try process.start()
        var best = 0.0
        for turn in 1...10 {
            let count = max(2000, options.lines / 2)
            let range = ranges(count, writers: 1)
            let ledger = Ledger(range)
            reader.follow(ledger)
            let begin = Boottime.nanoseconds()
            process.tell("\(range[0].first) \(range[0].count) 0")
            ledger.wait(for: range[0].count, patience: 20, limit: 60)
            while let word = process.hear(within: 20), word != "done" {}
            let rate = Double(range[0].count) / (Double(Boottime.nanoseconds() - begin) / 1e9)
            Progress.say("warming up: \(thousands(rate)) messages/s")
            if turn > 3, rate < best * 1.05 { break }
            best = max(best, rate)
        }
        let range = ranges(600, writers: 1)
        let ledger = Ledger(range)
        reader.follow(ledger)
        process.tell("\(range[0].first) \(range[0].count) 400")
        ledger.wait(for: range[0].count, patience: 10, limit: 30)
    }

    /// A few lines, until they are through: it is connected.
    private func connect(_ process: ProductProcess, count: Int = 100) throws {
        let range = ranges(count, writers: 1)
        let ledger = Ledger(range)
        reader.follow(ledger)
        if process.isPlain {
            process.tell("\(range[0].first) \(range[0].count) 0")
            while let word = process.hear(within: 30), word != "done" {}
        } else {
            _ = Writers.pace(process.socketPath, range[0], rate: 500, line: lines(of: process))
        }
        ledger.wait(for: range[0].count, patience: 30, limit: 30)
        guard ledger.arrived > 0 else {
            throw RealKafka.Failure(description: "nothing arrives: \(Text.file(process.folder.path + "/log"))")
        }
    }

    // MARK: Straight to the brokers

    func direct(_ product: Product) throws {
        let process = try make(product, kafka.direct)
        defer { process.end() }
        try process.start()
        try connect(process)
        var found = figures[product.name] ?? PeerFigures()
        let rest = process.memory
        found.rssAtRest.add(rest.rss)
        found.pssAtRest.add(rest.pss)
        pace(process, &found)
        load(process, &found)
        figures[product.name] = found
    }

    private func pace(_ process: ProductProcess, _ found: inout PeerFigures) {
        let range = ranges(options.paced, writers: 1)[0]
        let ledger = Ledger([range])
        reader.follow(ledger)
        var sent: [Int64] = []
        let cpu = process.cpu
        if process.isPlain {
            process.tell("\(range.first) \(range.count) \(options.rate)")
            while let word = process.hear(within: 30), word != "done" {
                if let moment = Int64(word) { sent.append(moment) }
            }
        } else {
            sent = Writers.pace(process.socketPath, range, rate: options.rate, line: lines(of: process))
        }
        ledger.wait(for: range.count, patience: 10, limit: 60)
        var samples = Samples()
        for (place, moment) in sent.enumerated() {
            guard let arrival = ledger.arrival(of: range.first + place) else { continue }
            samples.add(Double(arrival - moment) / 1e6)
        }
        found.pacedCPU.add((process.cpu - cpu) / Double(range.count) * 100_000)
        found.p50.add(samples.median)
        found.p99.add(samples.quantile(0.99))
        found.pacedMissing += range.count - samples.values.count
        count(ledger, [range.count], &found)
    }

    private func load(_ process: ProductProcess, _ found: inout PeerFigures) {
        let lines = Int(Double(options.lines) * process.product.share)
        let ranges = ranges(lines, writers: process.isPlain ? 1 : PeersBenchmark.writers)
        let ledger = Ledger(ranges)
        reader.follow(ledger)
        let cpu = process.cpu
        let threads = AgentProcess.threadSeconds(of: process.pid)
        let begin = Boottime.nanoseconds()
        let accepted: [Int]
        if process.isPlain {
            process.tell("\(ranges[0].first) \(ranges[0].count) 0")
            while let word = process.hear(within: 60), word != "done" {}
            accepted = [ranges[0].count]
        } else {
            let result = Writers.run(
                process.socketPath, ranges, answered: process.isOurs, limit: 15, line: self.lines(of: process))
            accepted = result.accepted
            found.accepted.add(Double(result.total) / result.seconds)
            Progress.say(
                "  \(result.total) lines taken in \(round(result.seconds, 2)) s, \(ledger.arrived) consumed by then")
        }
        let total = accepted.reduce(0, +)
        ledger.wait(for: total, patience: 6, limit: 60)
        // What is written down after the last acknowledgement belongs to it.
        usleep(300_000)
        let each = 100_000 / Double(ledger.arrived)
        found.cpu.add((process.cpu - cpu) * each)
        let spent = AgentProcess.threadSeconds(of: process.pid).merging(threads) { $0 - $1 }
        let shares = spent.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(6)
        Progress.say(
            "  CPU s per 100 k: " + shares.map { "\($0.key) \(round($0.value * each, 2))" }.joined(separator: ", "))
        found.throughput.add(Double(ledger.arrived) / (Double(ledger.lastAt - begin) / 1e9))
        count(ledger, accepted, &found)
    }

    private func count(_ ledger: Ledger, _ accepted: [Int], _ found: inout PeerFigures) {
        found.taken += accepted.reduce(0, +)
        found.lost += ledger.lost(of: accepted)
        found.repeated += ledger.repeated
        found.reordered += ledger.reordered
    }

    // MARK: An outage

    func outage(_ product: Product) throws {
        let process = try make(product, kafka.switched)
        defer { process.end() }
        try process.start()
        try connect(process)
        var found = figures[product.name] ?? PeerFigures()
        let watch = MemoryWatch(process)
        let lines = Int(Double(options.lines) * product.share)
        let ranges = ranges(lines, writers: process.isPlain ? 1 : 2)
        let ledger = Ledger(ranges)
        reader.follow(ledger)
        kafka.path.cut()
        var accepted = [ranges[0].count]
        if process.isPlain {
            process.tell("\(ranges[0].first) \(ranges[0].count) 0")
        } else {
            let result = Writers.run(
                process.socketPath, ranges, answered: process.isOurs, limit: 12, line: self.lines(of: process))
            accepted = result.accepted
            found.backlog.add(Double(result.total) / result.seconds)
        }
        usleep(2_000_000)
        let before = ledger.arrived
        let back = Boottime.nanoseconds()
        try kafka.path.restore()
        let total = accepted.reduce(0, +)
        ledger.wait(for: total, patience: 12, limit: 60)
        let memory = watch.stop()
        let seconds = Double(ledger.lastAt - back) / 1e9
        found.first.add(Double(ledger.firstAt - back) / 1e9)
        found.drainSeconds.add(seconds)
        found.drain.add(Double(ledger.arrived - before) / (Double(ledger.lastAt - ledger.firstAt) / 1e9))
        found.rssPeak.add(memory.rss)
        found.pssPeak.add(memory.pss)
        if process.isPlain { while let word = process.hear(within: 20), word != "done" {} }
        count(ledger, accepted, &found)
        figures[product.name] = found
    }

    /// Cut off, some lines taken, then kill -9, a start and the path back: what is left of them.
    func crash(_ product: Product) throws {
        guard case .plain = product.kind else {
            let process = try make(product, kafka.switched)
            defer { process.end() }
            try process.start()
            try connect(process)
            let ranges = ranges(max(2000, options.lines / 20), writers: 2)
            let ledger = Ledger(ranges)
            reader.follow(ledger)
            kafka.path.cut()
            let result = Writers.run(
                process.socketPath, ranges, answered: process.isOurs, limit: 8, line: lines(of: process))
            usleep(500_000)
            process.kill(SIGKILL)
            try process.start()
            try kafka.path.restore()
            ledger.wait(for: result.total, patience: 8, limit: 40)
            figures[product.name, default: PeerFigures()].crash = (
                result.total, ledger.lost(of: result.accepted), ledger.repeated, ledger.reordered
            )
            return
        }
    }
}

/// The most memory that a process had while it was watched.
final class MemoryWatch: Sendable {
    private struct State {
        var rss = 0.0
        var pss = 0.0
        var isOver = false
    }

    private let state = Mutex(State())
    private let left = Countdown(1)

    init(_ process: ProductProcess) {
        let pid = process.pid
        startThread(name: "memory") { [self] in
            while !state.withLock({ $0.isOver }) {
                let memory = ProductProcess.memory(of: pid)
                state.withLock { state in
                    if memory.rss > state.rss { state.rss = memory.rss }
                    if memory.pss > state.pss { state.pss = memory.pss }
                }
                usleep(100_000)
            }
            _ = left.isLast()
        }
    }

    func stop() -> (rss: Double, pss: Double) {
        state.withLock { $0.isOver = true }
        left.wait(5)
        return state.withLock { ($0.rss, $0.pss) }
    }
}
