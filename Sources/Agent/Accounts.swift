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
