import Glibc
import Lane
import Loop

/// Ours beside SEC, the event correlator in Debian: the same lines, the same rules, in turns, each as a process of its own.
struct SECBenchmark {
    static let sizes = [3, 103, 1003]
    /// Lines of a run: as many as SEC takes for a few seconds, on any number of rules. Ours takes the long recording.
    private static let lines: [SECRules.Layout: [Int: Int]] = [
        .jumps: [3: 100_000, 103: 60_000, 1003: 12_000],
        .flat: [3: 50_000, 103: 8_000, 1003: 1_000],
    ]
    private static let ours = 1_000_000
    private static let rounds = 3

    private let program: String
    private let folder = Folder()
    private var faults = 0

    static func run(_ program: String) throws {
        var benchmark = SECBenchmark(program: program)
        guard ProgramRun(["sec", "--version"], output: benchmark.path("out"))?.code == 0 else {
            print("\nbenchmark: sec is not installed; `apt-get install sec` (make setup does)")
            return
        }
        try benchmark.prepare()
        try benchmark.prove()
        try benchmark.race()
    }

    private init(program: String) {
        self.program = program
        folder.expect("out", "ours.out", "sec.out", "errors")
    }

    private func path(_ name: String) -> String { folder.path + "/" + name }

    private func recording(_ lines: Int) -> String { "stream-\(lines).jsonl" }

    private func configuration(_ size: Int, _ layout: SECRules.Layout, _ file: String) -> String {
        "\(layout == .flat ? "flat" : "jumps")-\(size)-\(file)"
    }

    private func prepare() throws {
        let counts = Set(Self.lines.values.flatMap(\.values) + [Self.ours])
        let all = LaneStream.first(Self.ours).lines(lane: "L07")
        for count in counts { try folder.write(recording(count), lines: all.prefix(count)) }
        try folder.write("empty.jsonl", "")
        for size in Self.sizes {
            try folder.write("rules-\(size).yaml", BenchmarkRules.file(size))
            for layout in [SECRules.Layout.flat, .jumps] {
                for file in SECRules.files(size, layout) {
                    try folder.write(configuration(size, layout, file.name), file.text)
                }
            }
        }
    }

    // MARK: The two programs

    private mutating func lanewatch(_ size: Int, _ recording: String) -> ProgramRun? {
        checked(
            [program, "replay", "--rules", path("rules-\(size).yaml"), path(recording)], output: path("ours.out"))
    }

    private mutating func sec(_ size: Int, _ layout: SECRules.Layout, _ recording: String) -> ProgramRun? {
        checked(
            [
                "sec", "--conf=" + path(configuration(size, layout, "*.sec")), "--input=" + path(recording), "--notail",
                "--debug=3",
            ],
            output: path("sec.out"))
    }

    private mutating func checked(_ words: [String], output: String) -> ProgramRun? {
        let run = ProgramRun(words, output: output, errors: path("errors"))
        if run == nil || run?.code != 0 {
            faults += 1
            print("benchmark: \(words.joined(separator: " ")) ended with \(run?.code ?? -1)")
        }
        return run
    }

    /// What was raised and cleared: `raise three-declines`, without times, in alphabetical order.
    private func decisions(_ output: String) -> [String] {
        var found: [String] = []
        for line in Text.file(path(output)).split(whereSeparator: \.isNewline) {
            var words = line.split(separator: " ").map(String.init)
            // Ours says when, and how severe: `45s raise payment-timeout pay=P1 warning`.
            if let first = words.first, first != "raise", first != "clear" { words.removeFirst() }
            if let last = words.last, ["info", "warning", "critical"].contains(last) { words.removeLast() }
            found.append(words.joined(separator: " "))
        }
        return found.sorted()
    }

    // MARK: The proof

    /// With the lines' time in the place of SEC's clock, on a stream in which all three rules fire and clear: the same decisions.
    private mutating func prove() throws {
        let count = 20_000
        let stream = LaneStream.first(count, troubles: [.declines, .lateAnswers, .idleBaskets, .unanswered])
        try folder.write("proof.jsonl", lines: stream.lines(lane: "L07")[...])
        try folder.write("VirtualTime.pm", SECRules.clockModule)
        var table = Table(
            "Rules beside SEC: the same decisions, in the lines' own time",
            ["rules", "SEC's layout", "signals", "raised and cleared, ours", "SEC", "agreed"])
        for size in [3, 103] {
            _ = lanewatch(size, "proof.jsonl")
            let ours = decisions("ours.out")
            for layout in [SECRules.Layout.flat, .jumps] {
                for file in SECRules.files(size, layout, clock: SECRules.clockRule) {
                    try folder.write("proof-" + configuration(size, layout, file.name), file.text)
                }
                // Lists are looked through after each line (cleantime 0), so that no deadline is late.
                _ = checked(
                    [
                        "perl", "-I" + folder.path, "-MVirtualTime", "/usr/bin/sec",
                        "--conf=" + path("proof-" + configuration(size, layout, "*.sec")),
                        "--input=" + path("proof.jsonl"), "--notail", "--debug=3", "--cleantime=0",
                    ], output: path("sec.out"))
                let theirs = decisions("sec.out")
                table.add(
                    "\(size)", layout.rawValue, "\(stream.count)", "\(ours.count)", "\(theirs.count)",
                    ours == theirs && !ours.isEmpty ? "all" : "**no**: \(difference(ours, theirs))")
            }
        }
        table.show()
    }

