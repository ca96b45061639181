/// The tables of docs/reference/performance.md, ready to be taken over.
struct PeersTables {
    private let options: PeersBenchmark.Options
    private let figures: [String: PeerFigures]
    private let names: [String]
    private let bytes: Int

    init(_ options: PeersBenchmark.Options, _ figures: [String: PeerFigures], _ names: [String], bytes: Int) {
        self.options = options
        self.figures = figures
        self.names = names
        self.bytes = bytes
    }

    /// What drain and latency are compared with: the producer that has our settings.
    private var plain: PeerFigures? { figures["plain librdkafka, our settings"] }

    func show() {
        print("\n\(bytes) bytes a message, \(options.nodes) broker(s), medians of \(options.rounds) round(s)")
        speed()
        outage()
        memory()
        losses()
        targets()
    }

    private func rows(_ body: (PeerFigures, String) -> Void) {
        for name in names { if let found = figures[name] { body(found, name) } }
    }

    /// The median, with the range where there are several.
    private func text(_ samples: Samples, _ digits: Int) -> String {
        guard !samples.values.isEmpty else { return "–" }
        return round(samples.median, digits)
    }

    private func rate(_ samples: Samples) -> String { samples.values.isEmpty ? "–" : thousands(samples.median) }

    private func speed() {
        var table = Table(
            "Peers: load of \(PeersBenchmark.writers) writers; \(options.rate) lines a second",
            [
                "product", "accepted/s", "to Kafka and consumed/s", "CPU s per 100 k", "one by one", "p50, ms",
                "p99, ms",
                "of plain p50", "of plain p99",
            ])
        rows { found, name in
            table.add(
                name, rate(found.accepted), rate(found.throughput), text(found.cpu, 2), text(found.pacedCPU, 1),
                text(found.p50, 2),
                text(found.p99, 2), ratio(found.p50, plain?.p50), ratio(found.p99, plain?.p99))
        }
        table.show()
    }

    private func ratio(_ ours: Samples, _ plain: Samples?) -> String {
        guard let plain, !plain.values.isEmpty, !ours.values.isEmpty else { return "–" }
        return round(ours.median / plain.median, 2)
    }

    private func outage() {
        var table = Table(
            "Peers: \(options.lines) lines taken while cut off, then the path back",
            [
                "product", "accepted/s, cut off", "first consumed after, s", "all consumed after, s", "drained/s",
                "of plain",
            ])
        rows { found, name in
            table.add(
                name, rate(found.backlog), text(found.first, 2), text(found.drainSeconds, 2), rate(found.drain),
                ratio(found.drain, plain?.drain))
        }
        table.show()
    }

    private func memory() {
        var table = Table(
            "Peers: memory, MB", ["product", "RSS at rest", "PSS at rest", "RSS, most in the outage", "PSS, most"])
        rows { found, name in
            table.add(
                name, text(found.rssAtRest, 1), text(found.pssAtRest, 1), text(found.rssPeak, 1), text(found.pssPeak, 1)
            )
        }
        table.show()
    }

    private func losses() {
        var table = Table(
            "Peers: what came of the lines: lost / repeated / out of order",
            ["product", "taken", "all runs", "taken, then kill -9 in an outage", "after it"])
        rows { found, name in
            table.add(
                name, "\(found.taken)", "\(found.lost) / \(found.repeated) / \(found.reordered)",
                found.crash.map { "\($0.taken)" } ?? "–",
                found.crash.map { "\($0.lost) / \($0.repeated) / \($0.reordered)" } ?? "–")
        }
        table.show()
    }

    private func targets() {
        guard let ours = figures["Lanewatch"] else { return }
        var targets = Targets("Peers: targets")
        func add(_ target: String, _ figure: Double, _ text: String, _ holds: Bool) {
            targets.add(target, figure.isFinite ? text : "–", figure.isFinite && holds)
        }
        let accepted = ours.accepted.median
        add("at least 40 k events/s accepted durably", accepted, thousands(accepted), accepted >= 40_000)
        let cpu = ours.cpu.median
        add("at most 2 CPU s per 100 k", cpu, round(cpu, 2), cpu <= 2)
        let p50 = ours.p50.median
        add("p50 at most 2 ms at \(options.rate)/s", p50, round(p50, 2) + " ms", p50 <= 2)
        if let plain {
            let p99 = ours.p99.median / plain.p99.median
            add("p99 within 3 times plain librdkafka's", p99, round(p99, 2), p99 <= 3)
            let drain = ours.drain.median / plain.drain.median
            add("drain at least half of plain librdkafka's rate", drain, round(drain, 2), drain >= 0.5)
        }
        let drained = 20_000 / ours.drain.median
        add("20 000 events drained within 2 s", drained, round(drained, 2) + " s at that rate", drained <= 2)
        let faults = ours.lost + ours.reordered + (ours.crash.map { $0.lost + $0.reordered } ?? 0)
        add("none lost, none out of order", Double(faults), "\(faults)", faults == 0)
        targets.show()
    }
}
