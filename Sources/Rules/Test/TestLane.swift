import Lane

/// The lane that a test's timeline runs on: an engine, what its outbox would hold, and the gaps that are not over.
struct TestLane {
    private var engine: RuleEngine
    private var table: RuleTable
    private let zero: LaneInstant
    private var changes: [Change] = []
    /// Wall clock less lane clock.
    private var clock: Int64 = 0
    private var number: Int64 = 0
    /// What a crash leaves: the last snapshot, and the signals since. Empty in a test without one.
    private let mayCrash: Bool
    private var snapshot: [UInt8] = []
    private var journal: [StampedSignal] = []
    /// Sources that are blind, and until when; in order of that.
    private var blind: [(source: SignalSource, end: Int64, length: Int64)] = []

    init(_ table: RuleTable, zero: LaneInstant, mayCrash: Bool, noting: Noting?) {
        self.table = table
        self.zero = zero
        engine = RuleEngine(table: table)
        engine.noting = noting
        self.mayCrash = mayCrash
        checkpoint()
    }

    /// What happened to the rules so far, where it is noted.
    var noting: Noting? { engine.noting }

    private func at(_ after: Int64) -> LaneInstant { zero.advanced(byMilliseconds: after) }

    private func wall(_ after: Int64) -> WallInstant {
        WallInstant(milliseconds: at(after).advanced(byMilliseconds: clock).milliseconds)
    }

    mutating func take(_ step: TestStep, _ timeline: TestTimeline, _ reloads: [String: RuleTable]) {
        endGaps(until: step.after)
        switch step {
        case .signal(let line):
            number += 1
            var signal = timeline.stamped(line, number: number)
            signal.wall = wall(step.after)
            if mayCrash { journal.append(signal) }
            changes += engine.step(signal).changes
        case .restart(let after, let away):
            changes += engine.idle(until: at(after)).changes
            // A snapshot of our own can be read; if ever not, the lane goes on without the restart.
            replace(try? RuleEngine(restoring: engine.snapshot(), table: table))
            resume(at: step.end, away)
        case .crash(let after, let away):
            changes += engine.idle(until: at(after)).changes
            replayJournal(until: after)
            resume(at: step.end, away)
        case .suspend(_, let away): resume(at: step.end, away)
        case .clock(let after, let by):
            clock = clock.addingReportingOverflow(by).partialValue
            resume(at: after, 0)
        case .gap(let after, let source, let length):
            let end = after.addingReportingOverflow(length).overflow ? .max : after + length
            blind.insert((source, end, length), at: blind.firstIndex { $0.end > end } ?? blind.count)
        case .reload(let after, let file):
            guard let other = reloads[file] else { return }
            table = other
            changes += engine.adopt(other, at: at(after), wall: wall(after)).changes
            checkpoint()
        }
        // What ends while the lane is away is seen again when the lane is back.
        if step.end > step.after { endGaps(until: step.end, at: step.end) }
    }

    /// Runs what is due up to and at `end`.
    mutating func end(at end: Int64) -> [Change] {
        endGaps(until: end)
        changes += engine.idle(until: at(end), inclusive: true).changes
        return changes
    }

    /// Tells the gaps that are over before or at `end`: each at its own end, or all at `moment`.
    private mutating func endGaps(until end: Int64, at moment: Int64? = nil) {
        while let first = blind.first, first.end <= end {
            blind.removeFirst()
            let told = moment ?? first.end
            let length = first.length + told - first.end
            changes +=
                engine.miss(first.source.types, at: at(told), wall: wall(told), gapMilliseconds: length).changes
            checkpoint()
        }
    }

    private mutating func resume(at end: Int64, _ gap: Int64) {
        changes += engine.resume(at: at(end), wall: wall(end), gapMilliseconds: gap).changes
        checkpoint()
    }

    /// A restored engine goes on with the notes of the one before.
    private mutating func replace(_ restored: RuleEngine?) {
        guard var restored else { return }
        restored.noting = engine.noting
        engine = restored
    }

    /// As the agent does with everything that is no signal: it is not in the journal.
    private mutating func checkpoint() {
        guard mayCrash else { return }
        snapshot = engine.snapshot()
        journal = []
    }

    /// After a crash: the last snapshot and the signals since give the engine again, and changes that are known already.
    private mutating func replayJournal(until crash: Int64) {
        guard var again = try? RuleEngine(restoring: snapshot, table: table) else { return }
        let known = engine.changeNumber
        var repeated: [Change] = []
        for signal in journal { repeated += again.step(signal).changes }
        repeated += again.idle(until: at(crash)).changes
        changes += repeated.filter { $0.number > known }
        replace(again)
    }
}
