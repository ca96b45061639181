import Agent
import CommandLine
import Delivery
import Glibc
import Kafka
import Lane
import Loop
import Verify

/// What `lanewatch verify` is told to read, and from where. What is wrong with that is said on standard error.
struct VerifyPlan {
    var connection: ClientConfiguration
    /// Nil: the cluster's `sco.*`.
    var topics: [String]?
    var settings = Verifier.Settings()
    var schemas: Schemas
    /// Unix milliseconds.
    var since: Int64?

    init?(_ arguments: Arguments) {
        guard let connection = Self.connection(arguments), let schemas = Self.schemas(arguments) else { return nil }
        self.connection = connection.settings
        self.schemas = schemas
        topics = connection.topics
        settings.compacted.formUnion(connection.compacted)
        settings.compacted.formUnion(arguments.all(Table.verifyCompacted))
        settings.lanes = Set(arguments.all(Table.verifyLane))
        for lane in settings.lanes where lane.split(separator: "/", omittingEmptySubsequences: false).count != 2 {
            Self.fault("--lane must be a store and a lane, such as 0042/07, not \"\(lane)\"")
            return nil
        }
        if let late = arguments.duration(Table.verifyLate) {
            settings.lateAfter = late.components.seconds * 1000 + late.components.attoseconds / 1_000_000_000_000_000
        }
        let named = arguments.all(Table.verifyTopic)
        for name in named {
            guard let fault = TopicNames.fault(of: name) else { continue }
            Self.fault("--topic: \(fault)")
            return nil
        }
        if !named.isEmpty { topics = Self.unique(named) }
        guard let text = arguments[Table.verifySince] else { return }
        if let ago = DurationText.parse(text) {
            since = WallInstant.now.milliseconds - ago.components.seconds * 1000
        } else if let at = WallInstant(rfc3339: text) {
            since = at.milliseconds
        } else {
            Self.fault("--since must be a duration such as 2h, or a time such as 2026-11-21T08:00:00Z, not \"\(text)\"")
            return nil
        }
    }

    static func fault(_ text: String) { Terminal.error("lanewatch verify: \(text)\n") }

    /// What -X means: everybody sees a command's words in the process list, so a secret's stand in a file, `@PATH`.
    private static func value(of key: String, _ text: String) -> String? {
        guard ClientConfiguration.Setting.isSecret(key) else { return text }
        guard text.hasPrefix("@") else {
            fault("everybody on this machine could see \(key) in the process list: write -X \(key)=@FILE")
            return nil
        }
        do throws(SecretFault) { return try KafkaSettings.secret(key, file: String(text.dropFirst())) } catch {
            fault("\(key): \(error); \(error.help)")
            return nil
        }
    }

    private static func unique(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    private static func connection(
        _ arguments: Arguments
    ) -> (settings: ClientConfiguration, topics: [String]?, compacted: [String])? {
        var more: [ClientConfiguration.Setting] = []
        for setting in arguments.all(Table.verifySetting) {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                // It may be a secret that was meant: it is not repeated.
                fault("-X must be KEY=VALUE, such as security.protocol=SSL")
                return nil
            }
            guard let value = value(of: String(parts[0]), String(parts[1])) else { return nil }
            more.append(.init(String(parts[0]), value))
        }
        if let brokers = arguments[Table.verifyBrokers] {
            var settings = ClientConfiguration([
                "bootstrap.servers": brokers, "client.id": "lanewatch-verify", "socket.nagle.disable": "true",
            ])
            settings.settings += more
            return (settings, nil, [])
        }
        let path = arguments[Table.verifyConfig] ?? ""
        guard let named = NamedConfiguration(path, for: "verify") else { return nil }
        guard let configuration = named.configuration else {
            for diagnostic in named.diagnostics {
                Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
            }
            return nil
        }
        var settings = KafkaSettings.producer(configuration)
        settings.settings += [.init("client.id", "lanewatch-verify")] + more
        let (all, compacted) = topics(configuration, named.rules)
        return (settings, all, compacted)
    }

    /// The topics that lanes with this configuration and its rules write, and which of them are compacted. Rules that cannot
    /// be read name none; the attendants' topic is written by others.
    private static func topics(
        _ configuration: Configuration, _ rules: RuleFiles?
    ) -> (all: [String], compacted: [String]) {
        guard let rules else { return (configuration.topics.all, [configuration.topics.laneState]) }
        let needed = configuration.topicSettings.needed(configuration.topics, rules.set)
            .filter { $0.purpose != .attendant }
        return (needed.map(\.name), needed.filter { $0.cleanup == .compact }.map(\.name))
    }

    private static func schemas(_ arguments: Arguments) -> Schemas? {
        do throws(SchemaFault) {
            var schemas = try Schemas()
            guard let folder = arguments[Table.verifySchemas] else { return schemas }
            guard let names = Folder.names(folder) else {
                fault("cannot read \(folder): it is no folder that can be read")
                return nil
            }
            for name in names where name.hasSuffix(".schema.json") {
                guard let bytes = Files.read("\(folder)/\(name)", for: "verify") else { return nil }
                // Editors' schemas may lie beside: they are of files, not of messages.
                guard let value = try? JSONValue(parsing: bytes), Schemas.isOfMessage(value) else { continue }
                do throws(SchemaFault) { try schemas.add(parsing: bytes) } catch {
                    fault("\(folder)/\(name): \(error)")
                    return nil
                }
            }
            return schemas
        } catch {
            fault("a built-in schema is wrong: \(error)")
            return nil
        }
    }
}

/// What lies in a folder.
private enum Folder {
    /// Names in byte order; nil where it cannot be read.
    static func names(_ path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while names.count < 10_000, let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            names.append(name)
        }
        return names.sorted()
    }
}
