import Feeds
import Glibc

/// Users and groups that a configuration names, as this machine's numbers.
enum Accounts {
    /// The number of a user. Source: getpwnam(3).
    static func user(_ name: String, _ section: String) throws(FeedError) -> UInt32 {
        if let number = UInt32(name) { return number }
        guard let entry = getpwnam(name) else {
            throw FeedError(
                "\(section): no user \"\(name)\" on this machine; make it, or take it out of users", isRetriable: false)
        }
        return entry.pointee.pw_uid
    }

    /// The name of a user; nil where this machine knows none. Source: getpwuid_r(3).
    static func name(ofUser number: UInt32) -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(number, &entry, &text, text.count, &found) == 0, found != nil, let name = entry.pw_name else {
            return nil
        }
        return String(cString: name)
    }

    /// The number of a group. Source: getgrnam(3).
    static func group(_ name: String, _ section: String) throws(FeedError) -> UInt32 {
        if let number = UInt32(name) { return number }
        guard let entry = getgrnam(name) else {
            throw FeedError(
                "\(section): no group \"\(name)\" on this machine; systemd-sysusers makes those of the package",
                isRetriable: false)
        }
        return entry.pointee.gr_gid
    }
}
