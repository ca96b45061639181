import CXCB
import Glibc
import Loop

/// The screen of an X server, read as it changes: DAMAGE tells where, shared memory brings the pixels.
///
/// Made by and living on the capture thread, while somebody watches. A still screen costs nothing but a compare of all of it each
/// 20 s (`CompareClock`), on this machine only. A look that finds one small change takes one exchange with the server.
/// Source: the DAMAGE, XFIXES, MIT-SHM and RandR extensions' protocol documents (x11proto).
public final class X11Source: FrameSource {
    public struct Counts: Hashable, Sendable {
        public var looks = 0
        /// Damage that the server told of.
        public var damages = 0
        /// Pieces that were read, and their pixels.
        public var pieces = 0
        public var pixelsRead = 0
        /// Pieces that the server would not give, as when the screen's size has just changed.
        public var piecesRefused = 0
        /// Compares of all of the screen, and those that found a change no damage had told of.
        public var compares = 0
        public var lies = 0
        /// Parts that were moved up or down.
        public var scrolls = 0
        public var cursorsTooLarge = 0
        /// Errors of the protocol, none of which is fatal.
        public var errors = 0
        public init() {}
    }

    /// How much of the work of a storm one look does: the rest is due at once, after what was found is passed on.
    static let mostRounds = 3
    /// Batches of pieces that were refused one after the other.
    static let mostRefusals = 64
    static let mostEvents = 4096

    let x: X11Connection
    let layout: PixelLayout
    /// Nil: over a network, or the server shares no memory.
    let segment: SharedSegment?
    let damage: xcb_damage_damage_t
    /// Where the server puts what the damage was when it is subtracted.
    let parts: xcb_xfixes_region_t
    private let output: String?

    var picture: RawPicture
    /// What is shown, in the root window's coordinates.
    var area: PixelRect
    var clock: CompareClock
    /// The first rectangle of damage that was not fetched yet, in the root window's coordinates.
    var damaged: PixelRect?
    /// The number of the request that last subtracted it.
    var subtraction: UInt32?
    var isAreaStale = false
    private var isCursorStale = true
    private var mayHaveMore = false
    var isPictureStale = true
    /// Not read, and not in the picture; in its coordinates, and maybe outside of it.
    private(set) var concealed: [PixelRect] = []
    /// What was concealed and is to be read.
    var revealed = Damage()
    /// Nil where no mask follows a window.
    private var windows: X11Windows?
    private var toldWindows: WindowPlaces?
    var refusals = 0
    /// Of this look: whether what is read may be looked at for moves, the one that was found, and what was found changed.
    var isScrollWanted = false
    var scroll: ScreenCopy?
    var hope = ScrollHope()
    var changedNow = Damage()
    var tally = Counts()

    /// - Parameter windows: those whose places masks need.
    /// - Throws: `ScreenError`, whose code says whether another attempt may help.
    public convenience init(
        _ screen: X11Screen, following windows: Set<MaskPlan.WindowMatch> = []
    ) throws(ScreenError) {
        try self.init(screen, patience: X11Patience(), sharing: [.descriptor, .systemV], following: windows)
    }

    init(
        _ screen: X11Screen, patience: X11Patience, sharing: [SharedSegment.Kind],
        following matches: Set<MaskPlan.WindowMatch> = []
    ) throws(ScreenError) {
        x = try X11Connection(screen, patience: patience)
        guard let layout = x.pixels else {
            throw ScreenError(.unsupported, "\(x.address.sentence) cannot be shown: \(x.pixelsRefusal)")
        }
        guard x.extensions.damageEvent != nil, x.extensions.cursorEvent != nil else {
            let missing = x.extensions.damageEvent == nil ? "DAMAGE 1.1" : "XFIXES 2"
            throw ScreenError(
                .unsupported, "\(x.address.sentence) lacks the extension \(missing): start the X server with it")
        }
        self.layout = layout
        output = screen.output
        // Told of changes first, asked for the size then: none can slip between the two.
        xcb_change_window_attributes(
            x.raw, x.root, XCB_CW_EVENT_MASK.rawValue, [XCB_EVENT_MASK_STRUCTURE_NOTIFY.rawValue])
        if x.extensions.randrEvent != nil {
            let changes = XCB_RANDR_NOTIFY_MASK_SCREEN_CHANGE.rawValue | XCB_RANDR_NOTIFY_MASK_CRTC_CHANGE.rawValue
            let mask = changes | XCB_RANDR_NOTIFY_MASK_OUTPUT_CHANGE.rawValue
            xcb_randr_select_input(x.raw, x.root, UInt16(truncatingIfNeeded: mask))
        }
        windows = try X11Windows(x, matches)
        area = try X11Outputs.area(x, output: output)
        picture = try RawPicture(size: PixelSize(width: area.width, height: area.height))
        damage = xcb_generate_id(x.raw)
        // One event for the first damage, and then only where the box around all of it grows: however much is drawn, no more than
        // the screen has rows and columns.
        xcb_damage_create(x.raw, damage, x.root, UInt8(XCB_DAMAGE_REPORT_LEVEL_BOUNDING_BOX.rawValue))
        parts = xcb_generate_id(x.raw)
        xcb_xfixes_create_region(x.raw, parts, 0, nil)
        xcb_xfixes_select_cursor_input(x.raw, x.root, UInt32(XCB_XFIXES_CURSOR_NOTIFY_MASK_DISPLAY_CURSOR.rawValue))
        segment = try SharedSegment(x, allowed: sharing)
        clock = CompareClock(now: Boottime.monotonicNanoseconds())
    }

