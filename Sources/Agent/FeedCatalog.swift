import Feeds
import Glibc
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
        return feeds
    }

    private static func options(
        _ socket: Configuration.Socket, isSimulated: Bool
    ) throws(FeedError) -> SocketOptions {
        var options = SocketOptions(path: socket.path)
        options.mode = socket.mode
        options.group = try socket.group.map { (name) throws(FeedError) in try group(name) }
        for name in socket.users { options.users.insert(try user(name)) }
        for name in socket.groups { options.groups.insert(try group(name)) }
        options.simulate = isSimulated
        options.lineBytes = socket.lineBytes
        options.connections = socket.connections
        options.linesPerSecond = socket.linesPerSecond
        return options
    }

    /// The number of a user. Source: getpwnam(3).
    private static func user(_ name: String) throws(FeedError) -> UInt32 {
        if let number = UInt32(name) { return number }
        guard let entry = getpwnam(name) else {
            throw FeedError(
                "socket: no user \"\(name)\" on this machine; make it, or take it out of users", isRetriable: false)
        }
        return entry.pointee.pw_uid
    }

    /// The number of a group. Source: getgrnam(3).
    private static func group(_ name: String) throws(FeedError) -> UInt32 {
        if let number = UInt32(name) { return number }
        guard let entry = getgrnam(name) else {
            throw FeedError(
                "socket: no group \"\(name)\" on this machine; systemd-sysusers makes those of the package",
                isRetriable: false)
        }
        return entry.pointee.gr_gid
    }
}
