import Foundation
import Lane
import Testing

@testable import Outbox

let testValues: [String: TopicValue] = ["health": .health, "state": .state, "shadow": .shadow, "audit": .audit]

extension Outbox {
    /// Every sequence of a topic's newest epoch from 1 up to the head that is neither there nor told of nor settled.
    func holes(_ topic: String) async throws -> [ClosedRange<Int64>] {
        guard let depth = try depths().first(where: { $0.topic == topic }) else { return [] }
        var next = depth.settled.epoch == depth.head.epoch ? depth.settled.seq + 1 : 1
        var holes: [ClosedRange<Int64>] = []
        for parcel in try await all(topic, limit: 100) where parcel.position.epoch == depth.head.epoch {
            let first = DroppedMessages(parcel)?.first ?? parcel.position.seq
            if first > next { holes.append(next...first - 1) }
            next = parcel.position.seq + 1
        }
        if depth.head.seq >= next { holes.append(next...depth.head.seq) }
        return holes
    }

    nonisolated func dropped(_ topic: String, _ reason: DropReason = .full) -> Int {
        state.dropped[Drop(topic: topic, reason: reason)] ?? 0
    }
}

func filler(_ n: Int, bytes: Int = 4000) -> String { "{\"n\":\(n),\"x\":\"\(String(repeating: "x", count: bytes))\"}" }

