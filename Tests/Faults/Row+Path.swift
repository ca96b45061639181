import FaultParts
import Foundation

extension Row {
    /// The network between the lane and the brokers.
    static let ofThePath: [Row] = [
        Row("cut-short", "the path cut for 0.15 to 10 s, silently or with closed connections") { trial in
            try await cut(trial, 0.15...10)
        },
        Row("cut-long", "the path cut for 10 s to 5 min", times: 3) { trial in
            try await cut(trial, 10...max(11, trial.settings.longest))
        },
        Row("flapping", "the path cut and mended twice a second for 20 s", times: 3) { trial in
            for _ in 0..<40 {
                try trial.proxy().set(.refused)
                try await trial.pause(0.25)
                try trial.proxy().set(.open)
                try await trial.pause(0.25)
            }
        },
        Row("swallowed", "acknowledgements swallowed for up to 2 s, then the connection cut; five times") { trial in
            try await swallow(trial)
        },
    ]

    /// Short ones are as likely as long ones: the logarithm is what is drawn evenly.
    private static func cut(_ trial: Trial, _ range: ClosedRange<Double>) async throws {
        let seconds = exp(trial.chance.seconds(log(range.lowerBound)...log(range.upperBound)))
        let isSilent = trial.chance.coin()
        trial.remark = "\((seconds * 100).rounded() / 100) s, \(isSilent ? "silent" : "closed")"
        try trial.proxy().set(isSilent ? .silent : .refused)
        try await trial.pause(seconds)
        try trial.heal()
    }

    static func swallow(_ trial: Trial) async throws {
        for _ in 0..<5 {
            try await trial.pause(0.1...0.6)
            let before = try trial.proxy().counts.swallowed
            try trial.proxy().set(.swallowing)
            try await trial.until("an acknowledgement to swallow", seconds: 30) {
                try trial.proxy().counts.swallowed > before
            }
            try await trial.pause(0...2)
            try trial.proxy().cut()
            try trial.proxy().set(.open)
        }
        trial.remark = "\(try trial.proxy().counts.swallowed) swallowed since the start"
    }
}
