import CLinux
import Glibc
import Lane
import Loop

/// The machine's clocks, as the agent reads them; a test puts others in their place.
public struct MachineClocks: Sendable {
    /// CLOCK_BOOTTIME: suspend included.
    public var boottimeNanoseconds: @Sendable () -> Int64
    /// CLOCK_MONOTONIC: without suspend.
    public var monotonicNanoseconds: @Sendable () -> Int64
    /// Unix time.
    public var wallMilliseconds: @Sendable () -> Int64

    public static let real = MachineClocks(
        boottimeNanoseconds: { Boottime.nanoseconds() }, monotonicNanoseconds: { Boottime.monotonicNanoseconds() },
        wallMilliseconds: { Boottime.wallMilliseconds() })

    public init(
        boottimeNanoseconds: @escaping @Sendable () -> Int64, monotonicNanoseconds: @escaping @Sendable () -> Int64,
        wallMilliseconds: @escaping @Sendable () -> Int64
    ) {
        self.boottimeNanoseconds = boottimeNanoseconds
        self.monotonicNanoseconds = monotonicNanoseconds
        self.wallMilliseconds = wallMilliseconds
    }

    /// How long the machine has slept since its boot, in nanoseconds; grows with every suspend.
    public var sleptNanoseconds: Int64 { boottimeNanoseconds() - monotonicNanoseconds() }
}

/// Lane time: CLOCK_BOOTTIME plus an offset that is set once a boot, so that it reads as Unix milliseconds.
///
/// Setting the wall clock moves no lane time; suspend counts; it never goes back behind `Saved.last`.
public struct LaneClock: Sendable {
    /// What is kept between starts, as JSON in the outbox.
    public struct Saved: Hashable, Sendable {
        /// /proc/sys/kernel/random/boot_id
        public var boot: String
        /// Milliseconds from CLOCK_BOOTTIME to lane time in that boot.
        public var offset: Int64
        /// The latest lane time known when it was saved, and the wall clock then.
        public var last: LaneInstant
        public var lastWall: WallInstant
        /// The kernel said that the wall clock was synchronised (adjtimex(2)).
        public var isSynchronised: Bool

        public init(boot: String, offset: Int64, last: LaneInstant, lastWall: WallInstant, isSynchronised: Bool) {
            self.boot = boot
            self.offset = offset
            self.last = last
            self.lastWall = lastWall
            self.isSynchronised = isSynchronised
        }
    }

    /// Milliseconds from CLOCK_BOOTTIME to lane time.
    public let offset: Int64
    public let boot: String
    public var machine = MachineClocks.real

    public init(offset: Int64, boot: String) {
        self.offset = offset
        self.boot = boot
    }

    /// The year 9999.
    private static let latest: Int64 = 253_402_300_799_999

    /// Where lane time goes on after `saved`, and for how long nothing was seen: nil where that cannot be known, because the
    /// machine was booted meanwhile and a wall clock was not synchronised.
    public static func begin(
        after saved: Saved?, boot: String, boottime: Int64, wall: Int64, isSynchronised: Bool
    ) -> (clock: LaneClock, away: Int64?) {
        // What no clock of ours ever showed was not saved by one.
        guard let saved, (0...Self.latest).contains(saved.last.milliseconds),
            (-Self.latest...Self.latest).contains(saved.offset), (0...Self.latest).contains(saved.lastWall.milliseconds)
        else { return (LaneClock(offset: wall - boottime, boot: boot), saved == nil ? 0 : nil) }
        if saved.boot == boot {
            let offset = max(saved.offset, saved.last.milliseconds - boottime)
            return (LaneClock(offset: offset, boot: boot), boottime + offset - saved.last.milliseconds)
        }
        // Another boot: the wall clock is all there is to measure by.
        let away = wall - saved.lastWall.milliseconds
        let isKnown = saved.isSynchronised && isSynchronised && away >= 0
        let now = isKnown ? saved.last.milliseconds + away : max(wall, saved.last.milliseconds + 1)
        return (LaneClock(offset: now - boottime, boot: boot), isKnown ? away : nil)
    }

    public func now() -> LaneInstant { LaneInstant(milliseconds: machine.boottimeNanoseconds() / 1_000_000 + offset) }

    public func wall() -> WallInstant { WallInstant(milliseconds: machine.wallMilliseconds()) }

    /// The moment of CLOCK_BOOTTIME, in milliseconds, at which lane time is `instant`.
    public func boottime(of instant: LaneInstant) -> Int64 {
        instant.advanced(byMilliseconds: -offset).milliseconds
    }

    public func saved(last: LaneInstant) -> Saved {
        Saved(boot: boot, offset: offset, last: last, lastWall: wall(), isSynchronised: Self.isWallSynchronised)
    }

    /// Source: random(4).
    public static func bootID() -> String {
        (try? FileBytes.read("/proc/sys/kernel/random/boot_id", limit: 64)).map {
            String(decoding: $0.filter { $0 > 32 }, as: UTF8.self)
        } ?? ""
    }

    /// Source: adjtimex(2), STA_UNSYNC.
    public static var isWallSynchronised: Bool {
        lw_clock_is_synchronised() != 0
    }
}

extension LaneClock.Saved {
    public var json: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("boot", boot)
            json.member("offset", offset)
            json.member("last", last.milliseconds)
            json.member("wall", lastWall.milliseconds)
            json.member("synchronised", isSynchronised)
        }
        return json.bytes
    }

    /// Nil for anything that `json` did not write.
    public init?(json bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: bytes), let boot = value["boot"]?.text,
            let offset = value["offset"]?.int, let last = value["last"]?.int, let wall = value["wall"]?.int,
            let isSynchronised = value["synchronised"]?.bool
        else { return nil }
        self.init(
            boot: boot, offset: offset, last: LaneInstant(milliseconds: last),
            lastWall: WallInstant(milliseconds: wall), isSynchronised: isSynchronised)
    }
}

/// The store's time zone by the C library's tables (tzset(3)): set once, before the first thread, for the process.
public struct StoreZone: LocalTime {
    /// Makes `name` the process's zone. Call once, before threads start: setenv(3) is not thread-safe.
    public init(name: String) {
        setenv("TZ", ":" + name, 1)
        tzset()
    }

    public func offsetSeconds(at wall: WallInstant) -> Int {
        var seconds = time_t(wall.milliseconds / 1000)
        var local = tm()
        guard localtime_r(&seconds, &local) != nil else { return 0 }
        return Int(local.tm_gmtoff)
    }

    /// Whether this machine has a zone of that name.
    public static func exists(_ name: String) -> Bool {
        guard !name.isEmpty, !name.hasPrefix("/"), !name.contains("..") else { return false }
        return name == "UTC" || access("/usr/share/zoneinfo/\(name)", R_OK) == 0
    }
}
