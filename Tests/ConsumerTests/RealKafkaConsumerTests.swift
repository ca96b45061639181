import Foundation
import KafkaBed
import PostgresBed
import Testing

/// examples/consumer against a real Kafka and a real PostgreSQL.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil && PostgresBed.programs != nil), .timeLimit(.minutes(10)))
struct RealKafkaConsumerTests {
    @Test func messagesTakeEffectOnceAndRepeatsDoNot() async throws {
        try await Beds.during(nodes: 1) { beds in
            try await beds.begin("clean")
            try beds.publish("clean", lanes: 1..<7, to: 400)
            let first = try beds.drain("clean")
            #expect(first["written"] == 2400 && first["repeated"] == 0 && first["transactions"] >= 5)
            try beds.expectOnce(lanes: 1..<7, sent: 400)

            // The lane repeats its window after a crash; then the operator sets everything back to the beginning.
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
    }
}
