import FaultParts
import Foundation
import Kafka

extension Row {
    /// Errors that brokers answer with, each in the middle of the flow. The codes are the protocol's.
    ///
    /// The mock checks no sequences: behind a request that it was told to refuse it takes the next one, which real brokers
    /// refuse as well. One request at a time makes it the same, but where the producer's id was forgotten: librdkafka then has two on
    /// their way all the same, so that messages may come behind later ones, and must come all the same.
    /// Source: https://kafka.apache.org/protocol#protocol_error_codes
    static let ofTheMock: [Row] = [
        mock("request-timed-out", 7), mock("not-enough-replicas", 19), mock("not-enough-replicas-after-append", 20),
        mock("not-leader", 6), mock("storage-error", 56), mock("unknown-producer-id", 59, judgesArrival: false),
        mock("out-of-order", 45), mock("message-too-large", 10), mock("invalid-producer-epoch", 47),
        mock("corrupt-message", 2), mock("topic-authorization", 29),
        Row("mock-leader-moved", "mock brokers: the leader moved five times", bed: .mock) { trial in
            for turn in 0..<5 {
                try await trial.pause(0.05...0.4)
                try trial.mock().setLeader(of: trial.topic, Int32(turn % 3 + 1))
            }
        },
        Row("mock-all-down", "mock brokers: all down for 3 s", bed: .mock) { trial in
            for broker in 1...3 { try trial.mock().setDown(Int32(broker), true) }
            try await trial.pause(3)
            for broker in 1...3 { try trial.mock().setDown(Int32(broker), false) }
        },
        Row("mock-slow", "mock brokers: answers take 0.5 s", bed: .mock) { trial in
            for broker in 1...3 { try trial.mock().setRoundTrip(Int32(broker), milliseconds: 500) }
            try await trial.pause(3)
            for broker in 1...3 { try trial.mock().setRoundTrip(Int32(broker), milliseconds: 0) }
        },
    ]

    private static func mock(_ name: String, _ code: Int32, judgesArrival: Bool = true) -> Row {
        Row(
            "mock-" + name, "mock brokers answer with error \(code) (\(name)), twice", bed: .mock,
            kafka: ["max.in.flight.requests.per.connection": "1"]
        ) { trial in
            trial.allowance.judgesArrival = judgesArrival
            for _ in 0..<2 {
                try await trial.pause(0.05...0.5)
                let count = trial.chance.number(1...3)
                try trial.mock().answer(.produce, with: [Int32](repeating: code, count: count))
                try await trial.pause(0.3)
            }
            try trial.mock().clearAnswers(.produce)
        }
    }
}
