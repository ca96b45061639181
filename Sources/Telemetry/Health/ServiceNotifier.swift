import CSystemd
import Glibc
import Loop

/// Tells systemd how the service is. Without systemd nothing happens. Sources: sd_notify(3), sd_watchdog_enabled(3).
public struct ServiceNotifier: Sendable {
    /// How long systemd waits for a sign of life before it kills the service; nil when it does not wait.
    public let watchdogMilliseconds: Int64?
    private let send: @Sendable (String) -> Bool

    public init() {
        var microseconds: UInt64 = 0
        let isWatched = sd_watchdog_enabled(0, &microseconds) > 0 && microseconds > 0
        self.init(watchdogMilliseconds: isWatched ? Int64(clamping: microseconds / 1000) : nil) { sd_notify(0, $0) > 0 }
    }

    init(watchdogMilliseconds: Int64?, send: @escaping @Sendable (String) -> Bool) {
        self.watchdogMilliseconds = watchdogMilliseconds
        self.send = send
    }

    /// The service is up. Whether somebody was told.
    @discardableResult public func ready(_ status: String) -> Bool { send("READY=1\nSTATUS=" + Self.line(status)) }

    /// A reload begins; `ready` ends it.
    @discardableResult public func reloading(_ status: String = "reloading") -> Bool {
        send("RELOADING=1\nMONOTONIC_USEC=\(Boottime.monotonicNanoseconds() / 1000)\nSTATUS=" + Self.line(status))
    }

    @discardableResult public func stopping(_ status: String = "stopping") -> Bool {
        send("STOPPING=1\nSTATUS=" + Self.line(status))
    }

    /// What `systemctl status` shows: one sentence.
    @discardableResult public func status(_ status: String) -> Bool { send("STATUS=" + Self.line(status)) }

    @discardableResult public func watchdog() -> Bool { send("WATCHDOG=1") }

    /// Gives signs of life twice as often as systemd wants them, for as long as `isAlive` says so; without a watchdog never.
    /// Runs on the lane's thread: one that hangs gives none.
    @LoopActor public func startWatchdog(isAlive: @escaping @LoopActor () -> Bool) {
        guard let watchdogMilliseconds else { return }
        if isAlive() { watchdog() }
        EventLoop.shared.schedule(inMilliseconds: max(1, watchdogMilliseconds / 2)) { startWatchdog(isAlive: isAlive) }
    }

    /// A line feed would begin another assignment.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
