import FaultParts
import Foundation

extension Row {
    /// The brokers themselves.
    static let ofTheBrokers: [Row] = [
        Row("leader-hangs", "SIGSTOP of the leader for 45 s", times: 3) { trial in
            let leader = try await trial.stand().leader(trial.topic)
            try await trial.stand().kafka.call("freeze", leader)
            try await trial.pause(45)
            try await trial.stand().kafka.call("thaw", leader)
            try trial.heal()
            try await trial.stand().awaitWhole(trial.topic)
        },
        Row("leader-killed", "kill -9 of the leader, back after 8 s", times: 3) { trial in
            try await trial.pause(0...1)
            let leader = try await trial.stand().leader(trial.topic)
            try await trial.stand().kafka.call("kill", leader)
            try await trial.pause(8)
            try await trial.stand().kafka.call("up", leader)
            try trial.heal()
            try await trial.stand().awaitWhole(trial.topic)
        },
        Row("two-killed", "kill -9 of two of three, the leader among them: not enough replicas", times: 3) { trial in
            try await trial.pause(0...1)
            let leader = try await trial.stand().kafka.leader(of: trial.topic)
            let nodes = [leader, leader % 3 + 1].map { String($0) }
            for node in nodes { try await trial.stand().kafka.call("kill", node) }
            try await trial.pause(8)
            // Together: the quorum of controllers needs two.
            try await trial.stand().kafka.call("start", "3")
            try trial.heal()
            try await trial.stand().awaitWhole(trial.topic)
        },
        Row("rolling-restart", "each broker stopped in order and started again", times: 3) { trial in
            for node in 1...3 {
                try await trial.stand().kafka.call("restart", String(node))
                try await trial.stand().awaitWhole(trial.topic)
            }
            try trial.heal()
        },
        Row("all-restarted", "all brokers stopped and started again", times: 3) { trial in
            try await trial.stand().kafka.call("stop")
            try await trial.stand().kafka.call("start", "3")
            try trial.heal()
            try await trial.stand().awaitWhole(trial.topic)
        },
        Row("leader-moved", "another broker made the leader, twice") { trial in
            for _ in 0..<2 {
                try await trial.pause(0...0.5)
                try await trial.stand().moveLeader(trial.topic, folder: trial.folder)
            }
        },
    ]
}
