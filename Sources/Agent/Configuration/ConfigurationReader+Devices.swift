import Feeds
import Lane
import YAML

/// `devices:`: by what a device is known, and how what it types is read.
extension ConfigurationReader {
    func readDevices(_ top: YAMLMapping, _ configuration: inout Configuration) {
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
}
