import Lane
import YAML

/// Reads `lanewatch.yaml`: every fault in one run, each with its place and the way out.
public struct ConfigurationFile {
    /// Nil where there is an error.
    public let configuration: Configuration?
    /// In line order.
    public let diagnostics: [Diagnostic]
    /// The file's text: what librdkafka says of a setting later is shown in it.
    public let source: SourceText

    /// - Parameters:
    ///   - file: The name that messages show. Relative paths in the file are taken from its folder.
    ///   - bytes: The file's bytes.
    public init(file: String, bytes: [UInt8]) {
        let document = YAMLDocument(file: file, bytes: bytes)
        let findings = Findings(document)
        source = document.source
        var configuration = Configuration()
        configuration.path = file
        configuration.digest = "sha256:" + SHA256.hex(bytes)
        if let root = document.root, !root.isNull {
            let reader = ConfigurationReader(findings: findings, folder: Self.folder(of: file))
            reader.read(root, into: &configuration)
        } else if !findings.hasErrors {
            findings.error(
                "the configuration is empty; it needs format, store, lane, rules and kafka", at: nil,
                help: "begin with a copy of /usr/share/lanewatch/lanewatch.yaml")
        }
        diagnostics = findings.inLineOrder
        self.configuration = findings.hasErrors ? nil : configuration
    }

    private static func folder(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}

/// Reads the mapping that the configuration is; its extensions read the sections.
struct ConfigurationReader {
    let findings: Findings
    let folder: String

    func read(_ root: YAMLNode, into configuration: inout Configuration) {
        guard
            let top = YAMLMapping(
                root, "the configuration",
                keys: [
                    "format", "store", "lane", "timezone", "state", "rules", "signing", "rollout", "simulate", "socket",
                    "control", "devices", "kafka", "topics", "topic_settings", "backlog", "recording", "outbox",
                    "limits", "gap_limit", "metrics", "view",
                    "log",
                ], findings)
        else { return }
        top.require("format", "store", "lane", "rules", "kafka")
        if let format = top.int("format"), format != 1 {
            findings.error(
                "\"format\" must be 1, not \(format): this agent knows no other", at: top.range(of: "format"))
        }
        configuration.identity = LaneIdentity(store: name(top, "store"), lane: name(top, "lane"))
        if let zone = top.text("timezone") { configuration.timezone = timezone(zone, at: top.range(of: "timezone")) }
        if let state = top.text("state") { configuration.stateFolder = path(state) }
        configuration.ruleFiles = top.texts("rules").map { path($0.text) }
        readSigning(top, &configuration)
        readRollout(top, &configuration)
        configuration.isSimulated = top.bool("simulate") ?? false
        readSocket(top, &configuration)
        readControl(top, &configuration)
        readDevices(top, &configuration)
        readKafka(top, &configuration)
        readTopics(top, &configuration)
        readTopicSettings(top, &configuration)
        readBacklog(top, &configuration)
        readRecording(top, &configuration)
        readOutbox(top, &configuration)
        readView(top, &configuration)
        readRest(top, &configuration)
    }

    func name(_ top: YAMLMapping, _ key: String) -> String {
        guard let text = top.text(key) else { return "" }
        let isGood =
            !text.isEmpty && text.utf8.count <= 64
            && text.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains($0))
            }
        if !isGood {
            findings.error(
                "\"\(key)\" must be 1 to 64 letters, digits, \".\", \"_\" or \"-\", not \(Shown.quoted(text))",
                at: top.range(of: key), help: "it becomes part of every message's source, /stores/STORE/lanes/LANE")
        }
        return text
    }

    private func timezone(_ zone: String, at range: SourceRange) -> String {
        if !StoreZone.exists(zone) {
            findings.error(
                "no time zone \(Shown.quoted(zone)) on this machine; write an IANA name such as Europe/Berlin",
                at: range,
                help: "they lie below /usr/share/zoneinfo")
        }
        return zone
    }

    func path(_ text: String) -> String { text.hasPrefix("/") || folder == "." ? text : "\(folder)/\(text)" }

    private func readSigning(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("signing", "\"signing\"", keys: ["required", "keys"]) else { return }
        configuration.signing.isRequired = map.bool("required") ?? false
        configuration.signing.keys = map.texts("keys", allowsEmpty: true).map { (path($0.text), $0.node.range) }
        if configuration.signing.isRequired && configuration.signing.keys.isEmpty {
            findings.error(
                "signed rules are required, but no key is given: no rules could ever be taken",
                at: map.range(of: "required"), help: "name files with public keys: keys: [/etc/lanewatch/rules.pub.pem]"
            )
        }
    }

    private func readRollout(_ top: YAMLMapping, _ configuration: inout Configuration) {
        if let node = top["rollout"], node.scalar?.bool == false {
            configuration.rollout = nil
            return
        }
        guard let map = top.mapping("rollout", "\"rollout\"", keys: ["watch", "multiple", "at_least"]) else { return }
        var rollout = Rollout.Settings()
        if let value = map.duration("watch", in: 60_000...86_400_000) { rollout.watchMilliseconds = value }
        if let value = map.int("multiple", in: 1...1000) { rollout.multiple = Int(value) }
        if let value = map.int("at_least", in: 1...100_000) { rollout.atLeast = Int(value) }
        configuration.rollout = rollout
    }

    private func readRest(_ top: YAMLMapping, _ configuration: inout Configuration) {
        if let map = top.mapping("limits", "\"limits\"", keys: ["held_signals"]),
            let value = map.int("held_signals", in: 100...1_000_000)
        {
            configuration.heldSignals = Int(value)
        }
        if let limit = top.duration("gap_limit", in: 1...600_000) { configuration.gapLimit = limit }
        if let node = top["metrics"], node.scalar?.bool == false {
            configuration.metrics = nil
        } else if let map = top.mapping("metrics", "\"metrics\"", keys: ["address", "port"]) {
            var listen = Configuration.Listen(address: "127.0.0.1", port: 9464)
            if let text = map.text("address") { listen.address = text }
            if let port = map.int("port", in: 0...65535) { listen.port = UInt16(port) }
            configuration.metrics = listen
        }
        if let map = top.mapping("log", "\"log\"", keys: ["level", "format"]) {
            let levels: KeyValuePairs<String, Notice.Level> = [
                "debug": .debug, "info": .info, "warning": .warning, "error": .error,
            ]
            if map.has("level"), let text = map.choice("level", of: levels.map(\.key)) {
                configuration.log.level = levels.first { $0.key == text }?.value ?? .info
            }
            if map.has("format"),
                let text = map.choice("format", of: Configuration.Log.Format.allCases.map(\.rawValue))
            {
                configuration.log.format = Configuration.Log.Format(rawValue: text) ?? .auto
            }
        }
    }
}
