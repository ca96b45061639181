import FaultParts
import Foundation

/// One run after the other, the rows least run first, until all are done or time is up.
struct Series {
    private let settings: Settings
    private var tally: Tally
    private var chance: Chance
    private var stand: Stand?
    private var database: Database?
    private var made: [Entry] = []
    private var faults: [String] = []
    private var leftOut: [String: String] = [:]

    init(_ settings: Settings) throws {
        self.settings = settings
        tally = try Tally(path: settings.tally)
        chance = Chance(seed: settings.seed)
    }

    /// - Returns: whether every run was as it must be.
    mutating func run() async -> Bool {
        let end = settings.minutes.map { Date(timeIntervalSinceNow: $0 * 60) } ?? .distantFuture
        say("seed \(settings.seed), \(settings.rate) signals a second, \(settings.lanewatch)")
        say(Table.head)
        while Date() < end {
            let wanted = settings.wanted.filter { leftOut[$0.row.name] == nil }
            guard let name = tally.next(wanted.map { ($0.row.name, $0.times) }, &chance),
                let row = wanted.first(where: { $0.row.name == name })?.row
            else { break }
            // The first is the one that was asked for, to repeat a run.
            let seed = made.isEmpty && faults.isEmpty && settings.hasSeed ? settings.seed : chance.next() >> 32
            await make(row, seed)
        }
        await stand?.end()
        database?.end()
        report()
        return faults.isEmpty && made.allSatisfy(\.isGood)
    }

    /// A run that cannot be made is tried once more on new brokers: the machine may have been too busy.
    private mutating func make(_ row: Row, _ seed: UInt64) async {
        if let reason = row.reasonNotToRun {
            leftOut[row.name] = reason
            return
        }
        for attempt in 0..<2 {
            do {
                try await make(row, seed, attempt)
                return
            } catch {
                say("\(row.name): seed \(seed): \(error)")
                await stand?.end()
                stand = nil
                if attempt == 1 {
                    faults.append("\(row.name): \(error)")
                    leftOut[row.name] = "could not be run"
                }
            }
        }
    }

    private mutating func make(_ row: Row, _ seed: UInt64, _ attempt: Int) async throws {
        if row.bed == .kafka, stand == nil { stand = try await Stand.start(settings.lanewatch) }
        if row.bed == .kafka, settings.asksPostgreSQL, database == nil { database = try Database() }
        let trial = try Trial(row, seed: seed + UInt64(attempt) << 32, settings, stand: stand, database: database)
        do {
            let entry = try await trial.run()
            try tally.add(entry)
            made.append(entry)
            say(Table.line(entry))
            if !entry.isGood {
                for example in entry.verdict.examples { say("    \(example)") }
                say("    \(row.isControl ? "the harness did not see it" : "kept"): \(trial.folder)")
                say("    again: \(again(row, seed))")
            }
            await trial.end(keep: settings.isKept || !entry.isGood)
        } catch {
            await trial.end(keep: true)
            throw Fault("\(error)\n    kept: \(trial.folder)\n    again: \(again(row, seed))")
        }
    }

    private func again(_ row: Row, _ seed: UInt64) -> String {
        "make faults KAFKA_HOME=… ROWS=\(row.name) TIMES=1 SEED=\(seed)"
    }

    private func report() {
        say("\n" + Table.summary(tally.entries, rows: settings.wanted.map(\.row)))
        for (row, reason) in leftOut.sorted(by: { $0.key < $1.key }) { say("\(row): left out: \(reason)") }
        let bad = made.filter { !$0.isGood }
        say(
            "\(made.count) runs now, \(tally.entries.count) in the tally; \(bad.count + faults.count) not as they must be"
        )
    }
}
