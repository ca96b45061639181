import Feeds
import Lane
import Loop

/// The feeds of an agent, in the order they start. A new feed is a folder of `Sources/Feeds/` and its line here.
enum FeedCatalog {
    @LoopActor static func feeds(for configuration: Configuration) throws(FeedError) -> [any Feed] {
        var feeds: [any Feed] = []
        if !configuration.devices.isEmpty {
            // Devices are opened before anything slow: a reader that starts late overruns the kernel's queue.
            let monitor = DeviceMonitor()
            feeds.append(EvdevFeed(rules: configuration.devices, monitor: monitor))
            feeds.append(HotplugFeed(rules: configuration.devices, monitor: monitor))
        }
        if let socket = configuration.socket {
            feeds.append(SocketFeed(try options(socket, isSimulated: configuration.isSimulated)))
        }
        feeds.append(BacklogFeed(configuration.backlog))
        return feeds
    }

    private static func options(
        _ socket: Configuration.Socket, isSimulated: Bool
    ) throws(FeedError) -> SocketOptions {
        var options = SocketOptions(path: socket.path)
        options.mode = socket.mode
        options.group = try socket.group.map { (name) throws(FeedError) in try Accounts.group(name, "socket") }
        for name in socket.users { options.users.insert(try Accounts.user(name, "socket")) }
        for name in socket.groups { options.groups.insert(try Accounts.group(name, "socket")) }
        for name in socket.staffUsers { options.staffUsers.insert(try Accounts.user(name, "socket")) }
        for name in socket.staffGroups { options.staffGroups.insert(try Accounts.group(name, "socket")) }
        options.simulate = isSimulated
        options.lineBytes = socket.lineBytes
        options.connections = socket.connections
        options.linesPerSecond = socket.linesPerSecond
        return options
    }
}
