import CLinux
import CVNCServer
import Glibc
import Loop
import Screen
import Synchronization

/// One attendant: an encoder of libvncserver with a screen of its own, on a thread of its own, which nobody else waits for.
///
/// The thread sleeps until its viewer says something, the screen has news, or the gate has room again; no timers, but for what was
/// sent by JPEG and is to be sent exactly once it rests, and for memory that large pictures needed. It reads what
/// waits (at most 32 messages), then, if the viewer has asked and the gate has room, takes the news and sends one update, encoded from a
/// copy of exactly what it sends (`Attendant+Update.swift`).
public final class Attendant: @unchecked Sendable {
    // @unchecked: what is below "the thread's own" is touched by the attendant's thread alone; all else is atomic, locked or let.

    static let stackBytes = 256 << 10
    /// As many messages are read before pictures are looked after again.
    static let mostMessages = 32

    /// What one attendant has cost and done. Pixels before encoding.
    public struct Counts: Hashable, Sendable {
        public var messages = 0
        public var updates = 0
        /// Updates that held a part of what changed.
        public var slices = 0
        /// Updates that sent again, as it is, what was sent by JPEG.
        public var mends = 0
        public var pixels = 0
        /// Parts that were sent by JPEGs of ours, and those of them that were made for another attendant.
        public var pictures = 0
        public var sharedPictures = 0
        public var copies = 0
        /// Moves sent as pixels, as the viewer has some of them moved already.
        public var copiesAsPixels = 0
        public var sizes = 0
        public var cursors = 0
        public var fences = 0
        /// How often there was no room at the gate for a picture that was wanted.
        public var waits = 0
        public var inputs = 0
        /// Of one that may no longer, or beyond what hands do. What one sends that only watches, the library drops uncounted.
        public var inputsIgnored = 0
        public var wakeUps = 0
    }

    let id: AttendantID
    private let label: String
    private let pooled: ScreenPool.Screen
    let mailbox: Mailbox
    let backlog: Backlog
    private let capture: Capture
    let scratch: ScratchPool
    let share: PictureShare
    private let hearing: @Sendable (AttendantID, InputEvent) -> Void
    private let controls: Atomic<Bool>
    private let isEnding = Atomic<Bool>(false)
    private let published = Mutex(Counts())

    // The thread's own.
    var client: UnsafeMutablePointer<rfbClientRec>?
    var frame: MaskedFrame?
    /// Of `frame` when a part of it was copied last: what was moved before is in that copy.
    var lastCopied: UInt64 = 0
    /// The size that the viewer knows of.
    var knownSize = PixelSize(width: 0, height: 0)
    var cursor: CursorPicture?
    var tally = Counts()
    private var pressed = PressedInput()
    var flow = Flow()
    var slices = Slices()
    var loss = LossMap()
    var lastMend: Int64 = 0
    /// When the memory of large pictures is given back; milliseconds.
    var trimDue: Int64?
    /// The viewer has asked for a picture, whether it has changed or not, and has it not yet.
    var wantsAll = false
    var ending: AttendantEnding?

    init(
        id: AttendantID, label: String, screen: ScreenPool.Screen, mailbox: Mailbox, backlog: Backlog, capture: Capture,
        scratch: ScratchPool, share: PictureShare, controls: Bool,
        hear: @escaping @Sendable (AttendantID, InputEvent) -> Void
    ) {
        self.id = id
        self.label = label
        pooled = screen
        self.mailbox = mailbox
        self.backlog = backlog
        self.capture = capture
        self.scratch = scratch
        self.share = share
        self.controls = Atomic(controls)
        hearing = hear
    }

    var counts: Counts { published.withLock { $0 } }
    var screen: UnsafeMutablePointer<rfbScreenInfo> { pooled.pointer }

    func end() {
        isEnding.store(true, ordering: .releasing)
        mailbox.wake()
    }

    func setControls(_ isOn: Bool) {
        controls.store(isOn, ordering: .releasing)
        mailbox.wake()
    }

    // MARK: The thread

    /// The attendant's life. Closes `socket`, gives the screen back.
    func run(owning socket: Int32) -> AttendantEnding {
        defer {
            if trimDue != nil {
                scratch.trim(unusedSince: .max)
                share.trim(at: .max)
            }
            for event in pressed.release() { hearing(id, event) }
            capture.unwatch(mailbox)
            frame = nil
            published.withLock { $0 = tally }
            screen.pointee.screenData = nil
            ScreenPool.shared.giveBack(pooled)
        }
        guard capture.watch(mailbox) else {
            close(socket)
            return .full
        }
        guard awaitFrame(socket), let ready = greet(socket) else { return ending ?? .gateClosed }
        client = ready
        converse(ready)
        client = nil
        if ready.pointee.sock >= 0 { rfbCloseClient(ready) }
        FlowExtension.release(ready)
        rfbClientConnectionGone(ready)
        cursor = nil
        return ending ?? .gateClosed
    }