@Suite struct RetentionTests {
    @Test func theLeastWorthGoesFirstAndTheStreamTells() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 1 << 20, values: testValues)
        for n in 1...100 {
            _ = try await outbox.commit(Commit(events: [event("health", filler(n)), event("own", filler(n))]))
        }
        // 800 kB; now interventions alone until health is used up.
        for n in 1...110 { _ = try await outbox.commit(Commit(events: [event("own", filler(n))])) }
        #expect(outbox.dropped("health") > 50 && outbox.dropped("own") == 0)
        #expect(try await outbox.usedBytes() <= 1 << 20)
        let health = try await outbox.all("health")
        let told = try #require(health.first.flatMap { DroppedMessages($0) })
        #expect(told.first == 1 && Int(told.count) == outbox.dropped("health") && told.reasons == [.full: told.count])
        #expect(health.first?.position.seq == told.last && health.count == 101 - Int(told.count))
        // Only the first of what is left tells: what adjoins grows.
        #expect(health.dropFirst().allSatisfy { DroppedMessages($0) == nil })
        for n in 1...400 { _ = try await outbox.commit(Commit(events: [event("own", filler(n))])) }
        #expect(outbox.dropped("own") > 100 && outbox.dropped("health") == 100)
        for topic in ["own", "health"] { #expect(try await outbox.holes(topic).isEmpty) }
        #expect(try await outbox.usedBytes() <= 1 << 20)
        // What came first was dropped first, and each commit was taken.
        #expect(try await outbox.depths().first { $0.topic == "own" }?.head.seq == 610)
        let state = outbox.state
        let depths = try await outbox.depths()
        #expect(depths.reduce(0) { $0 + $1.rows } + state.missing == 710)
    }

    @Test func theTellingIsACloudEventInItsPlace() async throws {
        let folder = try Folder()
        var outbox = try folder.open(maximumBytes: 200 << 10, values: testValues)
        var n = 0
        while outbox.dropped("own") == 0, n < 500 {
            n += 1
            _ = try await outbox.commit(Commit(events: [event("own", filler(n))]))
        }
        await outbox.close()
        outbox = try folder.open(maximumBytes: 200 << 10, values: testValues)
        let parcel = try #require(try await outbox.all("own").first)
        let told = try #require(DroppedMessages(parcel))
        #expect(parcel.headers["ce_type"] == "sco.messages.dropped.v1" && parcel.key == "0042/07")
        #expect(parcel.headers["ce_source"] == "/stores/0042/lanes/07" && parcel.id == parcel.headers["ce_id"])
        #expect(parcel.headers["ce_sequence"] == CloudEvent.sequence(epoch: outbox.epoch, seq: told.last))
        let json = try JSONValue(parsing: parcel.value ?? [])
        #expect(json["first"]?.text == CloudEvent.sequence(epoch: outbox.epoch, seq: 1))
        #expect(json["store"]?.text == "0042" && json["lane"]?.text == "07" && json["count"]?.int == told.count)
        #expect(outbox.state.missing == Int(told.count) - 1)
        // Settling the message that tells settles what it tells of, and counts one.
        try await outbox.settle([Mark(topic: "own", position: parcel.position)])
        #expect(outbox.state.missing == 0)
        #expect(await outbox.totals().settled == 1)
        #expect(try await outbox.depths().first?.rows == n - Int(told.count))
    }

    @Test func whatMayBeOnItsWayStays() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 400 << 10, values: testValues)
        for n in 1...50 { _ = try await outbox.commit(Commit(events: [event("health", filler(n))])) }
        let leased = try await outbox.lease(topic: "health", after: .start, limit: 20)
        #expect(leased.count == 20)
        for n in 51...200 { _ = try await outbox.commit(Commit(events: [event("health", filler(n))])) }
        let all = try await outbox.all("health")
        #expect(Array(all.prefix(20)) == leased)
        let told = try #require(DroppedMessages(all[20]))
        #expect(told.first == 21 && Int(told.count) == outbox.dropped("health"))
        #expect(try await outbox.holes("health").isEmpty)
        // Claimed as fresh: the same. What was given up cannot be claimed.
        let epoch = outbox.epoch
        func position(_ seq: Int64) -> Position { Position(epoch: epoch, seq: seq) }
        #expect(!outbox.claim("health", from: position(told.last), to: position(200)))
        #expect(outbox.claim("health", from: position(told.last + 1), to: position(200)))
        for n in 201...260 {
            _ = try? await outbox.commit(Commit(events: [event("health", filler(n))]))
        }
        let rest = try await outbox.all("health").filter { $0.position.seq <= 200 && $0.position.seq > told.last }
        #expect(rest.count == Int(200 - told.last) && rest.allSatisfy { DroppedMessages($0) == nil })
    }

    @Test func afterAStartWhatTheLastLifeMayHaveSentStays() async throws {
        let folder = try Folder()
        var outbox = try folder.open(maximumBytes: 10 << 20, values: testValues)
        for n in 1...60 { _ = try await outbox.commit(Commit(events: [event("own", filler(n))])) }
        try await outbox.settle([Mark(topic: "own", position: Position(epoch: outbox.epoch, seq: 5))])
        await outbox.close()
        outbox = try folder.open(maximumBytes: 200 << 10, values: testValues, inFlight: 20)
        _ = try await outbox.commit(Commit(events: [event("own", filler(61))]))
        let all = try await outbox.all("own")
        #expect(all.prefix(20).map(\.position.seq) == Array(6...25))
        #expect(DroppedMessages(all[20])?.first == 26)
    }

    @Test func aChainCanBeFollowedOverWhatWasGivenUp() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 300 << 10, values: ["audit": .audit])
        var values: [Int64: [UInt8]] = [:]
        for n in 1...150 {
            let done = try await outbox.commit(Commit(events: [event("audit", filler(n), chained: true)]))
            if let parcel = done.fresh.first {
                values[parcel.position.seq] = parcel.value
            } else if let parcel = try await outbox.all("audit").last, DroppedMessages(parcel) == nil {
                values[parcel.position.seq] = parcel.value
            }
        }
        let all = try await outbox.all("audit")
        let told = try #require(DroppedMessages(all[0]))
        #expect(told.first == 1 && told.previous == String(repeating: "0", count: 64))
        #expect(told.sha256 == SHA256.hex(try #require(values[told.last])))
        // The usual rule of the chain, with what the telling says for its own place.
        var before = told.sha256
        for parcel in all.dropFirst() {
            #expect(DroppedMessages.previous(of: parcel.value ?? []) == before)
            before = SHA256.hex(parcel.value ?? [])
        }
    }

    @Test func ofTheLanesStateTheNewestIsKept() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 300 << 10, values: testValues)
        for n in 1...20 { _ = try await outbox.commit(Commit(events: [event("state", filler(n))])) }
        for n in 1...200 { _ = try await outbox.commit(Commit(events: [event("own", filler(n))])) }
        let state = try await outbox.all("state")
        #expect(state.map(\.position.seq) == [19, 20] && DroppedMessages(state[0])?.count == 19)
        #expect(DroppedMessages(state[1]) == nil)
    }

    /// Where only interventions are kept, a device's news is not worth one of them: it goes itself.
    @Test func theNewGoesWhereTheOldIsWorthMore() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 300 << 10, values: testValues)
        for n in 1...10 { _ = try await outbox.commit(Commit(events: [event("health", filler(n))])) }
        var n = 0
        while try await outbox.usedBytes() < 290 << 10 {
            n += 1
            _ = try await outbox.commit(Commit(events: [event("own", filler(n))]))
        }
        let before = outbox.dropped("own")
        for n in 11...60 {
            let done = try await outbox.commit(Commit(events: [event("health", filler(n))]))
            #expect(done.fresh.isEmpty || outbox.dropped("health") < n)
        }
        #expect(outbox.dropped("own") == before && outbox.dropped("health") >= 40)
        #expect(try await outbox.holes("health").isEmpty)
    }

    @Test func ageIsGivenUpOnlyByAClockThatRunsSteadily() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumAge: 3_600_000, values: testValues)
        for n in 1...30 {
            _ = try await outbox.commit(Commit(events: [event("own", filler(n, bytes: 50)), event("state")]))
        }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let (day, hour): (Int64, Int64) = (86_400_000, 3_600_000)
        // A clock that was set a day ahead is not believed, nor an agent that began a moment ago.
        try await outbox.giveUpOld(now: now, boottime: 1000)
        try await outbox.giveUpOld(now: now + day, boottime: 2000)
        try await outbox.giveUpOld(now: now + day + hour / 2, boottime: 2000 + hour / 2)
        #expect(outbox.dropped("own", .age) == 0)
        try await outbox.giveUpOld(now: now + day + hour, boottime: 2000 + hour)
        #expect(outbox.dropped("own", .age) == 30 && outbox.dropped("state", .age) == 29)
        let all = try await outbox.all("own")
        #expect(all.count == 1 && DroppedMessages(all[0])?.reasons == [.age: 30])
        // Once more changes nothing: what tells is not given up by itself.
        try await outbox.giveUpOld(now: now + day + 2 * hour, boottime: 2000 + 2 * hour)
        #expect(outbox.dropped("own", .age) == 30)
        _ = try await outbox.commit(Commit(events: [event("own")]))
        #expect(try await outbox.all("own").map(\.position.seq) == [30, 31])
    }

    @Test func clockStepsBeginTheProbationAnew() {
        var clock = AgeClock()
        let hour = AgeClock.probation
        func found(_ boottime: Int64, _ wall: Int64) -> Bool { clock.isTrusted(boottime: boottime, wall: wall) }
        let answers = [
            found(0, 1000), found(hour, hour + 1000), found(hour + 1, hour + 200_000), found(hour + 2, 99 * hour),
            found(hour + 3, 99 * hour + 1), found(2 * hour + 3, 100 * hour + 1),
        ]
        #expect(answers == [false, true, true, false, false, true])
    }
}

