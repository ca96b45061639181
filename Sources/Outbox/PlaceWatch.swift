import CLinux
import Glibc
import Loop

/// Tells whether the names of a folder, its own, or the mounts may have changed, for one call into the kernel where they have not.
///
/// It may tell of a change that was none, never the other way round: a name is gone for it once the call that took it away
/// returns. Sources: inotify(7); proc_pid_mountinfo(5), poll reports a priority event once the mounts have changed.
final class PlaceWatch {
    private let names: Descriptor
    private let mounts: Descriptor

    /// Nil where this cannot be watched: its path goes through a symbolic link, which anybody may turn elsewhere unseen, a folder above it
    /// is not readable, or the user has no more instances of inotify.
    init?(folder: String) {
        guard let real = realpath(folder, nil) else { return nil }
        defer { free(real) }
        let names = Descriptor(owning: inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK)))
        let mounts = Descriptor(owning: lw_open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC, 0))
        guard names.raw >= 0, mounts.raw >= 0, String(cString: real) == folder else { return nil }
        let itself = UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
        let within = UInt32(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
        guard inotify_add_watch(names.raw, folder, itself | within) >= 0 else { return nil }
        // Whoever renames a folder above takes this one with it.
        var above = folder[...]
        while let slash = above.lastIndex(of: "/"), slash > above.startIndex {
            above = above[..<slash]
            guard inotify_add_watch(names.raw, String(above), itself) >= 0 else { return nil }
        }
        self.names = names
        self.mounts = mounts
    }

    /// Whether anything may have changed since the last call, or since the beginning.
    func hasSeenChange() -> Bool {
        let isQuiet = withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { watched in
            watched.initializeElement(at: 0, to: pollfd(fd: names.raw, events: Int16(POLLIN), revents: 0))
            watched.initializeElement(at: 1, to: pollfd(fd: mounts.raw, events: Int16(POLLPRI), revents: 0))
            return poll(watched.baseAddress, 2, 0) == 0
        }
        guard !isQuiet else { return false }
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { space in
            while let start = space.baseAddress, read(names.raw, start, space.count) > 0 {}
        }
        return true
    }
}
