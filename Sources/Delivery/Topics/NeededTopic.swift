import Kafka
import Lane

/// A topic that lanes need, and how it is to be.
public struct NeededTopic: Hashable, Sendable {
    public enum Purpose: String, Hashable, Sendable, CaseIterable {
        case interventions, shadow
        case laneState = "lane-state"
        case deviceHealth = "device-health"
        case audit, attendant
        /// Named by a rule or by one of its escalations.
        case rule
    }

    public enum Cleanup: String, Hashable, Sendable, CaseIterable { case delete, compact }

    public var name: String
    public var purpose: Purpose
    public var partitions: Int
    public var replicas: Int
    /// `min.insync.replicas`.
    public var inSync: Int
    public var cleanup: Cleanup
    /// Milliseconds; nil: for ever. Means nothing where a topic is compacted.
    public var retention: Int64?
    /// `max.message.bytes`: what the broker takes at once.
    public var messageBytes: Int

    /// The largest request of the agent's producer (`message.max.bytes`); a topic that takes less refuses large messages.
    public static let largestRequest = 1_000_000

    public init(
        _ name: String, _ purpose: Purpose, partitions: Int = 12, replicas: Int = 3, inSync: Int = 2
    ) {
        self.name = name
        self.purpose = purpose
        self.partitions = partitions
        self.replicas = replicas
        self.inSync = inSync
        cleanup = purpose == .laneState ? .compact : .delete
        retention = Self.retention(of: purpose)
        messageBytes = 1_048_588
    }

    /// How long messages are kept, in milliseconds. docs/reference/topics.md has the reasons.
    private static func retention(of purpose: Purpose) -> Int64? {
        let day: Int64 = 86_400_000
        switch purpose {
        case .interventions, .rule, .attendant: return 30 * day
        case .shadow, .deviceHealth: return 7 * day
        case .audit: return 365 * day
        case .laneState: return nil
        }
    }

    /// What it is made with, in Kafka's names.
    public var settings: [ClientConfiguration.Setting] {
        var settings: [ClientConfiguration.Setting] = [
            .init("cleanup.policy", cleanup.rawValue),
            .init("min.insync.replicas", "\(inSync)"),
            .init("unclean.leader.election.enable", "false"),
            .init("max.message.bytes", "\(messageBytes)"),
            // Lanes' clocks may be wrong: the brokers' say when a message is old, and a clock that is ahead refuses none.
            .init("message.timestamp.type", "LogAppendTime"),
        ]
        if cleanup == .delete {
            settings.append(.init("retention.ms", "\(retention ?? -1)"))
            settings.append(.init("retention.bytes", "-1"))
        }
        return settings
    }

    public var newTopic: NewTopic {
        NewTopic(name, partitions: partitions, replicas: replicas, settings: settings)
    }

    /// The like of it for those who make topics by Kafka's own tool.
    public func command(_ bootstrap: String) -> String {
        let words = settings.map { "--config \($0.key)=\($0.value)" }.joined(separator: " ")
        return "kafka-topics.sh --bootstrap-server \(bootstrap) --create --topic \(name) --partitions \(partitions) "
            + "--replication-factor \(replicas) \(words)"
    }

    /// `30 days`, `12 h`; `for ever`.
    public static func text(ofRetention milliseconds: Int64?) -> String {
        guard let milliseconds, milliseconds >= 0 else { return "for ever" }
        let units: [(Int64, String)] = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1000, "s")]
        for (size, unit) in units where milliseconds >= size && milliseconds % size == 0 {
            return unit == "days" && milliseconds == size ? "1 day" : "\(milliseconds / size) \(unit)"
        }
        return "\(milliseconds) ms"
    }
}
