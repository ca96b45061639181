import Glibc
import Lane
import Loop
import Rules

/// `lanewatch replay` on a recording of several lanes: spread over the cores, and on one, as from a pipe that can be read but once.
enum ReplayBenchmark {
    private static let lanes = 8
    private static let each = 125_000

    static func run(_ program: String, _ targets: inout Targets) throws {
        let folder = Folder()
        folder.expect("out")
        var streams: [[[UInt8]]] = []
        for lane in 0..<lanes {
            var stream = LaneStream(startingAt: 1_767_607_200_000 + Int64(lane))
            var signals: [StampedSignal] = []
            while signals.count < each { stream.appendCustomer(to: &signals) }
            streams.append(signals.lines(lane: "L0\(lane)"))
        }
        var lines: [[UInt8]] = []
        for place in 0..<each { for lane in 0..<lanes { lines.append(streams[lane][place]) } }
        try folder.write("lanes.jsonl", lines: lines[...])
        try folder.write("empty.jsonl", "")
        try folder.write("rules.yaml", BenchmarkRules.file(3))
        func run(_ words: String..., input: String = "/dev/null") -> ProgramRun? {
            let run = ProgramRun(
                [program, "replay", "--rules", folder.path + "/rules.yaml"] + words, input: input,
                output: folder.path + "/out")
            if run?.code != 0 { print("benchmark: \(program) replay ended with \(run?.code ?? -1)") }
            return run?.code == 0 ? run : nil
        }
        let recording = folder.path + "/lanes.jsonl"
        var one = Samples(), spread = Samples(), ratio = Samples(), cpu = Samples()
        for _ in 0..<5 {
            guard let empty = run(folder.path + "/empty.jsonl"), let single = run("-", input: recording),
                let all = run(recording)
            else { return }
            one.add(Double(lines.count) / (single.seconds - empty.seconds))
            spread.add(Double(lines.count) / (all.seconds - empty.seconds))
            ratio.add((spread.values.last ?? 0) / (one.values.last ?? 1))
            cpu.add((all.cpu - empty.cpu) / (single.cpu - empty.cpu))
        }
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        var table = Table(
            "Rules: lanewatch replay on a recording of \(lanes) lanes, \(lines.count) lines, \(cores) cores; net of its start",
            ["what", "signals/s", "of one core", "CPU of one core's"])
        table.add("from standard input: one core", thousands(one.median), "1", "1")
        table.add("from the file: all cores", thousands(spread.median), round(ratio.median, 2), round(cpu.median, 2))
        table.show()
        // Each part finds the ends of all lines, so of each core after the first a third must be won, not all of it.
        targets.add(
            "fast: replay of several lanes spreads over the cores",
            "\(thousands(spread.median)), \(round(ratio.median, 2)) times one core, of \(cores)",
            cores > 1 && ratio.median >= 1 + Double(cores - 1) / 3)
    }
}
