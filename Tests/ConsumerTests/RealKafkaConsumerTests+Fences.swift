import Foundation
import KafkaBed
import PostgresBed
import Testing

extension RealKafkaConsumerTests {
    /// A consumer that was away for longer than it knew, and comes back with messages in hand.
    @Suite(.serialized) struct Fences {
        let beds: Beds

        init() throws { beds = try #require(Beds.current) }

        /// Stops itself with a hundred messages in hand; another takes the partition over and goes on; it continues.
        private func zombie(_ topic: String, fault: String, other: String?, keyless: Bool) async throws -> Consumer {
            try await beds.begin(topic, partitions: 1)
            if keyless {
                for table in ["messages", "intervention_history"] {
                    _ = try beds.postgres.rows("ALTER TABLE \(table) DROP CONSTRAINT \(table)_pkey")
                }
            }
            try beds.publish(topic, lanes: 1..<2, to: 300)
            let zombie = try beds.consumer(topic, fault: fault, ["--batch", "100"])
            try #require(zombie.isStopped(within: 60), "\(zombie.child.lines)")
            let successor = try beds.consumer(topic, fault: other, ["--batch", "100"])
            try beds.catchUp(topic)
            try beds.publish(topic, lanes: 1..<2, from: 301, to: 400)
            try beds.catchUp(topic)
            zombie.signal(SIGCONT)
            #expect(
                zombie.child.line(within: 60) { $0.contains("fenced") || $0.contains("away") || $0.contains("revoked") }
                    != nil)
            // It is a consumer again, beside the other: neither doubles.
            try beds.publish(topic, lanes: 1..<2, from: 401, to: 500)
            try beds.catchUp(topic)
            #expect(successor.stop() == 0 && zombie.stop() == 0)
            return zombie
        }

        @Test func aZombieWithMessagesInHandIsFenced() async throws {
            let zombie = try await zombie("zombie", fault: "stop-before-write=2", other: nil, keyless: false)
            let last = try #require(zombie.events.last)
            #expect(last["fenced"] == 100 && last["times_fenced"] == 1, "\(zombie.child.lines)")
            try beds.expectOnce(lanes: 1..<2, sent: 500)
        }

        /// PostgreSQL ends the session that holds the rows, or the successor would wait for ever.
        @Test func aZombieInsideItsTransactionIsCutOff() async throws {
            let zombie = try await zombie("inside", fault: "stop-inside=2", other: nil, keyless: false)
            #expect(zombie.events("away").first?.text("which") == "postgresql")
            try beds.expectOnce(lanes: 1..<2, sent: 500)
        }

        /// It is given a partition, sleeps, and takes it when it is no longer its own. Neither writes what the other has.
        @Test func aZombieThatTakesTooLateDoesNoHarm() async throws {
            try await beds.begin("late", partitions: 1)
            try beds.publish("late", lanes: 1..<2, to: 300)
            let zombie = try beds.consumer("late", fault: "stop-before-take")
            try #require(zombie.isStopped(within: 60))
            let successor = try beds.consumer("late")
            try beds.catchUp("late")
            let writing = try beds.publishing("late", [#"{"from": 301, "to": 800, "pause": 10}"#])
            zombie.signal(SIGCONT)
            #expect(zombie.event("assigned") != nil)
            #expect(writing.end(within: 60) == 0)
            try beds.catchUp("late")
            #expect(successor.stop() == 0 && zombie.stop() == 0)
            try beds.expectOnce(lanes: 1..<2, sent: 800)
        }

        /// The fence alone, without keys and cursors; and, to see that the test can fail, without the fence.
        @Test(arguments: [true, false]) func theFenceAloneKeepsAZombieOut(fenced: Bool) async throws {
            let fault = "without-dedupe,stop-before-write=2" + (fenced ? "" : ",without-fence")
            let topic = fenced ? "fence-alone" : "fenceless"
            _ = try await zombie(topic, fault: fault, other: "without-dedupe", keyless: true)
            let tally = try beds.tally(lanes: 1..<2, sent: 500)
            #expect(tally.lost == 0)
            #expect(fenced ? tally.doubled == 0 : tally.doubled >= 100, "\(tally)")
        }
    }
}

extension Consumer {
    /// Waits until a signal has stopped it.
    func isStopped(within seconds: Double) -> Bool {
        let until = Date(timeIntervalSinceNow: seconds)
        while Date() < until && child.isRunning {
            let text = (try? String(contentsOfFile: "/proc/\(child.pid)/stat", encoding: .utf8)) ?? ""
            if text.split(separator: ") ").last?.first == "T" { return true }
            usleep(20_000)
        }
        return false
    }
}
