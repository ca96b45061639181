import Foundation
import KafkaBed
import PostgresBed
import Testing

/// examples/consumer against a real Kafka of three brokers and a real PostgreSQL, which all of these share.
@Suite(
    .serialized, .enabled(if: KafkaBed.home != nil && PostgresBed.programs != nil), .withBeds, .timeLimit(.minutes(15)))
enum RealKafkaConsumerTests {}

/// What it makes of what it reads.
extension RealKafkaConsumerTests {
    @Suite(.serialized) struct Reading {
        let beds: Beds

        init() throws { beds = try #require(Beds.current) }

        // MARK: What comes again

        @Test func messagesTakeEffectOnceAndRepeatsDoNot() async throws {
            try await beds.begin("clean")
            try beds.publish("clean", lanes: 1..<7, to: 400)
            let first = try beds.drain("clean")
            #expect(first["written"] == 2400 && first["repeated"] == 0 && first["transactions"] >= 5)
            try beds.expectOnce(lanes: 1..<7, sent: 400)

            // A lane repeats what was on its way when it crashed; then the operator sets everything back to the beginning.
            try beds.publish("clean", lanes: 1..<7, from: 301, to: 500)
            #expect(try beds.drain("clean")["repeated"] == 600)
            try beds.expectOnce(lanes: 1..<7, sent: 500)
            _ = try beds.postgres.rows("UPDATE offsets SET next_offset = NULL")
            #expect(try beds.drain("clean")["repeated"] == 3600)
            try beds.expectOnce(lanes: 1..<7, sent: 500)

            // Each of the two keys alone knows what was here.
            for table in ["cursors", "messages"] {
                _ = try beds.postgres.rows("UPDATE offsets SET next_offset = NULL; DELETE FROM \(table)")
                #expect(try beds.drain("clean")["repeated"] == 3600)
                #expect(try beds.tally(lanes: 1..<7, sent: 500) == (0, 0))
            }
        }

        @Test func copiesOnTwoTopicsCountOnce() async throws {
            try await beds.begin("first")
            try await beds.kafka.create("second")
            for topic in ["first", "second"] { try beds.publish(topic, lanes: 1..<3, to: 90) }
            #expect(try beds.drain("first", ["--topic", "second"])["written"] == 360)
            #expect(try beds.tally(lanes: 1..<3, sent: 90) == (0, 0))
            #expect(try beds.postgres.number("SELECT count(*) FROM intervention_history") == 180)
        }

        @Test func rowsThatSayWhatWasHereArePrunedOnceOld() async throws {
            try await beds.begin("old", partitions: 1)
            try beds.publish("old", lanes: 1..<2, to: 60)
            _ = try beds.drain("old")
            _ = try beds.postgres.rows(
                "UPDATE messages SET written_at = now() - interval '61 days' WHERE sequence % 100 <= 40")
            let (_, lines) = try Consumer.call(["prune"], database: beds.postgres.conninfo)
            #expect(lines == [#"{"deleted": {"messages": 40, "rejected": 0}}"#])
            _ = try beds.postgres.rows("UPDATE offsets SET next_offset = NULL")
            #expect(try beds.drain("old")["repeated"] == 60)
            #expect(try beds.tally(lanes: 1..<2, sent: 60) == (0, 0))
        }

        // MARK: Sequences

        /// A hole stops the consumer, and stops it again, until somebody says why it may go on.
        @Test func aGapStopsWithAnAlarmUntilItIsAnswered() async throws {
            try await beds.begin("gap", partitions: 1)
            try beds.publish(
                "gap", #"{"lane": 1, "to": 100}"#, #"{"lane": 2, "to": 50}"#, #"{"lane": 1, "from": 102, "to": 150}"#,
                #"{"lane": 2, "from": 51, "to": 60}"#)
            let running = try beds.consumer("gap")
            #expect(running.end(within: 60) == 3)
            let alarm = try #require(running.events("alarm").first)
            #expect(alarm.text("text") == "/stores/0042/lanes/01 on gap: 60000:101 should come, 60000:102 came")
            #expect(alarm.text("next").contains("consume.py accept \(alarm["alarm"]) --why"))
            // What stood before it is written; it and what follows is not.
            #expect(try beds.postgres.number("SELECT count(*) FROM messages") == 150)
            #expect(try beds.drain("gap", code: 3)["written"] == 0)

            let (code, lines) = try Consumer.call(["alarms"], database: beds.postgres.conninfo, codes: [3])
            #expect(code == 3 && lines.count == 1 && lines[0].contains("60000:101 should have come"), "\(lines)")
            try Consumer.call(
                ["accept", String(alarm["alarm"]), "--why", "its disk was exchanged"], database: beds.postgres.conninfo)
            #expect(try beds.drain("gap")["written"] == 59)
            #expect(
                try beds.postgres.rows("SELECT source, last % 1000 FROM cursors ORDER BY 1").map(\.[1]) == [
                    "150", "60",
                ])
            #expect(try Consumer.call(["alarms"], database: beds.postgres.conninfo).lines == ["no open alarm"])
            // The other lane has all of its own.
            #expect(try beds.tally(lanes: 2..<3, sent: 60) == (0, 0))
        }

        /// Messages that the lane gave up stand in the stream as one that says so.
        @Test func aToldDropIsNoGap() async throws {
            try await beds.begin("told", partitions: 1)
            try beds.publish(
                "told", #"{"to": 10}"#,
                #"{"from": 30, "type": "sco.messages.dropped.v1", "data": {"first": 11, "last": 30, "count": 20}}"#,
                #"{"from": 31, "to": 33}"#, #"{"from": 34, "type": "sco.message.withheld.v1", "data": {"bytes": 5}}"#,
                #"{"from": 35, "to": 36}"#)
            #expect(try beds.drain("told")["written"] == 17)
            #expect(
                try beds.postgres.rows("SELECT type FROM events ORDER BY type").map(\.[0]) == [
                    "sco.message.withheld.v1", "sco.messages.dropped.v1",
                ])
            // The lane never heard of the arrival of the last two.
            try beds.publish(
                "told",
                #"{"from": 36, "id": "other", "type": "sco.messages.dropped.v1", "data": {"first": 35, "last": 36, "count": 2}}"#
            )
            #expect(try beds.drain("told")["repeated"] == 1)
            // It tells of fewer than are missing.
            try beds.publish(
                "told",
                #"{"from": 50, "type": "sco.messages.dropped.v1", "data": {"first": 40, "last": 50, "count": 11}}"#)
            let stopped = try beds.drain("told", code: 3)
            #expect(stopped["held"] == 1)
        }

        @Test func aLargerEpochBeginsAnew() async throws {
            try await beds.begin("epochs", partitions: 1)
            try beds.publish(
                "epochs", #"{"to": 20}"#, #"{"epoch": 60001, "to": 10}"#, #"{"from": 15, "to": 20}"#,
                #"{"epoch": 60001, "from": 11, "to": 12}"#)
            let read = try beds.drain("epochs")
            #expect(read["written"] == 32 && read["repeated"] == 6)
            // It has to begin at its beginning.
            try beds.publish("epochs", #"{"epoch": 60002, "from": 3, "to": 4}"#)
            let running = try beds.consumer("epochs")
            #expect(running.end(within: 60) == 3)
            #expect(running.events("alarm").first?.text("text").contains("60002:1 should come, 60002:3 came") == true)
        }

        /// Two databases that count the same: what seems a repeat is not one, and must not vanish.
        @Test func aSequenceThatComesAgainAsAnotherMessageIsAnAlarm() async throws {
            try await beds.begin("conflict", partitions: 1)
            try beds.publish("conflict", #"{"to": 10}"#, #"{"from": 5, "to": 5}"#, #"{"from": 7, "id": "other"}"#)
            let running = try beds.consumer("conflict")
            #expect(running.end(within: 60) == 3)
            let alarm = try #require(running.events("alarm").first)
            #expect(alarm.text("kind") == "conflict" && running.events.last?["repeated"] == 1)
            try Consumer.call(["accept", String(alarm["alarm"]), "--why", "seen"], database: beds.postgres.conninfo)
            #expect(try beds.drain("conflict")["rejected"] == 1)
            #expect(try beds.tally(lanes: 1..<2, sent: 10) == (0, 0))
        }

        // MARK: What is not ours

        @Test func damagedMessagesAreSetAsideAndTheStreamGoesOn() async throws {
            try await beds.begin("poison", partitions: 1)
            let strangers = [
                #"{"key": "x", "headers": {"ce_specversion": null}}"#, #"{"headers": {"ce_source": "/a/b"}}"#,
                #"{"key": "0042/02"}"#, #"{"headers": {"ce_sequence": "7"}}"#, #"{"headers": {"ce_id": "none"}}"#,
            ]
            // With a place in the sequence, and no good: the sequence goes on behind them.
            let damaged = [
                #""value": "{""#, #""value": "[]""#, #""value": "{\"a\": NaN}""#, #""headers": {"ce_time": "soon"}"#,
                #""value": "{\"intervention\": 7}""#, #""value": "{\"title\": \"\\u0000\"}""#,
                #""type": "sco.other.v1", "data": {"a": "\u0000"}"#, #""headers": {"ce_time": "2026-13-40T00:00:00Z"}"#,
            ]
            let orders =
                [#"{"to": 3}"#] + strangers + damaged.enumerated().map { "{\"from\": \($0 + 4), \($1)}" }
                + ["{\"from\": \(damaged.count + 4), \"to\": 30}"]
            let lanes = try beds.publishing("poison", orders)
            #expect(lanes.end(within: 60) == 0, "\(lanes.lines)")
            let read = try beds.drain("poison")
            let rejected = strangers.count + damaged.count
            #expect(read["rejected"] == rejected && read["written"] == 30 - damaged.count)
            #expect(try beds.postgres.number("SELECT count(*) FROM rejected WHERE reason <> ''") == rejected)
            #expect(try beds.postgres.number("SELECT last % 1000 FROM cursors") == 30)
            // A second time they are no more than they were.
            _ = try beds.postgres.rows("UPDATE offsets SET next_offset = NULL")
            _ = try beds.drain("poison")
            #expect(try beds.postgres.number("SELECT count(*) FROM rejected") == rejected)
        }

        // MARK: Start and stop

        @Test func itStopsInOrderAndSaysWhatIsWrong() async throws {
            try await beds.begin("stops", partitions: 1)
            let running = try beds.consumer("stops")
            #expect(running.event("assigned") != nil)
            #expect(running.stop() == 0)
            #expect(running.events.last?.name == "stopped")

            let changed = try beds.consumer("stops", ["-X", "enable.auto.commit=true"])
            #expect(changed.end(within: 30) == 2)
            let unknown = try beds.consumer("stops", ["-X", "no.such.setting=1"])
            #expect(unknown.end(within: 30) == 2 && unknown.events("refused").first != nil)
            _ = try beds.postgres.rows("DROP SCHEMA lanewatch CASCADE")
            let bare = try beds.consumer("stops")
            #expect(bare.end(within: 60) == 2)
            #expect(bare.events("refused").first?.text("text").contains("consume.py init") == true)
        }
    }
}
