/// How the POS application's socket is made, and what it takes.
public struct SocketOptions: Hashable, Sendable {
    /// Where the socket is made; its folder must be there. At most 107 bytes (unix(7)).
    public var path: String
    /// Permissions of the socket file.
    public var mode: UInt32 = 0o660
    /// The group of the socket file; nil leaves the agent's own.
    public var group: UInt32?
    /// Who may write, besides root and the agent's own user: users by uid, and members of groups by gid.
    public var users: Set<UInt32> = []
    public var groups: Set<UInt32> = []
    /// Who may bring the signals of staff (`attendant.resolved`): only those named here, nobody always. They need not be
    /// among `users` and `groups`; who is not brings nothing else.
    public var staffUsers: Set<UInt32> = []
    public var staffGroups: Set<UInt32> = []
    /// Signals of every type are taken, also those that only other feeds may bring. For tests and demonstrations.
    public var simulate = false
    /// The longest line, in bytes, without its line feed.
    public var lineBytes = 65_536
    /// Connections at once.
    public var connections = 64
    /// Lines a second of one connection; a second's worth may come at once.
    public var linesPerSecond = 100_000
    /// Lines of one connection before the others have their turn.
    public var linesPerTurn = 256
    /// A peer with so many bytes of answers unread is not read from any more …
    public var answerBytes = 65_536
    /// … and closed when it has not read them after so long.
    public var answerSeconds = 10

    public init(path: String) { self.path = path }

    /// Answers of one connection that may wait for the disk.
    var pendingAnswers: Int { 8192 }
    /// An answer nobody asked for is left out when so many bytes wait already: a POS application that never reads must not
    /// be stopped by what it is told about its faulty lines.
    var unaskedBytes: Int { answerBytes / 4 }
}
