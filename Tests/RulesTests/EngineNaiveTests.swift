import Dispatch
import Foundation
import Lane
import Synchronization
import Testing

@testable import Rules

/// The engine beside the definition: random rule sets and lives of lanes, and both must say the same, line by line.
///
///     LANEWATCH_SEED=4711 swift test --filter EngineNaiveTests      one case, told in words
///     LANEWATCH_CASES=1000000 swift test --filter EngineNaiveTests  more of them
@Suite struct EngineNaiveTests {
    private struct Found {
        var coverage = NaiveCoverage()
        var faults: [String] = []
    }

    private static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    /// Every 20th case is a large one.
    private static func life(_ seed: Int) -> RandomCase {
        seed % 20 == 0
            ? RandomCase(seed: seed, rules: 10, events: 40) : RandomCase(seed: seed, rules: 4, events: 12)
    }

    @Test func theEngineSaysWhatTheDefinitionSays() {
        if let seed = Self.number("LANEWATCH_SEED") { return one(seed) }
        let count = Self.number("LANEWATCH_CASES") ?? 10_000
        let found = Mutex(Found())
        let began = Date()
        let share = 100
        DispatchQueue.concurrentPerform(iterations: (count + share - 1) / share) { part in
            var mine = Found()
            for seed in part * share..<min(count, (part + 1) * share) {
                if let difference = Self.life(seed).difference(&mine.coverage) {
                    mine.faults.append("LANEWATCH_SEED=\(seed): \(difference)")
                }
            }
            found.withLock {
                $0.coverage.add(mine.coverage)
                $0.faults += mine.faults
            }
        }
        let all = found.withLock { $0 }
        for fault in all.faults.prefix(5) { Issue.record("\(fault)") }
        #expect(all.faults.isEmpty, "\(all.faults.count) of \(count) cases differ; LANEWATCH_SEED=N runs one")
        let taken = NaiveCoverage.Branch.allCases.map { "\($0) \(all.coverage.counts[$0.rawValue])" }
        print("model: \(count) cases in \(Int(Date().timeIntervalSince(began))) s; \(taken.joined(separator: ", "))")
        // Every branch was taken often enough to mean something.
        guard count >= 10_000 else { return }
        for branch in NaiveCoverage.Branch.allCases {
            let times = all.coverage.counts[branch.rawValue]
            #expect(times >= 30, "\(branch) was taken \(times) times")
        }
    }

    private func one(_ seed: Int) {
        var coverage = NaiveCoverage()
        let life = Self.life(seed)
        let difference = life.difference(&coverage)
        print(life.story.joined(separator: "\n"))
        print("definition:", life.naiveLines(&coverage).map { "    " + $0 }.joined(separator: "\n"), separator: "\n")
        print("engine:", life.engineLines().lines.map { "    " + $0 }.joined(separator: "\n"), separator: "\n")
        #expect(difference == nil)
    }

    /// The order of places is that of the definition.
    @Test func placesAreThoseOfTheDefinition() {
        for seed in 0..<200 {
            var lane = RandomLane(seed: seed)
            let set = lane.set(rules: 16)
            #expect(NaiveLane.places(set, "L07").map(\.id) == set.table().ruleIDs)
        }
    }
}
