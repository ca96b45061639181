import CLinux
import Glibc
import Loop

/// A listening Unix socket and its file, which goes with it.
public struct UnixListener: ~Copyable {
    public let descriptor: Descriptor
    private let path: String
    private let device: UInt
    private let inode: UInt

    private init(_ descriptor: consuming Descriptor, _ path: String, _ status: stat) {
        self.descriptor = descriptor
        self.path = path
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }

    /// Makes the socket file. One that a dead agent left behind is removed; one that an agent listens on is not.
    ///
    /// `mode` are the file's permissions, `group` its group; nil leaves the agent's own.
    public static func open(
        _ path: String, mode: UInt32, group: UInt32? = nil
    ) throws(UnixSocketError) -> UnixListener {
        guard let address = UnixAddress(path) else {
            throw UnixSocketError(
                "the socket's path is empty or longer than 107 bytes: \(path); choose a shorter one", isRetriable: false
            )
        }
        try checkFolder(of: path)
        try removeStale(address)
        guard let descriptor = UnixAddress.socket() else { throw fault("socket", path) }
        // bind(2) makes the file with the socket's own mode: it is never wider than asked for, not for a moment.
        _ = fchmod(descriptor.raw, 0o600)
        guard address.bind(descriptor.raw) == 0 else { throw fault("bind", path) }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw fault("lstat", path) }
        let listener = UnixListener(descriptor, path, status)
        if let group = group, lchown(path, uid_t.max, group) != 0 {
            let said = SystemError("lchown")
            listener.removeFile()
            throw UnixSocketError(
                "the socket \(path) cannot be given to group \(group): \(said); the agent's user must be a member of it",
                isRetriable: false)
        }
        guard chmod(path, mode) == 0, listen(listener.descriptor.raw, 64) == 0 else {
            let said = fault("listen", path)
            listener.removeFile()
            throw said
        }
        return listener
    }

    /// Removes the socket file, unless somebody has put another in its place.
    public func removeFile() {
        var status = stat()
        guard lstat(path, &status) == 0, UInt(status.st_dev) == device, UInt(status.st_ino) == inode else { return }
        _ = unlink(path)
    }

    private static func checkFolder(of path: String) throws(UnixSocketError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(folder, &status) == 0 else {
            throw UnixSocketError(
                "the socket's folder \(folder) cannot be used: \(SystemError.text(of: errno)); make it, or let systemd do so (RuntimeDirectory=)",
                isRetriable: true)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw UnixSocketError("the socket's folder \(folder) is no folder", isRetriable: false)
        }
    }

    private static func removeStale(_ address: UnixAddress) throws(UnixSocketError) {
        var status = stat()
        guard lstat(address.path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw UnixSocketError(
                "\(address.path) is there and is no socket; remove it, or choose another path", isRetriable: false)
        }
        guard let probe = UnixAddress.socket() else { throw fault("socket", address.path) }
        if address.connect(probe.raw) == 0 || errno == EAGAIN {
            throw UnixSocketError(
                "another agent listens on \(address.path); stop it, or choose another path", isRetriable: true)
        }
        guard errno == ECONNREFUSED || errno == ENOENT else { throw fault("connect", address.path) }
        guard unlink(address.path) == 0 || errno == ENOENT else { throw fault("unlink", address.path) }
    }

    private static func fault(_ call: String, _ path: String) -> UnixSocketError {
        UnixSocketError("the socket \(path) cannot be made: \(SystemError(call))", isRetriable: true)
    }
}

/// A Unix socket that cannot be made. One sentence: what was tried, what the system said, the way out.
public struct UnixSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    /// Whether trying again later may help.
    public let isRetriable: Bool

    init(_ description: String, isRetriable: Bool) {
        self.description = description
        self.isRetriable = isRetriable
    }
}
