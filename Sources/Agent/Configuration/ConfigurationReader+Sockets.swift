import Lane
import YAML

/// `socket:` and `control:`: the two sockets, and who may use them.
extension ConfigurationReader {
    func readSocket(_ top: YAMLMapping, _ configuration: inout Configuration) {
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

    func readControl(_ top: YAMLMapping, _ configuration: inout Configuration) {
        configuration.control = control(
            top, Configuration.Control(), others: ["view_users"], besides: [("\"socket\"", configuration.socket?.path)])
    }

    /// A control socket: the agent's, or the view's; nil where it is off. `besides` have paths of their own.
    func control(
        _ top: YAMLMapping, _ standard: Configuration.Control, others: [String] = [],
        besides: [(name: String, path: String?)]
    ) -> Configuration.Control? {
        let key = "control"
        if let node = top[key], node.scalar?.bool == false { return nil }
        guard top.has(key),
            let map = top.mapping(
                key, Shown.quoted(key),
                keys: ["path", "mode", "group", "users", "groups", "change_users", "change_groups"] + others)
        else { return standard }
        var control = standard
        control.path = socketPath(map) ?? control.path
        control.mode = mode(map, "0600") ?? control.mode
        control.group = map.text("group")
        control.users = map.texts("users", allowsEmpty: true).map(\.text)
        control.groups = map.texts("groups", allowsEmpty: true).map(\.text)
        control.changeUsers = map.texts("change_users", allowsEmpty: true).map(\.text)
        control.changeGroups = map.texts("change_groups", allowsEmpty: true).map(\.text)
        control.viewUsers = map.texts("view_users", allowsEmpty: true).map(\.text)
        let named = control.users.isEmpty ? "groups" : "users"
        if !(control.users.isEmpty && control.groups.isEmpty), control.mode & 0o066 == 0 {
            findings.warning(
                "those that \"\(named)\" names cannot open the socket: its \"mode\" lets its owner alone",
                at: map.range(of: named),
                help: "write mode: \"0660\" and group: a group of theirs")
        }
        for (name, path) in besides where path == control.path {
            findings.error("\"control\" and \(name) have the same path", at: map.beginning)
        }
        return control
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
}
