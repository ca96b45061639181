import Foundation
import Kafka
import KafkaBed
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// What the mock cannot show, as it looks at no sequences: a broker that refuses one message in the middle of a busy stream.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(10))) @LoopActor struct RealKafkaPumpTests {
    @LoopActor private final class Lane {
        let folder: Folder
        let outbox: Outbox
        let pump: Pump
        init(_ bootstrap: String, _ adjust: (inout PumpConfiguration) -> Void = { _ in }) throws {
            folder = try Folder()
            outbox = try folder.outbox()
            var configuration = PumpConfiguration(
                producer: ProducerDefaults.configuration(
                    clientID: "lane-agent-0042-07", overrides: [.init("bootstrap.servers", bootstrap)]))
            configuration.heldFor = 1000
            configuration.firstBackoff = 100
            configuration.longestBackoff = 1000
            adjust(&configuration)
            pump = Pump(configuration, outbox: outbox) { print("notice:", $0.message, $0.fields) }
        }

        func commit(_ events: [OutboxEvent]) async throws {
            pump.wake(try await outbox.commit(Commit(events: events)))
        }

        func isDrained() async -> Bool {
            await until(within: 90) { [self] in
                guard pump.counts.inFlight == 0 else { return false }
                return (try? await outbox.depths().allSatisfy { $0.rows == 0 }) ?? false
            }
        }
    }

    /// Random text, which no compression makes small enough.
    private func large(_ topic: String, _ number: Int, _ bytes: Int) -> OutboxEvent {
        var large = event(topic, number)
        let noise = String((0..<bytes / 16).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined())
        large.event.value = Array("{\"n\":\(number),\"x\":\"\(noise)\"}".utf8)
        return large
    }

    private func limit(_ bed: KafkaBed, _ topic: String, _ bytes: Int) async throws {
        try await bed.tool(
            "kafka.admin.ConfigCommand", "--bootstrap-server", "@", "--alter", "--entity-type", "topics",
            "--entity-name", topic, "--add-config", "max.message.bytes=\(bytes)")
    }

    @Test func aRefusedMessageInABusyStreamLeavesNoGap() async throws {
        let bed = try await KafkaBed(nodes: 1)
        do {
            try await bed.create("t", "max.message.bytes=100000")
            try await bed.create("u")
            try await refuseOne(bed)
            try await bed.create("p", "max.message.bytes=100000")
            try await giveOneUp(bed)
        } catch {
            await bed.end()
            throw error
        }
        await bed.end()
    }

    /// 2000 messages on each of two topics. The 1000th of one is too large until the limit is raised: with the gapless guarantee
    /// that is fatal to the producer, again and again.
    private func refuseOne(_ bed: KafkaBed) async throws {
        let lane = try Lane(bed.bootstrap) { $0.refusals = 1000 }
        try await lane.pump.start()
        for group in 0..<200 {
            let numbers = (1...10).map { group * 10 + $0 }
            let events = numbers.flatMap { number in
                [number == 1000 ? large("t", number, 300_000) : event("t", number), event("u", number)]
            }
            try await lane.commit(events)
            await withCheckedContinuation { done in
                EventLoop.shared.schedule(inMilliseconds: 5) { done.resume() }
            }
        }
        #expect(await until(within: 60) { lane.pump.counts.recreations >= 2 })
        #expect(lane.pump.counts.failed["MSG_SIZE_TOO_LARGE", default: 0] > 0)
        try await limit(bed, "t", 1_000_000)
        #expect(await lane.isDrained())
        let counts = lane.pump.counts
        #expect(counts.deadLetters == 0 && counts.handedOver == counts.acknowledged + counts.returned)
        for topic in ["t", "u"] {
            let ledger = Ledger(try await kcat(bed.bootstrap, topic))
            #expect(ledger.numbers == Array(1...2000), "\(topic)")
            #expect(
                ledger.sequences
                    == (1...2000).map { CloudEvent.sequence(epoch: lane.outbox.epoch, seq: Int64($0)) })
            #expect(ledger.duplicates <= counts.recreations * 2000)
            print("\(topic): \(ledger.duplicates) doubled by \(counts.recreations) new producers")
        }
        await lane.pump.stop()
        await lane.outbox.close()
    }

    /// Five refusals, a substitute with the same sequence, the stream goes on; released once the limit is raised, it arrives.
    private func giveOneUp(_ bed: KafkaBed) async throws {
        let lane = try Lane(bed.bootstrap)
        try await lane.pump.start()
        try await lane.commit(
            (1...10).map { event("p", $0) } + [large("p", 11, 300_000)] + (12...20).map { event("p", $0) })
        #expect(await lane.isDrained())
        let letter = try #require(try await lane.outbox.deadLetters().first)
        let withheld = try #require(try await lane.outbox.deadLetter(letter.mark)?.value)
        #expect(lane.pump.counts.deadLetters == 1 && letter.reason.contains("MSG_SIZE_TOO_LARGE"))
        #expect(lane.pump.counts.failed["MSG_SIZE_TOO_LARGE", default: 0] >= 5)
        try await limit(bed, "p", 1_000_000)
        #expect(
            await until(within: 60) {
                // The broker takes a moment to hear of it: then the message is refused again, and comes back.
                for letter in (try? await lane.outbox.deadLetters()) ?? [] {
                    _ = try? await lane.pump.resolve(letter.mark, release: true, audit: nil)
                }
                guard await lane.isDrained() else { return false }
                return (try? await lane.outbox.quarantineSize().messages) == 0
            })
        try await lane.commit([event("p", 21)])
        #expect(await lane.isDrained())
        var seen: Set<String> = []
        let lines = try await kcat(bed.bootstrap, "p").map { $0.split(separator: "|", maxSplits: 1).map(String.init) }
        func header(_ name: String, _ line: [String]) -> String {
            line[0].split(separator: ",").first { $0.hasPrefix("\(name)=") }.map {
                String($0.dropFirst(name.count + 1))
            }
                ?? ""
        }
        let first = lines.filter { seen.insert(header("ce_sequence", $0)).inserted }
        #expect(
            first.map { header("ce_sequence", $0) }
                == (1...first.count).map { CloudEvent.sequence(epoch: lane.outbox.epoch, seq: Int64($0)) })
        #expect(header("ce_type", first[10]) == "sco.message.withheld.v1" && first[10][1].utf8.count < 400)
        let released = try #require(first.first { header("ce_id", $0) == letter.id.description })
        #expect(Array(released[1].utf8) == withheld && header("ce_type", released) == "sco.test.v1")
        #expect(header("ce_releasedfrom", released) == header("ce_sequence", first[10]))
        // A consumer that deduplicates by id has each of the 21 once, and the substitute.
        let ids = Set(first.map { header("ce_id", $0) })
        #expect(ids.count == first.count && first.filter { header("ce_type", $0) == "sco.test.v1" }.count == 21)
        await lane.pump.stop()
        await lane.outbox.close()
    }
}
