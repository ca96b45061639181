import Lane
import YAML

/// `view:`: the live view.
extension ConfigurationReader {
    func readView(_ top: YAMLMapping, _ configuration: inout Configuration) {
        if let node = top["view"], node.scalar?.bool == false { return }
        guard
            let map = top.mapping(
                "view", "\"view\"",
                keys: [
                    "display", "authority", "output", "rfb", "https", "origins", "allow_remote", "token_keys",
                    "password", "everybody", "certificate", "key", "masks", "unknown_state", "idle", "longest",
                    "attendants", "linger", "close_grace", "hooks", "notice", "control",
                ])
        else { return }
        var view = ViewSettings()
        view.display = map.text("display")
        view.authority = map.text("authority").map { path($0) }
        view.output = map.text("output")
        view.rfb = address(map, "rfb", view.rfb)
        view.https = address(map, "https", view.https)
        view.origins = map.texts("origins", allowsEmpty: true).map(\.text)
        view.allowsRemote = map.bool("allow_remote") ?? false
        view.tokenKeys = map.texts("token_keys", allowsEmpty: true).map { (path($0.text), $0.node.range) }
        view.password = password(map)
        view.everybody = mode(map, "everybody")
        view.certificate = map.text("certificate").map { path($0) }
        view.key = map.text("key").map { path($0) }
        if map.has("certificate") != map.has("key") {
            findings.error(
                "\"certificate\" and \"key\" go together", at: map.range(of: map.has("key") ? "key" : "certificate"),
                help: "without both, the lane makes its own at the first start")
        }
        view.masks = map.mappings("masks", "a mask", keys: ["while", "window", "area", "style", "reason"])
            .compactMap { mask($0) }
        if map.has("unknown_state") { view.hidesUnknown = map.choice("unknown_state", of: ["all", "none"]) != "none" }
        if let value = map.duration("idle", in: 10_000...86_400_000) { view.idle = value }
        if let value = map.duration("longest", in: 10_000...7 * 86_400_000) { view.longest = value }
        if let value = map.duration("linger", in: 1000...86_400_000) { view.linger = value }
        if let value = map.int("attendants", in: 1...64) { view.attendants = Int(value) }
        if let value = map.duration("close_grace", in: 0...3_600_000) { view.closeGrace = value }
        if let hooks = map.mapping("hooks", "\"hooks\"", keys: ["open", "control", "close"]) {
            view.hooks.open = hook(hooks, "open")
            view.hooks.control = hook(hooks, "control")
            view.hooks.close = hook(hooks, "close")
        }
        view.notice = notice(map)
        view.control = control(
            map, ViewSettings.standardControl,
            besides: [
                ("\"socket\"", configuration.socket?.path), ("the agent's \"control\"", configuration.control?.path),
            ])
        configuration.view = view
    }

    /// A program and its arguments, without a shell.
    private func hook(_ map: YAMLMapping, _ key: String) -> [String] {
        guard map.has(key) else { return [] }
        let words = map.texts(key, allowsEmpty: true).map(\.text)
        guard let program = words.first else { return [] }
        if !program.hasPrefix("/") {
            findings.error(
                "a hook begins with the whole path of a program, not \(Shown.quoted(program))", at: map.range(of: key),
                help: "such as \(key): [/usr/local/bin/tower, blue]; no shell reads it")
        }
        return words
    }

    private func notice(_ map: YAMLMapping) -> ViewSettings.ScreenNotice? {
        if let node = map["notice"], node.scalar?.bool == false { return nil }
        var notice = ViewSettings.ScreenNotice()
        guard map.has("notice"),
            let one = map.mapping("notice", "\"notice\"", keys: ["viewed", "controlled", "position"])
        else { return notice }
        notice.viewed = one.text("viewed") ?? notice.viewed
        notice.controlled = one.text("controlled") ?? notice.controlled
        if one.has("position") { notice.isAtBottom = one.choice("position", of: ["top", "bottom"]) == "bottom" }
        return notice
    }

    private func address(
        _ map: YAMLMapping, _ key: String, _ standard: Configuration.Listen?
    ) -> Configuration.Listen? {
        guard let node = map[key] else { return standard }
        if node.scalar?.bool == false { return nil }
        guard let text = map.text(key) else { return standard }
        // The last colon: an IPv6 address has others, in brackets.
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            findings.error(
                "\(Shown.quoted(key)) needs address:port, such as \(Shown.quoted(standard?.description ?? "127.0.0.1:5900")), "
                    + "not \(Shown.quoted(text))", at: map.range(of: key), help: "or false, to turn it off")
            return standard
        }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        return Configuration.Listen(address: String(isBracketed ? host.dropFirst().dropLast() : host), port: port)
    }

    private func mode(_ map: YAMLMapping, _ key: String) -> ViewSettings.Mode? {
        guard map.has(key), map[key]?.scalar?.bool != false else { return nil }
        return map.choice(key, of: ViewSettings.Mode.allCases.map(\.rawValue)).flatMap {
            ViewSettings.Mode(rawValue: $0)
        }
    }

    private func password(_ map: YAMLMapping) -> ViewSettings.Password? {
        guard let one = map.mapping("password", "\"password\"", keys: ["file", "mode"]) else { return nil }
        one.require("file")
        guard let file = one.text("file") else { return nil }
        return ViewSettings.Password(file: path(file), mode: mode(one, "mode") ?? .view, range: one.range(of: "file"))
    }

    private func mask(_ map: YAMLMapping) -> ViewSettings.Mask? {
        var mask = ViewSettings.Mask()
        mask.condition = map["while"]
        mask.reason = map.text("reason")
        if map.has("window") {
            guard let window = window(map) else { return nil }
            mask.window = window
        }
        map.require("area")
        if let name = map.has("style") ? map.choice("style", of: ViewSettings.Mask.Style.allCases.map(\.rawValue)) : nil
        {
            mask.style = ViewSettings.Mask.Style(rawValue: name) ?? .black
        }
        guard let node = map["area"] else { return nil }
        if node.scalar?.text == "all" { return mask }
        guard let area = area(node) else { return nil }
        mask.area = area
        return mask
    }

    private func window(_ map: YAMLMapping) -> ViewSettings.Mask.Window? {
        guard let text = map.text("window") else { return nil }
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if sides.count == 2, !sides[1].isEmpty {
            if sides[0] == "class" { return .windowClass(sides[1]) }
            if sides[0] == "title" { return .title(sides[1]) }
        }
        findings.error(
            "\"window\" needs class=NAME or title=TEXT, such as \"class=PinEntry\", not \(Shown.quoted(text))",
            at: map.range(of: "window"), help: "xprop WM_CLASS WM_NAME, and a click on the window, tells both")
        return nil
    }

    private func area(_ node: YAMLNode) -> [Int]? {
        if case .sequence(let elements) = node.content, elements.count == 4 {
            let numbers = elements.compactMap { $0.scalar.flatMap { Int($0.text) } }
            if numbers.count == 4, numbers[2] > 0, numbers[3] > 0, numbers.allSatisfy({ abs($0) <= 16_384 }) {
                return numbers
            }
        }
        if !node.isRefused {
            findings.error(
                "\"area\" needs \"all\" or [x, y, width, height] in pixels, such as [0, 640, 420, 128]", at: node.range)
        }
        return nil
    }
}
