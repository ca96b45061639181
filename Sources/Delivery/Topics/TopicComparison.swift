import Kafka

/// What a cluster says of one needed topic, compared with what is needed. Pure.
public struct TopicComparison: Sendable {
    public var needed: NeededTopic
    public var record: TopicRecord
    /// Nil: they were not asked for, as there is no topic.
    public var settings: Result<[String: String], KafkaError>?
    /// How many brokers run.
    public var brokers: Int
    public var bootstrap: String
    /// Who has to be let in: `User:lane`; with a placeholder where it cannot be known.
    public var principal: String

    public init(
        _ needed: NeededTopic, _ record: TopicRecord, settings: Result<[String: String], KafkaError>?, brokers: Int,
        bootstrap: String, principal: String = "User:NAME"
    ) {
        self.needed = needed
        self.record = record
        self.settings = settings
        self.brokers = brokers
        self.bootstrap = bootstrap
        self.principal = principal
    }

    /// In the order of their weight for the reader: the topic, its replicas, its settings.
    public var differences: [TopicDifference] {
        switch record {
        case .missing:
            return [
                difference(
                    .error, "missing", what: "there is no such topic",
                    why: "what lanes have for it waits in their outboxes, and is not seen by anybody",
                    remedy: "lanewatch topics create")
            ]
        case .notAuthorised:
            return [
                difference(
                    .error, "not-authorised", what: "this client may not see the topic, or there is none",
                    why: "what lanes have for it waits in their outboxes until they may write",
                    remedy: acls(["Describe", "DescribeConfigs", "Write"]))
            ]
        case .failed(let error):
            return [
                difference(
                    .error, "failed", found: error.name, what: "the cluster says \(error.name): \(error)",
                    why: "nothing else can be said of this topic now",
                    remedy: "ask again; the brokers' logs say more")
            ]
        case .there(let partitions):
            return layout(partitions) + configured(partitions)
        }
    }

    // MARK: Partitions and replicas

    private func layout(_ partitions: [PartitionRecord]) -> [TopicDifference] {
        var found: [TopicDifference] = []
        if partitions.count != needed.partitions {
            found.append(
                difference(
                    .note, "partitions", found: "\(partitions.count)", wanted: "\(needed.partitions)",
                    what:
                        "it has \(partitions.count) partition\(partitions.count == 1 ? "" : "s"), not \(needed.partitions)",
                    why:
                        "any number is good, as long as it stays: lanes that have written keep their partitions, but whoever "
                        + "looks for a lane by its key then looks in the wrong one, and hears of new partitions late",
                    remedy: "leave the topic alone; say topic_settings: {topics: {\(needed.name): {partitions: "
                        + "\(partitions.count)}}} so that it is expected"))
        }
        let fewest = partitions.map(\.replicas.count).min() ?? 0
        if fewest < needed.replicas {
            let trial =
                brokers < needed.replicas
                ? "; the cluster has \(brokers) broker\(brokers == 1 ? "" : "s"): where that is meant, say "
                    + "topic_settings: {replicas: \(brokers), min_insync: \(min(needed.inSync, brokers))}" : ""
            found.append(
                difference(
                    fewest < 2 ? .error : .warning, "replicas", found: "\(fewest)", wanted: "\(needed.replicas)",
                    what: "it has \(fewest) replica\(fewest == 1 ? "" : "s"), not \(needed.replicas)",
                    why: fewest < 2
                        ? "with its one broker everything in it is lost"
                        : "with one broker down nothing may fail any more",
                    remedy: "kafka-reassign-partitions.sh --bootstrap-server \(bootstrap) --execute "
                        + "--reassignment-json-file FILE, which gives each partition \(needed.replicas) replicas\(trial)"
                ))
        }
        let headless = partitions.filter { $0.leader == nil }
        if !headless.isEmpty {
            found.append(
                difference(
                    .error, "leader", found: numbers(headless),
                    what: "\(partition(headless)) no leader",
                    why: "the lanes of these partitions wait",
                    remedy: "start the brokers that keep them: \(missing(headless))"))
        }
        let behind = partitions.filter { $0.leader != nil && $0.inSync.count < $0.replicas.count }
        if !behind.isEmpty {
            found.append(
                difference(
                    .warning, "in-sync", found: numbers(behind),
                    what: "\(partition(behind)) replicas that are down or behind",
                    why: "fewer brokers have the newest messages than should",
                    remedy: "see to the brokers \(missing(behind))"))
        }
        return found
    }

    private func numbers(_ partitions: [PartitionRecord]) -> String {
        partitions.map { "\($0.id)" }.joined(separator: ", ")
    }

    private func partition(_ partitions: [PartitionRecord]) -> String {
        if case .there(let all) = record, all.count == partitions.count, all.count > 1 { return "every partition has" }
        return partitions.count == 1
            ? "partition \(numbers(partitions)) has" : "the partitions \(numbers(partitions)) have"
    }

    /// The brokers whose replicas are not in sync.
    private func missing(_ partitions: [PartitionRecord]) -> String {
        let brokers = Set(partitions.flatMap { Set($0.replicas).subtracting($0.leader == nil ? [] : $0.inSync) })
        return brokers.sorted().map { "\($0)" }.joined(separator: ", ")
    }

    // MARK: What every difference has

    func difference(
        _ level: TopicDifference.Level, _ key: String, found: String = "", wanted: String = "", what: String,
        why: String, remedy: String
    ) -> TopicDifference {
        TopicDifference(
            needed.name, level, key, found: found, wanted: wanted, what: what, why: why, remedy: remedy)
    }

    func acls(_ operations: [String]) -> String {
        let words = operations.map { "--operation \($0)" }.joined(separator: " ")
        return "kafka-acls.sh --bootstrap-server \(bootstrap) --add --allow-principal \(principal) \(words) --topic "
            + needed.name
    }
}
