import Foundation
import Lane
import Testing

@testable import Outbox

@Suite struct OutboxTests {
    @Test func aMessageComesOutAsItWentIn() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let id = LaneUUID(hashing: ["i", "1"])
        let done = try await outbox.commit(
            Commit(events: [event("sco.interventions", #"{"a":1}"#, id: id, change: 1), event("sco.audit", "{}")]))
        #expect(done.added == 2 && done.refused.isEmpty && done.nanoseconds > 0)
        let epoch = outbox.epoch
        #expect(
            done.heads == [
                "sco.interventions": Position(epoch: epoch, seq: 1), "sco.audit": Position(epoch: epoch, seq: 1),
            ])
        let parcel = try #require(try await outbox.all("sco.interventions").first)
        #expect(parcel.id == id.description && parcel.key == "0042/07")
        #expect(parcel.value == Array(#"{"a":1}"#.utf8))
        #expect(parcel.headers["ce_id"] == id.description)
        #expect(parcel.headers["ce_sequence"] == CloudEvent.sequence(epoch: epoch, seq: 1))
        #expect(parcel.headers.headers.first == CloudEvent.Header("content-type", "application/json"))
        let audit = try #require(try await outbox.all("sco.audit").first)
        #expect(
            audit.id == LaneUUID(hashing: ["/stores/0042/lanes/07", "sco.audit", String(epoch), "1"]).description)
    }

    @Test func sequencesAreWrittenExactly() {
        #expect(CloudEvent.sequence(epoch: 0, seq: 7) == "00000000000000000007")
        #expect(CloudEvent.sequence(epoch: 12, seq: 34) == "00001200000000000034")
        #expect(CloudEvent.sequence(epoch: 60_399, seq: 1) == "06039900000000000001")
        #expect(CloudEvent.parseSequence("06039900000000000001").map { [$0.epoch, $0.seq] } == [60_399, 1])
        #expect(CloudEvent.parseSequence("00001200000000000034").map { [$0.epoch, $0.seq] } == [12, 34])
        #expect(CloudEvent.parseSequence("x") == nil && CloudEvent.parseSequence("-0000000000000000034") == nil)
    }

    @Test func changesTakenBeforeAreSkippedAfterAReplay() async throws {
        let folder = try Folder()
        do {
            let outbox = try folder.open()
            _ = try await outbox.commit(Commit(events: [event("t", "{}", change: 1), event("s", "{}", change: 1)]))
            _ = try await outbox.commit(Commit(events: [event("t", #"{"n":2}"#, change: 2)]))
            await outbox.close()
        }
        let outbox = try folder.open()
        #expect(try await outbox.recover().lastChange == 2)
        let done = try await outbox.commit(
            Commit(events: [event("t", change: 1), event("t", change: 2), event("t", #"{"n":3}"#, change: 3)]))
        #expect(done.skipped == 2 && done.added == 1)
        #expect(try await outbox.all("t").map(\.position.seq) == [1, 2, 3])
        let totals = await outbox.totals()
        #expect(totals.eventsIn == totals.added + totals.skipped + totals.refused)
    }

    @Test func theCheckpointIsTheSnapshotAndTheJournalAfterIt() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let signals = try (1...10).map { try signal(Int64($0)) }
        _ = try await outbox.commit(Commit(journal: Array(signals[0..<6]), durability: .relaxed))
        _ = try await outbox.commit(
            Commit(
                journal: Array(signals[6..<8]), snapshot: Snapshot(number: 7, engine: [1, 2, 3]),
                facts: ["boot": Array("b1".utf8), "gone": [1]]))
        _ = try await outbox.commit(Commit(journal: Array(signals[8...]), facts: ["gone": nil]))
        await outbox.close()
        let again = try folder.open()
        let found = try await again.recover()
        #expect(found.snapshot == Snapshot(number: 7, engine: [1, 2, 3]))
        #expect(found.journal == Array(signals[7...]))
        #expect(found.lastSignal == 10 && found.unreadable == 0)
        #expect(found.facts == ["boot": Array("b1".utf8)])
        // A snapshot of everything empties the journal, and the numbers go on.
        _ = try await again.commit(Commit(snapshot: Snapshot(number: 10, engine: [9])))
        await again.close()
        let third = try await folder.open().recover()
        #expect(third.journal.isEmpty && third.lastSignal == 10 && third.snapshot?.engine == [9])
    }

    @Test func aSignalNumberUsedTwiceIsRefusedWhole() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        _ = try await outbox.commit(Commit(journal: [try signal(1)]))
        await #expect { try await outbox.commit(Commit(journal: [try signal(1)], events: [event("t")])) } throws: {
            ($0 as? OutboxError)?.code == .misuse
        }
        #expect(try await outbox.all("t").isEmpty)
        #expect(try await outbox.commit(Commit(events: [event("t")])).heads["t"]?.seq == 1)
    }

    @Test func chainedMessagesNameTheHashOfTheOneBefore() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        _ = try await outbox.commit(
            Commit(events: [event("a", #"{"x":1}"#, chained: true), event("a", "{}", chained: true)]))
        await outbox.close()
        outbox = try folder.open()
        _ = try await outbox.commit(Commit(events: [event("a", #"{"x":3}"#, chained: true)]))
        let values = try await outbox.all("a").map { $0.value ?? [] }
        #expect(
            String(decoding: values[0], as: UTF8.self)
                == "{\"previous\":\"\(String(repeating: "0", count: 64))\",\"x\":1}")
        #expect(String(decoding: values[1], as: UTF8.self) == "{\"previous\":\"\(SHA256.hex(values[0]))\"}")
        #expect(String(decoding: values[2], as: UTF8.self) == "{\"previous\":\"\(SHA256.hex(values[1]))\",\"x\":3}")
    }

    @Test func whatCanNeverBeSentIsRefusedAlone() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let large = event("big", "{\"a\":\"" + String(repeating: "x", count: Outbox.largestValue) + "\"}", change: 2)
        let done = try await outbox.commit(
            Commit(
                journal: [try signal(1)],
                events: [
                    event("t", change: 1), large, event("t", change: 3), event("t", key: ""),
                    event("c", "[]", chained: true),
                ]))
        #expect(done.added == 2 && done.refused.map(\.code) == [.tooLarge, .malformed, .malformed])
        #expect(done.refused.first?.topic == "big")
        #expect(try await outbox.all("t").map(\.position.seq) == [1, 2])
        #expect(try await outbox.recover().lastChange == 3)
        #expect(await outbox.totals().refused == 3)
    }

    @Test func settledMessagesAreGoneAndTheSequenceGoesOn() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        _ = try await outbox.commit(Commit(events: (1...20).map { event("t", "{\"n\":\($0)}") } + [event("u")]))
        #expect(try await outbox.depths(withOldest: true).map(\.rows) == [20, 1])
        try await outbox.settle([
            Mark(topic: "t", position: Position(epoch: epoch, seq: 12)), Mark(topic: "none", position: .start),
        ])
        // A mark beyond the end settles what there is; one before it does nothing.
        try await outbox.settle([Mark(topic: "u", position: Position(epoch: epoch, seq: 99))])
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: epoch, seq: 3))])
        await outbox.close()
        outbox = try folder.open()
        #expect(try await outbox.all("t").map(\.position.seq) == Array(13...20))
        let depths = try await outbox.depths(withOldest: true)
        #expect(depths.map(\.settled.seq) == [12, 1] && depths.map(\.head.seq) == [20, 1])
        #expect(depths[0].oldest != nil && depths[1].oldest == nil)
        #expect(
            try await outbox.commit(Commit(events: [event("u"), event("t")])).heads.values.map(\.seq).sorted() == [
                2, 21,
            ])
    }

    @Test func aLeaseIsBoundedInRowsAndBytes() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let body = "{\"a\":\"\(String(repeating: "y", count: 1000))\"}"
        _ = try await outbox.commit(Commit(events: (0..<30).map { _ in event("t", body) }))
        #expect(try await outbox.lease(topic: "t", after: .start, limit: 4).count == 4)
        let few = try await outbox.lease(topic: "t", after: .start, limit: 30, bytes: 3000)
        #expect(few.count == 3)
        #expect(try await outbox.lease(topic: "t", after: .start, limit: 30, bytes: 1).count == 1)
        #expect(try await outbox.lease(topic: "t", after: Position(epoch: outbox.epoch, seq: 30), limit: 5).isEmpty)
    }

    @Test func aDeadLetterLeavesASubstituteInItsPlace() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        _ = try await outbox.commit(Commit(events: (1...3).map { event("t", "{\"n\":\($0)}") }))
        let before = try await outbox.all("t")
        let mark = Mark(topic: "t", position: before[1].position)
        let moved = try await outbox.moveToDeadLetters(
            mark, reason: "too large",
            substitute: Substitute(
                id: LaneUUID(hashing: ["s"]), headers: HeaderBlock([.init("ce_type", "x")]), value: Array("{}".utf8)))
        #expect(moved)
        let after = try await outbox.all("t")
        #expect(after.map(\.position) == before.map(\.position))
        #expect([after[0].id, after[2].id] == [before[0].id, before[2].id])
        #expect(after[1].uuid == LaneUUID(hashing: ["s"]))
        #expect(after[1].value == Array("{}".utf8) && after[1].headers["ce_type"] == "x")
        let letters = try await outbox.deadLetters()
        #expect(letters.count == 1 && letters.first?.reason == "too large" && letters.first?.mark == mark)
        #expect(letters.first?.id == before[1].uuid)
        #expect(try await outbox.deadLetter(mark) == before[1])
        let gone = Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 9))
        let nobody = Substitute(id: LaneUUID(hashing: ["n"]), headers: HeaderBlock(), value: [])
        #expect(try await !outbox.moveToDeadLetters(gone, reason: "", substitute: nobody))
    }

    @Test func tombstonesAndEmptyValuesDiffer() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        var tombstone = event("t")
        tombstone.event.value = nil
        _ = try await outbox.commit(Commit(events: [tombstone, event("t", "")]))
        #expect(try await outbox.all("t").map(\.value) == [nil, []])
    }
}
