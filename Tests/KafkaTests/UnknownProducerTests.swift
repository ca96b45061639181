import Loop
import Testing

@testable import Kafka

/// Brokers that forget the producer's id, and take what comes behind a request that they refused, as the embedded ones do and
/// as some services that speak Kafka's protocol may: librdkafka then takes for delivered what no broker has.
@Suite(.timeLimit(.minutes(2))) @LoopActor struct UnknownProducerTests {
    @Test func whatNoBrokerAnsweredForIsNotDelivered() async throws {
        let cluster = try MockCluster(brokers: 3)
        try cluster.createTopic("t", partitions: 1, replicas: 3)
        let listener = Listener()
        let producer = try Producer(safe(cluster.bootstrap, ["linger.ms": "1"])) { listener.take($0) }
        var number = 0
        let shows = LibraryVersion.current.description == "2.0.2"
        for turn in 0..<800 {
            // It takes two requests at once, which is a matter of chance.
            if turn >= 40, !shows || listener.reports.contains(where: { $0.error == .unproven }) { break }
            for _ in 0..<Int.random(in: 5...15) {
                for _ in 0..<Int.random(in: 1...3) {
                    try producer.send(
                        Message(topic: "t", key: "0042/07", value: Array("\(number)".utf8)), opaque: UInt64(number))
                    number += 1
                }
                try await Task.sleep(for: .milliseconds(3))
            }
            // UNKNOWN_PRODUCER_ID
            if turn % 2 == 0 { cluster.answer(.produce, with: [Int32](repeating: 59, count: Int.random(in: 1...3))) }
        }
        cluster.clearAnswers(.produce)
        #expect(await producer.flush(within: 20_000))
        producer.close()
        await producer.ended()
        let found = Set(try await kcat(cluster.bootstrap, "t", format: "%s\\n").compactMap { UInt64($0) })
        #expect(Set(listener.delivered).subtracting(found) == [], "taken for delivered, and in no broker's log")
        let unproven = listener.reports.filter { $0.error == .unproven }
        #expect(unproven.allSatisfy { $0.isPossiblyPersisted && $0.error?.isPurge == false })
        #expect(listener.reports.count == number)
        // Else nothing was shown.
        if shows { #expect(!unproven.isEmpty) }
    }
}
