import Kafka

/// A topic's own settings, and the brokers' defaults that hold for it.
/// Source: Apache Kafka, topic configurations.
extension TopicComparison {
    func configured(_ partitions: [PartitionRecord]) -> [TopicDifference] {
        switch settings {
        case nil: return []
        case .failure(let error):
            return [
                difference(
                    .warning, "settings", found: error.name,
                    what: error.isOfAuthority
                        ? "this client may not read the topic's settings" : "its settings cannot be read: \(error)",
                    why: "whether messages are kept as they must be is not known",
                    remedy: error.isOfAuthority ? acls(["DescribeConfigs"]) : "ask again; the brokers' logs say more")
            ]
        case .success(let settings):
            return cleanup(settings) + retention(settings) + safety(settings, partitions) + messages(settings)
        }
    }

    private func mend(_ key: String, _ value: String) -> String {
        let shown = value.contains(",") ? "[\(value)]" : value
        return "kafka-configs.sh --bootstrap-server \(bootstrap) --alter --entity-type topics --entity-name "
            + "\(needed.name) --add-config \(key)=\(shown)"
    }

    private func setting(
        _ level: TopicDifference.Level, _ key: String, _ found: String, _ wanted: String, what: String? = nil,
        why: String
    ) -> TopicDifference {
        difference(
            level, key, found: found, wanted: wanted, what: what ?? "\(key) is \(found), not \(wanted)", why: why,
            remedy: mend(key, wanted))
    }

    private func cleanup(_ settings: [String: String]) -> [TopicDifference] {
        guard let found = settings["cleanup.policy"], found != needed.cleanup.rawValue else { return [] }
        let policies = found.split(separator: ",").map { $0.filter { $0 != " " } }
        if needed.cleanup == .delete, policies.contains("compact") {
            return [
                setting(
                    .error, "cleanup.policy", found, "delete",
                    why: "of each lane only the newest message is kept: history is lost")
            ]
        }
        if needed.cleanup == .compact, !policies.contains("compact") {
            return [
                setting(
                    .error, "cleanup.policy", found, "compact",
                    why: "the state of a lane that is quiet for longer than the retention is lost, and the topic grows")
            ]
        }
        if needed.cleanup == .compact {
            return [
                setting(
                    .warning, "cleanup.policy", found, "compact",
                    why: "the state of a lane that is quiet for longer than the retention is lost")
            ]
        }
        return []
    }

    private func retention(_ settings: [String: String]) -> [TopicDifference] {
        guard needed.cleanup == .delete else { return [] }
        var found: [TopicDifference] = []
        if let time = settings["retention.ms"].flatMap({ Int64($0) }) {
            let wanted = needed.retention ?? -1
            let now = NeededTopic.text(ofRetention: time)
            let should = NeededTopic.text(ofRetention: needed.retention)
            if time >= 0, needed.retention.map({ time < $0 }) ?? true {
                found.append(
                    setting(
                        .warning, "retention.ms", "\(time)", "\(wanted)",
                        what: "messages are kept \(now), not \(should)",
                        why: "a consumer that is down for longer misses them for good"))
            } else if time != wanted {
                found.append(
                    difference(
                        .note, "retention.ms", found: "\(time)", wanted: "\(wanted)",
                        what: "messages are kept \(now), longer than \(should)", why: "nothing is lost by it",
                        remedy: "nothing has to be done; \(mend("retention.ms", "\(wanted)")) shortens it"))
            }
        }
        if let bytes = settings["retention.bytes"].flatMap({ Int64($0) }), bytes >= 0 {
            found.append(
                setting(
                    .warning, "retention.bytes", "\(bytes)", "-1",
                    what: "each partition keeps at most \(bytes) bytes, however young they are",
                    why: "on a busy day messages go before anybody has read them"))
        }
        return found
    }

    private func safety(_ settings: [String: String], _ partitions: [PartitionRecord]) -> [TopicDifference] {
        var found: [TopicDifference] = []
        let replicas = partitions.map(\.replicas.count).min() ?? 0
        if let least = settings["min.insync.replicas"].flatMap({ Int($0) }) {
            if least > replicas {
                found.append(
                    setting(
                        .error, "min.insync.replicas", "\(least)", "\(min(needed.inSync, replicas))",
                        what: "min.insync.replicas is \(least), with \(replicas) replicas",
                        why: "no message is ever taken"))
            } else if least < needed.inSync, replicas >= needed.inSync {
                found.append(
                    setting(
                        .error, "min.insync.replicas", "\(least)", "\(needed.inSync)",
                        why: "an acknowledged message may be lost with one broker"))
            } else if least == replicas, replicas > 1 {
                found.append(
                    setting(
                        .warning, "min.insync.replicas", "\(least)", "\(needed.inSync)",
                        what: "min.insync.replicas is \(least), as many as there are replicas",
                        why: "with one broker down, or restarted, nothing is taken"))
            }
        }
        if settings["unclean.leader.election.enable"] == "true" {
            found.append(
                setting(
                    .error, "unclean.leader.election.enable", "true", "false",
                    why:
                        "a broker that was behind may lead: acknowledged messages are lost, and others take their places"
                ))
        }
        return found
    }

    private func messages(_ settings: [String: String]) -> [TopicDifference] {
        var found: [TopicDifference] = []
        if let most = settings["max.message.bytes"].flatMap({ Int($0) }), most < NeededTopic.largestRequest {
            found.append(
                setting(
                    .error, "max.message.bytes", "\(most)", "\(needed.messageBytes)",
                    why: "larger messages, and batches of messages, are refused: lanes set them aside"))
        }
        guard settings["message.timestamp.type"] == "CreateTime" else { return found }
        // Kafka 4 refuses what is more than an hour ahead; before it, nothing. Source: KIP-937, KIP-1030.
        let ahead = settings["message.timestamp.after.max.ms"].flatMap { Int64($0) }
        let behind = settings["message.timestamp.before.max.ms"].flatMap { Int64($0) }
        let hundredYears: Int64 = 36_525 * 86_400_000
        var limits: [String] = []
        if let ahead, ahead < hundredYears { limits.append("\(NeededTopic.text(ofRetention: ahead)) ahead") }
        if let behind, behind < hundredYears { limits.append("\(NeededTopic.text(ofRetention: behind)) behind") }
        found.append(
            setting(
                limits.isEmpty ? .note : .warning, "message.timestamp.type", "CreateTime", "LogAppendTime",
                what: "lanes' own clocks say how old a message is (message.timestamp.type is CreateTime)",
                why: limits.isEmpty
                    ? "a lane whose clock is wrong has its messages deleted too early, or never"
                    : "a lane whose clock is more than \(limits.joined(separator: " or ")) is refused, and its messages are set aside"
            ))
        return found
    }
}
