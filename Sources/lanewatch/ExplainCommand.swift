import CommandLine
import Glibc
import Lane
import Rules
import YAML

/// `lanewatch explain RULE RECORDING`: what the signals of a recording did to one rule, and how near it came to raising.
struct ExplainCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        guard let rule = arguments[Table.explainedRule] else { return 2 }
        guard let recording = arguments[Table.explainedRecording] else {
            // Where the running agent is asked instead (LaneExplain), this is its place.
            Terminal.error(
                "lanewatch explain: a recording is missing: lanewatch explain \(rule) RECORDING\n"
                    + "Try \"lanewatch explain --help\".\n")
            return 2
        }
        var files: [(name: String, bytes: [UInt8])] = []
        for path in arguments.all(Table.explainRules) {
            guard let bytes = Files.read(path, for: "explain") else { return 2 }
            files.append((path, bytes))
        }
        let (set, diagnostics) = RuleFile.load(files: files)
        for diagnostic in diagnostics where diagnostic.severity == .error {
            Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
        }
        guard let set else { return 1 }
        guard let found = set.rules.first(where: { $0.id == rule }) else {
            let names = set.rules.map(\.id)
            let near = EditDistance.nearest(to: rule, among: names).map { "; did you mean \"\($0)\"?" }
            let list =
                near ?? (names.isEmpty ? "; there are no rules" : "; there are: " + names.joined(separator: ", "))
            Terminal.error("lanewatch explain: no rule \"\(rule)\"\(list)\n")
            return 2
        }
        guard found.isEnabled else {
            Terminal.error("lanewatch explain: rule \"\(rule)\" is switched off (enabled: false)\n")
            return 1
        }
        let command = ExplainCommand(
            rule: found, set: set, recording: recording, lane: arguments[Table.explainedLane],
            isWhole: arguments.has(Table.explainAll))
        return command.run(at: arguments[Table.explainAt])
    }

    private let rule: Rule
    private let set: RuleSet
    private let recording: String
    private let lane: String?
    private let isWhole: Bool

    private func run(at text: String?) -> Int32 {
        var stop: LaneInstant?
        // Read twice where the first signal must be known before: standard input is kept for that.
        let input = RecordingInput(recording, for: "explain", isReadTwice: text != nil)
        if let text {
            if let wall = WallInstant(rfc3339: text) {
                stop = LaneInstant(milliseconds: wall.milliseconds)
            } else if let offset = ExplainedTimes.milliseconds(of: text) {
                // No rules, no notes: only to find the first signal.
                guard let (replay, code) = replayed(RuleSet(), stop: nil, input) else { return 1 }
                if code != 0 { return code }
                stop = replay.start?.advanced(byMilliseconds: offset)
            } else {
                Terminal.error(
                    "lanewatch explain: --at must be a time after the first signal (4m10s) or of the clock "
                        + "(2026-01-05T10:04:10Z), not \"\(text)\"\n")
                return 2
            }
        }
        guard let (replay, code) = replayed(set, stop: stop, input) else { return 1 }
        if code != 0 { return code }
        guard let zero = replay.start else {
            Terminal.error("lanewatch explain: \(name) holds no signals\n")
            return 1
        }
        let engines = replay.engines
        let wanted = engines.filter { lane == nil || $0.lane == lane }
        guard !wanted.isEmpty else {
            Terminal.error(
                "lanewatch explain: \(name) has no lane \"\(lane ?? "")\"; it has: "
                    + engines.map(\.lane).joined(separator: ", ") + "\n")
            return 1
        }
        let times = ExplainedTimes(zero: zero, style: .clock)
        if let stop, stop < zero {
            Terminal.error("lanewatch explain: the recording begins later, at \(Self.clock(zero))\n")
            return 1
        }
        if let stop, let end = replay.end, stop > end {
            Terminal.error("the recording ends at \(times.moment(end)); nothing is taken to have come after it\n")
        }
        for (place, (lane, engine)) in wanted.enumerated() {
            if place > 0 { Terminal.out("\n") }
            if let stop { showStanding(lane, engine, stop, times) } else { showStory(lane, engine, times) }
        }
        return 0
    }

    private var name: String { recording == "-" ? "standard input" : recording }

    /// The recording under `set`, and 0 or the exit code of what went wrong, which has been told.
    private func replayed(
        _ set: RuleSet, stop: LaneInstant?, _ input: RecordingInput
    ) -> (replay: Replay, code: Int32)? {
        var replay = Replay(set, store: "0")
        replay.noting = stop == nil ? Noting(rules: [rule.id]) : nil
        replay.onlyLane = lane
        replay.stop = stop
        do throws(ReplayFault) {
            guard try input.read({ (piece) throws(ReplayFault) in try replay.add(piece) }) else { return (replay, 2) }
            _ = try replay.finish { _ in }
            return (replay, 0)
        } catch {
            let column = error.column.map { ":\($0)" } ?? ""
            Terminal.error("\(name):\(error.line)\(column): error: \(error.message)\n")
            return nil
        }
    }

    // MARK: Telling

    private static func clock(_ at: LaneInstant) -> String { WallInstant(milliseconds: at.milliseconds).rfc3339 }

    private func heading(_ lane: String, _ end: String = "") {
        let title = rule.title == rule.id ? "" : ": \(rule.title)"
        Terminal.out(Terminal.coloured("\(rule.id) on lane \(lane)\(end)\(title)", "1") + "\n")
    }

    private func showStory(_ lane: String, _ engine: RuleEngine, _ times: ExplainedTimes) {
        heading(lane)
        guard engine.table.runs(rule.id) else {
            Terminal.out("is not for this lane (lanes: \(rule.lanes.map(\.text).joined(separator: ", ")))\n")
            return
        }
        let noting = engine.noting ?? Noting()
        let story = Explanation(rule, in: set, lane: lane, notes: noting.notes, times: times)
        let lines = story.lines(folded: !isWhole)
        let width = lines.map(\.time.utf8.count).max() ?? 0
        for line in lines {
            let pad = String(repeating: " ", count: max(0, width - line.time.utf8.count))
            let text = "  \(pad)\(line.time)  \(line.text)"
            Terminal.out((line.isResult ? Terminal.coloured(text, "1") : text) + "\n")
        }
        if noting.leftOut > 0 {
            Terminal.out("  … \(noting.leftOut) more notes; choose a lane or a shorter recording\n")
        }
        for text in story.summary { Terminal.out(text + "\n") }
        for deadline in engine.waiting where deadline.rule == rule.id {
            let key = deadline.key.map { " \($0.name)=\(ResultLine.quoted($0.value))" }.joined()
            Terminal.out("still waiting at the end: \(times.moment(deadline.at)) \(deadline.kind.rawValue)\(key)\n")
        }
    }

    private func showStanding(_ lane: String, _ engine: RuleEngine, _ stop: LaneInstant, _ times: ExplainedTimes) {
        heading(lane, " at \(times.moment(stop)), \(Self.clock(stop))")
        guard let lines = engine.standing(of: rule.id, at: stop, times) else {
            Terminal.out("is not for this lane (lanes: \(rule.lanes.map(\.text).joined(separator: ", ")))\n")
            return
        }
        for line in lines { Terminal.out("  \(line)\n") }
    }
}
