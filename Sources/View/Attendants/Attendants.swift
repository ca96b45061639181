import CLinux
import Glibc
import Lane
import Loop
import Screen
import Synchronization

/// One attendant of this process's life.
public struct AttendantID: Hashable, Sendable, CustomStringConvertible {
    public let number: UInt64
    public var description: String { "\(number)" }
}

/// Why an attendant could not be let in.
public struct AdmissionError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        /// As many watch as can.
        case full
        /// The system gives no descriptor, or none below 1024.
        case system
    }

    public let code: Code
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// Why an attendant ended.
public enum AttendantEnding: String, Hashable, Sendable {
    /// The gate closed its end: the viewer left, or was told to.
    case gateClosed = "gate_closed"
    /// `Attendants.end` or `stop`.
    case told
    /// The screen's size changed, and the viewer cannot follow: what it showed would be neither old nor new.
    case cannotFollowSize = "cannot_follow_size"
    /// The encoder refused: a message that it does not take, no memory.
    case encoder
    /// More watch the screen than can.
    case full
}

/// All who watch a lane now, each on a thread of its own with an encoder of its own.
///
/// The gate asks for each viewer that it has let in, and gets the end of a socket pair. Any thread.
public final class Attendants: Sendable {
    /// Called on the attendant's own thread.
    public struct Hooks: Sendable {
        /// What a controlling attendant's hands did.
        public var input: @Sendable (AttendantID, InputEvent) -> Void = { _, _ in }
        /// The attendant's thread ends; its descriptor is closed.
        public var ended: @Sendable (AttendantID, AttendantEnding, Attendant.Counts) -> Void = { _, _, _ in }
        public init() {}
    }

    private struct State {
        var attendants: [AttendantID: Attendant] = [:]
        var next: UInt64 = 1
        var isStopped = false
    }

    /// As many as can watch at once.
    public static var most: Int { min(ScreenPool.most, Capture.mostWatchers) }

    private let state = Mutex(State())
    private let capture: Capture
    private let label: String
    private let hooks: Hooks
    private let scratch = ScratchPool()
    private let share = PictureShare()

    /// Makes the encoders' screens, all of them: before any thread that uses libvncserver.
    /// - Parameter label: the lane's name, which viewers show in their window's title; at most 120 bytes are sent.
    public init(capture: Capture, label: String, hooks: Hooks = Hooks()) {
        self.capture = capture
        self.label = label
        self.hooks = hooks
        _ = ScreenPool.shared
    }

    /// Starts an attendant for a viewer that has passed the gate.
    /// - Parameter controls: whether its pointer and keys go to the lane; `setControls` changes it.
    /// - Returns: the gate's end. ServerInit comes out of it once the screen has been looked at.
    public func admit(controls: Bool = false) throws(AdmissionError) -> (id: AttendantID, link: InnerLink) {
        guard let screen = ScreenPool.shared.take() else {
            throw AdmissionError(.full, "\(ScreenPool.most) attendants watch already")
        }
        do {
            let pair = try Pair()
            let mailbox = try Mailbox()
            let backlog = Backlog { [mailbox] in mailbox.wake() }
            let link = try InnerLink(owning: pair.outer, backlog: backlog)
            let id = state.withLock { state in
                defer { state.next += 1 }
                return AttendantID(number: state.next)
            }
            let attendant = Attendant(
                id: id, label: label, screen: screen, mailbox: mailbox, backlog: backlog, capture: capture,
                scratch: scratch, share: share, controls: controls, hear: hooks.input)
            let isIn = state.withLock { state in
                if !state.isStopped { state.attendants[id] = attendant }
                return !state.isStopped
            }
            guard isIn else { throw SystemError("admit", code: ESHUTDOWN) }
            let socket = pair.inner.release()
            startThread(name: "attendant \(id)", stackBytes: Attendant.stackBytes) { [self] in
                let ending = attendant.run(owning: socket)
                state.withLock { _ = $0.attendants.removeValue(forKey: id) }
                hooks.ended(id, ending, attendant.counts)
            }
            return (id, link)
        } catch {
            ScreenPool.shared.giveBack(screen)
            throw AdmissionError(.system, "no place for an attendant: \(error)")
        }
    }

    /// Lets an attendant's hands reach the lane, or no longer: then what it holds down is let go.
    public func setControls(_ controls: Bool, of id: AttendantID) {
        state.withLock { $0.attendants[id] }?.setControls(controls)
    }

    /// Ends one. The gate learns of it when its end of the pair closes.
    public func end(_ id: AttendantID) { state.withLock { $0.attendants[id] }?.end() }

    /// Ends all, and lets nobody in any more.
    public func stop() {
        let all = state.withLock { state in
            state.isStopped = true
            return Array(state.attendants.values)
        }
        for attendant in all { attendant.end() }
    }

    public var count: Int { state.withLock { $0.attendants.count } }
    public var counts: [AttendantID: Attendant.Counts] {
        state.withLock { $0.attendants }.mapValues { $0.counts }
    }

    /// Bytes of pictures that are kept for others, for tests.
    var keptPictureBytes: Int { share.keptBytes }

    private struct Pair: ~Copyable {
        let outer: Descriptor
        let inner: Descriptor

        init() throws(SystemError) {
            var pair: [Int32] = [-1, -1]
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw SystemError("socketpair") }
            // The library keeps it in an fd_set. Source: select(2), FD_SETSIZE.
            guard pair[1] < 1024 else {
                close(pair[0])
                close(pair[1])
                throw SystemError("socketpair", code: EMFILE)
            }
            outer = Descriptor(owning: pair[0])
            inner = Descriptor(owning: pair[1])
        }
    }
}
