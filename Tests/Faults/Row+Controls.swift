import FaultParts
import Foundation

extension Row {
    /// Runs with a part of the protocol taken away. A harness that calls them clean proves nothing.
    static let controls: [Row] = [
        Row(
            "control-no-idempotence", "control: idempotence off, acknowledgements swallowed", times: 3, isControl: true,
            kafka: ["enable.idempotence": "false", "enable.gapless.guarantee": "false"]
        ) { trial in
            try await swallow(trial)
        }
    ]
}
