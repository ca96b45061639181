import Foundation
import KafkaBed
import PostgresBed
import Testing

extension RealKafkaConsumerTests {
    /// Everything is killed while messages flow, and each takes effect once.
    @Suite(.serialized) struct Kills {
        let beds: Beds

        init() throws { beds = try #require(Beds.current) }

        /// Lanes that go on talking for about `seconds`, each `sent` messages.
        private func lanes(_ topic: String, _ lanes: Range<Int>, sent: Int, seconds: Double) throws -> [Child] {
            let pause = seconds * 1000 / Double(sent)
            return try lanes.map {
                try beds.publishing(topic, ["{\"lane\": \($0), \"to\": \(sent), \"pause\": \(pause)}"])
            }
        }

        /// Three in a group, one of them killed at a random instant, again and again. Two keep their place in the group by a name of
        /// their own; the third is missed, and its partitions given to others, each time.
        @Test func consumersKilledAtAnyInstantDoNothingTwice() async throws {
            try await beds.begin("kills", partitions: 6)
            func start(_ place: Int) throws -> Consumer {
                let name = place < 2 ? ["-X", "group.instance.id=place-\(place)"] : []
                return try beds.consumer("kills", ["--batch", "20", "--report", "0.2"] + name)
            }
            var consumers = try (0..<3).map(start)
            let writing = try lanes("kills", 1..<5, sent: 1500, seconds: 60)
            var random = SystemRandomNumberGenerator()
            var kills = 0
            while kills < 24 {
                let before = try beds.postgres.number("SELECT count(*) FROM messages")
                // Where one works, not where all wait for the group to find itself again.
                let until = Date(timeIntervalSinceNow: 15)
                while try beds.postgres.number("SELECT count(*) FROM messages") == before, Date() < until {}
                usleep(UInt32.random(in: 0...300_000, using: &random))
                let place = Int.random(in: 0..<3, using: &random)
                #expect(consumers[place].child.isRunning, "\(consumers[place].child.lines.suffix(4))")
                consumers[place].signal(SIGKILL)
                #expect(consumers[place].end(within: 10) == -SIGKILL)
                consumers[place] = try start(place)
                kills += 1
            }
            for lane in writing { #expect(lane.end(within: 120) == 0, "\(lane.lines)") }
            try beds.catchUp("kills")
            for consumer in consumers { #expect(consumer.stop() == 0, "\(consumer.child.lines.suffix(4))") }
            try beds.expectOnce(lanes: 1..<5, sent: 1500)
            let taken = try beds.postgres.number("SELECT sum(generation) FROM offsets")
            print(
                "\(kills) kills; partitions were taken over \(taken) times; \(try beds.postgres.number("SELECT count(*) FROM messages")) messages"
            )
        }

        /// The database dies and comes back, three times at once and once in order; the consumer goes on by itself.
        @Test func aDatabaseThatDiesCostsNothing() async throws {
            try await beds.begin("database")
            let consumer = try beds.consumer("database", ["--batch", "20"])
            let writing = try lanes("database", 1..<4, sent: 600, seconds: 25)
            for round in 0..<4 {
                let before = try beds.postgres.number("SELECT count(*) FROM messages")
                let until = Date(timeIntervalSinceNow: 60)
                while try beds.postgres.number("SELECT count(*) FROM messages") < before + 60, Date() < until {
                    usleep(20_000)
                }
                if round < 3 { beds.postgres.kill() } else { beds.postgres.down() }
                usleep(UInt32.random(in: 0...1_500_000))
                try beds.postgres.up()
            }
            for lane in writing { #expect(lane.end(within: 60) == 0, "\(lane.lines)") }
            try beds.catchUp("database")
            #expect(consumer.stop() == 0)
            #expect(consumer.events("away").contains { $0.text("which") == "postgresql" })
            try beds.expectOnce(lanes: 1..<4, sent: 600)
        }

        /// The leader of the partition dies, and then the one that leads the group.
        @Test func aBrokerThatDiesCostsNothing() async throws {
            try await beds.begin("broker", partitions: 1)
            let consumer = try beds.consumer("broker", ["--batch", "20"])
            let writing = try lanes("broker", 1..<3, sent: 800, seconds: 30)
            for topic in ["broker", "__consumer_offsets"] {
                let before = try beds.postgres.number("SELECT count(*) FROM messages")
                let until = Date(timeIntervalSinceNow: 60)
                while try beds.postgres.number("SELECT count(*) FROM messages") < before + 100, Date() < until {
                    usleep(20_000)
                }
                let leader = String(try await beds.kafka.leader(of: topic))
                try await beds.kafka.call("kill", leader)
                usleep(UInt32.random(in: 1_000_000...4_000_000))
                try await beds.kafka.call("up", leader)
            }
            for lane in writing { #expect(lane.end(within: 120) == 0, "\(lane.lines)") }
            try beds.catchUp("broker")
            #expect(consumer.stop() == 0, "\(consumer.child.lines.suffix(6))")
            try beds.expectOnce(lanes: 1..<3, sent: 800)
        }

        /// The lane's own half: an outbox and a pump that are killed send their window again.
        @Test func aKilledLaneRepeatsItselfAndCountsOnce() async throws {
            try await beds.begin("lane", partitions: 3)
            let consumer = try beds.consumer("lane")
            let state = beds.postgres.folder + "/lane-state"
            let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
            let probe = URL(fileURLWithPath: own).deletingLastPathComponent().appending(path: "outbox-probe").path
            var told = 0
            for _ in 0..<6 {
                let lane = try Child([probe, "deliver", state, beds.kafka.bootstrap, "100000", "lane"])
                #expect(lane.line(within: 60) { Int($0) != nil } != nil, "\(lane.lines)")
                usleep(UInt32.random(in: 50_000...1_200_000))
                lane.signal(SIGKILL)
                _ = lane.end(within: 10)
                told = max(told, lane.lines.compactMap { Int($0) }.max() ?? 0)
            }
            let last = try Child([probe, "deliver", state, beds.kafka.bootstrap, String(told + 1), "lane"])
            #expect(last.end(within: 120) == 0 && last.lines.last == "done", "\(last.lines.suffix(3))")
            try beds.catchUp("lane")
            #expect(consumer.stop() == 0)
            let numbers = try beds.postgres.rows(
                "SELECT DISTINCT (data->>'n')::int FROM intervention_history ORDER BY 1")
            let sent = numbers.count
            #expect(sent > told && numbers.compactMap { Int($0[0]) } == Array(1...max(1, sent)))
            #expect(try beds.postgres.number("SELECT sum(raised) FROM calls") == sent)
            print("a lane killed 6 times: \(sent) messages, \(consumer.events.last?["repeated"] ?? 0) of them repeated")
        }

        // MARK: What must not hold

        /// The same program with Kafka's offsets for its own, as many are written, killed once between the two: the test has to see it.
        @Test(arguments: ["offsets-after", "offsets-before"])
        func withoutOneTransactionMessagesAreDoubledOrLost(order: String) async throws {
            try await beds.begin(order, partitions: 1)
            for table in ["messages", "intervention_history"] {
                _ = try beds.postgres.rows("ALTER TABLE \(table) DROP CONSTRAINT \(table)_pkey")
            }
            try beds.publish(order, lanes: 1..<2, to: 300)
            let killed = try beds.consumer(order, fault: "\(order)=2", ["--batch", "50"])
            #expect(killed.end(within: 60) == -SIGKILL, "\(killed.child.lines.suffix(4))")
            let next = try beds.consumer(order, fault: "\(order)=0", ["--until-end"])
            #expect(next.end(within: 60) == 0, "\(next.child.lines.suffix(4))")
            let tally = try beds.tally(lanes: 1..<2, sent: 300)
            #expect(order == "offsets-after" ? tally == (0, 50) : tally == (50, 0), "\(tally)")
        }

        /// How much a batch is worth. Printed, not judged: the machine is shared.
        @Test func whatABatchIsWorth() async throws {
            for (topic, batch, sent) in [("batched", 500, 1500), ("single", 1, 100)] {
                try await beds.begin(topic)
                try beds.publish(topic, lanes: 1..<7, to: sent)
                let read = try beds.drain(topic, ["--batch", String(batch)])
                #expect(read["written"] == 6 * sent)
                print("batches of \(batch): \(read["per_second"]) messages/s, \(read["transactions"]) transactions")
            }
        }
    }
}