    public var size: PixelSize { picture.size }
    public var descriptor: Int32 { x.descriptor }
    public private(set) var nextLook: Int64? = 0

    public var counts: Counts {
        var counts = tally
        counts.errors = x.errors.values.reduce(0, +)
        return counts
    }

    public func withFrame<R>(_ body: (borrowing RawFrame) -> R) -> R { picture.withFrame(body) }

    public func conceal(_ rects: [PixelRect]) {
        guard rects != concealed else { return }
        for former in concealed {
            for part in former.intersection(bounds).without(rects) { revealed.add(part) }
        }
        concealed = rects
        for rect in rects { picture.forget(rect) }
        segment?.wipe()
        if !revealed.isEmpty { nextLook = 0 }
    }

    public func look() throws(ScreenError) -> ScreenChange {
        tally.looks += 1
        var change = ScreenChange()
        scroll = nil
        changedNow.removeAll()
        readEvents(reading: true)
        var rounds = 0
        while hasWork && rounds < Self.mostRounds {
            rounds += 1
            try refreshArea(&change)
            if windows?.isStale == true { try followWindows(again: change.damage) }
            if isCursorStale { change.cursor = try readCursor() ?? change.cursor }
            if isPictureStale {
                try readAll(&change.damage)
            } else {
                try readRevealed(&change.damage)
                try readDamage(&change.damage)
            }
            // What came in between the replies: the socket will not tell of it again.
            readEvents(reading: false)
        }
        if x.isLocal, !isAreaStale, !isPictureStale, Boottime.monotonicNanoseconds() >= clock.next {
            try compare(&change.damage)
            readEvents(reading: false)
        }
        try x.throwIfGone()
        if let scroll, change.size == nil {
            change.copies = [scroll]
            tally.scrolls += 1
        }
        nextLook = hasWork ? 0 : x.isLocal ? clock.next : nil
        settleWindows(&change)
        return change
    }

    private var hasWork: Bool {
        damaged != nil || isAreaStale || isCursorStale || isPictureStale || mayHaveMore || windows?.isStale == true
            || !revealed.isEmpty
    }

    /// Looks for the windows. What was read before in this look was read while they were elsewhere, and is read again.
    private func followWindows(again read: Damage) throws(ScreenError) {
        try windows?.walk(x, now: Boottime.monotonicNanoseconds())
        // What they left was damaged before the server answered.
        readEvents(reading: false)
        let moved = scroll?.to ?? .empty
        guard !read.isEmpty || !moved.isEmpty else { return }
        let seen = read.bounds.union(moved).offset(x: area.x, y: area.y)
        damaged = damaged.map { $0.union(seen) } ?? seen
    }

    /// Tells where the windows are, once nothing has happened to them since they were looked for and all that was drawn until then is in
    /// the picture. Before that it is not known what of the picture is theirs.
    private func settleWindows(_ change: inout ScreenChange) {
        guard windows != nil else { return }
        let now = Boottime.monotonicNanoseconds()
        windows?.forget(before: now)
        if windows?.isStale == true {
            windows?.isSettled = false
        } else if !hasWork {
            windows?.isSettled = true
        }
        if let end = windows?.nextEnd { nextLook = min(nextLook ?? end, end) }
        let places = windows?.places(in: area, now: now)
        if places != toldWindows { change.windows = places }
        toldWindows = places
    }

    /// At most so many: a program that changes the pointer without end does not keep a look from ending.
    private func readEvents(reading: Bool) {
        mayHaveMore = false
        for _ in 0..<Self.mostEvents {
            guard let event = x.nextEvent(reading: reading) else { return }
            switch event {
            case .damaged(let rect, let request):
                tally.damages += 1
                // What was sent before the server did the last subtraction is in what that fetched. Numbers may wrap.
                let isFetched = subtraction.map { Int32(bitPattern: request &- $0) < 0 } ?? false
                if !isFetched { damaged = damaged ?? rect }
            case .screenChanged: isAreaStale = true
            case .cursorChanged: isCursorStale = true
            case .windowsChanged: windows?.isStale = true
            case .keymapChanged, .other: break
            }
        }
        mayHaveMore = true
    }

    /// Follows the screen's size and place: another size is another picture.
    private func refreshArea(_ change: inout ScreenChange) throws(ScreenError) {
        guard isAreaStale else { return }
        isAreaStale = false
        let found = try X11Outputs.area(x, output: output)
        guard found != area else { return }
        let size = PixelSize(width: found.width, height: found.height)
        if size != picture.size {
            picture = try RawPicture(size: size)
            change.size = size
            change.damage.removeAll()
        }
        area = found
        isPictureStale = true
    }

    private func readCursor() throws(ScreenError) -> CursorShape? {
        isCursorStale = false
        let cookie = xcb_xfixes_get_cursor_image(x.raw)
        let reply = try x.reply(cookie.sequence, as: xcb_xfixes_get_cursor_image_reply_t.self)
        guard let reply, let pixels = xcb_xfixes_get_cursor_image_cursor_image(reply.pointer) else { return nil }
        let size = PixelSize(width: Int(reply.value.width), height: Int(reply.value.height))
        let count = Int(xcb_xfixes_get_cursor_image_cursor_image_length(reply.pointer))
        guard size.width <= 256, size.height <= 256, count == size.width * size.height else {
            tally.cursorsTooLarge += 1
            return nil
        }
        // Alpha in the high byte of a word, low byte first in memory.
        let bytes = UnsafeRawBufferPointer(start: pixels, count: count * 4)
        return CursorShape(
            size: size, hotX: Int(reply.value.xhot), hotY: Int(reply.value.yhot), pixels: Array(bytes))
    }
}
