import Feeds
import Lane
import Outbox
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
            var reader = Reader(findings: findings, folder: Self.folder(of: file))
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

private struct Reader {
    let findings: Findings
    let folder: String

    mutating func read(_ root: YAMLNode, into configuration: inout Configuration) {
        guard
            let top = YAMLMapping(
                root, "the configuration",
                keys: [
                    "format", "store", "lane", "timezone", "state", "rules", "signing", "rollout", "simulate", "socket",
                    "control", "devices", "kafka", "topics", "topic_settings", "backlog", "recording", "outbox",
                    "limits", "gap_limit", "metrics",
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
        readRest(top, &configuration)
    }

    private func name(_ top: YAMLMapping, _ key: String) -> String {
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

    private func path(_ text: String) -> String { text.hasPrefix("/") || folder == "." ? text : "\(folder)/\(text)" }

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

    private func readSocket(_ top: YAMLMapping, _ configuration: inout Configuration) {
        if let node = top["socket"], node.scalar?.bool == false {
            configuration.socket = nil
            return
        }
        guard
            let map = top.mapping(
                "socket", "\"socket\"",
                keys: [
                    "path", "mode", "group", "users", "groups", "staff_users", "staff_groups", "lines_per_second",
                    "line_bytes", "connections",
                ])
        else { return }
        var socket = Configuration.Socket()
        socket.path = socketPath(map) ?? socket.path
        socket.mode = mode(map, "0660") ?? socket.mode
        socket.group = map.text("group")
        socket.users = map.texts("users", allowsEmpty: true).map(\.text)
        socket.groups = map.texts("groups", allowsEmpty: true).map(\.text)
        socket.staffUsers = map.texts("staff_users", allowsEmpty: true).map(\.text)
        socket.staffGroups = map.texts("staff_groups", allowsEmpty: true).map(\.text)
        if let value = map.int("lines_per_second", in: 1...1_000_000) { socket.linesPerSecond = Int(value) }
        if let value = map.int("line_bytes", in: 256...1_048_576) { socket.lineBytes = Int(value) }
        if let value = map.int("connections", in: 1...1024) { socket.connections = Int(value) }
        configuration.socket = socket
    }

    private func readControl(_ top: YAMLMapping, _ configuration: inout Configuration) {
        if let node = top["control"], node.scalar?.bool == false {
            configuration.control = nil
            return
        }
        guard
            let map = top.mapping(
                "control", "\"control\"",
                keys: ["path", "mode", "group", "users", "groups", "change_users", "change_groups"])
        else { return }
        var control = Configuration.Control()
        control.path = socketPath(map) ?? control.path
        control.mode = mode(map, "0600") ?? control.mode
        control.group = map.text("group")
        control.users = map.texts("users", allowsEmpty: true).map(\.text)
        control.groups = map.texts("groups", allowsEmpty: true).map(\.text)
        control.changeUsers = map.texts("change_users", allowsEmpty: true).map(\.text)
        control.changeGroups = map.texts("change_groups", allowsEmpty: true).map(\.text)
        let named = control.users.isEmpty ? "groups" : "users"
        if !(control.users.isEmpty && control.groups.isEmpty), control.mode & 0o066 == 0 {
            findings.warning(
                "those that \"\(named)\" names cannot open the socket: its \"mode\" lets its owner alone",
                at: map.range(of: named),
                help: "write mode: \"0660\" and group: a group of theirs")
        }
        if control.path == configuration.socket?.path {
            findings.error("\"control\" and \"socket\" have the same path", at: map.beginning)
        }
        configuration.control = control
    }

    private func socketPath(_ map: YAMLMapping) -> String? {
        guard let text = map.text("path") else { return nil }
        let found = path(text)
        if found.utf8.count > 107 {
            findings.error(
                "the socket's path has \(found.utf8.count) bytes; Linux allows 107", at: map.range(of: "path"))
        }
        return found
    }

    private func mode(_ map: YAMLMapping, _ example: String) -> UInt32? {
        guard let text = map.text("mode") else { return nil }
        if let mode = UInt32(text, radix: 8), mode <= 0o777 { return mode }
        findings.error(
            "\"mode\" needs permission bits in octal, such as \"\(example)\"", at: map.range(of: "mode"))
        return nil
    }

    private func readDevices(_ top: YAMLMapping, _ configuration: inout Configuration) {
        let keys = [
            "role", "kind", "name", "usb", "phys", "link", "udev", "layout", "variant", "prefix", "suffix",
            "terminators",
            "gap", "silence", "min_length", "max_length",
        ]
        for map in top.mappings("devices", "a device", keys: keys) {
            map.require("role")
            let role = name(map, "role")
            var device = EvdevDeviceRule(role: role, kind: kind(of: map, role), match: match(of: map, role))
            readScan(map, &device.scan)
            // What can only be said of the whole: a layout that is not installed, bounds that cross.
            if let problem = device.problems().first, !device.match.isEmpty, !role.isEmpty,
                !device.scan.terminators.isEmpty
            {
                findings.error(problem, at: map.range(of: map.has("layout") ? "layout" : "role"))
            }
            configuration.devices.append(device)
        }
    }

    private func kind(of map: YAMLMapping, _ role: String) -> EvdevDeviceRule.Kind {
        let kinds = EvdevDeviceRule.Kind.allCases.map(\.rawValue)
        if map.has("kind") {
            return map.choice("kind", of: kinds).flatMap { EvdevDeviceRule.Kind(rawValue: $0) } ?? .presence
        }
        if let kind = EvdevDeviceRule.Kind(rawValue: role) { return kind }
        if map.has("role") {
            findings.error(
                "device \(Shown.quoted(role)) needs \"kind\": its role is none of them", at: map.range(of: "role"),
                help: "one of: \(kinds.joined(separator: ", "))")
        }
        return .presence
    }

    private func match(of map: YAMLMapping, _ role: String) -> DeviceMatch {
        var match = DeviceMatch()
        match.name = map.text("name")
        match.phys = map.text("phys")
        if let link = map.text("link") {
            if !link.hasPrefix("/dev/input/by-") {
                findings.error(
                    "\"link\" must begin with /dev/input/by-id/ or /dev/input/by-path/", at: map.range(of: "link"))
            }
            match.link = link
        }
        if let usb = map.text("usb"), let id = usbID(usb, at: map.range(of: "usb")) {
            match.vendor = id.vendor
            match.product = id.product
        }
        if let properties = map.mapping("udev", "\"udev\"") {
            for pair in properties.pairs {
                if let text = properties.text(pair.value, Shown.quoted(pair.key)) {
                    match.properties[pair.key] = text
                }
            }
        }
        if !["name", "usb", "phys", "link", "udev"].contains(where: map.has) {
            findings.error(
                "device \(Shown.quoted(role)) says nothing to know it by", at: map.beginning,
                help: "give at least one of: name, usb, phys, link, udev")
        }
        return match
    }

    private func readScan(_ map: YAMLMapping, _ scan: inout ScanOptions) {
        if let text = map.text("layout") { scan.layout = text }
        if let text = map.text("variant") { scan.variant = text }
        if let text = map.text("prefix") { scan.prefix = text }
        if let text = map.text("suffix") { scan.suffix = text }
        if let value = map.duration("gap", in: 1...1000) { scan.gapMilliseconds = Int(value) }
        if let value = map.duration("silence", in: 1...10_000) { scan.silenceMilliseconds = Int(value) }
        if let value = map.int("min_length", in: 1...4096) { scan.minimumLength = Int(value) }
        if let value = map.int("max_length", in: 1...4096) { scan.maximumLength = Int(value) }
        guard map.has("terminators") else { return }
        let names = ScanOptions.Terminator.allCases.map(\.rawValue)
        scan.terminators = []
        for (text, node) in map.texts("terminators") {
            if let terminator = ScanOptions.Terminator(rawValue: text) {
                scan.terminators.insert(terminator)
            } else {
                findings.unknown(
                    "no terminator \(Shown.quoted(text))", text, at: node.range, among: names, listing: "one of:",
                    isAlwaysListed: true)
            }
        }
    }

    private func usbID(_ text: String, at range: SourceRange) -> (vendor: UInt16, product: UInt16)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2, parts.allSatisfy({ $0.utf8.count == 4 }), let vendor = UInt16(parts[0], radix: 16),
            let product = UInt16(parts[1], radix: 16)
        {
            return (vendor, product)
        }
        findings.error(
            "\"usb\" needs vendor:product in hexadecimal as lsusb prints it, such as \"05e0:1200\", not \(Shown.quoted(text))",
            at: range)
        return nil
    }

    private func readKafka(_ top: YAMLMapping, _ configuration: inout Configuration) {
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

    private func readBacklog(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("backlog", "\"backlog\"", keys: ["age", "messages"]) else { return }
        if let value = map.duration("age", in: 1000...86_400_000) { configuration.backlog.age = value }
        if let value = map.int("messages", in: 1...100_000_000) { configuration.backlog.messages = Int(value) }
    }

    private func readTopics(_ top: YAMLMapping, _ configuration: inout Configuration) {
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

    private func readTopicSettings(_ top: YAMLMapping, _ configuration: inout Configuration) {
        let keys = TopicSettings.numbers + ["topics"]
        guard let map = top.mapping("topic_settings", "\"topic_settings\"", keys: keys) else { return }
        configuration.topicSettings = TopicSettings(map)
    }

    private func readRecording(_ top: YAMLMapping, _ configuration: inout Configuration) {
        guard let map = top.mapping("recording", "\"recording\"", keys: ["path", "max_mib", "keep"]) else { return }
        map.require("path")
        var recording = Configuration.Recording()
        if let text = map.text("path") { recording.path = path(text) }
        if let value = map.int("max_mib", in: 1...1_048_576) { recording.limitBytes = value << 20 }
        if let value = map.int("keep", in: 1...1000) { recording.keep = Int(value) }
        configuration.recording = recording
    }

    private func readOutbox(_ top: YAMLMapping, _ configuration: inout Configuration) {
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

    private func readRest(_ top: YAMLMapping, _ configuration: inout Configuration) {
        readOutbox(top, &configuration)
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
