/// What kind of node a device is seen as. Only these are looked at.
public enum DeviceClass: String, Hashable, Sendable, CaseIterable {
    /// `/dev/input/eventN`.
    case input
    case hidraw
    /// A serial line with hardware behind it, USB ones among them; not the virtual consoles.
    case tty
    /// `/dev/usb/lpN`, or a USB device with a printer interface that no kernel driver holds.
    case usbPrinter = "usb-printer"
}

/// What udev knows of a device node, read without opening it.
public struct DeviceFacts: Hashable, Sendable {
    /// The kernel's path under /sys; the device's identity while it is plugged.
    public var syspath: String
    public var `class`: DeviceClass
    /// `/dev/…`, or nil where there is none.
    public var node: String?
    /// What it calls itself: the input or HID name, for the others udev's `ID_MODEL`. Empty when unknown.
    public var name = ""
    /// Where it is plugged: the kernel's phys of input and HID devices, for the others udev's `ID_PATH`. Empty when unknown.
    public var phys = ""
    public var vendor: UInt16?
    public var product: UInt16?
    /// Symbolic links to the node: `/dev/input/by-id/…` and the like.
    public var links: [String] = []
    /// udev's properties.
    public var properties: [String: String] = [:]

    public init(syspath: String, class: DeviceClass, node: String? = nil) {
        self.syspath = syspath
        self.class = `class`
        self.node = node
    }

    /// The `port` of signals: the node, or the last part of the path.
    public var port: String { node ?? syspath.split(separator: "/").last.map(String.init) ?? syspath }
}
