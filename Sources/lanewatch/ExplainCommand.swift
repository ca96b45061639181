import CommandLine
import Lane
import Rules
import YAML

/// `lanewatch explain RULE RECORDING`: what the signals of a recording did to one rule, and how near it came to raising.
struct ExplainCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        guard let rule = arguments[Table.explainedRule] else { return 2 }
        guard let recording = arguments[Table.explainedRecording] else {
            for option in [Table.explainRules, Table.explainedLane, Table.explainAt, Table.explainAll]
            where arguments.has(option) {
                return misused(option, "goes with a recording: lanewatch explain --\(option.name) … \(rule) RECORDING")
            }
            return LaneExplain.perform(rule: rule, arguments: arguments)
        }
        for option in [Table.control, Table.answerJSON] where arguments.has(option) {
            return misused(option, "asks the agent on this lane, and goes without a recording")
        }
        let named = NamedRules(arguments.all(Table.explainRules))
        for diagnostic in named.diagnostics where diagnostic.severity == .error {
            Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
        }
        guard let set = named.rules?.set else { return named.code }
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

    private static func misused(_ option: Option, _ how: String) -> Int32 {
        Terminal.error("lanewatch explain: --\(option.name) \(how)\n")
        return 2
    }

    private let rule: Rule
    private let set: RuleSet
    private let recording: String
    private let lane: String?
    private let isWhole: Bool

    private func run(at text: String?) -> Int32 {
        do throws(RecordingRun.Failure) {
            return try told(at: text)
        } catch {
            Terminal.error(error.message)
            return error.code
        }
    }

    private func told(at text: String?) throws(RecordingRun.Failure) -> Int32 {
        var stop: LaneInstant?
        var kept: [UInt8]?
        if let text {
            if let wall = WallInstant(rfc3339: text) {
                stop = LaneInstant(milliseconds: wall.milliseconds)
            } else if let offset = ExplainedTimes.milliseconds(of: text) {
                // Read twice, the first time without rules, as the first signal must be known; a pipe is kept for that.
                if recording == "-" {
                    guard let bytes = Files.read("/dev/stdin", for: "explain") else { return 2 }
                    kept = bytes
                }
                stop = try replayed(RuleSet(), stop: nil, kept).start?.advanced(byMilliseconds: offset)
            } else {
                Terminal.error(
                    "lanewatch explain: --at must be a time after the first signal (4m10s) or of the clock "
                        + "(2026-01-05T10:04:10Z), not \"\(text)\"\n")
                return 2
            }
        }
        let replay = try replayed(set, stop: stop, kept)
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

    /// What a recording came to under a rule set.
    private struct Replayed {
        var start: LaneInstant?
        var end: LaneInstant?
        /// By name.
        var engines: [(lane: String, engine: RuleEngine)]
    }

    /// Runs the recording, or `kept`, which holds it, under `set`: up to `stop`, or to its end with notes of the rule.
    private func replayed(
        _ set: RuleSet, stop: LaneInstant?, _ kept: [UInt8]?
    ) throws(RecordingRun.Failure) -> Replayed {
        let parts = kept == nil ? RecordingRun.parts(for: recording) : 1
        var replays = (0..<parts).map { part in
            var replay = Replay(set, store: "0", part: part, of: parts)
            replay.noting = stop == nil ? Noting(rules: [rule.id]) : nil
            replay.onlyLane = lane
            replay.stop = stop
            return replay
        }
        do throws(ReplayFault) {
            if let kept { try replays[0].add(kept) }
        } catch { throw RecordingRun.failure(error, recording) }
        if kept == nil {
            let progress = Progress("reading", total: RecordingRun.size(of: recording))
            let result = RecordingRun.run(recording, replays, "explain", progress)
            progress.end()
            replays = try result.get()
        }
        do throws(ReplayFault) {
            _ = try Replay.finish(&replays) { _ in }
        } catch { throw RecordingRun.failure(error, recording) }
        return Replayed(
            start: replays.compactMap(\.start).min(), end: replays.compactMap(\.end).max(),
            engines: replays.flatMap(\.engines).sorted { $0.lane.utf8.lexicographicallyPrecedes($1.lane.utf8) })
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
