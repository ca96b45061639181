import Agent
import Delivery
import Kafka
import Lane

/// What was found, or made, on a cluster: for people and for tools.
struct TopicsReport: Sendable {
    struct Entry: Sendable {
        enum State: Sendable {
            case there, made, failed
            /// With Kafka's own command.
            case wouldBeMade(String)
        }

        var needed: NeededTopic
        var record: TopicRecord
        var settings: [String: String]
        /// Nil: it was only looked at.
        var state: State?
        var differences: [TopicDifference]
    }

    var brokers: [BrokerRecord]
    /// In the order of need.
    var entries: [Entry]
    var ofCluster: [TopicDifference]

    private var differences: [TopicDifference] { ofCluster + entries.flatMap(\.differences) }

    var isGood: Bool { !differences.contains { $0.level > .note } }

    // MARK: Text

    var text: String {
        var text =
            "\(brokers.count) broker\(brokers.count == 1 ? "" : "s"): "
            + brokers.map(\.address).joined(separator: ", ") + "\n"
        text += TextColumns.text(entries.map(\.row), rightAligned: [])
        for (topics, difference) in gathered { text += "\n" + Self.text(topics, difference) }
        let commands = entries.compactMap { entry in
            if case .wouldBeMade(let command)? = entry.state { return command }
            return nil
        }
        if !commands.isEmpty { text += "\nBy Kafka's own tool:\n" + commands.map { "  \($0)\n" }.joined() }
        return text + (entries.allSatisfy { $0.state == nil } ? "\n\(summary)\n" : "")
    }

    /// What is the same of several topics, told once.
    private var gathered: [(topics: [String], difference: TopicDifference)] {
        var gathered: [(topics: [String], difference: TopicDifference)] = []
        for difference in differences {
            let alike = gathered.firstIndex {
                $0.difference.what == difference.what && $0.difference.why == difference.why
                    && $0.difference.remedy == difference.remedy
            }
            if let alike {
                gathered[alike].topics.append(difference.topic)
            } else {
                gathered.append(([difference.topic], difference))
            }
        }
        return gathered
    }

    private static func text(_ topics: [String], _ difference: TopicDifference) -> String {
        let colour = difference.level == .error ? "1;31" : difference.level == .warning ? "1;33" : "1;36"
        let subject = difference.topic.isEmpty ? "the cluster" : topics.joined(separator: ", ")
        return "\(Terminal.coloured(difference.level.rawValue, colour)): \(subject): \(difference.what)\n"
            + "  so:   \(difference.why)\n  mend: \(difference.remedy)\n"
    }

    private var summary: String {
        let counts = [TopicDifference.Level.error, .warning, .note].compactMap { level -> String? in
            let count = differences.count { $0.level == level }
            return count == 0 ? nil : "\(count) \(level.rawValue)\(count == 1 ? "" : "s")"
        }
        let topics = "\(entries.count) topics"
        return counts.isEmpty ? "\(topics), all as needed" : "\(topics): \(counts.joined(separator: ", "))"
    }

    // MARK: JSON

    var json: String {
        var text = ""
        var json = JSONWriter()
        json.object { json in
            json.name("brokers")
            json.array { json in for broker in brokers { json.value(broker.address) } }
            Self.write(ofCluster, &json)
        }
        text += json.text + "\n"
        for entry in entries {
            var json = JSONWriter()
            entry.write(&json)
            text += json.text + "\n"
        }
        return text
    }

    fileprivate static func write(_ differences: [TopicDifference], _ json: inout JSONWriter) {
        json.name("differences")
        json.array { json in
            for one in differences {
                json.object { json in
                    json.member("level", one.level.rawValue)
                    json.member("key", one.key)
                    json.member("found", one.found)
                    json.member("wanted", one.wanted)
                    json.member("what", one.what)
                    json.member("why", one.why)
                    json.member("mend", one.remedy)
                }
            }
        }
    }
}

extension TopicsReport.Entry {
    fileprivate var row: [String] {
        [needed.name, layout, policy, outcome]
    }

    private var layout: String {
        guard case .there(let partitions) = record else {
            return state == nil ? "" : Self.layout(needed.partitions, needed.replicas, needed.inSync)
        }
        let least = settings["min.insync.replicas"].flatMap { Int($0) }
        return Self.layout(partitions.count, partitions.map(\.replicas.count).min() ?? 0, least)
    }

    private static func layout(_ partitions: Int, _ replicas: Int, _ inSync: Int?) -> String {
        "\(partitions) × \(replicas) replicas" + (inSync.map { ", \($0) in sync" } ?? "")
    }

    private var policy: String {
        if settings.isEmpty, case .there = record { return "" }
        let cleanup = settings["cleanup.policy"] ?? (state == nil ? "" : needed.cleanup.rawValue)
        guard cleanup.contains("delete") else { return cleanup }
        let retention = settings["retention.ms"].flatMap { Int64($0) } ?? needed.retention
        return "\(cleanup), \(NeededTopic.text(ofRetention: retention))"
    }

    private var outcome: String {
        switch state {
        case .there?: return "is there"
        case .made?: return "made"
        case .wouldBeMade?: return "would be made"
        case .failed?: return Terminal.coloured("not made", "1;31")
        case nil:
            guard let worst = differences.map(\.level).max() else { return "as needed" }
            return differences.first { $0.level == worst }?.key ?? ""
        }
    }

    fileprivate func write(_ json: inout JSONWriter) {
        json.object { json in
            json.member("topic", needed.name)
            json.member("purpose", needed.purpose.rawValue)
            if let state {
                switch state {
                case .there: json.member("state", "there")
                case .made: json.member("state", "made")
                case .failed: json.member("state", "failed")
                case .wouldBeMade(let command):
                    json.member("state", "would-be-made")
                    json.member("command", command)
                }
            }
            if case .there(let partitions) = record {
                json.member("partitions", Int64(partitions.count))
                json.member("replicas", Int64(partitions.map(\.replicas.count).min() ?? 0))
                json.member("inSync", Int64(partitions.map(\.inSync.count).min() ?? 0))
            }
            TopicsReport.write(differences, &json)
        }
    }
}
