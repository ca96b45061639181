import FaultParts
import Foundation

extension Row {
    /// The run whose log is read into a PostgreSQL without the unique key.
    static let withoutKey = "control-no-key"

    /// Runs with a part of the protocol taken away. A harness that calls them clean proves nothing.
    static let controls: [Row] = [
        Row(
            "control-no-idempotence", "control: idempotence off, acknowledgements swallowed", times: 3, isControl: true,
            kafka: ["enable.idempotence": "false", "enable.gapless.guarantee": "false"]
        ) { trial in
            try await swallow(trial)
        },
        Row(
            "control-message-timeout", "control: message.timeout.ms 5000 and no second sending, 10 s without a path",
            times: 3, isControl: true, kafka: ["message.timeout.ms": "5000"], isHasty: true
        ) { trial in
            try trial.proxy().set(.silent)
            try await trial.pause(10)
        },
        Row(
            "control-early-settle", "control: settled before the report, kill -9 in an outage", times: 3,
            isControl: true, isHasty: true
        ) { trial in
            try trial.proxy().set(.refused)
            try await trial.pause(0.5...1.5)
            try await trial.killAgent()
            try trial.proxy().set(.open)
            try await trial.startAgent()
        },
        Row(withoutKey, "control: PostgreSQL without the unique key, kill -9 of the agent", times: 3, isControl: true) {
            trial in
            // Until something came twice: without that there is nothing to see.
            for _ in 0..<4 {
                try await trial.pause(0.1...0.3)
                try await trial.killAgent()
                try await trial.startAgent()
                try await trial.awaitDelivery()
            }
        },
    ]
}
