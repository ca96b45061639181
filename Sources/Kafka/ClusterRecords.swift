/// A broker as the cluster tells of it.
public struct BrokerRecord: Hashable, Sendable {
    public var id: Int32
    /// `host:port` that clients are told.
    public var address: String
}

/// A partition as the cluster tells of it. Source: Apache Kafka, MetadataResponse.
public struct PartitionRecord: Hashable, Sendable {
    public var id: Int32
    /// Nil: nobody leads it now, and nothing can be written.
    public var leader: Int32?
    /// Brokers that keep it, and those of them that have everything.
    public var replicas: [Int32]
    public var inSync: [Int32]

    public init(id: Int32, leader: Int32?, replicas: [Int32], inSync: [Int32]) {
        self.id = id
        self.leader = leader
        self.replicas = replicas
        self.inSync = inSync
    }
}

/// What a cluster says of a topic that was asked for.
public enum TopicRecord: Hashable, Sendable {
    /// In the order of their numbers.
    case there([PartitionRecord])
    case missing
    /// This client may not know whether there is one.
    case notAuthorised
    case failed(KafkaError)
}

/// What a topic is to be made with.
public struct NewTopic: Hashable, Sendable {
    public var name: String
    public var partitions: Int
    public var replicas: Int
    /// Kafka's own names: `retention.ms`.
    public var settings: [ClientConfiguration.Setting]

    public init(_ name: String, partitions: Int, replicas: Int, settings: [ClientConfiguration.Setting] = []) {
        self.name = name
        self.partitions = partitions
        self.replicas = replicas
        self.settings = settings
    }
}
