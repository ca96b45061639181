import Foundation
import Glibc
import Lane
import Testing

@testable import Outbox

/// How messages lie in the file: in runs, a row a commit and topic.
@Suite struct RunTests {
    /// A file with a row a message, as version 1 wrote it: everything in it is still there and goes on.
    @Test func aFileOfTheFirstVersionIsRead() async throws {
        let folder = try Folder()
        #expect(mkdir(folder.state, 0o700) == 0)
        try "7\n".write(toFile: folder.state + "/epoch", atomically: true, encoding: .utf8)
        let ids = (1...5).map { LaneUUID(hashing: ["old", String($0)]) }
        do {
            let database = try Database(path: folder.database)
            _ = try database.text("PRAGMA journal_mode = WAL")
            try Schema.first(database)
            try database.run(
                """
                PRAGMA user_version = 1;
                INSERT INTO meta VALUES ('epoch', '7'), ('last_change', '5'), ('last_signal', '2'), ('fact.boot', 'b');
                INSERT INTO cursor VALUES ('a', 6, 3, 2), ('a', 7, 5, 1), ('b', 7, 2, 0), ('c', 7, 9, 8)
                """)
            let line = String(decoding: line(of: try signal(3)), as: UTF8.self)
            try database.run("INSERT INTO journal VALUES (3, '\(line)'); INSERT INTO snapshot VALUES (2, x'0102')")
            let insert = try database.prepare("INSERT INTO outbox VALUES (?, 7, ?, ?, '0042/07', ?, ?, 1700000000000)")
            for (topic, seq, id) in [("a", 2, ids[1]), ("a", 3, ids[2]), ("a", 4, ids[3]), ("b", 1, ids[0])] {
                insert.bind(1, topic)
                insert.bind(2, Int64(seq))
                insert.bind(3, id.description)
                insert.bind(4, copying: HeaderBlock([.init("ce_id", id.description)]).bytes)
                if seq == 3 { insert.bindUncopied(5, nil) } else { insert.bind(5, copying: Array("{\(seq)}".utf8)) }
                try insert.execute()
            }
        }
        let outbox = try folder.open()
        #expect(outbox.epoch == 7 && outbox.notices.isEmpty)
        let kept = try await outbox.all("a", limit: 2)
        #expect(kept.map(\.position.seq) == [2, 3, 4] && kept.map(\.uuid) == Array(ids[1...3]))
        #expect(kept.map { $0.headers["ce_id"] } == ids[1...3].map(\.description))
        #expect(kept.map(\.value) == [Array("{2}".utf8), nil, Array("{4}".utf8)])
        #expect(kept.allSatisfy { $0.key == "0042/07" && $0.created.milliseconds == 1_700_000_000_000 })
        #expect(try await outbox.depths().map(\.rows) == [3, 1, 0])
        let recovered = try await outbox.recover()
        #expect(recovered.lastChange == 5 && recovered.lastSignal == 3)
        #expect(try recovered.journal == [signal(3)])
        #expect(recovered.facts == ["boot": [98]] && recovered.snapshot == Snapshot(number: 2, engine: [1, 2]))
        let done = try await outbox.commit(Commit(events: ["a", "b", "c", "d"].map { event($0) }))
        #expect(done.heads.mapValues(\.seq) == ["a": 5, "b": 2, "c": 9, "d": 1])
        try await outbox.settle([Mark(topic: "a", position: Position(epoch: 7, seq: 4))])
        #expect(try await outbox.all("a").map(\.position.seq) == [5])
        #expect(try await outbox.all("b").map(\.position.seq) == [1, 2])
    }

    /// A lane that was without brokers for days may have more waiting than the agent may have memory.
    @Test func aFileOfTheFirstVersionIsReadWithoutASort() throws {
        let folder = try Folder()
        #expect(mkdir(folder.state, 0o700) == 0)
        let database = try Database(path: folder.database)
        try Schema.first(database)
        try database.run("ALTER TABLE cursor ADD COLUMN stream INTEGER NOT NULL DEFAULT 0")
        let plan = try database.prepare("EXPLAIN QUERY PLAN \(Schema.messagesInOrder)")
        var steps: [String] = []
        while try plan.step() { steps.append(plan.text(3)) }
        plan.reset()
        #expect(steps.count == 2 && !steps.contains { $0.contains("TEMP") }, "\(steps)")
    }

