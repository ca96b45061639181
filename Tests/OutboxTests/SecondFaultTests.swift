import CSQLite
import Foundation
import Lane
import Testing

@testable import Outbox

/// A fault on top of another, and damage that SQLite does not see.
@Suite(.serialized) struct SecondFaultTests {
    private func fill(_ outbox: Outbox, _ numbers: ClosedRange<Int64>) async throws {
        for n in numbers {
            _ = try await outbox.commit(Commit(journal: [try signal(n)], events: [event("t", filler(Int(n)))]))
        }
    }

    /// Found damaged while running, set aside, and then no room for a new file: the next try takes over what was set aside.
    @Test func whatWasSetAsideIsTakenOverThoughBeginningAnewTookTwoTries() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let epoch = outbox.epoch
        try await fill(outbox, 1...20)
        await outbox.close()
        let held = try StateFolder(folder.state)
        let aside = try held.moveAside(salvaging: true)
        let opened = try Opened(OutboxConfiguration(folder: folder.state), in: held, damage: "a page is not whole")
        let replacement = try #require(opened.replacement)
        #expect(replacement.salvaged.messages == 20 && replacement.aside == aside)
        #expect(opened.cursors["t"]?.first.map { [$0.epoch, $0.waiting] } == [epoch, 20])
        #expect(held.aside().files == [aside])
    }

    /// A new file may be damaged too before all was taken over into it.
    @Test func aNewFileThatIsDamagedBeforeAllWasTakenOver() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        try await fill(outbox, 1...20)
        await outbox.close()
        do { _ = try StateFolder(folder.state).moveAside(salvaging: true) }
        try Data(repeating: 0x5A, count: 9000).write(to: URL(fileURLWithPath: folder.database))
        outbox = try folder.open()
        #expect(outbox.takeReplacements().first?.salvaged.messages == 20)
        #expect(try await outbox.all("t").map(\.position.seq) == Array(1...20))
        #expect(outbox.state.aside.count == 2)
    }

    /// That a new database was begun is for whoever keeps the engine in it: others that commit do not hear it in their place.
    @Test func whoKeepsFactsAloneDoesNotHearOfANewDatabaseForOthers() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let epoch = outbox.epoch
        try await fill(outbox, 1...300)
        try await outbox.checkpointForTest()
        try folder.destroyPages()
        try await outbox.forgetCacheForTest()
        for _ in 0..<6 where outbox.epoch == epoch { _ = try? await outbox.all("t") }
        #expect(outbox.epoch > epoch)
        for _ in 0..<3 { _ = try? await outbox.commit(Commit(facts: ["partition.t": [0x31]])) }
        #expect(try await outbox.facts(named: "partition.") == ["t": [0x31]])
        await #expect {
            try await outbox.commit(Commit(journal: [try signal(301)]))
        } throws: {
            ($0 as? OutboxError)?.code == .replaced
        }
        _ = try await outbox.commit(Commit(journal: [try signal(301)], snapshot: Snapshot(number: 301, engine: [9])))
        // Nor of one that was written anew.
        try FileManager.default.removeItem(atPath: folder.database)
        _ = try await outbox.commit(Commit(facts: ["partition.t": [0x32]]))
        #expect(try await outbox.commit(Commit(journal: [try signal(302)])).isRewritten)
    }

    /// After a start so many messages are taken for being on their way. One that tells of thousands is one of them.
    @Test func whatTellsOfManyIsOneOfThoseOnTheirWay() async throws {
        let folder = try Folder()
        var outbox = try folder.open(maximumBytes: 400 << 10, values: testValues)
        for n in 1...200 { _ = try await outbox.commit(Commit(events: [event("own", filler(n))])) }
        let before = try await outbox.all("own")
        let told = try #require(before.first.flatMap { DroppedMessages($0) })
        #expect(told.first == 1 && told.last > 50)
        await outbox.close()
        outbox = try folder.open(maximumBytes: 250 << 10, values: testValues, inFlight: 20)
        _ = try await outbox.commit(Commit(events: [event("own", filler(201))]))
        #expect(outbox.dropped("own") > 10)
        #expect(try await outbox.holes("own").isEmpty)
        let after = try await outbox.all("own")
        #expect(Array(after.prefix(20)) == Array(before.prefix(20)))
        #expect(DroppedMessages(after[20])?.first == before[20].position.seq)
    }

    /// What a large file is damaged in shows only when it is read: at the start it begins anew, not never.
    @Test(arguments: ["cursor", "meta", "journal", "snapshot"]) func aLargeFileThatIsDamagedWhereAStartReads(
        table: String
    ) async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        try await fill(outbox, 1...20)
        let epoch = outbox.epoch
        await outbox.close()
        let page: Int64 = try {
            let database = try Database(path: folder.database)
            return try database.integer("SELECT rootpage FROM sqlite_master WHERE name = '\(table)'")
        }()
        let file = try #require(FileHandle(forUpdatingAtPath: folder.database))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
        outbox = try Outbox(OutboxConfiguration(folder: folder.state, checkedBytes: 0))
        _ = try? await outbox.recover()
        #expect(outbox.epoch > epoch && outbox.takeReplacements().count == 1)
        await outbox.close()
        outbox = try folder.open()
        #expect(outbox.takeReplacements().isEmpty)
    }

    /// A cursor whose number was changed on the disk: what waits is sent, perhaps once more, and never passed over.
    @Test(arguments: [Int64(1) << 40, 21, -3, .max, .min]) func aCursorThatSaysMoreThanCanBe(acked: Int64) async throws
    {
        let folder = try Folder()
        var outbox = try folder.open()
        try await fill(outbox, 1...20)
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 4))])
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            try database.run("UPDATE cursor SET acked_seq = \(acked == .min ? "-9223372036854775807 - 1" : "\(acked)")")
        }
        outbox = try folder.open()
        #expect(try await outbox.all("t").map(\.position.seq) == Array(5...20))
        _ = try await outbox.commit(Commit(events: [event("t")]))
        #expect(try await outbox.all("t").last?.position.seq == 21)
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 21))])
        #expect(try await outbox.depths().map(\.rows) == [0])
    }

    @Test(arguments: [Int64(1) << 50, 0, .min, .max]) func aCursorWhoseNextCannotBe(next: Int64) async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        try await fill(outbox, 1...20)
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            try database.run("UPDATE cursor SET next_seq = \(next == .min ? "-9223372036854775807 - 1" : "\(next)")")
        }
        outbox = try folder.open()
        _ = try await outbox.commit(Commit(events: [event("t")]))
        #expect(try await outbox.all("t").map(\.position.seq) == Array(1...21))
    }

    /// With nothing that waits, nobody knows which numbers were given: a new epoch is begun.
    @Test(arguments: ["next_seq = 7", "acked_seq = 99"]) func aCursorThatCannotBeOfASettledTopic(change: String)
        async throws
    {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        try await fill(outbox, 1...20)
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 20))])
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            try database.run("UPDATE cursor SET \(change)")
        }
        outbox = try folder.open()
        #expect(outbox.epoch > epoch && outbox.takeReplacements().count == 1)
        #expect(try await outbox.recover().lastSignal == 20)
        _ = try await outbox.commit(Commit(events: [event("t")]))
        #expect(try await outbox.all("t").map(\.position) == [Position(epoch: outbox.epoch, seq: 1)])
    }

    /// Runs that cannot be read any more are in nobody's way when room is made: nothing of more worth goes for them.
    @Test func damagedRunsAreGivenUpInTheirTurn() async throws {
        let folder = try Folder()
        var outbox = try folder.open(maximumBytes: 1 << 20, values: testValues)
        for n in 1...100 { _ = try await outbox.commit(Commit(events: [event("health", filler(n))])) }
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            let flip = "substr(messages, 1, 400) || x'00' || substr(messages, 402)"
            try database.run("UPDATE run SET messages = \(flip) WHERE place & 0xFFFFFF BETWEEN 2 AND 60")
        }
        outbox = try folder.open(maximumBytes: 1 << 20, values: testValues)
        for n in 1...190 { _ = try await outbox.commit(Commit(events: [event("own", filler(n))])) }
        #expect(outbox.dropped("own") == 0 && outbox.dropped("health") > 30)
        #expect(try await outbox.usedBytes() <= 1 << 20)
        _ = try await outbox.lease(topic: "health", after: .start, limit: 1000)
        #expect(try await outbox.holes("health").isEmpty)
    }

    @Test func anEpochThatCannotBeIsNone() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        try await fill(outbox, 1...3)
        await outbox.close()
        try "9223372036854775807\n".write(toFile: folder.state + "/epoch", atomically: true, encoding: .utf8)
        outbox = try folder.open()
        #expect(outbox.epoch == epoch)
        #expect(try await outbox.all("t").count == 3)
    }
}

extension SecondFaultTests {
    /// What tells of a single message goes with it, so that its place means nothing to a topic that is given its stream.
    @Test func nothingIsLeftOfWhatToldOfOneMessage() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        for n in 1...6 { _ = try await outbox.commit(Commit(events: [event("t", filler(n, bytes: 600))])) }
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            let flip = "substr(messages, 1, 400) || x'00' || substr(messages, 402)"
            try database.run("UPDATE run SET messages = \(flip) WHERE place & 0xFFFFFF = 3")
        }
        outbox = try folder.open()
        _ = try await outbox.lease(topic: "t", after: .start, limit: 100)
        await outbox.close()
        outbox = try folder.open()
        #expect(DroppedMessages(try await outbox.all("t")[2])?.reasons == [.damaged: 1])
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 6))])
        await outbox.close()
        let database = try Database(path: folder.database)
        #expect(try database.integer("SELECT count(*) FROM run") == 0)
        #expect(try database.integer("SELECT count(*) FROM told") == 0)
    }
}
