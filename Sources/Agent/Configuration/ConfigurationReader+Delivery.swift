import Lane
import Outbox
import YAML

/// What is said of the way out: `kafka:`, `topics:`, `topic_settings:`, `backlog:`, `outbox:`, and `recording:`.
extension ConfigurationReader {
    func readKafka(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("kafka", "\"kafka\"") else { return }
        for pair in map.pairs {
            if pair.value.isMapping {
                guard let source = SettingSource.read(pair, findings, path) else { continue }
                configuration.kafka.append(
                    Configuration.KafkaSetting(
                        key: pair.key, value: "", source: source, keyRange: pair.keyRange,
                        valueRange: pair.value.range))
                continue
            }
            guard let value = map.text(pair.value, Shown.quoted(pair.key)) else { continue }
            configuration.kafka.append(
                Configuration.KafkaSetting(
                    key: pair.key, value: value, keyRange: pair.keyRange, valueRange: pair.value.range))
        }
        if !map.has("bootstrap.servers") && !map.has("test.mock.num.brokers") {
            findings.error("\"kafka\" needs \"bootstrap.servers\": host:port,host:port,…", at: map.beginning)
        }
    }

    func readBacklog(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("backlog", "\"backlog\"", keys: ["age", "messages"]) else { return }
        if let value = map.duration("age", in: 1000...86_400_000) { configuration.backlog.age = value }
        if let value = map.int("messages", in: 1...100_000_000) { configuration.backlog.messages = Int(value) }
    }

    func readTopics(_ top: YAMLMapping, _ configuration: inout Configuration) {
        let keys = ["interventions", "shadow", "lane_state", "device_health", "audit", "attendant"]
        guard let map = top.mapping("topics", "\"topics\"", keys: keys) else { return }
        func topic(_ key: String, _ standard: String) -> String {
            guard let text = map.text(key) else { return standard }
            if let fault = TopicNames.fault(of: text) { findings.error(fault, at: map.range(of: key)) }
            return text
        }
        let standard = TopicNames()
        configuration.topics.interventions = topic("interventions", standard.interventions)
        if let node = map["shadow"], node.scalar?.bool == false {
            configuration.topics.publishesShadow = false
        } else {
            configuration.topics.shadow = topic("shadow", standard.shadow)
        }
        configuration.topics.laneState = topic("lane_state", standard.laneState)
        configuration.topics.deviceHealth = topic("device_health", standard.deviceHealth)
        configuration.topics.audit = topic("audit", standard.audit)
        configuration.topics.attendant = topic("attendant", standard.attendant)
        if Set(configuration.topics.all + [configuration.topics.attendant]).count < keys.count {
            findings.error("two of \"topics\" have the same name", at: map.beginning)
        }
    }

    func readTopicSettings(_ top: YAMLMapping, _ configuration: inout Configuration) {
        let keys = TopicSettings.numbers + ["topics"]
        guard let map = top.mapping("topic_settings", "\"topic_settings\"", keys: keys) else { return }
        configuration.topicSettings = TopicSettings(map)
    }

    func readRecording(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("recording", "\"recording\"", keys: ["path", "max_mib", "keep"]) else { return }
        map.require("path")
        var recording = Configuration.Recording()
        if let text = map.text("path") { recording.path = path(text) }
        if let value = map.int("max_mib", in: 1...1_048_576) { recording.limitBytes = value << 20 }
        if let value = map.int("keep", in: 1...1000) { recording.keep = Int(value) }
        configuration.recording = recording
    }

    func readOutbox(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("outbox", "\"outbox\"", keys: ["max_mib", "max_age", "when_full"]) else { return }
        if let value = map.int("max_mib", in: 16...1_048_576) { configuration.outbox.maximumBytes = value << 20 }
        if map["max_age"]?.scalar?.bool == false {
            configuration.outbox.maximumAge = nil
        } else if let value = map.duration("max_age", in: 3_600_000...DurationScalar.longest) {
            configuration.outbox.maximumAge = value
        }
        if map.has("when_full"), let text = map.choice("when_full", of: WhenFull.allCases.map(\.rawValue)) {
            configuration.outbox.whenFull = WhenFull(rawValue: text) ?? .drop
        }
    }
}
