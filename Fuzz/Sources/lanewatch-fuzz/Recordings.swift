import Lane
import Rules

/// Recordings: whole, in odd pieces, and spread over two parts, which all give the same.
enum Recordings {
    private struct Outcome: Equatable {
        var lines: [String] = []
        var waiting: [String] = []
        var counts = Replay.Counts()
        var fault: ReplayFault?
    }

    @Sendable static func run(_ input: [UInt8]) {
        var lot = Steering(input)
        let whole = replay([input[...]])
        let pieces = replay(lot.pieces(input))
        require(whole == pieces, "a recording in pieces gives the same: \(whole) \(pieces)")
        if let fault = whole.fault {
            require(WrittenFiles.isShown(fault.message), "a message is one plain line: \(fault)")
            require(fault.line >= 1 && fault.column ?? 1 >= 1, "a fault has a line and a column from 1: \(fault)")
        }
        for line in whole.lines + whole.waiting {
            require(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a result is one plain line: \(line)")
        }
        let parts = inParts([input[...]])
        require(whole == parts, "a recording in two parts gives the same: \(whole) \(parts)")
        guard whole.fault == nil else { return }
        var comparison = RuleComparison()
        guard let old = episodes(input, Fixture.set), let new = episodes(input, Fixture.edited) else {
            return require(false, "a recording without a fault has episodes")
        }
        comparison.add(old: old, new: new)
    }

    private static func replay(_ pieces: [ArraySlice<UInt8>]) -> Outcome {
        var outcome = Outcome()
        var replay = Replay(Fixture.set)
        do throws(ReplayFault) {
            for piece in pieces { try replay.add(Array(piece)) }
            outcome.waiting = try replay.finish { outcome.lines.append($0) }.map(\.text)
            outcome.counts = replay.counts
        } catch {
            outcome = Outcome(fault: error)
        }
        return outcome
    }

    private static func inParts(_ pieces: [ArraySlice<UInt8>]) -> Outcome {
        var outcome = Outcome()
        var parts = [Replay(Fixture.set, part: 0, of: 2), Replay(Fixture.set, part: 1, of: 2)]
        var faults: [ReplayFault] = []
        for part in parts.indices {
            do throws(ReplayFault) { for piece in pieces { try parts[part].add(Array(piece)) } } catch {
                faults.append(error)
            }
        }
        do throws(ReplayFault) {
            if faults.isEmpty {
                outcome.waiting = try Replay.finish(&parts) { outcome.lines.append($0) }.map(\.text)
            }
        } catch { faults.append(error) }
        if let fault = faults.min(by: { $0.line < $1.line }) { return Outcome(fault: fault) }
        for part in parts {
            outcome.counts.signals += part.counts.signals
            outcome.counts.ignored += part.counts.ignored
            outcome.counts.raised += part.counts.raised
        }
        return outcome
    }

    private static func episodes(_ input: [UInt8], _ set: RuleSet) -> RecordedEpisodes? {
        var parts = [Replay(set, keepsEpisodes: true)]
        do throws(ReplayFault) {
            try parts[0].add(input)
            return try Replay.episodes(&parts)
        } catch { return nil }
    }
}
