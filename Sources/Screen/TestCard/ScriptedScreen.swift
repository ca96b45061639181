import CLinux
import Glibc
import Loop
import Synchronization

/// A screen that is drawn on by calls, from any thread: for demos without X, and for tests.
///
/// It plays the X server; `makeSource` is what `Capture` asks for. Each call changes the pixels at once and the next look tells of it.
public final class ScriptedScreen: Sendable {
    // @unchecked: the pixels are touched under the mutex alone; what leaves it is a copy.
    private struct State: @unchecked Sendable {
        var pixels: PixelStore
        var change = ScreenChange()
        var cursor: CursorShape?
        /// Counted up by each change: what a source has not yet told.
        var changes = 0
        var isThere = true
    }

    private let state: Mutex<State>
    private let event: Descriptor
    private let made = Atomic<Int>(0)

    /// A black screen. - Throws: where the system gives no eventfd.
    public init(size: PixelSize) throws(SystemError) {
        let raw = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard raw >= 0 else { throw SystemError("eventfd") }
        event = Descriptor(owning: raw)
        state = Mutex(State(pixels: PixelStore(size: size)))
    }

    public var size: PixelSize { state.withLock { $0.pixels.size } }

    /// Whether all that was drawn has been told.
    public var isSettled: Bool { state.withLock { $0.changes == 0 } }
    /// How many sources live now.
    public var sources: Int { made.load(ordering: .relaxed) }

    // MARK: Drawing

    /// Gives each pixel of `rect` the colour 0xRRGGBB that `colour(x, y)` says.
    public func draw(_ rect: PixelRect, _ colour: (Int, Int) -> UInt32) {
        change { state in
            state.pixels.draw(rect, colour)
            state.change.damage.add(rect.intersection(state.pixels.size.bounds))
        }
    }

    public func fill(_ rect: PixelRect, _ colour: UInt32) { draw(rect) { _, _ in colour } }

    /// Moves what is in `from` by (`dx`, `dy`), as XCopyArea does: what is not covered stays. Only what lies on the screen moves.
    public func scroll(_ from: PixelRect, dx: Int, dy: Int) {
        change { state in
            let bounds = state.pixels.size.bounds
            let target = from.intersection(bounds).offset(x: dx, y: dy).intersection(bounds)
            guard !target.isEmpty, dx != 0 || dy != 0 else { return }
            let copy = ScreenCopy(from: target.offset(x: -dx, y: -dy), dx: dx, dy: dy)
            state.pixels.move(copy.from, dx: dx, dy: dy)
            // What changed since the last look was moved too, but not at those who know only that look.
            for rect in state.change.damage.rects {
                state.change.damage.add(rect.intersection(copy.from).offset(x: dx, y: dy))
            }
            if state.change.copies.isEmpty { state.change.copies = [copy] } else { state.change.damage.add(copy.to) }
        }
    }

    /// The screen has another size, and is black.
    public func resize(_ size: PixelSize) {
        change { state in
            state.pixels = PixelStore(size: size)
            let cursor = state.change.cursor
            state.change = ScreenChange()
            state.change.cursor = cursor
            state.change.size = size
        }
    }

    public func point(_ cursor: CursorShape) {
        change { state in
            state.cursor = cursor
            state.change.cursor = cursor
        }
    }

    /// The screen goes away as an X server does, or comes back.
    public func setThere(_ isThere: Bool) { change { $0.isThere = isThere } }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            state.changes += 1
        }
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    // MARK: The source

    public func makeSource() throws(ScreenError) -> any FrameSource {
        let isThere = state.withLock { state in
            // A new source knows nothing: its first look tells of all there is.
            state.change = ScreenChange()
            state.change.cursor = state.cursor
            state.changes = 0
            return state.isThere
        }
        guard isThere else { throw Self.gone }
        return Source(self)
    }

    private static let gone = ScreenError(.unreachable, "the scripted screen is away")

    private final class Source: FrameSource {
        let screen: ScriptedScreen
        /// The picture of the last look: what is drawn later is not in it.
        var shown: PixelStore

        init(_ screen: ScriptedScreen) {
            self.screen = screen
            shown = screen.state.withLock { $0.pixels.copy() }
            screen.made.add(1, ordering: .relaxed)
        }

        deinit { screen.made.subtract(1, ordering: .relaxed) }

        var size: PixelSize { shown.size }
        var descriptor: Int32 { screen.event.raw }
        var nextLook: Int64? { nil }

        func look() throws(ScreenError) -> ScreenChange {
            var count: UInt64 = 0
            _ = read(screen.event.raw, &count, 8)
            let seen = screen.state.withLock { state in
                defer {
                    state.change = ScreenChange()
                    state.changes = 0
                }
                return State(
                    pixels: state.pixels.copy(), change: state.change, changes: 0, isThere: state.isThere)
            }
            guard seen.isThere else { throw ScriptedScreen.gone }
            shown = seen.pixels
            return seen.change
        }

        func withFrame<R>(_ body: (borrowing RawFrame) -> R) -> R { shown.withFrame(body) }
    }
}
