import CSQLite
import Foundation
import Lane
import Testing

@testable import Outbox

/// What becomes of an outbox whose files are damaged or taken away, at rest and while it is open.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DamageTests {
    private func text(_ n: Int64) -> String {
        "{\"n\":\(n),\"x\":\"\(String(repeating: "x", count: Int(n * 37 % 900)))\"}"
    }

    private func fill(_ outbox: Outbox, _ numbers: ClosedRange<Int64>) async throws {
        for n in numbers {
            _ = try await outbox.commit(
                Commit(
                    journal: [try signal(n)],
                    events: [
                        event("t", text(n), change: n), event("audit", text(n), chained: true),
                    ], snapshot: n.isMultiple(of: 50) ? Snapshot(number: n, engine: [1, 2, 3]) : nil,
                    facts: n.isMultiple(of: 30) ? ["rules": Array(text(n).utf8)] : [:]))
        }
    }

    /// Of `topic` each message of the old epoch is there with its very content, or told of; or the topic's beginning is lost
    /// with its epoch, which shows.
    private func expectNoSilentHole(_ outbox: Outbox, _ old: Int64, _ topic: String, _ what: Comment) async throws {
        // As the pump reads: what is damaged is told of by that.
        _ = try await outbox.lease(topic: topic, after: .start, limit: 1000)
        let all = try await outbox.all(topic, limit: 200).filter { $0.position.epoch == old }
        guard !all.isEmpty else { return }
        var next: Int64 = 1
        for parcel in all {
            let told = DroppedMessages(parcel)
            #expect((told?.first ?? parcel.position.seq) == next, what)
            next = parcel.position.seq + 1
            guard told == nil, topic == "t" else { continue }
            #expect(String(decoding: parcel.value ?? [], as: UTF8.self) == text(parcel.position.seq), what)
        }
    }

    /// Some hundred random bits, pages and cuts, each on a fresh copy: the agent always starts and goes on, nothing that is
    /// sent differs from what was kept, no message is missing unsaid, and the damaged file is still there.
    @Test(arguments: 0..<8) func bitsAndPagesFlipped(seed: UInt64) async throws {
        let base = try Folder()
        var outbox = try base.open(inFlight: 0)
        let epoch = outbox.epoch
        try await fill(outbox, 1...120)
        await outbox.close()
        let whole = try Data(contentsOf: URL(fileURLWithPath: base.database))
        var random = Seeded(state: seed &* 7919 &+ 3)
        var salvaged = 0
        var replaced = 0
        for round in 0..<30 {
            var bytes = whole
            switch round % 3 {
            case 0:
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1:
                let page = Int.random(in: 0..<bytes.count / 4096, using: &random)
                for place in page * 4096..<page * 4096 + 4096 {
                    bytes[place] = UInt8.random(in: 0...255, using: &random)
                }
            default:
                bytes = bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))
            }
            try bytes.write(to: URL(fileURLWithPath: base.database))
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: base.database + suffix) }
            let what: Comment = "seed \(seed), round \(round)"
            outbox = try base.open(inFlight: 0)
            // It may show only later.
            for _ in 1...3 {
                for _ in 0..<5 {
                    do throws(OutboxError) {
                        // As each says its own sequence.
                        let head = try await outbox.depths().first { $0.topic == "t" }?.head
                        let n = head?.epoch == outbox.epoch ? (head?.seq ?? 0) + 1 : 1
                        _ = try await outbox.commit(Commit(events: [event("t", text(n)), event("audit", text(n))]))
                        break
                    } catch { #expect(error.isRetriable, "\(what) \(error)") }
                }
            }
            for _ in 0..<4 {
                do {
                    for topic in ["t", "audit"] { try await expectNoSilentHole(outbox, epoch, topic, what) }
                    try await outbox.settle([Mark(topic: "t", position: Position(epoch: epoch, seq: 3))])
                    break
                } catch let error as OutboxError { #expect(error.isRetriable, "\(what) \(error)") }
            }
            let replacements = outbox.takeReplacements()
            for replacement in replacements {
                let aside = try #require(replacement.aside)
                #expect(FileManager.default.fileExists(atPath: aside), what)
                #expect(outbox.epoch > epoch, what)
                salvaged += replacement.salvaged.messages
            }
            replaced += replacements.isEmpty ? 0 : 1
            #expect(outbox.state.aside.count >= (replacements.isEmpty ? 0 : 1), what)
            await outbox.close()
            for file in outbox.state.aside { try? FileManager.default.removeItem(atPath: file) }
            try "\(epoch)\n".write(toFile: base.state + "/epoch", atomically: true, encoding: .utf8)
        }
        // Enough of both, or the test shows nothing.
        #expect(replaced >= 5 && salvaged > 300)
    }

    @Test func aLogCutShortLosesNoMoreThanWasCut() async throws {
        var asides = 0
        for seed in UInt64(0)..<40 {
            let folder = try Folder()
            var outbox: Outbox? = try folder.open()
            try await fill(try #require(outbox), 1...40)
            let epoch = try #require(outbox).epoch
            let log = try Data(contentsOf: URL(fileURLWithPath: folder.database + "-wal"))
            let file = try Data(contentsOf: URL(fileURLWithPath: folder.database))
            await outbox?.close()
            outbox = nil
            var random = Seeded(state: seed)
            try file.write(to: URL(fileURLWithPath: folder.database))
            let cut = Int.random(in: 0...log.count, using: &random)
            try log.prefix(cut).write(to: URL(fileURLWithPath: folder.database + "-wal"))
            try? FileManager.default.removeItem(atPath: folder.database + "-shm")
            let again = try folder.open()
            let seqs = try await again.all("t").map(\.position.seq)
            #expect(seqs == (0..<seqs.count).map { Int64($0 + 1) })
            let recovered = try await again.recover()
            let replacements = again.takeReplacements()
            #expect(recovered.lastSignal == Int64(seqs.count) || replacements.count == 1)
            for aside in replacements.compactMap(\.aside) {
                // All that was left of the log, also what is not read of it.
                #expect(try Data(contentsOf: URL(fileURLWithPath: aside)) == log.prefix(cut))
                asides += 1
            }
            // Numbers that were given once are not given again: what comes next is in a new epoch, and the alarm tells.
            #expect((again.epoch > epoch) == (seqs.count < 40) && replacements.count == (seqs.count < 40 ? 1 : 0))
        }
        #expect(asides > 20)
    }

    enum Removal: CaseIterable { case file, log, shm, all, folder, folderReplaced, otherFile }

    /// Nothing is lost whatever is taken away: all of it is in the open file still.
    @Test(arguments: Removal.allCases) func filesTakenAwayWhileRunning(removal: Removal) async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        try await fill(outbox, 1...60)
        let files = FileManager.default
        switch removal {
        case .file: try files.removeItem(atPath: folder.database)
        case .log: try files.removeItem(atPath: folder.database + "-wal")
        case .shm: try files.removeItem(atPath: folder.database + "-shm")
        case .all: for suffix in ["", "-wal", "-shm"] { try files.removeItem(atPath: folder.database + suffix) }
        case .folder: try files.removeItem(atPath: folder.state)
        case .folderReplaced:
            try files.moveItem(atPath: folder.state, toPath: folder.path + "/elsewhere")
            try files.createDirectory(atPath: folder.state, withIntermediateDirectories: false)
        case .otherFile:
            try files.removeItem(atPath: folder.database)
            try Data("not ours".utf8).write(to: URL(fileURLWithPath: folder.database))
        }
        try await fill(outbox, 61...80)
        #expect(outbox.epoch == epoch)
        let replacements = outbox.takeReplacements()
        #expect(replacements.count == (removal == .shm ? 0 : 1) && replacements.allSatisfy { $0.epoch == epoch })
        if removal == .otherFile {
            let aside = try #require(replacements.first?.aside)
            #expect(try String(contentsOfFile: aside, encoding: .utf8) == "not ours")
        }
        // Another process would find it all.
        await outbox.close()
        outbox = try folder.open()
        #expect(outbox.epoch == epoch && outbox.notices.isEmpty)
        #expect(try await outbox.all("t").map(\.position.seq) == Array(1...80))
        let recovered = try await outbox.recover()
        #expect(recovered.lastSignal == 80 && recovered.journal.count == 30 && recovered.snapshot?.number == 50)
    }

    /// On a lane that commits nothing it is seen too.
    @Test func theLookSeesWhatWasTakenAway() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        try await fill(outbox, 1...5)
        try FileManager.default.removeItem(atPath: folder.database)
        _ = try await outbox.upkeep()
        #expect(FileManager.default.fileExists(atPath: folder.database) && outbox.state.replacements == 1)
        try FileManager.default.removeItem(atPath: folder.state)
        _ = try await outbox.depths()
        #expect(FileManager.default.fileExists(atPath: folder.database) && outbox.state.replacements == 2)
    }

    /// Pages overwritten under the open database, and the cache too small to hide it.
    @Test func damageWhileRunningBeginsAnewWithinTheProcess() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let epoch = outbox.epoch
        for n in Int64(1)...300 {
            _ = try await outbox.commit(
                Commit(
                    journal: [try signal(n)], events: [event("t", filler(Int(n))), event("audit", "{}", chained: true)])
            )
        }
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: epoch, seq: 10))])
        try await outbox.checkpointForTest()
        try folder.destroyPages()
        try await outbox.forgetCacheForTest()
        var refusals: [OutboxError.Code] = []
        var kept: Committed?
        for _ in 0..<6 where kept == nil {
            do throws(OutboxError) {
                kept = try await outbox.commit(
                    Commit(
                        journal: [try! signal(301)], events: [event("t", filler(301))],
                        snapshot: Snapshot(number: 301, engine: [9])))
            } catch {
                #expect(error.isRetriable)
                refusals.append(error.code)
                _ = try? await outbox.depths(withOldest: true)
            }
        }
        #expect(refusals.contains(.corrupt) && refusals.contains(.replaced))
        #expect(outbox.epoch > epoch && kept?.heads["t"] == Position(epoch: outbox.epoch, seq: 1))
        let replacement = try #require(outbox.takeReplacements().first)
        #expect(replacement.formerEpoch == epoch && replacement.epoch == outbox.epoch)
        #expect(outbox.state.trouble == nil && outbox.state.replacements == 1)
        #expect(FileManager.default.fileExists(atPath: try #require(replacement.aside)))
    }

    @Test func whatADamagedFileStillHoldsIsTakenOver() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        for n in 1...400 {
            _ = try await outbox.commit(Commit(events: [event("t", filler(n)), event("s", "{\"n\":\(n)}")]))
        }
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: epoch, seq: 7))])
        await outbox.close()
        let file = try #require(FileHandle(forUpdatingAtPath: folder.database))
        let size = try file.seekToEnd()
        try file.seek(toOffset: size / 2 / 4096 * 4096)
        try file.write(contentsOf: Data(repeating: 0xFF, count: 4096 * 3))
        try file.close()
        outbox = try folder.open()
        let replacement = try #require(outbox.takeReplacements().first)
        #expect(replacement.salvaged.messages > 300)
        let all = try await outbox.all("t")
        #expect(all.first?.position == Position(epoch: epoch, seq: 8) && all.last?.position.seq == 400)
        let told = all.compactMap { DroppedMessages($0) }
        #expect(!told.isEmpty && told.allSatisfy { $0.reasons[.damaged] == $0.count })
        #expect(told.reduce(0) { $0 + Int($1.count) } + all.count - told.count == 393)
        try await expectContiguous(all, from: 8)
        // The new epoch follows.
        _ = try await outbox.commit(Commit(events: [event("t")]))
        #expect(try await outbox.all("t").last?.position == Position(epoch: outbox.epoch, seq: 1))
        // Once more, with nothing wrong: the same.
        await outbox.close()
        outbox = try folder.open()
        #expect(try await outbox.all("t").count == all.count + 1 && outbox.notices.isEmpty)
    }

    private func expectContiguous(_ all: [Parcel], from first: Int64) async throws {
        var next = first
        for parcel in all {
            #expect((DroppedMessages(parcel)?.first ?? parcel.position.seq) == next)
            next = parcel.position.seq + 1
        }
    }

    /// A bit turned within a row that SQLite takes for sound: it is told of where it was, and a chain goes on over it.
    @Test(arguments: [3, 40, 60]) func aTurnedBitIsToldOfAndTheChainGoesOn(seq: Int64) async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        for n in 1...60 {
            _ = try await outbox.commit(Commit(events: [event("audit", filler(n, bytes: 200), chained: true)]))
        }
        await outbox.close()
        do {
            let database = try Database(path: folder.database)
            let flip = "substr(messages, 1, 400) || x'00' || substr(messages, 402)"
            try database.run("UPDATE run SET messages = \(flip) WHERE place & 0xFFFFFF = \(seq)")
        }
        outbox = try folder.open()
        #expect(outbox.notices.isEmpty)
        _ = try await outbox.lease(topic: "audit", after: .start, limit: 100)
        _ = try await outbox.commit(Commit(events: [event("audit", filler(61), chained: true)]))
        let all = try await outbox.all("audit", limit: 100)
        #expect(all.map(\.position.seq) == Array(1...61))
        let told = try #require(DroppedMessages(all[Int(seq) - 1]))
        #expect(told.reasons == [.damaged: 1] && outbox.state.dropped == [Drop(topic: "audit", reason: .damaged): 1])
        var before = String(repeating: "0", count: 64)
        for parcel in all {
            #expect(DroppedMessages.previous(of: parcel.value ?? []) == before)
            before = DroppedMessages.digest(of: parcel.value ?? [], type: parcel.headers["ce_type"])
        }
        // Once told, it is a message like any other.
        await outbox.close()
        outbox = try folder.open()
        #expect(try await outbox.all("audit", limit: 100) == all)
        try await outbox.settle([Mark(topic: "audit", position: Position(epoch: outbox.epoch, seq: 61))])
        #expect(try await outbox.depths().map(\.rows) == [0] && outbox.state.missing == 0)
    }

    @Test func asideFilesAreSeenUntilTheyAreRemoved() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        await outbox.close()
        for _ in 0..<3 {
            try Data("text".utf8).write(to: URL(fileURLWithPath: folder.database))
            outbox = try folder.open()
            await outbox.close()
        }
        outbox = try folder.open()
        #expect(outbox.state.aside.count == 3 && outbox.state.asideBytes >= 12)
        for file in outbox.state.aside { try FileManager.default.removeItem(atPath: file) }
        _ = try await outbox.upkeep()
        #expect(outbox.state.aside.isEmpty)
    }
}

extension Outbox {
    func checkpointForTest() throws { try current().database.checkpointWhole() }

    /// So that pages are read from the file again.
    func forgetCacheForTest() throws {
        try current().database.run("PRAGMA shrink_memory; PRAGMA cache_size = 0; PRAGMA cache_size = 4")
    }
}
