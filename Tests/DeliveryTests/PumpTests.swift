import Foundation
import Kafka
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

@Suite(.timeLimit(.minutes(3))) @LoopActor struct PumpTests {
    @Test func everythingArrivesInOrderOnEachTopic() async throws {
        let bench = try Bench(brokers: 3, topics: ["t", "u", "v"])
        try await bench.pump.start()
        try await bench.commit(600, to: ["t", "u", "v"], group: 7)
        #expect(await bench.drained())
        for topic in ["t", "u", "v"] { try await bench.expectWhole(topic) }
        bench.expectConserved()
        #expect(bench.pump.counts.acknowledged == 1800 && bench.pump.counts.returned == 0)
        #expect(bench.pump.counts.recreations == 0 && bench.pump.counts.lostWakeUps == 0)
        await bench.pump.stop()
    }

    @Test func aBacklogIsDrainedFromTheStart() async throws {
        let bench = try Bench()
        try await bench.commit(5000, group: 500, wake: false)
        try await bench.pump.start()
        #expect(await bench.drained())
        try await bench.expectWhole()
        #expect(bench.pump.counts.settles < 100)
        await bench.pump.stop()
    }

    @Test func afterARestartItGoesOnBehindWhatWasSettled() async throws {
        let bench = try Bench()
        try await bench.pump.start()
        try await bench.commit(300)
        #expect(await until { bench.pump.counts.acknowledged > 0 })
        await bench.pump.stop()
        bench.expectConserved()
        try await bench.restart()
        try await bench.pump.start()
        try await bench.commit(300)
        #expect(await bench.drained())
        // It was stopped in order: what it had reports for is settled.
        try await bench.expectWhole()
        await bench.pump.stop()
    }

    @Test func anOutageIsWaitedOut() async throws {
        let bench = try Bench()
        try await bench.pump.start()
        try await bench.commit(100)
        #expect(await bench.drained())
        try bench.cluster.setDown(1, true)
        try await bench.commit(3000, group: 100)
        #expect(await until { !bench.pump.isConnected })
        #expect(bench.notices.contains { $0.message == "no link to Kafka: messages are kept" })
        // The window is bounded whatever waits behind it.
        #expect(bench.pump.counts.inFlight <= 1000)
        try bench.cluster.setDown(1, false)
        #expect(await bench.drained())
        try await bench.expectWhole()
        #expect(bench.pump.counts.recreations == 0)
        await bench.pump.stop()
    }

    /// OUT_OF_ORDER_SEQUENCE_NUMBER: the instance is done for. CORRUPT_MESSAGE, INVALID_PRODUCER_EPOCH: a gap without the
    /// gapless guarantee. Newer versions than Debian 12's try a corrupt one again, as they may.
    @Test(arguments: LibraryVersion.current < LibraryVersion(2, 8, 0) ? [45, 2, 47] : [45, 47])
    func afterAFatalErrorAllTopicsGoOnInPlace(code: Int32) async throws {
        // One message of a topic at a time, the rest in the outbox: what is in flight behind a refused one the mock would take,
        // which a real broker refuses by its sequence.
        let bench = try Bench(topics: ["t", "u"]) { $0.windowPerTopic = 1 }
        try await bench.pump.start()
        try await bench.commit(20, to: ["t", "u"])
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: [0, code])
        try await bench.commit(500, to: ["t", "u"])
        #expect(await bench.drained())
        #expect(bench.pump.counts.recreations >= 1)
        #expect(bench.pump.counts.returned > 0 && bench.pump.counts.deadLetters == 0)
        // What was in flight behind the failed one may have been kept: twice, but with one sequence.
        try await bench.expectWhole("t", duplicates: 0...1000)
        try await bench.expectWhole("u", duplicates: 0...1000)
        bench.expectConserved()
        #expect(bench.notices.contains { $0.message == "the producer failed and is made anew" })
        await bench.pump.stop()
    }

    /// Brokers that forget the producer's id, and take what is behind a request that they refused: librdkafka believes that they
    /// have both. Their order is lost then, and nothing else.
    @Test func whatNoBrokerAnsweredForIsSentAgain() async throws {
        let bench = try Bench()
        try await bench.pump.start()
        var rounds = 0
        while bench.pump.counts.failed["_INCONSISTENT"] == nil, rounds < 200 {
            rounds += 1
            bench.cluster.answer(.produce, with: [59, 59])
            try await bench.commit(8, group: 1)
            _ = await until(within: 1) { bench.pump.counts.inFlight == 0 }
        }
        bench.cluster.clearAnswers(.produce)
        #expect(await bench.drained())
        #expect(Set(try await bench.log("t").map(\.number)) == Set(1...8 * rounds))
        // Newer versions may not fall for it.
        if LibraryVersion.current.description == "2.0.2" {
            #expect(bench.pump.counts.failed["_INCONSISTENT"] != nil && bench.pump.counts.recreations >= 1)
        }
        bench.expectConserved()
        await bench.pump.stop()
    }

    @Test func aMessageThatNoBrokerTakesBecomesADeadLetterWithASubstitute() async throws {
        let bench = try Bench(topics: ["a"])
        try await bench.pump.start()
        try await bench.commit(3, to: ["a"], chained: true)
        #expect(await bench.drained())
        // The first refusals are for the group, which may go in up to three requests; the rest for the one message, and those
        // that are left for its substitute, which stays where it is.
        bench.cluster.answer(.produce, with: [10, 10, 10, 10, 10, 10, 10])
        try await bench.commit(20, to: ["a"], chained: true)
        #expect(await bench.drained())
        #expect(bench.pump.counts.deadLetters == 1 && (5...7).contains(bench.pump.counts.recreations))
        let letters = try await bench.outbox.deadLetters()
        #expect(letters.count == 1 && letters.first?.position.seq == 4)
        let mark = try #require(letters.first?.mark)
        let withheld = try #require(try await bench.outbox.deadLetter(mark))
        #expect(letters.first?.reason.contains("MSG_SIZE_TOO_LARGE") == true)
        // Contiguous and in order all the same; the chain holds over the substitute.
        var values: [String] = []
        var seen: Set<String> = []
        for line in try await kcat(bench.cluster.bootstrap, "a") {
            let parts = line.split(separator: "|", maxSplits: 1).map(String.init)
            if seen.insert(parts[0]).inserted { values.append(parts[1]) }
        }
        #expect(values.count == 23)
        var previous = String(repeating: "0", count: 64)
        for (place, value) in values.enumerated() {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(value.utf8)) as? [String: Any])
            #expect(object["previous"] as? String == previous)
            if place == 3 {
                #expect(object["withheld"] as? String == "sco.test.v1" && object["n"] == nil)
                previous = try #require(object["sha256"] as? String)
                #expect(previous == SHA256.hex(withheld.value ?? []))
            } else {
                previous = SHA256.hex(Array(value.utf8))
            }
        }
        bench.expectConserved()
        await bench.pump.stop()
    }

    @Test(arguments: [(Int32(3), HeldTopic.Reason.unknown), (Int32(29), .notAuthorised)])
    func aTopicThatIsNotToBeHadHoldsBackItselfAlone(code: Int32, reason: HeldTopic.Reason) async throws {
        let bench = try Bench { $0.heldFor = 200 }
        bench.cluster.setError(of: "later", code)
        try await bench.pump.start()
        try await bench.commit(50, to: ["t", "later"])
        #expect(await until { bench.pump.counts.acknowledged == 50 })
        #expect(await until { bench.pump.heldTopics.map(\.reason) == [reason] })
        #expect(bench.pump.heldTopics.map(\.topic) == ["later"])
        #expect(bench.pump.counts.recreations == 0)
        try await bench.expectWhole("t")
        // A look later it is still held; then it is there.
        try await bench.commit(50, to: ["t", "later"])
        #expect(await until { bench.pump.counts.acknowledged == 100 })
        bench.cluster.setError(of: "later", 0)
        #expect(await bench.drained())
        #expect(bench.pump.heldTopics.isEmpty)
        try await bench.expectWhole("t")
        #expect(try await bench.log("later").count == 100)
        await bench.pump.stop()
    }

    /// The client may look at the topic and not write to it: what the cluster says when asked is no help.
    @Test func aTopicRefusedWhileSendingIsHeldAndTheOthersGoOn() async throws {
        let bench = try Bench(topics: ["t", "u"]) { $0.heldFor = 1500 }
        try await bench.pump.start()
        try await bench.commit(10, to: ["t", "u"])
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: [29])
        try await bench.commit(1, to: ["u"])
        #expect(await until { bench.pump.heldTopics.map(\.topic) == ["u"] })
        #expect(bench.pump.heldTopics.map(\.reason) == [.notAuthorised])
        try await bench.commit(40, to: ["t", "u"])
        #expect(await until { (try? await bench.outbox.depths().first { $0.topic == "t" }?.rows) == 0 })
        #expect(bench.pump.heldTopics.map(\.topic) == ["u"] && bench.pump.counts.recreations == 1)
        #expect(await bench.drained())
        #expect(bench.pump.counts.deadLetters == 0 && bench.pump.heldTopics.isEmpty)
        try await bench.expectWhole("t", duplicates: 0...20)
        try await bench.expectWhole("u", duplicates: 0...20)
        await bench.pump.stop()
    }

    @Test func rowsThatNoWakeUpToldOfAreFoundAndCounted() async throws {
        let bench = try Bench { $0.look = 100 }
        try await bench.pump.start()
        try await bench.commit(10)
        #expect(await bench.drained())
        try await bench.commit(10, wake: false)
        #expect(await bench.drained())
        #expect(await until { bench.pump.counts.lostWakeUps == 1 })
        try await bench.expectWhole()
        bench.pump.wake()
        try await bench.commit(10)
        #expect(await bench.drained())
        #expect(bench.pump.counts.lostWakeUps == 1)
        await bench.pump.stop()
    }

    @Test func aProducerThatNeverReportsIsMadeAnew() async throws {
        let bench = try Bench {
            $0.look = 100
            $0.staleAfter = 300
        }
        try await bench.pump.start()
        try await bench.commit(5)
        #expect(await bench.drained())
        try bench.cluster.setRoundTrip(1, milliseconds: 8000)
        try await bench.commit(5)
        #expect(await until { bench.pump.counts.staleRecreations > 0 })
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        try await bench.expectWhole(duplicates: 0...100)
        #expect(bench.pump.counts.recreations >= 1)
        await bench.pump.stop()
    }

    @Test func stoppingWithoutABrokerKeepsEverythingAndIsQuick() async throws {
        let bench = try Bench()
        try await bench.pump.start()
        try await bench.commit(10)
        #expect(await bench.drained())
        try bench.cluster.setDown(1, true)
        try await bench.commit(100)
        #expect(await until { bench.pump.counts.inFlight > 0 })
        // How long it takes is measured by `stoppingTakesLessThanFiveSeconds`: here other tests block the loop.
        await bench.pump.stop()
        bench.expectConserved()
        #expect(bench.pump.counts.inFlight == 0)
        #expect(try await bench.outbox.depths().map(\.rows) == [100])
        try bench.cluster.setDown(1, false)
        try await bench.restart()
        try await bench.pump.start()
        #expect(await bench.drained())
        try await bench.expectWhole(duplicates: 0...100)
        await bench.pump.stop()
    }

    @Test func stoppingInTheMiddleOfARecoveryIsQuick() async throws {
        let bench = try Bench {
            $0.firstBackoff = 60_000
            $0.longestBackoff = 60_000
        }
        try await bench.pump.start()
        bench.cluster.answer(.produce, with: [45])
        try await bench.commit(10)
        #expect(await until { bench.pump.counts.recreations == 1 })
        let began = Boottime.milliseconds()
        await bench.pump.stop()
        // Not the minute that the pause would take.
        #expect(Boottime.milliseconds() - began < 20_000)
        #expect(try await bench.outbox.depths().map(\.rows) == [10])
    }

    @Test func aSmallProducerQueueIsWaitedFor() async throws {
        let bench = try Bench(settings: [.init("queue.buffering.max.messages", "10")])
        try await bench.pump.start()
        try await bench.commit(400, group: 200)
        #expect(await bench.drained())
        #expect(bench.pump.counts.queueFull > 0)
        try await bench.expectWhole()
        bench.expectConserved()
        await bench.pump.stop()
    }

    /// While nothing is reported a full queue is left alone: reading again and again what it cannot take would be all that
    /// the lane's thread does in an outage.
    @Test func aFullQueueIsNotAskedAgainBeforeAReport() async throws {
        let bench = try Bench(settings: [.init("queue.buffering.max.messages", "10")])
        try await bench.pump.start()
        try await bench.commit(1)
        #expect(await bench.drained())
        try bench.cluster.setRoundTrip(1, milliseconds: 1500)
        let before = bench.pump.counts.queueFull
        try await bench.commit(400, group: 200)
        let isOver = Boottime.milliseconds() + 500
        #expect(await until { Boottime.milliseconds() > isOver })
        #expect(bench.pump.counts.inFlight == 10)
        #expect((1...4).contains(bench.pump.counts.queueFull - before))
        try bench.cluster.setRoundTrip(1, milliseconds: 0)
        #expect(await bench.drained())
        try await bench.expectWhole()
        bench.expectConserved()
        await bench.pump.stop()
    }

    @Test func wrongSettingsAreSaidAtTheStart() async throws {
        let bench = try Bench(settings: [.init("acks", "most")])
        await #expect { try await bench.pump.start() } throws: { ($0 as? KafkaError)?.setting?.key == "acks" }
    }

    @Test func aClosedOutboxIsCountedNotFatal() async throws {
        let bench = try Bench()
        try await bench.pump.start()
        try await bench.commit(10)
        #expect(await bench.drained())
        await bench.outbox.close()
        bench.pump.wake(["t": Position(epoch: bench.outbox.epoch, seq: 11)])
        #expect(await until { bench.pump.counts.leaseFailures == 1 })
        #expect(bench.notices.contains { $0.message == "the outbox cannot be read" })
        await bench.pump.stop()
    }
}
