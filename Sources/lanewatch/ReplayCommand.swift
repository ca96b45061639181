import CLinux
import CommandLine
import Glibc
import Loop
import Rules

/// `lanewatch replay`: rules over a recording.
enum ReplayCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let named = NamedRules(arguments.all(Table.replayRules))
        // Standard output holds result lines only.
        for diagnostic in named.diagnostics { Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2))) }
        guard let set = named.rules?.set else { return named.code }
        let path = arguments[Table.recording] ?? "-"
        var replay = Replay(set, store: arguments[Table.store] ?? "0")
        do throws(ReplayFault) {
            guard try read(path, into: &replay) else { return 2 }
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

    /// Feeds the recording in pieces; false where it cannot be read.
    private static func read(_ path: String, into replay: inout Replay) throws(ReplayFault) -> Bool {
        let raw = path == "-" ? dup(0) : lw_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else {
            Terminal.error("lanewatch replay: cannot read \(path): \(SystemError.text(of: errno))\n")
            return false
        }
        let descriptor = Descriptor(owning: raw)
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(descriptor.raw, &piece, piece.count)
            if count == 0 { return true }
            if count < 0 {
                if errno == EINTR { continue }
                Terminal.error("lanewatch replay: cannot read \(path): \(SystemError.text(of: errno))\n")
                return false
            }
            if count == piece.count { try replay.add(piece) } else { try replay.add(Array(piece[0..<count])) }
        }
    }
}
