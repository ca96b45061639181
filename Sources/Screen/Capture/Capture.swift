import CLinux
import Glibc
import Lane
import Loop
import Synchronization

/// The one owner of a lane's screen: a thread that looks at a `FrameSource`, masks what changed and tells all watchers.
///
/// A source is made when the first watcher comes and released when the last is gone: an unwatched screen costs a sleeping thread. The
/// thread sleeps in poll(2) on the source's descriptor and an eventfd, without a timeout unless the source or a back-off asks for one.
/// A source that fails is asked for anew after 1 s, then 2, 4, 8, 15 and every 15 s; watchers see black meanwhile.
///
/// All functions may be called on any thread. `stop` ends the thread, which keeps this object alive until then.
public final class Capture: Sendable {
    public static let mostWatchers = 128
    /// The size of the black screen that is shown until a source has been there once.
    public static let blindSize = PixelSize(width: 1024, height: 768)

    /// What the thread has done since it began.
    public struct Counts: Hashable, Sendable {
        public var wakeUps = 0
        public var looks = 0
        /// Looks that found a change.
        public var changes = 0
        public var copies = 0
        /// Moves that were told as changes, as a mask lies on them.
        public var copiesMasked = 0
        public var sourcesMade = 0
        public var sourcesFailed = 0
        public var masks = 0
    }

    fileprivate struct State {
        /// As it was set, and as it is placed on the windows: this one is in force.
        var plan: Mask
        var mask: Mask
        var windows = WindowPlaces.unknown
        var frame: MaskedFrame?
        var cursor: CursorShape?
        /// What an earlier mask hid: to be brought anew by the source.
        var uncovered = Damage()
        var watchers: [ObjectIdentifier: Mailbox] = [:]
        /// Those that have no frame yet.
        var newcomers: [ObjectIdentifier] = []
        var problem: ScreenError?
        var counts = Counts()
        var isRunning = false
        var isStopped = false
    }

    public typealias SourceMaker = @Sendable () throws(ScreenError) -> any FrameSource

    private let state: Mutex<State>
    private let event: Descriptor
    private let makeSource: SourceMaker
    private let report: @Sendable (Notice) -> Void
    private let masked: @Sendable () -> Void

    /// - Parameters:
    ///   - mask: what holds until `setMask`. Everything is hidden unless something better is known.
    ///   - makeSource: called on the capture thread, which alone uses what it returns.
    ///   - report: what an operator may want to read: that the screen is gone, that it is back. On the capture thread.
    ///   - masked: `mask` has become another, or has other reasons. On the thread that set it, or on the capture thread.
    public init(
        mask: Mask = .everything, report: @escaping @Sendable (Notice) -> Void = { _ in },
        masked: @escaping @Sendable () -> Void = {},
        makeSource: @escaping SourceMaker
    ) throws(SystemError) {
        let raw = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard raw >= 0 else { throw SystemError("eventfd") }
        event = Descriptor(owning: raw)
        state = Mutex(State(plan: mask, mask: mask.placed(on: .unknown)))
        self.makeSource = makeSource
        self.report = report
        self.masked = masked
    }

    /// The screen's news go to `mailbox` from now on, a frame first. It is of now: the source is looked at before.
    /// - Returns: false where there are `mostWatchers` already, or the capture was stopped.
    public func watch(_ mailbox: Mailbox) -> Bool {
        let (isIn, mustStart) = state.withLock { state in
            let id = ObjectIdentifier(mailbox)
            if state.watchers[id] != nil { return (!state.isStopped, false) }
            guard state.watchers.count < Self.mostWatchers, !state.isStopped else { return (false, false) }
            state.watchers[id] = mailbox
            state.newcomers.append(id)
            defer { state.isRunning = true }
            return (true, !state.isRunning)
        }
        if mustStart { startThread(name: "capture") { [self] in run() } }
        wake()
        return isIn
    }

    public func unwatch(_ mailbox: Mailbox) {
        let isLast = state.withLock { state in
            state.watchers[ObjectIdentifier(mailbox)] = nil
            state.newcomers.removeAll { $0 == ObjectIdentifier(mailbox) }
            return state.watchers.isEmpty
        }
        if isLast { wake() }
    }

