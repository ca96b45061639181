import Lane
import Testing

@testable import Rules

/// What a lane tells on a script of signals and of what happens to time: one line a step, as in rule tests, and
///
///     20s back 10s|unknown         nothing was received for so long, until now
///     20s sees scanner 3s|unknown  one source was blind for so long, until now
///     20s wall +1h                 the wall clock is set
///     20s reload                   the next of `reloads` is adopted
///     60s idle                     time passes
///
/// After each of these the engine goes on from its own snapshot. Lines are those of rule tests, with the reason of a clear
/// other than the rule's own, `late 5000`, and `assumed` behind them.
struct TimeScript {
    var engine: RuleEngine
    var reloads: ArraySlice<RuleSet>
    private let timeline = TestTimeline(given: [])
    private var number: Int64 = 0
    private var clock: Int64 = 0

    struct Unreadable: Error { var line: String }

    init(_ set: RuleSet, reloads: [RuleSet] = []) {
        engine = RuleEngine(table: set.table())
        self.reloads = reloads[...]
    }

    /// The lines that `script` gives.
    static func lines(
        _ rules: [Rule], _ states: [StateDeclaration] = [], reloads: [RuleSet] = [], _ script: [String]
    ) throws -> [String] {
        var run = TimeScript(RuleSet(rules, states: states), reloads: reloads)
        return try run.play(script)
    }

    mutating func play(_ script: [String]) throws -> [String] {
        try script.flatMap { Self.lines(try step($0), timeline) }
    }

    mutating func step(_ line: String) throws -> [Change] {
        let words = line.split(separator: " ").map(String.init)
        let at = timeline.zero.advanced(byMilliseconds: try #require(ResultLine.milliseconds(of: words[0])))
        func wall() -> WallInstant { WallInstant(milliseconds: at.milliseconds + clock) }
        func length(_ word: String) throws -> Int64? {
            if word == "unknown" { return nil }
            let length: Int64 = try #require(ResultLine.milliseconds(of: word))
            return length
        }
        let changes: [Change]
        switch words[1] {
        case "idle": return engine.idle(until: at, inclusive: true).changes
        case "back":
            changes = engine.resume(at: at, wall: wall(), gapMilliseconds: try length(words[2])).changes
        case "sees":
            let source = try #require(SignalSource(words[2]))
            changes = engine.miss(source.types, at: at, wall: wall(), gapMilliseconds: try length(words[3])).changes
        case "wall":
            let by = try #require(ResultLine.milliseconds(of: words[2].dropFirst()))
            clock += words[2].hasPrefix("-") ? -by : by
            changes = engine.resume(at: at, wall: wall(), gapMilliseconds: 0).changes
        case "reload":
            guard let next = reloads.popFirst() else { throw Unreadable(line: line) }
            changes = engine.adopt(next.table(), at: at, wall: wall()).changes
        default:
            number += 1
            var signal = timeline.stamped(try GivenLine(parsing: line), number: number)
            signal.wall = wall()
            return engine.step(signal).changes
        }
        let again = try RuleEngine(restoring: engine.snapshot(), table: engine.table)
        #expect(again.snapshot() == engine.snapshot() && again.nextDeadline == engine.nextDeadline)
        engine = again
        return changes
    }

    private static func lines(_ changes: [Change], _ timeline: TestTimeline) -> [String] {
        changes.map { change in
            var words = [
                ResultLine.text(of: change, from: timeline.zero)
                    ?? "\(ResultLine.time(milliseconds: change.at.milliseconds(since: timeline.zero))) update "
                    + change.intervention.rule
            ]
            let own: [Intervention.ClearReason] = [.answered, .stateEnded, .clearWhen, .clearAfter]
            if let reason = change.intervention.reason, !own.contains(reason) { words.append(reason.rawValue) }
            if change.kind != .clear, let late = change.intervention.lateBy { words.append("late \(late)") }
            if change.kind == .raise, change.intervention.assumed { words.append("assumed") }
            return words.joined(separator: " ")
        }
    }
}
