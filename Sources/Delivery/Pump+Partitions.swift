import Kafka
import Lane
import Outbox

/// A lane keeps its partition of each topic, so that its order holds when partitions are added.
///
/// The key decides where the first messages go; their report tells where that was, and from then on the partition is named. It is
/// written down before the first settlement: no message counts as delivered to a partition that a restart would not know.
extension Pump {
    /// What the outbox calls it: `fact.partition.TOPIC`, decimal digits.
    static let partitionFacts = "partition."

    func loadPartitions() async throws(OutboxError) {
        for (topic, value) in try await outbox.facts(named: Self.partitionFacts) {
            // Whatever else stands there is as good as nothing: the key decides again.
            if let partition = Int32(String(decoding: value, as: UTF8.self)), partition >= 0 {
                partitions[topic] = partition
            }
        }
    }

    /// The cluster has `count` partitions of a topic: tells the producer which is the lane's.
    func keepPartition(_ place: Int, of count: Int) {
        let topic = channels[place].topic
        if let kept = partitions[topic], Int(kept) >= count {
            // It was deleted and made anew with fewer.
            partitions[topic] = nil
            say(
                .warning, "the lane's partition is gone: its key chooses another", topic,
                "\(topic) has \(count) partitions, the lane was in \(kept)", field: "topic")
        }
        producer?.pin(topic, to: partitions[topic])
    }

    /// A message of a topic went to `partition`.
    func learnPartition(_ partition: Int32, _ place: Int) {
        let topic = channels[place].topic
        guard partition >= 0, partitions[topic] == nil else { return }
        partitions[topic] = partition
        newPartitions.insert(topic)
        producer?.pin(topic, to: partition)
    }

    /// Writes down what was learnt.
    func settlePartitions() async throws(OutboxError) {
        let topics = newPartitions
        guard !topics.isEmpty else { return }
        var facts: [String: [UInt8]?] = [:]
        for topic in topics { facts[Self.partitionFacts + topic] = partitions[topic].map { Array("\($0)".utf8) } }
        _ = try await outbox.commit(Commit(facts: facts))
        newPartitions.subtract(topics)
    }
}