    private func difference(_ ours: [String], _ theirs: [String]) -> String {
        let difference = theirs.difference(from: ours)
        let words = difference.prefix(3).map { change in
            switch change {
            case .insert(_, let element, _): "SEC alone: \(element)"
            case .remove(_, let element, _): "ours alone: \(element)"
            }
        }
        return "\(difference.count) differ; " + words.joined(separator: "; ")
    }

    // MARK: The race

    private struct Row {
        var rate = Samples()
        var start = Samples()
        var cpu = Samples()
        var peak = Samples()
        var decided = 0
        var expected = 0
        /// Against ours of the same round: how often faster, and how often less CPU, ours is.
        var faster = Samples()
        var thriftier = Samples()
    }

    private mutating func race() throws {
        var ours: [Int: Row] = [:]
        var theirs: [SECRules.Layout: [Int: Row]] = [.flat: [:], .jumps: [:]]
        // In turns, so that what else the machine does meets all alike.
        for _ in 0..<Self.rounds {
            for size in Self.sizes {
                let row = measure(Self.ours, ours[size] ?? Row()) { $0.lanewatch(size, $1) }
                ours[size] = row
                for layout in [SECRules.Layout.jumps, .flat] {
                    let count = Self.lines[layout]?[size] ?? 1000
                    var peer = measure(count, theirs[layout]?[size] ?? Row()) { $0.sec(size, layout, $1) }
                    peer.decided = decisions("sec.out").count
                    _ = lanewatch(size, recording(count))
                    peer.expected = decisions("ours.out").count
                    peer.faster.add((row.rate.values.last ?? .nan) / (peer.rate.values.last ?? .nan))
                    peer.thriftier.add((peer.cpu.values.last ?? .nan) / (row.cpu.values.last ?? .nan))
                    theirs[layout]?[size] = peer
                }
            }
        }
        var table = Table(
            "Rules beside SEC: JSON Lines from a file, the clock as it is; median of \(Self.rounds) rounds",
            [
                "rules", "program", "signals of a run", "CPU s per 100 k", "ours takes less", "signals/s",
                "ours is faster",
                "peak RSS, MB", "start, ms", "raised and cleared",
            ])
        func times(_ samples: Samples) -> String {
            samples.values.isEmpty ? "" : round(samples.median, 0) + " times"
        }
        func add(_ size: Int, _ name: String, _ count: Int, _ row: Row, _ decided: String) {
            table.add(
                "\(size)", name, "\(count)", round(row.cpu.median, 3), times(row.thriftier), thousands(row.rate.median),
                times(row.faster), round(row.peak.median, 1), round(row.start.median * 1e3, 0), decided)
        }
        for size in Self.sizes {
            add(size, "lanewatch replay", Self.ours, ours[size] ?? Row(), "")
            for layout in [SECRules.Layout.jumps, .flat] {
                let row = theirs[layout]?[size] ?? Row()
                add(
                    size, "SEC, " + layout.rawValue, Self.lines[layout]?[size] ?? 0, row,
                    row.decided == row.expected && row.decided > 0
                        ? "\(row.decided), as ours" : "**\(row.decided)**, ours \(row.expected)")
            }
        }
        table.show()
        print(
            """

            Rates are net of the start: of a run over an empty file in the same round. SEC's runs are shorter with more rules, so that
            each takes seconds. In this stream every payment is answered and no basket is left alone: SEC's windows are of the wall
            clock, so only what does not wait can agree here; the table before proves the rest.
            """)
        if faults > 0 { print("benchmark: \(faults) runs failed") }
    }

    private mutating func measure(
        _ count: Int, _ before: Row, _ run: (inout SECBenchmark, String) -> ProgramRun?
    ) -> Row {
        var row = before
        guard let empty = run(&self, "empty.jsonl"), let full = run(&self, recording(count)) else { return row }
        row.start.add(empty.seconds)
        row.rate.add(Double(count) / max(full.seconds - empty.seconds, 1e-9))
        row.cpu.add((full.cpu - empty.cpu) / Double(count) * 1e5)
        row.peak.add(full.peak)
        return row
    }
}