    /// Cursors are written with a settlement only: what was committed after it is found in the runs.
    @Test func whereATopicIsIsKnownWithoutItsCursor() async throws {
        let folder = try Folder()
        var outbox = try folder.open()
        let epoch = outbox.epoch
        _ = try await outbox.commit(Commit(events: (1...5).map { event("t", change: $0) } + [event("u")]))
        try await outbox.settle([
            Mark(topic: "t", position: Position(epoch: epoch, seq: 5)),
            Mark(topic: "u", position: Position(epoch: epoch, seq: 1)),
        ])
        await outbox.close()
        outbox = try folder.open()
        // No run is left to tell.
        #expect(try await outbox.recover().lastChange == 5)
        #expect(try await outbox.depths().map(\.head.seq) == [5, 1])
        _ = try await outbox.commit(Commit(events: [event("t", change: 6), event("t", change: 7)]))
        _ = try await outbox.commit(Commit(events: [event("u")]))
        // A change of which no message could be made is taken all the same.
        _ = try await outbox.commit(Commit(events: [event("t", change: 8, key: "")]))
        await outbox.close()
        outbox = try folder.open()
        #expect(try await outbox.recover().lastChange == 8)
        #expect(try await outbox.depths().map(\.head.seq) == [7, 2])
        #expect(try await outbox.all("t").map(\.position.seq) == [6, 7])
    }

    /// A long commit becomes several runs, and none of them holds more than a lease may want.
    @Test func aLongCommitBecomesSeveralRuns() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let body = "{\"a\":\"\(String(repeating: "y", count: 1000))\"}"
        _ = try await outbox.commit(
            Commit(events: (0..<300).map { event("t", body, key: $0 < 290 ? "k" : "l") }))
        let reader = try Database(path: folder.database, readOnly: true)
        #expect((5...10).contains(try reader.integer("SELECT count(*) FROM run")))
        let kept = try await outbox.all("t", limit: 100)
        #expect(kept.map(\.position.seq) == Array(1...300))
        #expect(kept.map(\.key) == (0..<300).map { $0 < 290 ? "k" : "l" })
        // Settled in the midst of a run: the run stays, what is settled is not given out again.
        try await outbox.settle([Mark(topic: "t", position: Position(epoch: outbox.epoch, seq: 299))])
        #expect(try await outbox.all("t").map(\.position.seq) == [300])
        #expect(try reader.integer("SELECT count(*) FROM run") == 1)
    }

    /// The log does not grow without end although commits leave the checkpoint to be made behind them.
    @Test func theLogIsTakenUp() async throws {
        let folder = try Folder()
        let outbox = try folder.open()
        let body = "{\"a\":\"\(String(repeating: "y", count: 20_000))\"}"
        for number in 1...600 {
            let head = try await outbox.commit(Commit(events: [event("t", body)])).heads["t"]
            #expect(head?.seq == Int64(number))
            if let head { try await outbox.settle([Mark(topic: "t", position: head)]) }
        }
        let size = try FileManager.default.attributesOfItem(atPath: folder.database + "-wal")[.size] as? Int
        #expect(try #require(size) < 6 << 20)
    }

    @Test func aRunThatIsCutShortEndsThere() {
        var run = RunWriter(key: "k", first: 5)
        for text in ["", "b", "c"] {
            run.append(LaneUUID(hashing: [text]), HeaderBlock([.init("ce_type", text)]), Array(text.utf8))
        }
        #expect(run.last == 7)
        for count in 0...run.bytes.count {
            let read = run.bytes.prefix(count).withUnsafeBytes { bytes -> [Int64] in
                guard var reader = RunReader(bytes) else { return [] }
                var found: [Int64] = []
                while let message = reader.message() { found.append(message.seq) }
                return found
            }
            #expect(read == Array([5, 6, 7].prefix(read.count)))
            #expect((read.count == 3) == (count == run.bytes.count))
        }
    }

    /// Whatever stands in a row, reading it ends.
    @Test func aDamagedRunIsRead() {
        var run = RunWriter(key: "k", first: 5)
        for text in ["", "b", "c"] {
            run.append(LaneUUID(hashing: [text]), HeaderBlock([.init("ce_type", text)]), Array(text.utf8))
        }
        for first in run.bytes.indices {
            for count in 1...8 where first + count <= run.bytes.count {
                for byte: UInt8 in [0x00, 0x7F, 0xFF] {
                    var bytes = run.bytes
                    for place in first..<first + count { bytes[place] = byte }
                    if count == 8, byte == 0xFF { bytes[first] = 0x7F }
                    let read = bytes.withUnsafeBytes { bytes -> Int in
                        guard var reader = RunReader(bytes) else { return 0 }
                        var found = 0
                        while reader.message() != nil { found += 1 }
                        return found
                    }
                    #expect(read <= bytes.count)
                }
            }
        }
    }
}
