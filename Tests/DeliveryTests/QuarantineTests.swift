import Foundation
import Kafka
import Lane
import Loop
import Outbox
import Testing

@testable import Delivery

/// A message that no broker takes, from its refusal to what people do with it.
@Suite(.timeLimit(.minutes(3))) @LoopActor struct QuarantineTests {
    /// MSG_SIZE_TOO_LARGE, so often that the first message of the next commit is given up.
    private static let refusals = [Int32](repeating: 10, count: 5)

    /// One message `number` on `a` is in quarantine, with its substitute delivered.
    private func withhold(_ bench: Bench, chained: Bool = false) async throws -> DeadLetter {
        bench.cluster.answer(.produce, with: Self.refusals)
        try await bench.commit(1, to: ["a"], chained: chained)
        #expect(await bench.drained())
        bench.cluster.clearAnswers(.produce)
        return try #require(try await bench.outbox.deadLetters().last)
    }

    private func record(_ lines: [String], _ place: Int) throws -> (headers: [String: String], data: [String: Any]) {
        let parts = lines[place].split(separator: "|", maxSplits: 1).map(String.init)
        var headers: [String: String] = [:]
        for pair in parts[0].split(separator: ",") {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            headers[sides[0]] = sides.count > 1 ? sides[1] : ""
        }
        let data = try #require(try JSONSerialization.jsonObject(with: Data(parts[1].utf8)) as? [String: Any])
        return (headers, data)
    }

    @Test func theSubstituteHasThePlaceAndTheMessageKeepsItsID() async throws {
        let bench = try Bench(topics: ["a"])
        try await bench.pump.start()
        let letter = try await withhold(bench)
        #expect(bench.pump.counts.deadLetters == 1 && bench.pump.quarantine.messages == 1)
        try await bench.commit(2, to: ["a"])
        #expect(await bench.drained())

        #expect(try await bench.pump.resolve(letter.mark, release: true, audit: nil))
        #expect(await bench.drained())
        let lines = try await kcat(bench.cluster.bootstrap, "a")
        #expect(lines.count == 4)
        let records = try lines.indices.map { try record(lines, $0) }
        #expect(
            records.map { $0.headers["ce_sequence"] ?? "" }
                == (1...4).map { CloudEvent.sequence(epoch: bench.outbox.epoch, seq: $0) })
        // By id nothing is a copy of anything, and by place neither.
        #expect(Set(records.map { $0.headers["ce_id"] ?? "" }).count == 4)
        #expect(records[0].headers["ce_type"] == "sco.message.withheld.v1")
        #expect(records[0].headers["ce_dataschema"] == "urn:lanewatch:schema:sco.message.withheld.v1")
        #expect(records[0].data["id"] as? String == letter.id.description)
        #expect(records[3].headers["ce_id"] == letter.id.description)
        #expect(records[3].headers["ce_type"] == "sco.test.v1")
        #expect(records[3].headers["ce_releasedfrom"] == records[0].headers["ce_sequence"])
        #expect(records.dropFirst().map { $0.data["n"] as? Int } == [2, 3, 1])
        #expect(bench.pump.quarantine == QuarantineSize() && bench.pump.counts.released == 1)
        // Once only.
        #expect(try await !bench.pump.resolve(letter.mark, release: true, audit: nil))
        bench.expectConserved()
        await bench.pump.stop()
    }

    /// On a chained topic a released message gets the link of its new place, and with the old one in its stead it is the
    /// message whose hash the substitute told.
    @Test func aReleasedMessageOfAChainIsALinkOfIt() async throws {
        let bench = try Bench(topics: ["a"])
        try await bench.pump.start()
        try await bench.commit(1, to: ["a"], chained: true)
        #expect(await bench.drained())
        let letter = try await withhold(bench, chained: true)
        let withheld = try #require(try await bench.outbox.deadLetter(letter.mark)?.value)
        try await bench.commit(1, to: ["a"], chained: true)
        #expect(try await bench.pump.resolve(letter.mark, release: true, audit: nil))
        try await bench.commit(1, to: ["a"], chained: true)
        #expect(await bench.drained())
        let values = try await kcat(bench.cluster.bootstrap, "a").map {
            String($0.split(separator: "|", maxSplits: 1)[1])
        }
        #expect(values.count == 5)
        var previous = String(repeating: "0", count: 64)
        for (place, value) in values.enumerated() {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(value.utf8)) as? [String: Any])
            #expect(object["previous"] as? String == previous, "link \(place)")
            previous = place == 1 ? try #require(object["sha256"] as? String) : SHA256.hex(Array(value.utf8))
        }
        let substitute = try #require(try JSONSerialization.jsonObject(with: Data(values[1].utf8)) as? [String: Any])
        let released = try #require(try JSONSerialization.jsonObject(with: Data(values[3].utf8)) as? [String: Any])
        let link = try #require(released["previous"] as? String)
        let first = try #require(substitute["previous"] as? String)
        #expect(SHA256.hex(Array(values[3].replacing(link, with: first).utf8)) == SHA256.hex(withheld))
        await bench.pump.stop()
    }

    @Test func whatIsDiscardedIsGoneAndToldInTheSameTransaction() async throws {
        let bench = try Bench(topics: ["a", "audit"])
        try await bench.pump.start()
        let letter = try await withhold(bench)
        let word = event("audit", 1, chained: true).event
        #expect(try await bench.pump.resolve(letter.mark, release: false, audit: word))
        #expect(await bench.drained())
        #expect(try await bench.outbox.deadLetters().isEmpty)
        #expect(bench.pump.counts.discarded == 1 && bench.pump.counts.released == 0)
        #expect(try await kcat(bench.cluster.bootstrap, "a").count == 1)
        #expect(try await kcat(bench.cluster.bootstrap, "audit").count == 1)
        // Nothing is told of what was not done.
        #expect(try await !bench.pump.resolve(letter.mark, release: false, audit: word))
        #expect(await bench.drained())
        #expect(try await kcat(bench.cluster.bootstrap, "audit").count == 1)
        await bench.pump.stop()
    }

    @Test func aReleasedMessageThatIsRefusedAgainComesBack() async throws {
        let bench = try Bench(topics: ["a"])
        try await bench.pump.start()
        let letter = try await withhold(bench)
        bench.cluster.answer(.produce, with: Self.refusals)
        #expect(try await bench.pump.resolve(letter.mark, release: true, audit: nil))
        #expect(await until { bench.pump.counts.deadLetters == 2 })
        #expect(await bench.drained())
        let again = try #require(try await bench.outbox.deadLetters().first)
        #expect(again.id == letter.id && again.position > letter.position)
        bench.cluster.clearAnswers(.produce)
        #expect(try await bench.pump.resolve(again.mark, release: true, audit: nil))
        #expect(await bench.drained())
        let lines = try await kcat(bench.cluster.bootstrap, "a")
        let records = try lines.indices.map { try record(lines, $0) }
        #expect(records.count == 3 && Set(records.map { $0.headers["ce_id"] ?? "" }).count == 3)
        // It tells where it was at the very first.
        #expect(records.last?.headers["ce_releasedfrom"] == records.first?.headers["ce_sequence"])
        await bench.pump.stop()
    }

    /// A full quarantine stops its topic, and nothing is thrown away to make room; the others go on.
    @Test func aFullQuarantineHoldsTheTopicUntilThereIsRoom() async throws {
        let bench = try Bench(topics: ["a", "t"]) {
            $0.quarantineMessages = 1
            $0.heldFor = 200
        }
        try await bench.pump.start()
        let letter = try await withhold(bench)
        bench.cluster.answer(.produce, with: Self.refusals)
        try await bench.commit(1, to: ["a"])
        #expect(await until { bench.pump.heldTopics.map(\.reason) == [.quarantineFull] })
        let recreations = bench.pump.counts.recreations
        try await bench.commit(20, to: ["t"])
        #expect(await until { (try? await bench.outbox.depths().first { $0.topic == "t" }?.rows) == 0 })
        #expect(bench.pump.status().topics.first { $0.topic == "a" }?.held?.reason == .quarantineFull)
        // While it is full the message is not tried again: each try stops all topics.
        let isOver = Boottime.milliseconds() + 700
        #expect(await until { Boottime.milliseconds() > isOver })
        #expect(bench.pump.counts.recreations == recreations && bench.pump.counts.deadLetters == 1)
        #expect(try await bench.pump.resolve(letter.mark, release: false, audit: nil))
        #expect(await bench.drained())
        #expect(bench.pump.heldTopics.isEmpty)
        try await bench.expectWhole("t", duplicates: 0...20)
        // The brokers take it now: it went out as it was.
        #expect(try await bench.log("a").map(\.number) == [-1, 2])
        await bench.pump.stop()
    }

    /// Not even the substitute goes: nothing is wrong with messages then, but with the topic.
    @Test func aTopicThatRefusesEverythingIsHeldAlone() async throws {
        let bench = try Bench(topics: ["a", "t"]) { $0.heldFor = 100 }
        try await bench.pump.start()
        try await bench.commit(1, to: ["a", "t"])
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: Self.refusals + Self.refusals)
        try await bench.commit(1, to: ["a"])
        #expect(await until { bench.pump.heldTopics.map(\.reason) == [.refused] })
        #expect(bench.pump.counts.deadLetters == 1)
        try await bench.commit(10, to: ["t"])
        #expect(await bench.drained())
        #expect(bench.pump.heldTopics.isEmpty && bench.pump.counts.deadLetters == 1)
        try await bench.expectWhole("t", duplicates: 0...11)
        #expect(try await bench.log("a").count == 2)
        await bench.pump.stop()
    }

    /// Brokers refuse what seems to come from the future. That is the lane's clock: its messages wait for it, and are good.
    @Test func aClockThatIsAheadPoisonsNothing() async throws {
        let bench = try Bench(topics: ["a", "t"]) { $0.heldFor = 20 }
        try await bench.pump.start()
        try await bench.commit(1, to: ["a", "t"])
        #expect(await bench.drained())
        bench.cluster.answer(.produce, with: [Int32](repeating: 32, count: 12))
        try await bench.commit(3, to: ["a"])
        #expect(await until { bench.pump.heldTopics.map(\.reason.rawValue) == ["clock"] })
        #expect(await bench.drained())
        #expect(bench.pump.counts.deadLetters == 0 && bench.pump.quarantine.messages == 0)
        #expect(bench.pump.counts.failed["INVALID_TIMESTAMP", default: 0] >= 12)
        try await bench.expectWhole("a", duplicates: 0...12)
        bench.expectConserved()
        await bench.pump.stop()
    }

    /// What tells of messages that were given up stays in the stream: in quarantine nobody would be told of them.
    @Test func whatTellsOfOthersIsNeverWithheld() {
        func parcel(_ type: String) -> Parcel {
            Parcel(
                topic: "t", position: Position(epoch: 3, seq: 7), key: "k", uuid: LaneUUID(hashing: ["i"]),
                headers: HeaderBlock([.init("ce_type", type)]), value: [], created: WallInstant(milliseconds: 0))
        }
        #expect(Quarantine.isSubstitute(parcel("sco.messages.dropped.v1")))
        #expect(Quarantine.isSubstitute(parcel("sco.message.withheld.v1")))
        #expect(!Quarantine.isSubstitute(parcel("sco.message.released.v1")))
    }

    /// The same whenever it is made, so that one that was half sent before a crash is not two.
    @Test func aSubstituteIsMadeOfItsPlace() throws {
        let headers = HeaderBlock([
            .init("ce_source", "/stores/1/lanes/2"), .init("ce_type", "x.v1"), .init("ce_id", "i"),
            .init("ce_sequence", "7"), .init("ce_severitytext", "WARN"), .init("ce_dataschema", "urn:x"),
        ])
        func parcel(_ seq: Int64) -> Parcel {
            Parcel(
                topic: "t", position: Position(epoch: 3, seq: seq), key: "k", uuid: LaneUUID(hashing: ["i"]),
                headers: headers, value: Array("{\"store\":\"1\",\"lane\":\"2\",\"rules\":\"r\",\"secret\":4}".utf8),
                created: WallInstant(milliseconds: 0))
        }
        let error = KafkaError(code: 10)
        let one = Quarantine.substitute(for: parcel(7), because: error)
        #expect(one == Quarantine.substitute(for: parcel(7), because: error))
        #expect(one.id != Quarantine.substitute(for: parcel(8), because: error).id)
        #expect(one.id != parcel(7).uuid && one.headers["ce_id"] == one.id.description)
        #expect(
            one.headers.headers.map(\.name).sorted() == [
                "ce_dataschema", "ce_id", "ce_sequence", "ce_source", "ce_type",
            ])
        let data = try JSONValue(parsing: one.value)
        #expect(data["lane"]?.text == "2" && data["secret"] == nil && data["withheld"]?.text == "x.v1")
    }
}
