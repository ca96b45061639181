import Glibc

/// What tells that the file at a path is another than before, or was written to. Source: stat(2).
public struct FileMark: Hashable, Sendable {
    private var inode: UInt64 = 0
    private var bytes: Int64 = -1
    private var changed: Int64 = 0

    /// Of the file that is there now; all files that cannot be looked at have the same.
    public init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        inode = UInt64(status.st_ino)
        bytes = Int64(status.st_size)
        // Of the inode, so that a file with an old date that is put in its place counts too.
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    }
}
