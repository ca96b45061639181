import CLinux
import CXCB
import Glibc
import Lane
import Loop
import Synchronization

/// A line of text over all that a screen shows: "This lane is being viewed by an attendant".
///
/// A window that no window manager knows, above all others and put there again when it is covered; what is touched or clicked on it
/// goes to what is below. It exists while there is a text, as does its connection: after a restart of the X server it comes back by
/// itself. One thread of its own; any thread may call.
public final class X11Notice: Sendable {
    private struct State {
        var text: String?
        var isOver = false
        var isShown = false
        var fault: ScreenError?
    }

    private let screen: X11Screen
    private let isAtBottom: Bool
    private let tell: @Sendable (Notice) -> Void
    private let state = Mutex(State())
    private let wake: Descriptor

    /// - Parameter tell: what an operator should read; on the notice's thread.
    public init(
        _ screen: X11Screen, isAtBottom: Bool = false, tell: @escaping @Sendable (Notice) -> Void = { _ in }
    ) throws(SystemError) {
        self.screen = screen
        self.isAtBottom = isAtBottom
        self.tell = tell
        let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard raw >= 0 else { throw SystemError("eventfd") }
        wake = Descriptor(owning: raw)
        startThread(name: "notice", stackBytes: 256 << 10) { [self] in run() }
    }

    /// Shows `text`, of which 200 characters at most, or nothing.
    public func show(_ text: String?) {
        state.withLock { $0.text = text.flatMap { $0.isEmpty ? nil : String($0.prefix(200)) } }
        eventfd_write(wake.raw, 1)
    }

    /// Nothing is shown any more, and its thread ends.
    public func stop() {
        state.withLock { state in
            state.isOver = true
            state.text = nil
        }
        eventfd_write(wake.raw, 1)
    }

    /// Whether the window is on the screen.
    public var isShown: Bool { state.withLock { $0.isShown } }
    /// Why it is not, where it should be.
    public var fault: ScreenError? { state.withLock { $0.fault } }

    private var text: String? { state.withLock { $0.text } }

    // MARK: The thread

    private func run() {
        var pause: Int32 = 1000
        while true {
            while text == nil {
                if state.withLock({ $0.isOver }) { return }
                sleep(-1)
            }
            do throws(ScreenError) {
                try show { pause = 1000 }
            } catch {
                let isNew = state.withLock { state in
                    defer { state.fault = error }
                    return state.fault == nil
                }
                if isNew {
                    tell(Notice(.warning, "the lane's notice cannot be shown", [.init("error", error.description)]))
                }
                sleep(pause)
                pause = min(pause * 2, 15_000)
            }
        }
    }

    /// Until there is no text any more.
    private func show(whenShown: () -> Void) throws(ScreenError) {
        defer { state.withLock { $0.isShown = false } }
        guard var shown = text else { return }
        let banner = try X11Banner(screen, isAtBottom: isAtBottom, shown)
        state.withLock { state in
            state.isShown = true
            state.fault = nil
        }
        whenShown()
        while let wanted = text {
            if wanted != shown { try banner.say(wanted) }
            shown = wanted
            let milliseconds = try banner.follow()
            sleep(milliseconds, banner.descriptor)
        }
        try banner.vanish()
    }

    private func sleep(_ milliseconds: Int32, _ descriptor: Int32? = nil) {
        var waiting = [pollfd(fd: wake.raw, events: Int16(POLLIN), revents: 0)]
        if let descriptor { waiting.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
        _ = poll(&waiting, nfds_t(waiting.count), milliseconds)
        var count: UInt64 = 0
        eventfd_read(wake.raw, &count)
    }
}
