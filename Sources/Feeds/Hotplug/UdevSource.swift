import CUdev
import Glibc
import Loop

/// Where news of devices come from. libudev in the agent; a double in tests, which can overflow at will.
@LoopActor protocol DeviceSource: AnyObject {
    /// Readable when there is news.
    var descriptor: Int32 { get }
    /// The next piece of news, or nil when there is none now.
    func next() -> DeviceNews?
    /// Every device that is plugged now, in order of their paths.
    func enumerate() -> [DeviceFacts]
}

enum DeviceNews: Hashable {
    /// It is there: new, or with other properties or permissions than before.
    case present(DeviceFacts)
    /// The device at this path is gone.
    case gone(String)
    /// News of a device of no class that is looked at.
    case other
    /// The kernel's queue was full: some news is lost.
    case overflow
    /// The source itself is gone; the text says why.
    case broken(String)
}

/// libudev's context and monitor, freed in reverse order of making. Single-threaded. Source: libudev(3).
private struct UdevHandles: ~Copyable {
    let udev: OpaquePointer
    let monitor: OpaquePointer

    deinit {
        udev_monitor_unref(monitor)
        udev_unref(udev)
    }
}

/// libudev's monitor and enumeration: group `udev`, which speaks after the rules have run and permissions are set.
final class UdevSource: DeviceSource {
    private let handles: UdevHandles
    private var udev: OpaquePointer { handles.udev }
    private var monitor: OpaquePointer { handles.monitor }

    /// What is listened to; see `facts(of:)` for what of it counts.
    private static let subsystems: [(String, String?)] = [
        ("input", nil), ("hidraw", nil), ("tty", nil), ("usbmisc", nil), ("usb", "usb_device"),
    ]

    init() throws(FeedError) {
        guard let udev = udev_new() else {
            throw FeedError("libudev gives no context: out of memory", isRetriable: true)
        }
        guard let monitor = udev_monitor_new_from_netlink(udev, "udev") else {
            let why = SystemError.text(of: errno)
            udev_unref(udev)
            throw FeedError(
                "no netlink socket to udev: \(why); the unit's RestrictAddressFamilies must include AF_NETLINK",
                isRetriable: true)
        }
        for (subsystem, type) in Self.subsystems {
            udev_monitor_filter_add_match_subsystem_devtype(monitor, subsystem, type)
        }
        // Larger than the default where the system allows it; an overflow is noticed and made good either way.
        _ = udev_monitor_set_receive_buffer_size(monitor, 1 << 20)
        let code = udev_monitor_enable_receiving(monitor)
        guard code >= 0 else {
            udev_monitor_unref(monitor)
            udev_unref(udev)
            throw FeedError("cannot listen to udev: \(SystemError.text(of: -code))", isRetriable: true)
        }
        handles = UdevHandles(udev: udev, monitor: monitor)
    }

    var descriptor: Int32 { udev_monitor_get_fd(monitor) }

    func next() -> DeviceNews? {
        errno = 0
        guard let device = udev_monitor_receive_device(monitor) else {
            switch errno {
            case ENOBUFS: return .overflow
            case 0, EAGAIN, EINTR: return nil
            case let code: return .broken(SystemError.text(of: code))
            }
        }
        defer { udev_device_unref(device) }
        guard let action = text(udev_device_get_action(device)), let path = text(udev_device_get_syspath(device)) else {
            return .other
        }
        if action == "remove" { return .gone(path) }
        // `bind` and `unbind` tell of drivers; the nodes they make or take have news of their own.
        guard action != "unbind", let facts = facts(of: device) else { return .other }
        return .present(facts)
    }

    func enumerate() -> [DeviceFacts] {
        guard let list = udev_enumerate_new(udev) else { return [] }
        defer { udev_enumerate_unref(list) }
        for (subsystem, _) in Self.subsystems { udev_enumerate_add_match_subsystem(list, subsystem) }
        guard udev_enumerate_scan_devices(list) >= 0 else { return [] }
        var found: [DeviceFacts] = []
        var entry = udev_enumerate_get_list_entry(list)
        while let current = entry {
            entry = udev_list_entry_get_next(current)
            // Gone between the listing and here: its `remove` is on the way.
            guard let device = udev_device_new_from_syspath(udev, udev_list_entry_get_name(current)) else { continue }
            if let facts = facts(of: device) { found.append(facts) }
            udev_device_unref(device)
        }
        return found.sorted { $0.syspath < $1.syspath }
    }

