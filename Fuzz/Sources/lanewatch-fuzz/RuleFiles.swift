import Lane
import Rules

/// Rule files, and engines that run what they say. What stands behind a NUL steers the signals.
enum RuleFiles {
    @Sendable static func run(_ input: [UInt8]) {
        let files = [(name: "a.yaml", bytes: Steering.text(input))]
        let (set, diagnostics) = RuleFile.load(files: files)
        WrittenFiles.check(diagnostics, files, isAccepted: set != nil)
        let again = RuleFile.load(files: files)
        require(again.diagnostics == diagnostics && again.ruleSet?.rules == set?.rules, "the same file reads the same")
        guard let set else { return }
        require(again.ruleSet?.digest == set.digest, "the same file has the same digest")
        for lane in ["L07", "fuel-3"] { run(set, lane, Steering(input)) }
        _ = RuleList(set)
    }

    private static func run(_ set: RuleSet, _ lane: String, _ lot: Steering) {
        var lot = lot
        let table = RuleTable(set, lane: LaneIdentity(store: "0000", lane: lane))
        var engine = RuleEngine(table: table)
        var signals = LotSignals(set)
        var number: Int64 = 0
        for round in 0..<3 {
            number = EngineRun.steps(8 + lot.next(24), &engine, &signals, &lot, after: number)
            var other = EngineRun.restored(engine, table)
            var (sameSignals, sameLot) = (signals, lot)
            number = EngineRun.steps(8, &engine, &signals, &lot, after: number) { signal, changes in
                require(other.step(signal).changes == changes, "a restored engine goes on as the engine does")
            }
            (sameSignals, sameLot) = (signals, lot)
            let signal = sameSignals.next(&sameLot)
            switch round {
            case 0: number = EngineRun.note(engine.adopt(table, at: signal.at, wall: signal.wall), number)
            case 1:
                let gap = Int64(lot.next(256)) * 100
                let step = engine.resume(at: signal.at, wall: signal.wall, gapMilliseconds: gap < 50 ? nil : gap)
                number = EngineRun.note(step, number)
            default: break
            }
        }
        for rule in table.ruleIDs {
            guard
                let report = engine.report(
                    on: rule, now: engine.moment ?? LaneInstant(milliseconds: 0), wall: WallInstant(milliseconds: 0))
            else {
                require(false, "a rule of the table has a report")
                continue
            }
            var json = JSONWriter()
            json.object { report.write(to: &$0, now: WallInstant(milliseconds: 0)) }
            require((try? JSONValue(parsing: json.bytes)) != nil, "a report is JSON")
        }
        _ = engine.waiting
        _ = EngineRun.note(engine.idle(until: LaneInstant(milliseconds: .max), inclusive: true), number)
        _ = EngineRun.restored(engine, table)
    }
}

/// Steps, and what holds of all of them.
enum EngineRun {
    /// Steps on `count` signals. `number` is that of the last change; gives that of the last one now.
    static func steps(
        _ count: Int, _ engine: inout RuleEngine, _ signals: inout LotSignals, _ lot: inout Steering,
        after number: Int64, _ also: (StampedSignal, [Change]) -> Void = { _, _ in }
    ) -> Int64 {
        var number = number
        for _ in 0..<count {
            let signal = signals.next(&lot)
            let step = engine.step(signal)
            number = note(step, number)
            also(signal, step.changes)
        }
        return number
    }

    /// Changes are counted without holes.
    static func note(_ step: Step, _ number: Int64) -> Int64 {
        var number = number
        for change in step.changes {
            number += 1
            require(change.number == number, "changes are numbered without holes: \(change.number) after \(number - 1)")
            _ = ResultLine.text(of: change, from: LaneInstant(milliseconds: 0))
        }
        return number
    }

    /// What a snapshot of `engine` gives back, which is the same as the engine.
    static func restored(_ engine: RuleEngine, _ table: RuleTable) -> RuleEngine {
        let bytes = engine.snapshot()
        do throws(SnapshotFault) {
            let other = try RuleEngine(restoring: bytes, table: table)
            let again = other.snapshot()
            require(
                again == bytes,
                "a snapshot restored and taken again is the same:\n\(String(decoding: bytes, as: UTF8.self))\n\(String(decoding: again, as: UTF8.self))"
            )
            return other
        } catch {
            require(false, "an engine's own snapshot is readable: \(error)\n\(String(decoding: bytes, as: UTF8.self))")
            return engine
        }
    }
}