@Suite struct DroppedSchemaTests {
    /// docs/reference/messages.dropped.v1.schema.json, asked by a validator that is not ours: Debian's python3-jsonschema.
    @Test func theTellingIsValidByItsSchema() async throws {
        let folder = try Folder()
        let outbox = try folder.open(maximumBytes: 300 << 10, maximumAge: 3_600_000, values: testValues)
        for n in 1...150 {
            _ = try await outbox.commit(
                Commit(events: [event("own", filler(n)), event("audit", filler(n, bytes: 100), chained: true)]))
        }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        try await outbox.giveUpOld(now: now + 7_200_000, boottime: 0)
        try await outbox.giveUpOld(now: now + 7_200_000 + AgeClock.probation, boottime: AgeClock.probation)
        var lines: [[UInt8]] = []
        for topic in ["own", "audit"] {
            lines += try await outbox.all(topic).filter { DroppedMessages($0) != nil }.compactMap(\.value)
        }
        #expect(lines.count == 2)
        let told = try #require(DroppedMessages(value: lines[0]))
        #expect(told.reasons[.full] ?? 0 > 0 && told.reasons[.age] ?? 0 > 0 && told.count == 150)
        let file = folder.path + "/told.jsonl"
        try Data(lines.joined(separator: [0x0A])).write(to: URL(fileURLWithPath: file))
        let schema = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/reference/messages.dropped.v1.schema.json").path
        let program = """
            import json, sys, jsonschema
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft202012Validator.check_schema(schema)
            for line in open(sys.argv[2]):
                jsonschema.validate(json.loads(line), schema, cls=jsonschema.Draft202012Validator)
            print("valid")
            """
        let process = try ProbeProcess(["/usr/bin/python3", "-c", program, schema, file])
        #expect(process.lines() == ["valid"])
    }
}
