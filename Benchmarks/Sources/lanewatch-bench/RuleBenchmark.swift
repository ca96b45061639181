import Lane
import Loop
import Rules

/// The engine on a busy lane's stream: with 3 rules, with the shipped ones, and with many more that never match.
///
/// Rates and the reload are of the thread's own time on a processor, so that what else the machine does does not count.
struct RuleBenchmark {
    private struct Case {
        var name: String
        var table: RuleTable
        /// The case that this one has more rules than.
        var base: Int
        var parsed = Samples()
        var fromJSON = Samples()
        /// Of the base's rate in the same round, so that what slows the machine down slows both.
        var ratio = Samples()
        var visited = 0.0
        var snapshot = 0
        /// Of one step, in µs, the clock's reading included.
        var steps = Samples()
    }

    private var cases: [Case] = []
    private var targets = Targets("Rules: what they must show")

    /// - Parameter folder: of the shipped rules.
    static func run(_ program: String, rules folder: String, signals count: Int = 1_000_000, repeats: Int = 9) throws {
        var benchmark = RuleBenchmark()
        for size in [3, 103, 1003] { benchmark.add("\(size)", BenchmarkRules.synthetic(size), base: 0) }
        if let shipped = BenchmarkRules.shipped(folder), let more = BenchmarkRules.shipped(folder, more: 1000) {
            benchmark.add("\(shipped.rules.count), shipped", shipped, base: 3)
            benchmark.add("\(shipped.rules.count), shipped, and 1000 more", more, base: 3)
        }
        benchmark.measure(LaneStream.first(count), repeats: repeats)
        benchmark.show(repeats)
        benchmark.reload()
        RuleMemory.run(rules: folder, &benchmark.targets)
        try ReplayBenchmark.run(program, &benchmark.targets)
        try ScenarioBenchmark.run(program, rules: folder, &benchmark.targets)
        benchmark.targets.show()
    }

    private mutating func add(_ name: String, _ set: RuleSet, base: Int) {
        cases.append(Case(name: name, table: BenchmarkRules.table(set), base: base))
    }

    private mutating func measure(_ signals: [StampedSignal], repeats: Int) {
        let lines = signals.lines(lane: "L07")
        // In turns, so that what else the machine does meets all alike.
        for _ in 0..<repeats {
            for place in cases.indices {
                var engine = RuleEngine(table: cases[place].table)
                let begin = ThreadClock.seconds()
                for signal in signals { _ = engine.step(signal) }
                let rate = Double(signals.count) / (ThreadClock.seconds() - begin)
                cases[place].parsed.add(rate)
                cases[place].ratio.add(rate / (cases[cases[place].base].parsed.values.last ?? rate))
                cases[place].visited = Double(engine.counts.visited) / Double(signals.count)
                cases[place].snapshot = engine.snapshot().count
                cases[place].fromJSON.add(Self.json(lines, cases[place].table))
            }
        }
        for place in cases.indices {
            var engine = RuleEngine(table: cases[place].table)
            for signal in signals.prefix(200_000) {
                let begin = Boottime.nanoseconds()
                _ = engine.step(signal)
                cases[place].steps.add(Double(Boottime.nanoseconds() - begin) / 1e3)
            }
        }
    }

    private static func json(_ lines: [[UInt8]], _ table: RuleTable) -> Double {
        var engine = RuleEngine(table: table)
        let begin = ThreadClock.seconds()
        for line in lines {
            let parsed = line.withUnsafeBytes { try? SignalLine(parsing: $0) }
            guard let parsed, let number = parsed.number, let at = parsed.at else { continue }
            _ = engine.step(
                StampedSignal(
                    number: number, at: at, wall: WallInstant(milliseconds: at.milliseconds),
                    signal: Signal(parsed.type, parsed.attributes, feed: .pos)))
        }
        return Double(lines.count) / (ThreadClock.seconds() - begin)
    }

    private mutating func show(_ repeats: Int) {
        var figures = Table(
            "Rules: one core, by its own time, median of \(repeats) rounds",
            [
                "rules", "parsed, signals/s", "of fewer rules", "from JSON Lines, signals/s", "handlers a signal",
                "snapshot, bytes", "step p50, µs", "p99", "p99.9",
            ])
        for one in cases {
            figures.add(
                one.name, thousands(one.parsed.median), round(one.ratio.median, 3), thousands(one.fromJSON.median),
                round(one.visited, 3), "\(one.snapshot)", round(one.steps.median, 2),
                round(one.steps.quantile(0.99), 2),
                round(one.steps.quantile(0.999), 2))
        }
        figures.show()

        for (name, some) in [("3 to 1003 rules", cases.prefix(3)), ("shipped rules", cases.dropFirst(3).prefix(1))] {
            let parsed = some.map(\.parsed.median), json = some.map(\.fromJSON.median)
            targets.add(
                "fast: at least 3 M parsed signals/s on one core, \(name)", Self.range(parsed, thousands),
                (parsed.min() ?? 0) >= 3e6)
            targets.add(
                "fast: at least 1 M/s, each parsed from JSON Lines, \(name)", Self.range(json, thousands),
                (json.min() ?? 0) >= 1e6)
        }
        for place in [2, 4] where place < cases.count {
            let (more, base) = (cases[place], cases[cases[place].base])
            targets.add(
                "flat: at most 5 % slower with 1000 more rules (\(base.name))",
                "\(round((1 - more.ratio.median) * 100, 1)) %", more.ratio.median >= 0.95)
            targets.add(
                "flat: handlers visited a signal unchanged", "\(round(base.visited, 3)), \(round(more.visited, 3))",
                base.visited == more.visited)
        }
        let steps = cases.map { $0.steps.quantile(0.99) }
        targets.add(
            "quick: step p99 at most 20 µs", Self.range(steps) { round($0, 2) } + " µs", (steps.max() ?? .nan) <= 20)
    }

    private static func range(_ values: [Double], _ text: (Double) -> String) -> String {
        let (least, most) = (text(values.min() ?? .nan), text(values.max() ?? .nan))
        return least == most ? least : "\(least) to \(most)"
    }

    private mutating func reload() {
        let text = Array(BenchmarkRules.file(1003).utf8)
        var load = Samples()
        var swap = Samples()
        let old = BenchmarkRules.table(BenchmarkRules.synthetic(1003))
        let signals = LaneStream.first(2000)
        for _ in 0..<20 {
            var begin = ThreadClock.seconds()
            let new = BenchmarkRules.table(BenchmarkRules.set([("bench.yaml", text)]))
            load.add((ThreadClock.seconds() - begin) * 1e3)
            var engine = RuleEngine(table: old)
            for signal in signals { _ = engine.step(signal) }
            let at = signals.last?.at.milliseconds ?? 0
            begin = ThreadClock.seconds()
            _ = engine.adopt(new, at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at))
            swap.add((ThreadClock.seconds() - begin) * 1e3)
        }
        var figures = Table("Rules: reload of 1003 rules, ms", ["what", "median", "worst"])
        figures.add("read, check, compile", round(load.median, 2), round(load.quantile(1), 2))
        figures.add("pause at the swap", round(swap.median, 3), round(swap.quantile(1), 3))
        figures.show()
        targets.add("quick: reload of 1000 rules at most 50 ms", "\(round(load.median, 1)) ms", load.median <= 50)
        targets.add(
            "quick: pause at the swap at most 1 ms",
            "\(round(swap.median, 2)) ms, at worst \(round(swap.quantile(1), 2))",
            swap.quantile(1) <= 1)
    }
}