    /// What is hidden from now on. When this returns, no frame shows any of it, and no later change will: what the mask hides is
    /// black at once, on the caller's thread, under the same lock under which the capture thread writes.
    public func setMask(_ mask: Mask) {
        let isOther = state.withLock { state in
            state.plan = mask
            return state.place()
        }
        if isOther { masked() }
        wake()
    }

    /// What is hidden now, windows included.
    public var mask: Mask { state.withLock { $0.mask } }
    /// The masked screen as it is now; nil while nobody watches.
    public var frame: MaskedFrame? { state.withLock { $0.frame } }
    /// Why the screen is black, where its source failed.
    public var problem: ScreenError? { state.withLock { $0.problem } }
    public var counts: Counts { state.withLock { $0.counts } }
    public var watchers: Int { state.withLock { $0.watchers.count } }

    /// Ends the thread and releases the source. No watcher hears anything any more.
    public func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    // MARK: The thread

    /// The source, and when to ask for another. Lives on the capture thread.
    private struct Eye {
        var source: (any FrameSource)?
        var attempts = 0
        var nextAttempt: Int64?
    }

    private func run() {
        var eye = Eye()
        while true {
            let (isStopped, isWatched) = state.withLock { state in
                if state.watchers.isEmpty || state.isStopped { state.rest() }
                return (state.isStopped, !state.watchers.isEmpty)
            }
            if isStopped { return }
            if isWatched { look(&eye) } else { eye = Eye() }
            sleep(eye)
        }
    }

    private func look(_ eye: inout Eye) {
        do {
            if eye.source == nil, eye.nextAttempt.map({ Boottime.monotonicNanoseconds() >= $0 }) ?? true {
                let source = try makeSource()
                eye = Eye(source: source, attempts: eye.attempts)
                state.withLock { $0.counts.sourcesMade += 1 }
                conceal(source)
                var change = try source.look()
                change.size = source.size
                try publish(change, of: source)
                if eye.attempts > 0 { report(Notice(.info, "screen is back")) }
                eye.attempts = 0
            } else if let source = eye.source {
                conceal(source)
                try publish(try source.look(), of: source)
            }
        } catch {
            eye = Eye(attempts: eye.attempts + 1)
            let seconds = min(15, 1 << min(eye.attempts - 1, 4))
            eye.nextAttempt = Boottime.monotonicNanoseconds() + Int64(seconds) * 1_000_000_000
            goBlack(error)
            if eye.attempts == 1 { report(Notice(.info, "screen is gone", [.init("why", error.description)])) }
        }
        greet()
    }

    /// Masks what changed and tells it. Frame, mask and mailboxes change under one lock: whoever sets a mask finds it in force.
    private func publish(_ change: ScreenChange, of source: any FrameSource) throws(ScreenError) {
        // A frame is made outside of the lock, as it may fail; this thread alone replaces it.
        let current = state.withLock { $0.frame }
        var fresh: MaskedFrame?
        if current?.size != source.size { fresh = try MaskedFrame(size: source.size) }
        let renewed = fresh
        if let windows = change.windows {
            let isOther = state.withLock { state in
                state.windows = windows
                return state.place()
            }
            if isOther { masked() }
        }
        source.withFrame { raw in
            state.withLock { state in
                state.counts.looks += 1
                state.problem = nil
                if let cursor = change.cursor {
                    state.cursor = cursor
                    state.tell { $0.post(cursor) }
                }
                if let renewed {
                    state.frame = renewed
                    state.uncovered.removeAll()
                    _ = state.mask.apply(raw, Damage(renewed.size.bounds), to: renewed)
                    state.tell { $0.post(renewed) }
                    state.counts.changes += 1
                    return
                }
                guard let frame = state.frame else { return }
                var damage = change.size == nil ? change.damage : Damage(frame.size.bounds)
                // What was drawn over a move came into the frame with it, and is told all the same: the move does not bring it.
                var over = Damage()
                for copy in change.copies where change.size == nil {
                    if let rest = state.move(copy, raw, frame) {
                        damage.add(rest)
                    } else {
                        over.add(change.damage.clipped(to: copy.to))
                    }
                }
                damage.add(state.uncovered)
                state.uncovered.removeAll()
                guard !damage.isEmpty else { return }
                var changed = state.mask.apply(raw, damage, to: frame)
                changed.add(over)
                state.counts.changes += 1
                state.tell { $0.post(changed) }
            }
        }
        if change.windows != nil { conceal(source) }
    }

