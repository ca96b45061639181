import CSQLite
import Foundation
import Lane
import Testing

@testable import Outbox

/// A mount namespace of one's own, with a small file system in it: needs root or CAP_SYS_ADMIN.
enum OwnDisk {
    static let isAllowed: Bool = {
        guard
            let process = try? ProbeProcess([
                "/usr/bin/unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt && echo yes",
            ])
        else { return false }
        return process.lines() == ["yes"]
    }()
    static let refusal: Comment = "mount namespaces are refused here (unshare -m): run as root to test them"

    /// Runs `outbox-probe obey` on a disk of `size` below `folder`.
    static func run(
        _ folder: Folder, size: String, limit: Int64 = 512 << 20, hold: Bool = false, prepare: String = "true",
        _ commands: [String]
    ) throws -> [String] {
        let disk = folder.path + "/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        let script = """
            mount -t tmpfs -o size=\(size) tmpfs "$0" && cd "$0" && \(prepare) && \
            exec env \(hold ? "HOLD=1" : "X=1") "$@"
            """
        let process = try ProbeProcess(
            [
                "/usr/bin/unshare", "-m", "sh", "-c", script, disk, try ProbeProcess.path, "obey", disk + "/state",
                "\(limit)",
            ] + commands)
        return process.lines()
    }
}

@Suite(.enabled(if: OwnDisk.isAllowed, OwnDisk.refusal), .serialized, .timeLimit(.minutes(5))) struct DiskTests {
    /// ENOSPC for real, at a place that nobody chose: what was answered is there, and it goes on by itself.
    @Test(arguments: [1500, 1800, 2300]) func aFullDiskHoldsAndGoesOnByItself(kilobytes: Int) throws {
        let folder = try Folder()
        let lines = try OwnDisk.run(
            folder, size: "3m",
            prepare: "head -c \(kilobytes)k /dev/zero > filler",
            ["commit 5000 700 t", "state", "sh rm filler", "commit 100 700 t", "state", "list t", "reopen", "list t"])
        let stop = try #require(lines.first { $0.hasPrefix("error disk_full after ") }, "\(lines)")
        let before = try #require(stop.split(separator: " ").last.flatMap { Int($0) })
        #expect(lines[2].hasPrefix("state disk_full: ") && lines[2].contains("free some space"), "\(lines)")
        #expect(lines[2].contains(folder.path), "\(lines)")
        #expect(lines[4] == "ok \(before + 100)" && lines[5] == "state ok", "\(lines)")
        let list = "list 1-\(before + 100) \(before + 100) told 0"
        #expect(lines.count == 9 && lines[6] == list && lines[8] == list, "\(lines)")
    }

    @Test func aFolderThatMayOnlyBeReadIsSaidAtTheStart() throws {
        let folder = try Folder()
        let lines = try OwnDisk.run(
            folder, size: "8m", prepare: "mkdir -m 700 state && mount -o remount,ro \"$0\"", ["commit 1 10 t"])
        #expect(lines.first?.hasPrefix("error read_only: ") == true && lines[0].contains("read-only"), "\(lines)")
        #expect(lines[0].contains("state") && lines.last == "closed", "\(lines)")
    }

    /// A disk that goes and comes back read-only: a state while it is, and when it is writable again all is written to it.
    @Test func aDiskThatComesBackReadOnly() throws {
        let folder = try Folder()
        let disk = folder.path + "/disk"
        let lines = try OwnDisk.run(
            folder, size: "8m",
            [
                "commit 20 500 t", "sh cd / && umount -l \(disk) && mount -t tmpfs -o size=8m,ro tmpfs \(disk)",
                "commit 1 500 t", "state", "sh mount -o remount,rw \(disk)", "commit 5 500 t", "state", "list t",
                "reopen",
                "list t",
            ])
        #expect(lines.count == 11 && lines[1] == "ok 20" && lines[2] == "sh 0", "\(lines)")
        #expect(lines[3] == "error read_only after 0" && lines[4].hasPrefix("state read_only: "), "\(lines)")
        #expect(lines[4].contains(disk) && lines[4].contains("mount it writable"), "\(lines)")
        #expect(lines[6] == "ok 25" && lines[7] == "state ok", "\(lines)")
        #expect(lines[8] == "list 1-25 25 told 0" && lines[10] == lines[8], "\(lines)")
    }

    /// Damaged, and no room to begin anew: it says so, sets one file aside and no more, and takes over what is in it once there is room.
    @Test func aDamagedFileOnAFullDisk() throws {
        let folder = try Folder()
        let damage = "dd if=/dev/urandom of=state/outbox.sqlite bs=4096 seek=30 count=2 conv=notrunc 2>/dev/null"
        let lines = try OwnDisk.run(
            folder, size: "8m",
            [
                "commit 600 700 t", "close", "sh \(damage); head -c 9m /dev/zero > filler 2>/dev/null; true", "reopen",
                "reopen", "reopen", "sh rm filler", "reopen", "commit 3 10 t", "list t",
                "sh test $(ls state | grep -c 'damaged-[0-9]*$') = 1",
            ])
        #expect(lines.count == 11 && lines[1] == "ok 600" && lines.last == "sh 0", "\(lines)")
        #expect(lines[3...5].allSatisfy { $0.hasPrefix("error disk_full: ") }, "\(lines)")
        #expect(lines[7].hasPrefix("opened ") && lines[7] != lines[0] && lines[8] == "ok 3", "\(lines)")
        // All of the old epoch is there or told of; the list ends in the new one.
        let told = lines[9].split(separator: " ").last.flatMap { Int($0) } ?? 0
        #expect(lines[9].hasPrefix("list 1-3 ") && (1...300).contains(told), "\(lines)")
    }

    /// Past the limit it drops, on a real disk, and each sequence is there or told of.
    @Test func pastTheLimitItLivesOn() throws {
        let folder = try Folder()
        let lines = try OwnDisk.run(
            folder, size: "24m", limit: 2 << 20,
            ["commit 1500 1000 health", "commit 4000 1000 t", "list health", "list t", "state", "reopen", "list t"])
        #expect(lines[1] == "ok 1500" && lines[2] == "ok 4000" && lines[5] == "state ok", "\(lines)")
        #expect(!lines.contains { $0.hasPrefix("hole") }, "\(lines)")
        #expect(lines[3] == "list 1-1500 1 told 1500", "\(lines)")
        #expect(lines[4].hasPrefix("list 1-4000 ") && lines[4] == lines[7], "\(lines)")
    }

    @Test func withHoldNothingIsGivenUp() throws {
        let folder = try Folder()
        let lines = try OwnDisk.run(
            folder, size: "24m", limit: 1 << 20, hold: true, ["commit 5000 1000 health", "state", "list health"])
        #expect(lines[1].hasPrefix("error full after ") && lines[2].hasPrefix("state full: "), "\(lines)")
        let kept = lines[1].split(separator: " ").last ?? ""
        #expect(lines[3] == "list 1-\(kept) \(kept) told 0", "\(lines)")
    }
}

@Suite(.serialized) struct LogAndRoomTests {
    /// EFBIG out of write(2), which SQLite takes for a broken disk: the file is opened anew, nothing is lost or doubled.
    @Test(arguments: [200, 333, 500]) func whatTheSystemRefusesToWrite(kilobytes: Int) throws {
        let folder = try Folder()
        let process = try ProbeProcess(
            [
                try ProbeProcess.path, "obey", folder.state, "536870912", "commit 20 700 t", "limit \(kilobytes)",
                "commit 5000 700 t", "state", "commit 1 700 t", "limit 0", "commit 100 700 t", "state", "list t",
                "reopen",
                "list t",
            ])
        let lines = process.lines()
        let stop = try #require(lines.first { $0.hasPrefix("error io after ") }, "\(lines)")
        let before = try #require(stop.split(separator: " ").last.flatMap { Int($0) }) + 20
        let list = "list 1-\(before + 100) \(before + 100) told 0"
        #expect(lines.contains("ok \(before + 100)") && lines.count { $0 == list } == 2, "\(lines)")
        #expect(lines.contains("state ok") && lines.contains { $0.hasPrefix("state io: ") }, "\(lines)")
    }

    @Test func whatTheSystemSaysIsSaidInItsOwnWords() {
        func error(_ code: Int32, _ system: Int32 = 0) -> OutboxError {
            OutboxError(
                SQLiteFault(code: code, message: "m", systemCode: system), doing: "cannot commit to",
                path: "/p/outbox.sqlite")
        }
        #expect(error(SQLITE_IOERR | 3 << 8, EROFS).code == .readOnly)
        #expect(error(SQLITE_IOERR | 3 << 8, ENOSPC).code == .diskFull)
        #expect(error(SQLITE_IOERR | 3 << 8, EIO).code == .system)
        #expect(error(SQLITE_READONLY).code == .readOnly && error(SQLITE_FULL).code == .diskFull)
        for code in [SQLITE_IOERR, SQLITE_READONLY, SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_BUSY] {
            #expect(error(code).isRetriable && error(code).description.contains("/p/outbox.sqlite"))
        }
    }

    /// Somebody reads without an end: the log cannot begin anew, and is bounded.
    @Test func aLogHeldByAReaderIsBounded() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumLogBytes: 1 << 20)
        _ = try await outbox.commit(Commit(events: [event("t")]))
        var reader: Database? = try Database(path: folder.database, readOnly: true)
        let rows = try #require(try reader?.prepare("SELECT * FROM run"))
        #expect(try rows.step())
        var refusal: OutboxError?
        var taken = 1
        while refusal == nil, taken < 2000 {
            do { taken += try await outbox.commit(Commit(events: [event("t", filler(taken))])).added } catch {
                refusal = error
            }
        }
        #expect(refusal?.code == .logFull && refusal?.isRetriable == true)
        #expect(refusal?.description.contains("outbox.sqlite-wal") == true)
        #expect(outbox.state.trouble?.code == .logFull)
        #expect(StateFolder.bytes(of: folder.database + "-wal") < 2 << 20)
        rows.reset()
        reader = nil
        #expect(try await outbox.commit(Commit(events: [event("t")])).heads["t"]?.seq == Int64(taken + 1))
        #expect(outbox.state.trouble == nil)
        #expect(try await outbox.all("t", limit: 500).count == taken + 1)
    }

    @Test func roomGoesBackToTheDiskAfterADrain() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let body = filler(1, bytes: 20_000)
        for _ in 1...60 { _ = try await outbox.commit(Commit(events: (0..<20).map { _ in event("t", body) })) }
        try await outbox.checkpointForTest()
        let full = StateFolder.bytes(of: folder.database)
        #expect(full > 20 << 20)
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 1190))])
        // Steps are calls behind this one: each call here lets one of them through.
        var rounds = 0
        while await outbox.isVacuuming, rounds < 5000 {
            rounds += 1
            await Task.yield()
        }
        try await outbox.checkpointForTest()
        #expect(StateFolder.bytes(of: folder.database) < 6 << 20 && outbox.state.vacuumedPages > 3000)
        #expect(try await outbox.all("t").map(\.position.seq) == Array(1191...1200))
    }

    /// Room is given back in bounded steps, each a call of its own: whoever comes meanwhile stands behind one of them.
    @Test func givingRoomBackStallsNoCommit() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let body = filler(1, bytes: 20_000)
        for _ in 1...60 { _ = try await outbox.commit(Commit(events: (0..<20).map { _ in event("t", body) })) }
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 1200))])
        var taken = 0
        while await outbox.isVacuuming, taken < 5000 {
            taken += try await outbox.commit(Commit(events: [event("u", "{}")])).added
        }
        let steps = await outbox.vacuumSteps
        #expect(outbox.state.vacuumedPages > 3000 && outbox.state.vacuumedPages <= steps * Outbox.vacuumPages)
        #expect(taken > 0)
        #expect(try await outbox.all("u", limit: 500).count == taken)
    }

    @Test func aFileOfAnEarlierVersionGetsReadyToGiveRoomBack() async throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(atPath: folder.state, withIntermediateDirectories: true)
        do {
            let old = try Database(path: folder.database)
            try old.run("PRAGMA journal_mode = WAL")
            try old.transaction { () throws(SQLiteFault) in
                try Schema.first(old)
                try Schema.runsOfMessages(old)
                try old.run("PRAGMA user_version = 2")
            }
            #expect(try old.integer("PRAGMA auto_vacuum") == 0)
        }
        let outbox = try folder.open()
        _ = try await outbox.commit(Commit(events: [event("t")]))
        #expect(try await outbox.vacuumModeForTest() == 2)
        await outbox.close()
        #expect(try await folder.open().all("t").count == 1)
    }
}

extension Outbox {
    func vacuumModeForTest() throws -> Int64 { try current().database.integer("PRAGMA auto_vacuum") }
}
