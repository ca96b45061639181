import Lane
import Outbox
import Rules

/// How the engine goes on after a start: snapshot, journal, then the time that nobody watched.
///
/// Pure but for what is given: the same outbox and the same clocks give the same engine and the same changes, with the
/// same numbers and ids, so that the outbox can tell what it has already.
package struct Recovery {
    package var engine: RuleEngine
    /// In order: what the replay of the journal gives (mostly known to the outbox), then resumption, then new rules.
    package var steps: [Step]
    /// Facts to keep with the first commit.
    package var facts: [String: [UInt8]] = [:]
    var notices: [Notice] = []
    /// Of the rules of the last run; nil where there are none, or none that are readable.
    let lastDigest: String?

    package init(
        _ recovered: Recovered, rules: RuleFiles, last: RuleFiles? = nil, identity: LaneIdentity,
        localTime: any LocalTime, clock: LaneClock, watchedUntil: LaneInstant?, away: Int64?,
        gapLimit: Int64 = RuleEngine.defaultGapLimit
    ) {
        let table = RuleTable(rules.set, lane: identity, localTime: localTime)
        let kept = last ?? RuleFiles.restored(from: recovered.facts[Facts.rules])
        lastDigest = kept?.set.digest
        // Most starts find the rules of the last run.
        let oldTable = kept.map { kept in
            kept.set.digest == table.digest ? table : RuleTable(kept.set, lane: identity, localTime: localTime)
        }
        if recovered.hasPast && oldTable == nil {
            notices.append(
                Notice(
                    .warning, "the rules of the last run are not readable; what the new ones share with them goes on"))
        }
        let startTable = oldTable ?? table

        engine = RuleEngine(table: startTable)
        if let snapshot = recovered.snapshot {
            do throws(SnapshotFault) {
                engine = try RuleEngine(restoring: snapshot.engine, table: startTable)
            } catch {
                notices.append(
                    Notice(
                        .error, "the engine's snapshot is not readable; waits before it are lost",
                        [.init("error", error.description)]))
            }
        }
        steps = []
        for signal in recovered.journal { steps.append(engine.step(signal)) }
        if recovered.unreadable > 0 {
            notices.append(
                Notice(
                    .warning, "lines of the journal are not readable by this version",
                    [.init("count", String(recovered.unreadable))]))
        }
        // Until then somebody watched: what was due before the gap is told as if nothing had happened.
        if recovered.hasPast, let watchedUntil { steps.append(engine.idle(until: watchedUntil)) }
        if engine.changeNumber < recovered.lastChange {
            notices.append(
                Notice(
                    .warning, "the replay did not come as far as the last run",
                    [.init("count", String(recovered.lastChange - engine.changeNumber))]))
        }
        // A number that the outbox has taken is never given again: what follows is new, whatever the replay could repeat.
        engine.continueNumbering(after: recovered.lastChange)
        if recovered.hasPast {
            steps.append(
                engine.resume(
                    at: clock.now(), wall: clock.wall(), gapMilliseconds: away, gapLimitMilliseconds: gapLimit))
        }
        if startTable.digest != table.digest || engine.needsAdoption {
            steps.append(engine.adopt(table, at: clock.now(), wall: clock.wall()))
        }
        facts[Facts.rules] = rules.kept
    }
}

extension Recovered {
    /// There was a life before this one.
    var hasPast: Bool { snapshot != nil || !journal.isEmpty }
}
