import CXCB
import Glibc

/// Memory that the X server copies pieces of its screen into. Its size never changes, whatever the screen's does: large pieces
/// go through it in slices, so nothing of it is ever cut short or given another meaning.
///
/// Nobody else can open it: a descriptor passed to the server, or a System V segment of mode 0600 that is already marked for
/// removal when the server hears of it. Source: the MIT-SHM extension, version 1.2; shmctl(2), IPC_RMID.
final class SharedSegment {
    static let bytes = 2 << 20

    enum Kind: Hashable { case descriptor, systemV }

    let id: xcb_shm_seg_t
    let memory: UnsafeMutableRawPointer
    let kind: Kind
    private let x: X11Connection
    /// How far something was written since `wipe`. Bytes.
    private var used = 0

    /// Nil where server and we share no memory: over a network, or between users.
    init?(_ x: X11Connection, allowed: [Kind] = [.descriptor, .systemV]) throws(ScreenError) {
        guard x.isLocal, x.extensions.hasSharedMemory else { return nil }
        for kind in allowed where kind == .systemV || x.extensions.passesDescriptors {
            let id: xcb_shm_seg_t = xcb_generate_id(x.raw)
            let memory = try kind == .descriptor ? Self.passed(x, id) : Self.attached(x, id)
            guard let memory else { continue }
            (self.id, self.memory, self.kind, self.x) = (id, memory, kind, x)
            return
        }
        return nil
    }

    deinit {
        xcb_shm_detach(x.raw, id)
        if kind == .descriptor { munmap(memory, Self.bytes) } else { shmdt(memory) }
    }

    /// The server is going to write into the first `bytes`.
    func expect(_ bytes: Int) { used = max(used, bytes) }

    /// Forgets all that was written. Nothing may be under way.
    func wipe() {
        memset(memory, 0, min(used, Self.bytes))
        used = 0
    }

    private static func passed(_ x: X11Connection, _ id: xcb_shm_seg_t) throws(ScreenError) -> UnsafeMutableRawPointer?
    {
        let file = lw_memory_file("lanewatch-screen", bytes)
        guard file >= 0 else { return nil }
        let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let memory, memory != MAP_FAILED else {
            close(file)
            return nil
        }
        // XCB sends the descriptor and closes it.
        guard try x.accepts(xcb_shm_attach_fd_checked(x.raw, id, file, 0)) else {
            munmap(memory, bytes)
            return nil
        }
        PixelMemory.keepOutOfDumps(memory, bytes)
        return memory
    }

    private static func attached(_ x: X11Connection, _ id: xcb_shm_seg_t) throws(ScreenError)
        -> UnsafeMutableRawPointer?
    {
        let number = shmget(0, bytes, 0o1000 | 0o600)  // IPC_PRIVATE, IPC_CREAT
        guard number >= 0 else { return nil }
        let memory = shmat(number, nil, 0)
        // From here on it goes with its last user, and Linux still lets the server attach it by its number.
        shmctl(number, 0, nil)  // IPC_RMID
        guard let memory, memory != UnsafeMutableRawPointer(bitPattern: -1) else { return nil }
        guard try x.accepts(xcb_shm_attach_checked(x.raw, id, UInt32(bitPattern: number), 0)) else {
            shmdt(memory)
            return nil
        }
        PixelMemory.keepOutOfDumps(memory, bytes)
        return memory
    }
}