    /// What is hidden is not even read, as far as it is known where that is.
    private func conceal(_ source: any FrameSource) { source.conceal(state.withLock { $0.concealed }) }

    private func goBlack(_ problem: ScreenError) {
        let fresh = state.withLock({ $0.frame }) == nil ? try? MaskedFrame(size: Self.blindSize) : nil
        state.withLock { state in
            state.problem = problem
            state.counts.sourcesFailed += 1
            state.forgetWindows()
            if let fresh { state.frame = fresh }
            guard let frame = state.frame else { return }
            let covered = Mask.everything.cover(frame)
            state.tell { $0.post(covered) }
        }
    }

    /// Gives newcomers their first frame, after the look that made it new.
    private func greet() {
        state.withLock { state in
            guard let frame = state.frame else { return }
            for id in state.newcomers {
                state.watchers[id]?.post(frame)
                if let cursor = state.cursor { state.watchers[id]?.post(cursor) }
            }
            state.newcomers.removeAll()
        }
    }

    private func sleep(_ eye: Eye) {
        var entries = [
            pollfd(fd: event.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: eye.source?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        var timeout: Int32 = -1
        if let due = eye.source?.nextLook ?? eye.nextAttempt {
            timeout = Int32(clamping: max(0, due - Boottime.monotonicNanoseconds() + 999_999) / 1_000_000)
        }
        // EINTR and others only mean one look too many.
        _ = poll(&entries, 2, timeout)
        var count: UInt64 = 0
        if entries[0].revents != 0 { _ = read(event.raw, &count, 8) }
        state.withLock { $0.counts.wakeUps += 1 }
    }
}

extension Capture.State {
    /// Tells those watchers that have a frame.
    func tell(_ post: (Mailbox) -> Void) {
        for (id, mailbox) in watchers where !newcomers.contains(id) { post(mailbox) }
    }

    /// Has the plan hide what it hides where the windows are now. What is hidden from now on is black at once, and what is not any
    /// more comes with the next look.
    /// - Returns: whether anything of the mask is another.
    mutating func place() -> Bool {
        let earlier = mask
        mask = plan.placed(on: windows)
        guard !mask.hidesTheSame(as: earlier) else { return mask.reasons != earlier.reasons }
        counts.masks += 1
        guard let frame else { return true }
        let covered = mask.cover(frame)
        for area in earlier.areas { uncovered.add(area.rect ?? frame.size.bounds) }
        // Damage of that many areas covers more than they do.
        if mask.areas.count > Damage.limit { uncovered.add(covered) }
        tell { $0.post(covered) }
        return true
    }

    /// The rectangles that are hidden for what is there: not all of the screen where it is not known for a moment where a window is.
    var concealed: [PixelRect] {
        let areas = windows == .unknown ? plan.areas : mask.areas
        return areas.map { $0.rect ?? PixelSize.largest.bounds }
    }

    /// Without the screen nobody knows where they are.
    mutating func forgetWindows() {
        windows = .unknown
        mask = plan.placed(on: windows)
    }

    /// Nobody watches: nothing is kept.
    mutating func rest() {
        frame = nil
        forgetWindows()
        cursor = nil
        problem = nil
        uncovered.removeAll()
    }

    /// Brings what was moved into `frame` and tells it as a copy, unless a mask lies on where it came from or went to.
    /// - Returns: what is to be told as changed instead.
    mutating func move(_ copy: ScreenCopy, _ raw: borrowing RawFrame, _ frame: MaskedFrame) -> PixelRect? {
        let bounds = frame.size.bounds
        guard bounds.contains(copy.from), bounds.contains(copy.to), !mask.hides(copy.from), !mask.hides(copy.to),
            uncovered.isEmpty
        else {
            counts.copiesMasked += 1
            return copy.to
        }
        _ = mask.apply(raw, Damage(copy.to), to: frame)
        counts.copies += 1
        let generation = frame.generation
        tell { $0.post(copy, generation: generation) }
        return nil
    }
}
