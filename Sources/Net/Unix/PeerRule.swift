import CLinux
import Glibc

/// Who may use a Unix socket: root, the agent's own user, and those named, by uid or as a member of a group by gid.
public struct PeerRule: Hashable, Sendable {
    public let users: Set<UInt32>
    public let groups: Set<UInt32>
    /// Root and this user may always; nil lets only those named.
    public let own: UInt32?

    public init(users: Set<UInt32>, groups: Set<UInt32>, own: UInt32? = geteuid()) {
        self.users = users
        self.groups = groups
        self.own = own
    }

    /// `memberships` gives all groups of the user; asked only when nothing else decides.
    public func allows(user: UInt32, group: UInt32, memberships: () -> [UInt32]) -> Bool {
        if let own, user == 0 || user == own { return true }
        if users.contains(user) || groups.contains(group) { return true }
        return !groups.isEmpty && memberships().contains(where: groups.contains)
    }
}
