import Lane
import Loop

/// Devices of the allow-list that come and go: `device.attached` and `device.detached`, by role.
///
/// A role is attached while at least one of its nodes is there: a scanner has an input node and a hidraw node, and is one
/// scanner. It is told with the port and class that it was first seen at. Devices on no line of the list are counted and
/// otherwise ignored; nothing is ever opened here.
///
/// `counts`: in, each device that comes or goes or is seen by a snapshot, and each role that a snapshot finds missing; out,
/// signals; dropped, `not_listed` and `same_role` (a further node of a role that is there, or one of several that went).
@LoopActor public final class HotplugFeed: Feed {
    public nonisolated var kind: FeedKind { .hotplug }
    public private(set) var counts = StageCounts()

    private struct Role {
        let name: String
        /// Paths of its nodes.
        var nodes: Set<String> = []
        var port = ""
        var `class` = ""
    }

    private let rules: [EvdevDeviceRule]
    private let monitor: DeviceMonitor
    private var roles: [Role] = []
    private weak var sink: (any FeedSink)?

    /// `monitor` is shared with `EvdevFeed`.
    public init(rules: [EvdevDeviceRule], monitor: DeviceMonitor) {
        self.rules = rules
        self.monitor = monitor
        for rule in rules where !roles.contains(where: { $0.name == rule.role }) { roles.append(Role(name: rule.role)) }
    }

    public func start(_ sink: any FeedSink) throws(FeedError) {
        self.sink = sink
        do throws(FeedError) {
            snapshot(try monitor.subscribe(self))
        } catch {
            self.sink = nil
            throw error
        }
    }

    public func stop() {
        monitor.unsubscribe(self)
        sink = nil
    }

    public func resync() {
        guard sink != nil else { return }
        snapshot(monitor.devices)
    }

    // MARK: Roles

    private func snapshot(_ devices: [DeviceFacts]) {
        for index in roles.indices { roles[index].nodes = [] }
        // Input nodes first: where a role has several nodes, that is the one worth naming.
        for kind in DeviceClass.allCases {
            for device in devices where device.class == kind { came(device) }
        }
        for role in roles where role.nodes.isEmpty {
            counts.in += 1
            say("device.detached", device: role.name)
        }
    }

    private func came(_ device: DeviceFacts) {
        counts.in += 1
        guard let index = role(of: device) else { return counts.drop("not_listed") }
        let isFirst = roles[index].nodes.isEmpty
        roles[index].nodes.insert(device.syspath)
        guard isFirst else { return counts.drop("same_role") }
        roles[index].port = device.port
        roles[index].class = device.class.rawValue
        say("device.attached", device: roles[index].name, roles[index].port, roles[index].class)
    }

    private func went(_ device: DeviceFacts) {
        counts.in += 1
        // By path: what it was listed for may read otherwise by now.
        guard let index = roles.firstIndex(where: { $0.nodes.contains(device.syspath) }) else {
            return counts.drop("not_listed")
        }
        roles[index].nodes.remove(device.syspath)
        guard roles[index].nodes.isEmpty else { return counts.drop("same_role") }
        say("device.detached", device: roles[index].name, roles[index].port, roles[index].class)
    }

    private func role(of device: DeviceFacts) -> Int? {
        guard let rule = rules.rule(for: device) else { return nil }
        return roles.firstIndex { $0.name == rule.role }
    }

    private func say(_ type: String, device: String, _ port: String = "", _ class: String = "") {
        var attributes = [("device", device)]
        if !port.isEmpty { attributes += [("port", port), ("class", `class`)] }
        guard let signal = Signal(type, attributes, feed: .hotplug) else { return counts.drop("no_such_type") }
        counts.out += 1
        sink?.receive(.signal(signal))
    }
}

extension HotplugFeed: DeviceWatcher {
    func deviceCame(_ device: DeviceFacts) { came(device) }

    /// Properties may have come late, and with them a place on the list.
    func deviceChanged(_ device: DeviceFacts) {
        guard !roles.contains(where: { $0.nodes.contains(device.syspath) }), role(of: device) != nil else { return }
        came(device)
    }

    func deviceWent(_ device: DeviceFacts) { went(device) }

    func devicesLost(_ reason: String) {
        sink?.receive(.gap(Gap(feed: .hotplug, subject: "", reason: reason)))
    }

    func devicesSettled() { resync() }
}

extension Signal {
    /// Nil when the catalogue lacks the type or one of the names.
    init?(_ type: String, _ attributes: [(String, String)], feed: FeedKind) {
        guard let type = SignalType(type) else { return nil }
        var named: [Attribute] = []
        for (name, value) in attributes {
            guard let name = AttributeName(name) else { return nil }
            named.append(Attribute(name, .text(value)))
        }
        self.init(type, named, feed: feed)
    }
}