    /// Waits for the first frame: the viewer is told of a size only when there is a picture of it.
    private func awaitFrame(_ socket: Int32) -> Bool {
        while ending == nil {
            sleep(socket)
            guard mailbox.hasNews else { continue }
            let news = mailbox.take()
            if let cursor = news.cursor { self.cursor = CursorPicture(cursor) }
            if let frame = news.frame {
                self.frame = frame
                knownSize = frame.size
                return true
            }
        }
        close(socket)
        return false
    }

    /// Makes the library's client. Its greeting waits in the socket already, so nothing here waits.
    private func greet(_ socket: Int32) -> UnsafeMutablePointer<rfbClientRec>? {
        guard let frame else { return nil }
        screen.pointee.screenData = Unmanaged.passUnretained(self).toOpaque()
        fit(screen, frame.size)
        loss.begin(frame.size)
        let client = label.withCString { label in
            screen.pointee.desktopName = label
            defer { screen.pointee.desktopName = nil }
            guard let client = rfbNewClient(screen, socket) else { return UnsafeMutablePointer<rfbClientRec>?.none }
            // The version, then ClientInit, which is answered by ServerInit with the label.
            rfbProcessClientMessage(client)
            if client.pointee.sock >= 0 { rfbProcessClientMessage(client) }
            return client
        }
        if client == nil { ending = .encoder }
        return client
    }

    private func converse(_ client: UnsafeMutablePointer<rfbClientRec>) {
        while ending == nil, client.pointee.sock >= 0 {
            client.pointee.viewOnly = controls.load(ordering: .acquiring) ? 0 : -1
            if client.pointee.viewOnly != 0, !pressed.isEmpty {
                for event in pressed.release() { hearing(id, event) }
            }
            hearMessages(client)
            // It closes the socket for what it does not take, and where it cannot write: then the gate is gone.
            guard client.pointee.sock >= 0 else { return ending = .encoder }
            update(client)
            published.withLock { $0 = tally }
            guard client.pointee.sock >= 0 else { return ending = ending ?? .gateClosed }
            if ending == nil { sleep(client.pointee.sock) }
        }
    }

    private func hearMessages(_ client: UnsafeMutablePointer<rfbClientRec>) {
        var heard = 0
        // The first two bytes of a message: its kind, and, of a request, whether changes are enough.
        var head: (UInt8, UInt8) = (0, 0)
        while heard < Self.mostMessages, client.pointee.sock >= 0,
            recv(client.pointee.sock, &head, 2, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
        {
            if head.0 == 3, head.1 == 0 { wantsAll = true }
            rfbProcessClientMessage(client)
            head = (0, 0)
            heard += 1
            answer(client)
        }
        tally.messages += heard
    }

    /// Sleeps until the viewer says something, there is news, room or an end.
    private func sleep(_ socket: Int32) {
        var entries = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
            pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // Before there is a client, its greeting waits in the socket: that is not to be woken for.
        if client == nil { entries[0].events = 0 }
        while poll(&entries, 2, timeout()) < 0, errno == EINTR {}
        tally.wakeUps += 1
        trim()
        if entries[1].revents != 0 { mailbox.settle() }
        if isEnding.load(ordering: .acquiring) {
            ending = .told
        } else if entries[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 {
            ending = .gateClosed
        }
    }

    // MARK: From the library

    /// The attendant of a client, within a call of the library on its thread.
    static func of(_ client: UnsafeMutablePointer<rfbClientRec>?) -> Attendant? {
        guard let context = client?.pointee.screen?.pointee.screenData else { return nil }
        return Unmanaged<Attendant>.fromOpaque(context).takeUnretainedValue()
    }

    var cursorPicture: UnsafeMutablePointer<rfbCursor>? { cursor?.pointer }

    func hear(_ event: InputEvent) {
        var event = event
        if case .pointer(let x, let y, let buttons) = event {
            let size = frame?.size ?? knownSize
            event = .pointer(
                x: min(max(0, x), max(0, size.width - 1)), y: min(max(0, y), max(0, size.height - 1)), buttons: buttons)
        }
        guard controls.load(ordering: .acquiring), pressed.note(event) else {
            tally.inputsIgnored += 1
            return
        }
        tally.inputs += 1
        hearing(id, event)
    }
}
