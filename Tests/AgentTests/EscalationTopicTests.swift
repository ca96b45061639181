import Feeds
import Lane
import Loop
import Outbox
import Testing

@testable import Agent

/// An escalation with a topic of its own, through the merge point to the outbox: every topic that saw the intervention
/// raised sees it cleared (docs/decisions/0005-every-topic-that-was-told.md).
@Suite(.serialized) struct EscalationTopicTests {
    static let rules = """
        format: 1
        rules:
          - id: waiting
            on: help.requested
            severity: info
            clear_when: staff.cleared
            escalate:
              - {after: 100ms, severity: warning, topic: sco.floor}
              - {after: 200ms, severity: critical}
              - {after: 300ms, severity: critical, topic: sco.manager}
        """

    struct Told: Equatable {
        var seq: Int64
        var id: String
        var state: String?
        var severity: String?
    }

    @LoopActor private func told(_ lane: LaneRunnerTests.Subject, _ topic: String) async throws -> [Told] {
        try await lane.messages(topic).map { parcel in
            let value = try JSONValue(parsing: parcel.value ?? [])
            return Told(
                seq: parcel.position.seq, id: parcel.id, state: value["state"]?.text,
                severity: value["severity"]?.text)
        }
    }

    /// With a crash and one with a clean stop in between: the topics are in the journal and in the snapshot.
    @Test(arguments: [false, true]) @LoopActor func theClearGoesToEveryTopic(isClean: Bool) async throws {
        let folder = try LaneRunnerTests.Folder()
        var lane = try await LaneRunnerTests.Subject(folder, rules: Self.rules)
        _ = try await lane.send("help.requested", "txn", "T1")
        for _ in 0..<200 where lane.changes.count < 4 { await lane.pause(milliseconds: 20) }
        #expect(lane.changes.map(\.kind) == [.raise, .escalate, .escalate, .escalate])
        for _ in 0..<200 where lane.runner.counts.held > 0 || lane.runner.isCommitting {
            await lane.pause(milliseconds: 10)
        }
        if isClean { await lane.runner.stop() }
        await lane.outbox.close()
        lane = try await LaneRunnerTests.Subject(folder, rules: Self.rules)
        _ = try await lane.send("staff.cleared", "badge", "b")
        let first = try await told(lane, "sco.interventions")
        #expect(first.map(\.state) == ["raised", "updated", "updated", "updated", "cleared"])
        #expect(first.map(\.severity) == ["info", "warning", "critical", "critical", "critical"])
        #expect(first.map(\.seq) == [1, 2, 3, 4, 5])
        #expect(Set(first.map(\.id)).count == 5)
        // Each topic from the message on that it was first told with: the same messages, in an order of its own.
        for (topic, from) in [("sco.floor", 1), ("sco.manager", 3)] {
            let messages = try await told(lane, topic)
            #expect(messages.map(\.seq) == (1...Int64(5 - from)).map { $0 })
            #expect(messages.map(\.id) == first[from...].map(\.id))
            #expect(messages.map(\.state) == first[from...].map(\.state))
        }
        try await lane.end()
    }
}
