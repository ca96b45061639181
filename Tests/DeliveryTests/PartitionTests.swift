import Kafka
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// A lane keeps its partition. The key of these tests, 0042/07, means partition 0 of 1, and 4 of 8.
@Suite(.timeLimit(.minutes(3))) @LoopActor struct PartitionTests {
    private func pump(_ outbox: Outbox, _ cluster: MockCluster, _ notes: @escaping @LoopActor (Notice) -> Void) -> Pump
    {
        Pump(
            PumpConfiguration(
                producer: ProducerDefaults.configuration(
                    clientID: "lane", overrides: [.init("bootstrap.servers", cluster.bootstrap)])),
            outbox: outbox, note: notes)
    }

    /// Sends `numbers` to a cluster whose topic has so many partitions; gives the partition of each message there.
    private func send(
        _ numbers: ClosedRange<Int>, _ outbox: Outbox, partitions: Int,
        _ notes: @escaping @LoopActor (Notice) -> Void = { _ in }
    ) async throws -> [String] {
        let cluster = try MockCluster()
        try cluster.createTopic("t", partitions: partitions)
        let pump = pump(outbox, cluster, notes)
        try await pump.start()
        pump.wake(try await outbox.commit(Commit(events: numbers.map { event("t", $0) })).heads)
        #expect(await until { (try? await outbox.depths().allSatisfy { $0.rows == 0 }) ?? false })
        await pump.stop()
        let lines = try await run([
            "timeout", "30", "kcat", "-C", "-b", cluster.bootstrap, "-t", "t", "-o", "beginning", "-e", "-q", "-f",
            "%p\\n",
        ])
        return lines.split(separator: "\n").map(String.init)
    }

    private func kept(_ outbox: Outbox) async throws -> [String: String] {
        try await outbox.facts(named: "partition.").mapValues { String(decoding: $0, as: UTF8.self) }
    }

    @Test func theKeyChoosesOnceAndMorePartitionsChangeNothing() async throws {
        let (folder, other) = (try Folder(), try Folder())
        // They are removed with their values.
        defer { withExtendedLifetime((folder, other)) {} }
        var outbox = try folder.outbox()
        #expect(try await kept(outbox).isEmpty)
        #expect(try await send(1...300, outbox, partitions: 1) == Array(repeating: "0", count: 300))
        #expect(try await kept(outbox) == ["t": "0"])
        await outbox.close()
        outbox = try folder.outbox()
        #expect(try await send(301...600, outbox, partitions: 8) == Array(repeating: "0", count: 300))
        #expect(try await kept(outbox) == ["t": "0"])
        // Without what was kept the key would have gone elsewhere: else this shows nothing.
        #expect(try await send(1...10, try other.outbox(), partitions: 8) == Array(repeating: "4", count: 10))
    }

    @Test func withFewerPartitionsTheKeyChoosesAgain() async throws {
        let folder = try Folder()
        defer { withExtendedLifetime(folder) {} }
        let outbox = try folder.outbox()
        _ = try await outbox.commit(Commit(facts: ["partition.t": Array("9".utf8), "partition.u": Array("x".utf8)]))
        var notes: [String] = []
        #expect(
            try await send(1...20, outbox, partitions: 8) { notes.append($0.message) }
                == Array(repeating: "4", count: 20))
        #expect(notes.contains("the lane's partition is gone: its key chooses another"))
        #expect(try await kept(outbox)["t"] == "4")
    }

    /// A producer that is made anew after a fatal error goes on in the same partition.
    @Test func aNewProducerKeepsIt() async throws {
        let bench = try Bench(topics: []) { $0.windowPerTopic = 1 }
        try bench.cluster.createTopic("t", partitions: 8)
        _ = try await bench.outbox.commit(Commit(facts: ["partition.t": Array("6".utf8)]))
        try await bench.pump.start()
        try await bench.commit(20)
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: [0, 45])
        try await bench.commit(100)
        #expect(await bench.drained())
        #expect(bench.pump.counts.recreations >= 1)
        let lines = try await run([
            "timeout", "30", "kcat", "-C", "-b", bench.cluster.bootstrap, "-t", "t", "-o", "beginning", "-e", "-q",
            "-f",
            "%p\\n",
        ])
        #expect(Set(lines.split(separator: "\n")) == ["6"])
        await bench.pump.stop()
    }
}
