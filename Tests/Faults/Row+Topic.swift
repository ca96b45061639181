import FaultParts
import Foundation

extension Row {
    /// What an operator of the cluster does to a topic.
    static let ofTheTopic: [Row] = [
        Row("topic-recreated", "the topic deleted and made again, in flow or in an outage") { trial in
            if trial.chance.coin() { try await recreateInOutage(trial) } else { try await recreateInFlow(trial) }
        },
        Row("partitions-added", "one partition becomes four", mayStopTheConsumer: true) { trial in
            try await trial.pause(0...0.5)
            try await trial.stand().topicTool("--alter", "--topic", trial.topic, "--partitions", "4")
            try await trial.pause(1...3)
        },
        Row("topic-unknown", "the topic is not there for the first 4 s", times: 3, makesTopic: true) { trial in
            try await trial.pause(4)
            try await trial.stand().kafka.create(trial.topic)
            try trial.heal()
        },
        Row("not-authorised", "the right to write taken away for 5 s and given back", times: 3) { trial in
            try await trial.pause(0...0.5)
            let rule = ["--topic", trial.topic, "--deny-principal", "User:lane", "--operation", "Write"]
            try await trial.stand().accessTool(["--add"] + rule)
            try await trial.pause(5)
            try await trial.stand().accessTool(["--remove", "--force"] + rule)
            try trial.heal()
        },
        Row(
            "too-large", "one message that the topic's limit refuses", times: 3,
            kafka: ["batch.num.messages": "1", "compression.type": "none"], rate: 40, makesTopic: true
        ) { trial in
            try await trial.stand().kafka.create(trial.topic, partitions: 1, "max.message.bytes=1800")
            try await trial.awaitDelivery()
            // A usual message takes 1250 bytes, this one 2300.
            let letters = Array("abcdefghijklmnopqrstuvwxyz")
            let text = (0..<1000).map { _ in String(letters[trial.chance.number(0...25)]) }.joined()
            trial.writer.enlarge(trial.ledger.count + 20, text)
            try await trial.awaitAnswers(30)
            // Raised, then cleared: both are too large.
            try await trial.until("both messages are in the quarantine", seconds: 240) {
                trial.lane.metric("lanewatch_dead_letters_total") ?? 0 >= 2
            }
            trial.remark = "\(trial.lane.state.withheld.count) signal withheld"
        },
    ]

    /// Nothing is sent while the topic goes, so that its log can be read to the last record before: judged whole.
    private static func recreateInOutage(_ trial: Trial) async throws {
        try trial.proxy().set(.refused)
        try await trial.pause(1)
        trial.earlier = try LogReader.records(trial.stand().inner, trial.topic, of: trial.lane.lane)
        try await remake(trial)
        // The agent knows nothing of it: what it had sent without an answer comes again.
        trial.allowance.resends += 1
        trial.remark = "in an outage"
        try trial.heal()
    }

    /// What the brokers acknowledged before the deletion went with the topic, by the operator's hand: judged from the first
    /// message that the agent had no acknowledgement of. That nothing is skipped is judged: the new log begins no later.
    private static func recreateInFlow(_ trial: Trial) async throws {
        try await trial.pause(0...1)
        try await trial.stand().topicTool("--delete", "--topic", trial.topic)
        try await trial.pause(1.5)
        guard let settled = trial.lane.state.settled(trial.topic) else { throw Fault("the outbox has no cursor") }
        trial.allowance.from = Allowance.Position(epoch: settled.epoch, seq: settled.seq + 1)
        trial.allowance.resends += 1
        try await trial.stand().kafka.create(trial.topic)
        trial.remark = "in flow, judged from \(settled.seq + 1)"
        try trial.heal()
    }

    private static func remake(_ trial: Trial) async throws {
        try await trial.stand().topicTool("--delete", "--topic", trial.topic)
        try await trial.pause(1)
        try await trial.stand().kafka.create(trial.topic)
    }
}
