import Lane
import Loop
import Rules

/// The engine on a busy lane's stream, with 3 rules and with 100 and 1000 more that do not match.
enum RuleBenchmark {
    static let sizes = [3, 103, 1003]
    static let lane = LaneIdentity(store: "1", lane: "L07")

    static func ruleFile(_ count: Int) -> String {
        var text = """
            format: 1
            states:
              basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle|void|closed}
            rules:
              - {id: payment-timeout, on: payment.started, unless: [payment.approved, payment.declined], same: pay, within: 45s, severity: warning}
              - {id: three-declines, on: payment.declined, count: 3, within: 2m, unless: payment.approved, severity: warning, clear_after: 10m}
              - {id: abandoned-basket, when: basket is open, for: 60s, unless: [touch, scan.read, item.accepted, scale.stable], severity: info}

            """
        // Half on types that the stream has, with values that it has not; half on types that it has not.
        for i in 0..<max(0, count - 3) {
            text +=
                i % 2 == 0
                ? "  - {id: r\(i), on: item.refused where reason = reason\(i), severity: info, clear_after: 1m}\n"
                : "  - {id: r\(i), on: pos.state where state = state\(i), severity: info, clear_after: 1m}\n"
        }
        return text
    }

    static func table(_ count: Int) -> RuleTable {
        let loaded = RuleFile.load(files: [("bench.yaml", Array(ruleFile(count).utf8))])
        guard let set = loaded.ruleSet else {
            fatalError(loaded.diagnostics.map { $0.rendered() }.joined())
        }
        return RuleTable(set, lane: lane)
    }

    /// A customer after the other: the stream that a lane makes, without pauses longer than a second.
    static func stream(_ count: Int) -> [StampedSignal] {
        var signals: [StampedSignal] = []
        signals.reserveCapacity(count)
        var at: Int64 = 1_767_607_200_000
        var customer = 0
        func add(_ type: SignalType, _ attributes: [Attribute] = []) {
            at += 137
            signals.append(
                StampedSignal(
                    number: Int64(signals.count + 1), at: LaneInstant(milliseconds: at),
                    wall: WallInstant(milliseconds: at), signal: Signal(type, attributes, feed: .pos)))
        }
        while signals.count < count {
            customer += 1
            let txn = Attribute(.txn, .text("T\(customer)"))
            add(.posState, [Attribute(.state, .text("basket_open")), txn])
            for item in 0..<8 {
                let sku = AttributeValue.text("40063813339\(item)1")
                add(.touch, [Attribute(.x, .int(10)), Attribute(.y, .int(20))])
                add(
                    .scanRead,
                    [Attribute(.code, sku), Attribute(.sym, .text("EAN-13")), Attribute(.check, .text("ok"))])
                add(.itemAccepted, [Attribute(.sku, sku), txn, Attribute(.price, .int(349))])
                add(.screenChanged, [Attribute(.screen, .text("basket"))])
                add(.scaleStable, [Attribute(.grams, .int(512))])
            }
            let pay = Attribute(.pay, .text("P\(customer)"))
            add(.posState, [Attribute(.state, .text("payment")), txn])
            add(.paymentStarted, [pay, txn, Attribute(.amount, .int(2548))])
            add(.heartbeat, [Attribute(.cpu, .int(12))])
            add(.paymentApproved, [pay, txn])
            add(.posState, [Attribute(.state, .text("idle")), txn])
        }
        return signals
    }

    static func run(signals count: Int = 1_000_000, repeats: Int = 11) {
        let signals = stream(count)
        var lines: [[UInt8]] = []
        lines.reserveCapacity(signals.count)
        for signal in signals {
            var json = JSONWriter()
            SignalLine.write(signal, lane: "L07", into: &json)
            lines.append(json.bytes)
        }
        let tables = sizes.map { table($0) }
        var parsed = sizes.map { _ in Samples() }
        var fromJSON = sizes.map { _ in Samples() }
        var visited = sizes.map { _ in 0.0 }
        var ratio = sizes.map { _ in Samples() }
        var state = sizes.map { _ in 0 }
        // Interleaved, so that what else the machine does meets all sizes alike.
        for _ in 0..<repeats {
            for (place, table) in tables.enumerated() {
                var engine = RuleEngine(table: table)
                let begin = Boottime.nanoseconds()
                var changes = 0
                for signal in signals { changes += engine.step(signal).changes.count }
                parsed[place].add(Double(signals.count) / (Double(Boottime.nanoseconds() - begin) / 1e9))
                visited[place] = Double(engine.counts.visited) / Double(signals.count)
                state[place] = engine.snapshot().count
                fromJSON[place].add(json(lines, table))
                // Of the same round, so that what slows the machine down slows both.
                ratio[place].add((parsed[place].values.last ?? 0) / (parsed[0].values.last ?? 1))
            }
        }
        var figures = Table(
            "Rules: signals a second on one core",
            ["rules", "parsed", "of 3 rules", "from JSON", "handlers a signal", "state, bytes"])
        for (place, size) in sizes.enumerated() {
            figures.add(
                "\(size)", thousands(parsed[place].median), round(ratio[place].median, 3),
                thousands(fromJSON[place].median), round(visited[place], 3), "\(state[place])")
        }
        figures.show()
        steps(signals, tables)
        check()
        scenarios()
    }

