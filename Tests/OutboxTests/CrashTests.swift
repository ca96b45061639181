import Foundation
import Lane
import Testing

@testable import Outbox

@Suite(.serialized, .timeLimit(.minutes(3))) struct CrashTests {
    /// A process that commits and tells is killed at any instant: what it told is there, and nothing is there by halves.
    @Test(arguments: [(1, "full"), (7, "full"), (7, "relaxed")])
    func whatWasToldSurvivesKill9(group: Int, durability: String) async throws {
        let folder = try Folder()
        let path = try ProbeProcess.path
        var random = SystemRandomNumberGenerator()
        var told = 0
        for round in 0..<20 {
            let process = try ProbeProcess([path, "commit", folder.state, durability, "100000", String(group)])
            let stopAfter = Int.random(in: 1...60, using: &random)
            let lines = process.lines { soFar in if soFar.count > stopAfter { process.kill() } }
            told = max(told, lines.compactMap { Int($0) }.max() ?? 0)
            #expect(told > round)
            let outbox = try folder.open()
            #expect(outbox.notices.isEmpty)
            let kept = try await outbox.all("t", limit: 5000).map(\.position.seq)
            let journal = try await outbox.recover().journal.map(\.number)
            #expect(kept.count >= told && kept == (0..<kept.count).map { Int64($0 + 1) })
            // Signal and message of one commit: both or none.
            #expect(journal == kept && kept.count % group == 0)
            await outbox.close()
        }
        #expect(told >= 20)
    }

    /// Killed at any instant while it gives up messages: each sequence is there or told of, the chain can be followed, and what was
    /// told as durable stands in the journal.
    @Test func whatWasGivenUpIsToldWheneverItIsKilled() async throws {
        let folder = try Folder()
        var random = SystemRandomNumberGenerator()
        var told = 0
        var dropped: Int64 = 0
        for _ in 0..<20 {
            let process = try ProbeProcess([try ProbeProcess.path, "drop", folder.state, "100000"])
            let stopAfter = Int.random(in: 20...150, using: &random)
            let lines = process.lines { soFar in if soFar.count > stopAfter { process.kill() } }
            told = max(told, lines.compactMap { Int($0) }.max() ?? 0)
            let outbox = try folder.open(maximumBytes: 300 << 10, values: testValues)
            #expect(outbox.notices.isEmpty)
            let last = try await outbox.recover().lastSignal
            #expect(last >= told)
            for topic in ["health", "state", "t", "audit"] {
                #expect(try await outbox.holes(topic).isEmpty)
                let all = try await outbox.all(topic, limit: 500)
                #expect(all.last?.position.seq == (topic == "audit" ? last / 7 : last))
                dropped = max(dropped, all.compactMap { DroppedMessages($0)?.count }.max() ?? 0)
                guard topic == "audit" else { continue }
                var before: String?
                for parcel in all {
                    let value = parcel.value ?? []
                    if let before { #expect(DroppedMessages.previous(of: value) == before) }
                    before = DroppedMessages.digest(of: value, type: parcel.headers["ce_type"])
                }
            }
            await outbox.close()
        }
        #expect(dropped > 100)
    }

    /// One fdatasync a full commit, none for relaxed ones: counted by strace over two runs, of which one commits 50
    /// times more.
    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/strace")),
        arguments: [("full", 50), ("relaxed", 0)])
    func fullMeansOneSyncACommit(durability: String, expected: Int) throws {
        func syncs(_ commits: Int) throws -> Int {
            let folder = try Folder()
            let trace = folder.path + "/trace"
            let process = try ProbeProcess([
                "/usr/bin/strace", "-f", "-y", "-qq", "-e", "trace=fdatasync,fsync", "-o", trace, try ProbeProcess.path,
                "commit", folder.state, durability, String(commits), "1",
            ])
            #expect(process.lines().last == String(commits))
            let text = try String(contentsOfFile: trace, encoding: .utf8)
            return text.split(separator: "\n").count { $0.contains("sync(") && $0.contains("outbox.sqlite-wal") }
        }
        #expect(try syncs(60) - syncs(10) == expected)
    }
}
