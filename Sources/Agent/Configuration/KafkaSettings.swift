import Delivery
import Kafka
import Lane
import YAML

/// `kafka:` of the configuration as librdkafka takes it, and what librdkafka says of it, placed in the file.
public enum KafkaSettings {
    /// The producer's settings for this lane: delivery's own, then the configuration's, which win.
    public static func producer(_ configuration: Configuration) -> ClientConfiguration {
        let identity = configuration.identity
        return ProducerDefaults.configuration(
            clientID: "lane-agent-\(identity.store)-\(identity.lane)",
            overrides: configuration.kafka.map { ClientConfiguration.Setting($0.key, $0.value) })
    }

    /// Errors: what librdkafka refuses, in its own words, at the key's line. Warnings: settings that take back a promise,
    /// and what the librdkafka in use cannot do.
    public static func diagnostics(_ configuration: Configuration, _ source: SourceText) -> [Diagnostic] {
        let findings = Findings(source)
        let producer = producer(configuration)
        let ownCount = producer.settings.count - configuration.kafka.count
        for fault in producer.faults() {
            let setting = fault.setting.flatMap { setting in
                setting.index >= ownCount ? configuration.kafka[setting.index - ownCount] : nil
            }
            findings.error(
                "librdkafka \(LibraryVersion.current) says: \(fault)",
                at: setting?.keyRange ?? configuration.kafka.first?.keyRange,
                help: setting == nil ? "settings that do not go together with delivery's own are refused too" : nil)
        }
        guard !findings.hasErrors else { return findings.inLineOrder }
        for weakness in ProducerDefaults.weaknesses(of: producer) {
            let key = weakness.prefix { $0 != "=" }
            let setting = configuration.kafka.last { $0.key == key }
            findings.warning(weakness, at: setting?.keyRange)
        }
        if let warning = LibraryVersion.current.scramWarning(for: producer.settings) {
            let setting = configuration.kafka.last { $0.key.hasPrefix("sasl.mechanism") }
            findings.warning(warning, at: setting?.valueRange)
        }
        return findings.inLineOrder
    }
}
