import Foundation
import Lane
import Loop
import Testing

@testable import Agent
@testable import Outbox

/// A database that fails under the running agent: the engine's memory goes into the new one.
@Suite struct OutboxReplacedTests {
    @Test @LoopActor func whatTheEngineKnowsGoesIntoTheNewOutbox() async throws {
        let folder = try LaneRunnerTests.Folder()
        var lane = try await LaneRunnerTests.Subject(folder)
        var replaced = 0
        lane.runner.hooks.onReplaced = { replaced += 1 }
        let epoch = lane.outbox.epoch
        let first = try await lane.send("item.refused", "code", "4")
        await lane.outbox.breakForTest()
        // The writer that comes now waits a moment, and has its answer.
        let second = try await lane.send("item.refused", "code", "5")
        #expect(second == first + 1 && replaced == 1 && lane.outbox.epoch > epoch)
        #expect(lane.runner.engine.activeCount == 2 && lane.runner.counts.isBalanced)
        // As after kill -9.
        await lane.outbox.close()
        lane = try await LaneRunnerTests.Subject(folder)
        #expect(lane.runner.engine.activeCount == 2)
        // What was kept before is sent under its old place, then the new.
        let messages = try await lane.messages().filter { $0.headers["ce_type"] == "sco.intervention.raised.v1" }
        #expect(messages.map(\.position.epoch) == [epoch, lane.outbox.epoch] && Set(messages.map(\.id)).count == 2)
        #expect(try await lane.send("item.refused", "code", "6") > second)
        try await lane.end()
    }
}

extension Outbox {
    /// As if SQLite had said that the file is damaged.
    func breakForTest() { hold = .lost(damage: "broken by a test") }
}
