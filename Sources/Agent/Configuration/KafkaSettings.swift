import Delivery
import Glibc
import Kafka
import Lane
import Loop
import YAML

/// `kafka:` of the configuration as librdkafka takes it, and what librdkafka says of it, placed in the file.
public enum KafkaSettings {
    /// The producer's settings for this lane: delivery's own, then the configuration's, which win. Secrets are read from their
    /// files; one that cannot be read is left out, which `diagnostics` reports as an error.
    public static func producer(_ configuration: Configuration) -> ClientConfiguration { read(configuration).producer }

    /// The same, as long as every secret can be read, with a mark that changes when one of them does, or a file that a setting
    /// names. Reads files: not for the lane's thread.
    public static func credentials(_ configuration: Configuration) -> ProducerCredentials? {
        let found = read(configuration)
        guard found.faults.isEmpty else { return nil }
        var hasher = Hasher()
        for setting in found.producer.settings {
            hasher.combine(setting)
            if SecretFile.isLocation(setting.key) { hasher.combine(FileMark(setting.value)) }
        }
        return ProducerCredentials(producer: found.producer, mark: hasher.finalize())
    }

    private static func read(
        _ configuration: Configuration
    ) -> (producer: ClientConfiguration, faults: [(place: Int, SecretFault)], open: [(place: Int, path: String)]) {
        var settings: [ClientConfiguration.Setting] = []
        var faults: [(Int, SecretFault)] = []
        var open: [(Int, String)] = []
        for (place, setting) in configuration.kafka.enumerated() {
            guard setting.source != .text else {
                settings.append(.init(setting.key, setting.value))
                continue
            }
            do throws(SecretFault) {
                let found = try SecretFile.read(setting.source, for: setting.key)
                settings.append(.init(setting.key, found.value))
                if found.isOpen, ClientConfiguration.Setting.isSecret(setting.key) { open.append((place, found.path)) }
            } catch {
                faults.append((place, error))
            }
        }
        let identity = configuration.identity
        let producer = ProducerDefaults.configuration(
            clientID: "lane-agent-\(identity.store)-\(identity.lane)", overrides: settings)
        return (producer, faults, open)
    }

    /// Errors: secrets that cannot be read; what librdkafka refuses, in its own words, at the key's line. Warnings: settings
    /// that take back a promise, secrets that others may read, a link that is not as safe as it could be, and what the
    /// librdkafka in use cannot do.
    public static func diagnostics(_ configuration: Configuration, _ source: SourceText) -> [Diagnostic] {
        let findings = Findings(source)
        let (producer, faults, open) = read(configuration)
        for (place, fault) in faults {
            findings.error(
                "\(configuration.kafka[place].key): \(fault)", at: configuration.kafka[place].valueRange,
                help: fault.help)
        }
        guard faults.isEmpty else { return findings.inLineOrder }
        for (place, path) in open {
            findings.warning(
                "everybody on this machine may read \(path)", at: configuration.kafka[place].valueRange,
                help: "chgrp lanewatch \(path); chmod 640 \(path)")
        }
        guard locationsAreFiles(configuration, producer, findings) else { return findings.inLineOrder }
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
        if let warning = LibraryVersion.current.crashWarning {
            findings.warning(warning, at: configuration.kafka.first?.keyRange)
        }
        LinkSafety(configuration, producer, findings).look()
        return findings.inLineOrder
    }
}

extension KafkaSettings {
    /// librdkafka opens what a location names, and would wait for the writer of a pipe for ever. One that it cannot open it names
    /// without the setting.
    private static func locationsAreFiles(
        _ configuration: Configuration, _ producer: ClientConfiguration, _ findings: Findings
    ) -> Bool {
        let isUsed = producer["security.protocol"]?.lowercased().hasSuffix("ssl") ?? false
        for setting in configuration.kafka where SecretFile.isLocation(setting.key) {
            // "probe" is librdkafka's word for the system's own authorities.
            guard let path = producer[setting.key], !path.isEmpty, path != "probe" else { continue }
            var facts = stat()
            guard access(path, R_OK) == 0, stat(path, &facts) == 0 else {
                if isUsed {
                    findings.error(
                        "\(setting.key): cannot read \(path): \(SystemError.text(of: errno))", at: setting.valueRange,
                        help: "name a file or folder that is there")
                }
                continue
            }
            let kind = facts.st_mode & S_IFMT
            guard kind != S_IFREG, kind != S_IFDIR else { continue }
            findings.error(
                "\(setting.key): \(path) is no file", at: setting.valueRange, help: "name the file that holds it")
        }
        return !findings.hasErrors
    }

    /// The value of a secret `key` for a command, out of the file at `path`.
    /// - Throws: a sentence with the way out, and nothing of what the file holds.
    public static func secret(_ key: String, file path: String) throws(SecretFault) -> String {
        try SecretFile.read(.file(path), for: key).value
    }
}