    private static func json(_ lines: [[UInt8]], _ table: RuleTable) -> Double {
        var engine = RuleEngine(table: table)
        let begin = Boottime.nanoseconds()
        for line in lines {
            let parsed = line.withUnsafeBytes { try? SignalLine(parsing: $0) }
            guard let parsed, let number = parsed.number, let at = parsed.at else { continue }
            _ = engine.step(
                StampedSignal(
                    number: number, at: at, wall: WallInstant(milliseconds: at.milliseconds),
                    signal: Signal(parsed.type, parsed.attributes, feed: .pos)))
        }
        return Double(lines.count) / (Double(Boottime.nanoseconds() - begin) / 1e9)
    }

    private static func steps(_ signals: [StampedSignal], _ tables: [RuleTable]) {
        var figures = Table("Rules: one step, µs (clock included)", ["rules", "p50", "p99", "p99.9"])
        for (place, table) in tables.enumerated() {
            var engine = RuleEngine(table: table)
            var samples = Samples()
            for signal in signals.prefix(200_000) {
                let begin = Boottime.nanoseconds()
                _ = engine.step(signal)
                samples.add(Double(Boottime.nanoseconds() - begin) / 1e3)
            }
            figures.add(
                "\(sizes[place])", round(samples.median, 2), round(samples.quantile(0.99), 2),
                round(samples.quantile(0.999), 2))
        }
        figures.show()
    }

    private static func check() {
        let text = Array(ruleFile(1003).utf8)
        var load = Samples()
        var swap = Samples()
        let old = table(1003)
        for _ in 0..<20 {
            var begin = Boottime.nanoseconds()
            let set = RuleFile.load(files: [("bench.yaml", text)]).ruleSet
            guard let set else { continue }
            let new = RuleTable(set, lane: lane)
            load.add(Double(Boottime.nanoseconds() - begin) / 1e6)
            var engine = RuleEngine(table: old)
            for signal in stream(2000) { _ = engine.step(signal) }
            begin = Boottime.nanoseconds()
            _ = engine.adopt(
                new, at: LaneInstant(milliseconds: 1_767_700_000_000),
                wall: WallInstant(milliseconds: 1_767_700_000_000))
            swap.add(Double(Boottime.nanoseconds() - begin) / 1e6)
        }
        var figures = Table("Rules: reload of 1003 rules, ms", ["what", "median", "worst"])
        figures.add("read, check, compile", round(load.median, 2), round(load.quantile(1), 2))
        figures.add("pause at the swap", round(swap.median, 3), round(swap.quantile(1), 3))
        figures.show()
    }

    /// What `lanewatch test` does with a hundred tests of ten minutes each: read them, run them, with notes and without.
    private static func scenarios() {
        var text = "tests:\n"
        for number in 0..<100 {
            text += "  - name: customer \(number)\n    given:\n"
            for (place, signal) in stream(60).enumerated() {
                let attributes = signal.signal.attributes.map { " \($0.name.name)=\($0.value)" }.joined()
                text += "      - \(place * 9 + number % 9)s \(signal.signal.type.name)\(attributes)\n"
            }
            text += "    expect: []\n"
        }
        var figures = Table(
            "Rules: 100 tests of ten minutes with 60 signals each, ms", ["what", "median", "worst"])
        var (read, run, noted) = (Samples(), Samples(), Samples())
        let set = RuleFile.load(files: [("bench.yaml", Array(ruleFile(3).utf8))]).ruleSet ?? RuleSet()
        for _ in 0..<20 {
            var begin = Boottime.nanoseconds()
            func lap(_ samples: inout Samples) {
                samples.add(Double(Boottime.nanoseconds() - begin) / 1e6)
                begin = Boottime.nanoseconds()
            }
            let file = RuleTestFile.load(name: "bench.test.yaml", bytes: Array(text.utf8)).file
            lap(&read)
            var changes = 0
            for test in file?.tests ?? [] { changes += test.run(set).found.count }
            lap(&run)
            for test in file?.tests ?? [] { changes += test.run(test.table(set), noting: Noting()).notes.count }
            lap(&noted)
            precondition(file?.tests.count == 100 && changes > 0)
        }
        figures.add("read the test file", round(read.median, 1), round(read.quantile(1), 1))
        figures.add("run", round(run.median, 1), round(run.quantile(1), 1))
        figures.add("run with notes (--explain, --coverage)", round(noted.median, 1), round(noted.quantile(1), 1))
        figures.show()
    }
}
