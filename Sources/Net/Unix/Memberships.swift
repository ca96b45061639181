import Glibc

/// The groups of users, as the system's databases have them. Remembered for a minute: a lookup may read files.
public struct Memberships {
    private var known: [UInt32: (groups: [UInt32], until: Int64)] = [:]

    public init() {}

    /// `now` in milliseconds of the loop's clock.
    public mutating func groups(ofUser user: UInt32, primary: UInt32, now: Int64) -> [UInt32] {
        if let entry = known[user], now < entry.until { return entry.groups }
        if known.count >= 256 { known = [:] }
        let groups = Self.lookUp(user, primary)
        known[user] = (groups, now + 60_000)
        return groups
    }

    /// Sources: getpwuid_r(3), getgrouplist(3). Unknown users have their primary group only.
    private static func lookUp(_ user: UInt32, _ primary: UInt32) -> [UInt32] {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(user, &entry, &text, text.count, &found) == 0, found != nil, let name = entry.pw_name else {
            return [primary]
        }
        var count: Int32 = 64
        var groups = [gid_t](repeating: 0, count: Int(count))
        // -1: there are more than fit; `count` says how many.
        if getgrouplist(name, entry.pw_gid, &groups, &count) < 0 {
            guard count > 0, count <= 65_536 else { return [primary] }
            groups = [gid_t](repeating: 0, count: Int(count))
            guard getgrouplist(name, entry.pw_gid, &groups, &count) >= 0 else { return [primary] }
        }
        return Array(groups.prefix(max(0, Int(count))))
    }
}
