import CLinux
import Glibc
import Loop
import Synchronization

/// What became of a screen since a watcher last asked: first a new frame if there is one, then `before`, then `copy`, then `after`.
public struct ScreenNews: Sendable {
    /// The frame to read from now on: the first one, and another after each change of size. All of it is in `before`.
    public var frame: MaskedFrame?
    /// Where the frame changed before `copy`.
    public var before = Damage()
    /// What was moved. The frame holds it moved already since `generation`: who copied pixels out of it since then may have some
    /// of them moved, and has to take `copy.to` for changed.
    public var copy: (copy: ScreenCopy, generation: UInt64)?
    /// Where it changed after `copy`, or all along where there is none.
    public var after = Damage()
    /// The pointer's new picture.
    public var cursor: CursorShape?

    public init() {}
}

/// One watcher's news: written by the capture thread, taken by the watcher's. Bounded, as it merges what waits: the newest frame, at
/// most twice `Damage.limit` rectangles, one copy, one cursor.
///
/// `descriptor` becomes readable when there is news, and by `wake`. A watcher that is not ready for news leaves it here: only what
/// was taken is told anew, so that one who waits is not woken for each change.
public final class Mailbox: Sendable {
    private struct State {
        var news = ScreenNews()
        var hasNews = false
    }

    private let state = Mutex(State())
    private let event: Descriptor

    public init() throws(SystemError) {
        let raw = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard raw >= 0 else { throw SystemError("eventfd") }
        event = Descriptor(owning: raw)
    }

    public var descriptor: Int32 { event.raw }

    public var hasNews: Bool { state.withLock { $0.hasNews } }

    /// All news until now. The next one wakes again.
    public func take() -> ScreenNews {
        state.withLock { state in
            defer { state = State() }
            return state.news
        }
    }

    /// Makes `descriptor` readable without news: something else is to be looked at.
    public func wake() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    /// Makes `descriptor` wait again. To be called before looking at what it told of.
    public func settle() {
        var count: UInt64 = 0
        _ = read(event.raw, &count, 8)
    }

    func post(_ frame: MaskedFrame) {
        tell { news in
            let cursor = news.cursor
            news = ScreenNews()
            news.cursor = cursor
            news.frame = frame
            news.before = Damage(frame.size.bounds)
        }
    }

    func post(_ damage: Damage) {
        guard !damage.isEmpty else { return }
        tell { news in
            if news.copy == nil { news.before.add(damage) } else { news.after.add(damage) }
        }
    }

    func post(_ copy: ScreenCopy, generation: UInt64) {
        tell { news in
            if let earlier = news.copy {
                // Two cannot wait: the earlier one becomes a change, and all after it is before the new one.
                news.before.add(earlier.copy.to)
                news.before.add(news.after)
                news.after.removeAll()
            }
            news.copy = (copy, generation)
        }
    }

    func post(_ cursor: CursorShape) { tell { $0.cursor = cursor } }

    private func tell(_ change: (inout ScreenNews) -> Void) {
        let mustWake = state.withLock { state in
            change(&state.news)
            defer { state.hasNews = true }
            return !state.hasNews
        }
        if mustWake { wake() }
    }
}
