import Lane
import Rules

/// Engine snapshots, as a damaged disk or another version may hold them.
enum Snapshots {
    @Sendable static func run(_ input: [UInt8]) {
        for table in [Fixture.table, Fixture.editedTable] {
            do throws(SnapshotFault) {
                let engine = try RuleEngine(restoring: input, table: table)
                goOn(engine, table, Steering(input))
            } catch {
                require(WrittenFiles.isShown(error.description), "a message is one plain line: \(error)")
            }
        }
    }

    private static func goOn(_ engine: RuleEngine, _ table: RuleTable, _ lot: Steering) {
        var (engine, lot) = (engine, lot)
        _ = engine.waiting
        _ = engine.active
        let first = EngineRun.restored(engine, table)
        var signals = LotSignals(Fixture.set)
        let signal = signals.next(&lot)
        switch lot.next(3) {
        case 0: _ = engine.adopt(lot.next(2) == 0 ? table : Fixture.editedTable, at: signal.at, wall: signal.wall)
        case 1: _ = engine.resume(at: signal.at, wall: signal.wall, gapMilliseconds: lot.next(2) == 0 ? nil : 500)
        default: _ = engine.step(signal)
        }
        for _ in 0..<8 { _ = engine.step(signals.next(&lot)) }
        _ = EngineRun.restored(engine, engine.table)
        for rule in table.ruleIDs { _ = first.report(on: rule, now: signal.at, wall: signal.wall) }
        _ = engine.idle(until: LaneInstant(milliseconds: .max), inclusive: true)
        _ = EngineRun.restored(engine, engine.table)
    }
}