    // MARK: Facts

    /// Nil for what is of no class that is looked at: input parents, mice's second nodes, virtual consoles, hubs.
    private func facts(of device: OpaquePointer) -> DeviceFacts? {
        guard let path = text(udev_device_get_syspath(device)), let name = text(udev_device_get_sysname(device)),
            let subsystem = text(udev_device_get_subsystem(device))
        else { return nil }
        let found: DeviceClass
        switch subsystem {
        case "input" where name.hasPrefix("event"): found = .input
        case "hidraw": found = .hidraw
        case "tty" where udev_device_get_parent(device) != nil: found = .tty
        case "usbmisc" where name.hasPrefix("lp"): found = .usbPrinter
        case "usb" where isPrinter(device): found = .usbPrinter
        default: return nil
        }
        var facts = DeviceFacts(syspath: path, class: found, node: text(udev_device_get_devnode(device)))
        // A USB device's node is for drivers; its place (1-4) says more.
        if subsystem == "usb" { facts.node = nil }
        facts.properties = properties(of: device)
        facts.links = links(of: device, facts.properties)
        let parent = udev_device_get_parent(device)
        switch found {
        case .input:
            facts.name = attribute(parent, "name") ?? ""
            facts.phys = attribute(parent, "phys") ?? ""
        case .hidraw:
            facts.name = property(parent, "HID_NAME") ?? ""
            facts.phys = property(parent, "HID_PHYS") ?? ""
        case .tty, .usbPrinter:
            facts.name = facts.properties["ID_MODEL"] ?? ""
            facts.phys = facts.properties["ID_PATH"] ?? ""
        }
        facts.vendor = hex(attribute(parent, "id/vendor") ?? facts.properties["ID_VENDOR_ID"])
        facts.product = hex(attribute(parent, "id/product") ?? facts.properties["ID_MODEL_ID"])
        if facts.vendor == nil, let id = property(parent, "HID_ID")?.split(separator: ":"), id.count == 3 {
            facts.vendor = hex(String(id[1]))
            facts.product = hex(String(id[2]))
        }
        return facts
    }

    private func isPrinter(_ device: OpaquePointer) -> Bool {
        // Class 07, subclass 01, any protocol: udev's list of a device's interfaces. Source: usb_id of udev(8).
        property(device, "ID_USB_INTERFACES")?.split(separator: ":").contains { $0.hasPrefix("0701") } ?? false
    }

    private func properties(of device: OpaquePointer) -> [String: String] {
        var found: [String: String] = [:]
        var entry = udev_device_get_properties_list_entry(device)
        while let current = entry {
            if let name = text(udev_list_entry_get_name(current)) {
                found[name] = text(udev_list_entry_get_value(current)) ?? ""
            }
            entry = udev_list_entry_get_next(current)
        }
        return found
    }

    private func links(of device: OpaquePointer, _ properties: [String: String]) -> [String] {
        var found: [String] = []
        var entry = udev_device_get_devlinks_list_entry(device)
        while let current = entry {
            if let name = text(udev_list_entry_get_name(current)) { found.append(name) }
            entry = udev_list_entry_get_next(current)
        }
        for link in properties["DEVLINKS"]?.split(separator: " ") ?? [] where !found.contains(String(link)) {
            found.append(String(link))
        }
        return found
    }

    private func attribute(_ device: OpaquePointer?, _ name: String) -> String? {
        guard let device else { return nil }
        return text(udev_device_get_sysattr_value(device, name))
    }

    private func property(_ device: OpaquePointer?, _ name: String) -> String? {
        guard let device else { return nil }
        return text(udev_device_get_property_value(device, name))
    }

    private func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }

    private func hex(_ text: String?) -> UInt16? {
        guard let text, let number = UInt32(text, radix: 16) else { return nil }
        return UInt16(exactly: number)
    }
}
