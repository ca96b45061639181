import Agent
import CommandLine
import Rules

/// `lanewatch replay`: rules over a recording.
enum ReplayCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let recordings = arguments.all(Table.recording)
        let old = arguments.all(Table.replayAgainst)
        if old.isEmpty {
            for flag in [Table.replaySummary, Table.json] where arguments.has(flag) {
                Terminal.error("lanewatch replay: --\(flag.name) goes with --against\n")
                return 2
            }
            guard recordings.count == 1 else {
                Terminal.error("lanewatch replay: one recording at a time; several go with --against\n")
                return 2
            }
        }
        // Standard output holds results only.
        let named = rules(arguments.all(Table.replayRules))
        guard let new = named.rules?.set else { return named.code }
        let store = arguments[Table.store] ?? "0"
        if old.isEmpty { return run(new, recordings[0], store) }
        let namedBefore = rules(old)
        guard let before = namedBefore.rules?.set else { return namedBefore.code }
        return ReplayAgainst(old: before, new: new, store: store).perform(
            recordings, isSummary: arguments.has(Table.replaySummary), asJSON: arguments.has(Table.json))
    }

    private static func rules(_ paths: [String]) -> NamedRules {
        let named = NamedRules(paths)
        for diagnostic in named.diagnostics { Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2))) }
        return named
    }

    private static func run(_ set: RuleSet, _ path: String, _ store: String) -> Int32 {
        let progress = Progress("replaying", total: RecordingRun.size(of: path))
        let parts = RecordingRun.parts(for: path)
        let replays = (0..<parts).map { Replay(set, store: store, part: $0, of: parts) }
        let result = RecordingRun.run(path, replays, "replay", progress)
        progress.end()
        switch result {
        case .failure(let failure):
            Terminal.error(failure.message)
            return failure.code
        case .success(var replays):
            do throws(ReplayFault) {
                let waiting = try Replay.finish(&replays) { Terminal.out($0 + "\n") }
                Terminal.flush()
                for deadline in waiting { Terminal.error("still waiting: \(deadline.text)\n") }
                var counts = Replay.Counts()
                for replay in replays {
                    counts.signals += replay.counts.signals
                    counts.ignored += replay.counts.ignored
                    counts.raised += replay.counts.raised
                }
                if counts.ignored > 0 {
                    Terminal.error(
                        "\(counts.ignored) attributes that the catalogue does not declare so were left out\n")
                }
                Terminal.error("\(counts.signals) signals, \(counts.raised) interventions\n")
                return 0
            } catch {
                Terminal.error(RecordingRun.failure(error, path).message)
                return 1
            }
        }
    }
}
