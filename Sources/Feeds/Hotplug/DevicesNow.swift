import Glibc
import Loop

/// The configured devices as they are at this moment, without opening one. For commands.
public struct DevicesNow: Sendable {
    public struct Found: Hashable, Sendable {
        public var role: String
        /// Nodes that match, and those of them that this process may not read. Without a node the device is not plugged.
        public var nodes: [String]
        public var unreadable: [String]
    }

    /// In the order of `rules`.
    public let found: [Found]

    /// Asks udev once. Source: libudev(3).
    @LoopActor public init(_ rules: [EvdevDeviceRule]) throws(FeedError) {
        let devices = try UdevSource().enumerate()
        found = rules.map { rule in
            let nodes = devices.filter { rule.match.matches($0) }.compactMap(\.node)
                .filter { rule.kind == .presence || $0.hasPrefix("/dev/input/") }
            // A device of which only its presence counts is never opened.
            let unreadable = rule.kind == .presence ? [] : nodes.filter { access($0, R_OK) != 0 }
            return Found(role: rule.role, nodes: nodes, unreadable: unreadable)
        }
    }
}
