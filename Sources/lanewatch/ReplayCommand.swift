import CommandLine
import Rules

/// `lanewatch replay`: rules over a recording.
enum ReplayCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        var files: [(name: String, bytes: [UInt8])] = []
        for path in arguments.all(Table.replayRules) {
            guard let bytes = Files.read(path, for: "replay") else { return 2 }
            files.append((path, bytes))
        }
        let (set, diagnostics) = RuleFile.load(files: files)
        // Standard output holds result lines only.
        for diagnostic in diagnostics { Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2))) }
        guard let set else { return 1 }
        let path = arguments[Table.recording] ?? "-"
        var replay = Replay(set, store: arguments[Table.store] ?? "0")
        do throws(ReplayFault) {
            let input = RecordingInput(path, for: "replay")
            guard try input.read({ (piece) throws(ReplayFault) in try replay.add(piece) }) else { return 2 }
            let waiting = try replay.finish { Terminal.out($0 + "\n") }
            Terminal.flush()
            for deadline in waiting { Terminal.error("still waiting: \(deadline.text)\n") }
            let counts = replay.counts
            if counts.ignored > 0 {
                Terminal.error("\(counts.ignored) attributes that the catalogue does not declare so were left out\n")
            }
            Terminal.error("\(counts.signals) signals, \(counts.raised) interventions\n")
            return 0
        } catch {
            Terminal.flush()
            let column = error.column.map { ":\($0)" } ?? ""
            Terminal.error("\(path == "-" ? "standard input" : path):\(error.line)\(column): error: \(error.message)\n")
            return 1
        }
    }
}
