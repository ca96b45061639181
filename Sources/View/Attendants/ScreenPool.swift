import CLinux
import CVNCServer
import Glibc
import Synchronization

/// All libvncserver screens that there will ever be in this process, made before any thread uses one, and used again and again.
///
/// `rfbGetScreen` initialises a mutex of the whole library anew each time, and so must not be called once an attendant's thread is
/// there. The same goes for the list of extensions, which is looked at once here. Nothing of the library's own network is ever started:
/// `rfbInitServer` is not called, it has no socket, no port, no thread. Source: libvncserver 0.9.14, rfb/rfb.h.
final class ScreenPool: Sendable {
    /// As many attendants as there can be at once.
    static let most = 96
    static let shared = ScreenPool()

    /// Owned by the pool, or by the attendant that took it, whose thread alone touches it.
    struct Screen: @unchecked Sendable {
        // A pointer that is handed over whole, under the pool's mutex.
        let pointer: UnsafeMutablePointer<rfbScreenInfo>
    }

    private let free: Mutex<[Screen]>

    private init() {
        // The library writes with write(2): a gate that closed its end would end the process.
        signal(SIGPIPE, SIG_IGN)
        // Each thread would get an arena of its own, which keeps what the encoders gave back. Source: mallopt(3), M_ARENA_MAX.
        mallopt(-8, 2)
        // A picture that waited for a viewer is given back to the system when it is gone. Left alone, the allocator takes a large piece that
        // was freed for a habit, and keeps such memory from then on. Source: mallopt(3), M_MMAP_THRESHOLD.
        mallopt(-3, 256 << 10)
        // Names and addresses of viewers are none of its log's business; what is worth telling is told by us.
        rfbLogEnable(0)
        FlowExtension.register()
        _ = rfbGetExtensionIterator()
        rfbReleaseExtensionIterator()
        var made: [Screen] = []
        for _ in 0..<Self.most {
            guard let screen = rfbGetScreen(nil, nil, 16, 16, 8, 3, 4) else { break }
            Self.prepare(screen)
            made.append(Screen(pointer: screen))
        }
        free = Mutex(made)
    }

    /// How many are not in use.
    var available: Int { free.withLock { $0.count } }

    /// nil where all are in use.
    func take() -> Screen? { free.withLock { $0.popLast() } }

    /// Gives a screen back that has no client any more.
    func giveBack(_ screen: Screen) {
        screen.pointer.pointee.screenData = nil
        screen.pointer.pointee.frameBuffer = nil
        screen.pointer.pointee.desktopName = nil
        free.withLock { $0.append(screen) }
    }

    private static func prepare(_ screen: UnsafeMutablePointer<rfbScreenInfo>) {
        screen.pointee.autoPort = 0
        screen.pointee.port = 0
        screen.pointee.ipv6port = 0
        screen.pointee.alwaysShared = -1
        screen.pointee.permitFileTransfer = 0
        // Changes are gathered in the mailbox; a deferral here would be a timer.
        screen.pointee.deferUpdateTime = 0
        screen.pointee.deferPtrUpdateTime = 0
        // Past 50 rectangles the library would send their bounding box, and read what was not copied for it.
        screen.pointee.maxRectsPerUpdate = 0
        // Only whole messages come: if one does not, it is our own fault, and not worth 20 s.
        screen.pointee.maxClientWait = 2000
        // Its own pointer picture would be drawn into the frame. One of no size is not; NULL crashes where it copies.
        screen.pointee.cursor = UnsafeMutablePointer<rfbCursor>.allocate(capacity: 1)
        screen.pointee.cursor.initialize(to: rfbCursor())
        screen.pointee.kbdAddEvent = { down, key, client in Attendant.of(client)?.hear(.key(key, isDown: down != 0)) }
        screen.pointee.ptrAddEvent = { buttons, x, y, client in
            Attendant.of(client)?.hear(
                .pointer(x: Int(x), y: Int(y), buttons: UInt8(truncatingIfNeeded: buttons)))
        }
        screen.pointee.getCursorPtr = { client in Attendant.of(client)?.cursorPicture }
    }
}
