import Delivery
import Lane
import Rules
import YAML

/// `topic_settings:` of the configuration: how topics are made, and what they are compared with.
public struct TopicSettings: Sendable {
    /// Nil: the standard of `NeededTopic`.
    public struct Own: Sendable {
        public var partitions: Int?
        public var replicas: Int?
        public var inSync: Int?
        public var cleanup: NeededTopic.Cleanup?
        /// Milliseconds; the inner nil is for ever.
        public var retention: Int64??
        public var messageBytes: Int?
        /// Where the topic is named, for words about it.
        public var range: SourceRange?
    }

    /// For all topics: partitions and replicas only.
    public var standard = Own()
    /// By the topic's name, in the order of the file.
    public var topics: [(name: String, own: Own)] = []

    public init() {}

    // MARK: What is needed

    /// The topics that lanes with this configuration and `rules` write, and those they read; the agent's own first, then those
    /// of rules by name.
    public func needed(_ names: TopicNames, _ rules: RuleSet) -> [NeededTopic] {
        var found: [NeededTopic] = []
        func add(_ name: String, _ purpose: NeededTopic.Purpose) {
            guard !found.contains(where: { $0.name == name }) else { return }
            found.append(configured(NeededTopic(name, purpose)))
        }
        add(names.interventions, .interventions)
        if names.publishesShadow { add(names.shadow, .shadow) }
        add(names.laneState, .laneState)
        add(names.deviceHealth, .deviceHealth)
        add(names.audit, .audit)
        add(names.attendant, .attendant)
        let own = rules.rules.filter { $0.isEnabled && !$0.isShadow }
            .flatMap { [$0.topic] + $0.escalations.map(\.topic) }
        // The defaults' names in rules mean what the configuration calls them.
        let meant = TopicNames()
        for name in Set(own).sorted() where name != meant.interventions && name != meant.shadow { add(name, .rule) }
        return found
    }

    private func configured(_ topic: NeededTopic) -> NeededTopic {
        var topic = topic
        for own in [standard] + topics.filter({ $0.name == topic.name }).map(\.own) {
            topic.partitions = own.partitions ?? topic.partitions
            topic.replicas = own.replicas ?? topic.replicas
            topic.inSync = own.inSync ?? topic.inSync
            topic.cleanup = own.cleanup ?? topic.cleanup
            topic.retention = own.retention ?? topic.retention
            topic.messageBytes = own.messageBytes ?? topic.messageBytes
        }
        return topic
    }

    /// Warnings about settings of topics that nobody needs.
    public func diagnostics(_ needed: [NeededTopic], _ source: SourceText) -> [Diagnostic] {
        let findings = Findings(source)
        for (name, own) in topics where !needed.contains(where: { $0.name == name }) {
            let near = EditDistance.nearest(to: name, among: needed.map(\.name))
            findings.warning(
                "no lane with this configuration writes or reads a topic \(Shown.quoted(name))"
                    + (near.map { "; did you mean \(Shown.quoted($0))?" } ?? ""),
                at: own.range, help: "these settings are for nothing")
        }
        return findings.inLineOrder
    }

    // MARK: Reading

    static let numbers = ["partitions", "replicas", "min_insync"]

    /// `map` is what stands under `topic_settings`.
    init(_ map: YAMLMapping) {
        standard = Self.own(map, NeededTopic("", .interventions))
        guard
            let topics = map.mapping(
                "topics", "\"topics\"")
        else { return }
        for pair in topics.pairs {
            if let fault = TopicNames.fault(of: pair.key) { map.findings.error(fault, at: pair.keyRange) }
            let keys = Self.numbers + ["cleanup", "retention", "max_message_bytes"]
            guard let one = YAMLMapping(pair.value, "the settings of a topic", keys: keys, map.findings) else {
                continue
            }
            var base = NeededTopic(pair.key, .rule)
            base.replicas = standard.replicas ?? base.replicas
            base.inSync = standard.inSync ?? base.inSync
            var own = Self.own(one, base)
            own.range = pair.keyRange
            self.topics.append((pair.key, own))
        }
    }

    private static func own(_ map: YAMLMapping, _ base: NeededTopic) -> Own {
        var own = Own()
        own.partitions = map.int("partitions", in: 1...10_000).map { Int($0) }
        own.replicas = map.int("replicas", in: 1...32).map { Int($0) }
        own.inSync = map.int("min_insync", in: 1...32).map { Int($0) }
        let (replicas, inSync) = (own.replicas ?? base.replicas, own.inSync ?? base.inSync)
        if inSync > replicas {
            map.findings.error(
                "\"min_insync\" (\(inSync)) is more than \"replicas\" (\(replicas)): no message would ever be taken",
                at: map.has("min_insync") ? map.range(of: "min_insync") : map.range(of: "replicas"),
                help: replicas == 1 ? "with one broker: {replicas: 1, min_insync: 1}" : nil)
        }
        if let text = map.has("cleanup")
            ? map.choice("cleanup", of: NeededTopic.Cleanup.allCases.map(\.rawValue)) : nil
        {
            own.cleanup = NeededTopic.Cleanup(rawValue: text)
        }
        if map["retention"]?.scalar?.text == "forever" {
            own.retention = .some(nil)
        } else if let value = map.duration("retention", in: 60_000...DurationScalar.longest) {
            own.retention = value
        }
        if let value = map.int("max_message_bytes", in: Int64(NeededTopic.largestRequest)...104_857_600) {
            own.messageBytes = Int(value)
        }
        return own
    }
}
