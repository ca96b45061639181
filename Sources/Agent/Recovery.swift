import Lane
import Outbox
import Rules

/// How the engine goes on after a start: snapshot, journal, then the time that nobody watched.
///
/// Pure but for what is given: the same outbox and the same clocks give the same engine and the same changes, with the
/// same numbers and ids, so that the outbox can tell what it has already.
struct Recovery {
    var engine: RuleEngine
    /// In order: what the replay of the journal gives (mostly known to the outbox), then resumption, then new rules.
    var steps: [Step]
    /// Facts to keep with the first commit.
    var facts: [String: [UInt8]] = [:]
    var notices: [Notice] = []

    init(
        _ recovered: Recovered, rules: RuleFiles, identity: LaneIdentity, localTime: any LocalTime, clock: LaneClock,
        watchedUntil: LaneInstant?, away: Int64?
    ) {
        let table = RuleTable(rules.set, lane: identity, localTime: localTime)
        let kept = RuleFiles.restored(from: recovered.facts[Facts.rules])
        let oldTable = kept.map { RuleTable($0.set, lane: identity, localTime: localTime) }
        let known = recovered.snapshot != nil || !recovered.journal.isEmpty
        if known && oldTable == nil {
            notices.append(Notice(.warning, "the rules of the last run are not readable; waits of it are dropped"))
        }
        let startTable = oldTable ?? table
        var isLost = known && oldTable == nil

        engine = RuleEngine(table: startTable)
        if let snapshot = recovered.snapshot, oldTable != nil {
            do throws(SnapshotFault) {
                engine = try RuleEngine(restoring: snapshot.engine, table: startTable)
            } catch {
                isLost = true
                notices.append(
                    Notice(
                        .error, "the engine's snapshot is not readable; waits before it are lost",
                        [.init("error", error.description)]))
            }
        }
        steps = []
        // Numbers that the outbox has taken are never given again, also where the snapshot is lost. What the journal then
        // raises once more has the ids it had: consumers deduplicate it.
        if isLost { engine.continueNumbering(after: recovered.lastChange) }
        for signal in recovered.journal { steps.append(engine.step(signal)) }
        if recovered.unreadable > 0 {
            notices.append(
                Notice(
                    .warning, "lines of the journal are not readable by this version",
                    [.init("count", String(recovered.unreadable))]))
        }
        if known {
            // Until then somebody watched: what was due before the gap is told as if nothing had happened.
            if let watchedUntil { steps.append(engine.idle(until: watchedUntil)) }
            steps.append(engine.resume(at: clock.now(), wall: clock.wall(), gapMilliseconds: away))
        }
        if startTable.digest != table.digest {
            steps.append(engine.adopt(table, at: clock.now(), wall: clock.wall()))
        }
        facts[Facts.rules] = rules.kept
    }
}
