import CSQLite
import Foundation
import Glibc
import Lane
import Testing

@testable import Outbox

/// What the outbox does with its folder, its file and its disk.
@Suite struct StateTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test func onlyItsUserMayReadIt() async throws {
        let folder = try Folder()
        let before = umask(0)
        defer { umask(before) }
        let outbox = try folder.open()
        _ = try await outbox.commit(Commit(events: [event("t")]))
        #expect(try mode(folder.state) == 0o700)
        for file in ["outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm", "lock", "epoch"] {
            #expect(try mode(folder.state + "/" + file) == 0o600, "\(file)")
        }
    }

    @Test func oneAgentAFolder() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        #expect { try folder.open() } throws: {
            ($0 as? OutboxError)?.code == .locked && "\($0)".contains(folder.state)
        }
        await outbox.close()
        _ = try folder.open()
    }

    @Test func aClosedOutboxRefusesEverything() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        await outbox.close()
        await #expect { try await outbox.commit(Commit(events: [event("t")])) } throws: {
            ($0 as? OutboxError)?.code == .misuse
        }
    }

    @Test func aDamagedFileIsMovedAsideAndALargerEpochBegun() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        let hours = (Int64(time(nil)) - 1_577_836_800) / 3600
        #expect(outbox.notices.isEmpty && abs(hours - epoch) <= 1)
        _ = try await outbox.commit(Commit(events: (0..<200).map { event("t", "{\"n\":\($0)}", chained: true) }))
        await outbox.close()
        let file = try #require(FileHandle(forUpdatingAtPath: folder.database))
        try file.seek(toOffset: 4096 * 3)
        try file.write(contentsOf: Data(repeating: 0x5A, count: 4096 * 4))
        try file.close()
        outbox = try folder.open()
        #expect(outbox.epoch > epoch)
        let notice = try #require(outbox.notices.first)
        let aside = try #require(notice.fields.first { $0.key == "outbox.aside" }?.value)
        #expect(notice.level == .error && FileManager.default.fileExists(atPath: aside))
        #expect(try await outbox.all("t").isEmpty)
        _ = try await outbox.commit(Commit(events: [event("t", chained: true)]))
        let first = try #require(try await outbox.all("t").first)
        #expect(first.position == Position(epoch: outbox.epoch, seq: 1))
        #expect(String(decoding: first.value ?? [], as: UTF8.self).contains(String(repeating: "0", count: 64)))
    }

    @Test func noDatabaseAtAllBeginsALargerEpochToo() async throws {
        let folder = try Folder()
        let first = try folder.open().epoch
        try FileManager.default.removeItem(atPath: folder.database)
        let again = try folder.open()
        let second = again.epoch
        #expect(again.takeReplacements().map(\.formerEpoch) == [first])
        await again.close()
        try Data("text, and no database".utf8).write(to: URL(fileURLWithPath: folder.database))
        let third = try folder.open()
        #expect(first < second && second < third.epoch)
        #expect(third.notices.count == 1)
    }

    /// A copy of an old database put back: its numbers were used since, so it must not go on with them.
    @Test func anOldDatabasePutBackBeginsALargerEpochAndSendsTheOldRowsFirst() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let old = outbox.epoch
        _ = try await outbox.commit(Commit(events: (1...3).map { event("t", "{\"n\":\($0)}", chained: true) }))
        await outbox.close()
        try "\(old + 5)\n".write(toFile: folder.state + "/epoch", atomically: true, encoding: .utf8)
        outbox = try folder.open()
        #expect(outbox.epoch > old + 5)
        _ = try await outbox.commit(Commit(events: [event("t", "{\"n\":4}", chained: true)]))
        let all = try await outbox.all("t", limit: 2)
        #expect(all.map(\.position.epoch) == [old, old, old, outbox.epoch])
        #expect(all.map(\.position.seq) == [1, 2, 3, 1])
        #expect(String(decoding: all[3].value ?? [], as: UTF8.self).contains(String(repeating: "0", count: 64)))
        #expect(try await outbox.depths().map(\.rows) == [4])
        #expect(try await outbox.depths().first?.settled == Position(epoch: old, seq: 0))
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: old, seq: 2))])
        #expect(try await outbox.depths().first?.settled == Position(epoch: old, seq: 2))
        // A mark in the new epoch stands behind all of the old one.
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 1))])
        #expect(try await outbox.depths().map(\.rows) == [0])
        await outbox.close()
        outbox = try folder.open()
        #expect(try await outbox.depths().first?.head == Position(epoch: outbox.epoch, seq: 1))
        #expect(try await outbox.all("t").isEmpty)
    }

    @Test func aFileOfANewerVersionIsLeftAlone() async throws {
        let folder = try Folder()
        await (try folder.open()).close()
        let database = try Database(path: folder.database)
        try database.run("PRAGMA user_version = 99")
        #expect { try folder.open() } throws: { ($0 as? OutboxError)?.code == .tooNew }
        #expect(try database.integer("PRAGMA user_version") == 99)
    }

    @Test func atTheOperatorsLimitEventsAreRefusedAndNothingIsLost() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 512 * 1024, whenFull: .hold)
        let body = "{\"a\":\"\(String(repeating: "x", count: 10_000))\"}"
        var kept = 0
        var refusal: OutboxError?
        while refusal == nil && kept < 1000 {
            do { kept += try await outbox.commit(Commit(events: [event("t", body)])).added } catch { refusal = error }
        }
        #expect(refusal?.code == .full && refusal?.isRetriable == true)
        #expect((30...60).contains(kept))
        #expect(try await outbox.usedBytes() > 512 * 1024)
        // Signals are still taken, and room made by deliveries is used again.
        _ = try await outbox.commit(Commit(journal: [try signal(1)]))
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 20))])
        #expect(try await outbox.commit(Commit(events: [event("t", body)])).heads["t"]?.seq == Int64(kept) + 1)
        #expect(await outbox.totals().full == 1)
    }

    /// SQLITE_FULL, as from a full disk: brought about by the hard limit of pages, half as much again as the operator's.
    @Test func aFullDiskLeavesNothingHalfWritten() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 400 * 1024, whenFull: .hold)
        let body = "{\"a\":\"\(String(repeating: "x", count: 40_000))\"}"
        _ = try await outbox.commit(Commit(journal: [try signal(1)], events: [event("t", body)]))
        // One commit that is larger than the disk.
        let signals = try (2...4).map { try signal(Int64($0)) }
        await #expect {
            try await outbox.commit(
                Commit(journal: signals, events: (0..<40).map { event("t", body, change: Int64($0 + 1)) }))
        } throws: { ($0 as? OutboxError)?.code == .diskFull && ($0 as? OutboxError)?.isRetriable == true }
        #expect(try await outbox.all("t").count == 1)
        let recovered = try await outbox.recover()
        #expect(recovered.journal.map(\.number) == [1] && recovered.lastChange == 0)
        #expect(try await outbox.commit(Commit(journal: signals, events: [event("t")])).heads["t"]?.seq == 2)
    }

    @Test func journalLinesOfAnotherVersionAreLeftOutAndCounted() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        _ = try await outbox.commit(Commit(journal: [try signal(1), try signal(2), try signal(3)]))
        _ = try await outbox.commit(Commit(journal: [try signal(4)]))
        _ = try await outbox.commit(Commit(journal: [try signal(5)]))
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            try database.run(
                """
                UPDATE journal SET signal = replace(signal, '{"seq":2,', '{"x":') WHERE number = 3;
                UPDATE journal SET signal = '{"type":"no.such.thing"}' WHERE number = 4
                """)
        }
        outbox = try folder.open()
        let recovered = try await outbox.recover()
        #expect(recovered.journal.map(\.number) == [1, 3, 5] && recovered.unreadable == 2)
    }

    @Test func theFileIsWrittenThroughAsAsked() async throws {
        let folder = try Folder()
        let opened = try Opened(OutboxConfiguration(folder: folder.state), in: try StateFolder(folder.state))
        #expect(try opened.database.integer("PRAGMA synchronous") == 2)
        #expect(try opened.database.text("PRAGMA journal_mode") == "wal")
        try opened.setDurability(.relaxed)
        #expect(try opened.database.integer("PRAGMA synchronous") == 1)
        try opened.setDurability(.full)
        #expect(try opened.database.integer("PRAGMA synchronous") == 2)
    }

    @Test func aFolderThatCannotBeMadeIsSaid() {
        #expect { try Outbox(OutboxConfiguration(folder: "/proc/nope/state")) } throws: {
            ($0 as? OutboxError)?.code == .system && "\($0)".contains("/proc/nope/state")
        }
    }

    @Test func headersSurviveAnyText() {
        let headers = [
            CloudEvent.Header("a", ""), .init("", "x"), .init("ce_é", "line\nfeed\u{0}"),
            .init("long", String(repeating: "y", count: 70_000)),
        ]
        #expect(HeaderBlock(headers).headers == headers)
        #expect(
            HeaderBlock(kept: [0, 1]).headers.isEmpty && HeaderBlock(kept: [0, 1, 65, 0, 0, 0, 9, 66]).headers.isEmpty)
    }
}
