import CLinux
import Glibc
import Loop
import Synchronization

@testable import View

/// Plays the gate for tests: one thread that relays between viewers and attendants as the gate has to, bounded, and ends those who try its
/// patience. Without TLS, tokens and network: each viewer's end is a socket pair.
final class StandInGate: Sendable {
    enum Ending: Hashable, Sendable {
        case viewerLeft, attendantEnded, told
        case refused(RFBRefusal.Code)
        case impatient(ViewerPatience.Verdict)
        /// More waits for a viewer than one picture and what was on its way.
        case unbounded
    }

    private final class Session {
        let link: InnerLink
        let viewer: Descriptor
        var framer = ClientMessageFramer()
        var patience = ViewerPatience(at: Boottime.milliseconds())
        var outgoing: [UInt8] = []
        var written = 0
        var total: UInt64 = 0
        init(_ link: InnerLink, _ viewer: consuming Descriptor) {
            self.link = link
            self.viewer = viewer
        }
        var unsent: Int { outgoing.count - written }
    }

    /// Handed to the gate's thread whole.
    private struct Newcomer: @unchecked Sendable {
        let id: AttendantID
        let session: Session
    }

    private struct State {
        var newcomers: [Newcomer] = []
        var toEnd: [AttendantID] = []
        var endings: [AttendantID: Ending] = [:]
        var mostUnsent = 0
        var isStopped = false
        var isGone = false
    }

    private let state = Mutex(State())
    private let event: Descriptor
    /// The most bytes that may wait for one viewer.
    let bound: Int

    /// Whether viewers have deadlines. Without: those of one test thread, which it hears one after the other.
    let isStrict: Bool

    init(bound: Int, isStrict: Bool) throws {
        self.isStrict = isStrict
        let raw = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard raw >= 0 else { throw SystemError("eventfd") }
        event = Descriptor(owning: raw)
        self.bound = bound
        startThread(name: "gate") { [self] in run() }
    }

    /// Lets a viewer in. - Returns: its end.
    func admit(_ attendants: Attendants, controls: Bool = false) throws -> (id: AttendantID, viewer: Int32) {
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            throw SystemError("socketpair")
        }
        let (outer, viewer) = (pair[0], pair[1])
        _ = fcntl(outer, F_SETFL, O_NONBLOCK)
        do {
            let (id, link) = try attendants.admit(controls: controls)
            let newcomer = Newcomer(id: id, session: Session(link, Descriptor(owning: outer)))
            state.withLock { $0.newcomers.append(newcomer) }
            wake()
            return (id, viewer)
        } catch {
            close(outer)
            close(viewer)
            throw error
        }
    }

    func end(_ id: AttendantID) {
        state.withLock { $0.toEnd.append(id) }
        wake()
    }

    func ending(of id: AttendantID) -> Ending? { state.withLock { $0.endings[id] } }
    /// The most that ever waited for one viewer.
    var mostUnsent: Int { state.withLock { $0.mostUnsent } }
    var isGone: Bool { state.withLock { $0.isGone } }

    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, 8)
    }

    // MARK: The thread

    private func run() {
        var sessions: [AttendantID: Session] = [:]
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let (newcomers, toEnd, isStopped) = state.withLock { state in
                defer {
                    state.newcomers = []
                    state.toEnd = []
                }
                return (state.newcomers, state.toEnd, state.isStopped)
            }
            if isStopped { break }
            for newcomer in newcomers { sessions[newcomer.id] = newcomer.session }
            for id in toEnd where sessions.removeValue(forKey: id) != nil { note(id, .told) }

            let ids = Array(sessions.keys)
            var entries = [pollfd(fd: event.raw, events: Int16(POLLIN), revents: 0)]
            var deadline: Int64?
            for id in ids {
                guard let session = sessions[id] else { continue }
                let inner = POLLIN | (session.link.wantsWritable ? POLLOUT : 0)
                let outer = (session.link.wantsWritable ? 0 : POLLIN) | (session.unsent > 0 ? POLLOUT : 0)
                entries.append(pollfd(fd: session.link.descriptor, events: Int16(inner), revents: 0))
                entries.append(pollfd(fd: session.viewer.raw, events: Int16(outer), revents: 0))
                if isStrict, let next = session.patience.nextDeadline { deadline = min(deadline ?? next, next) }
            }
            let timeout = deadline.map { Int32(clamping: max(0, $0 - Boottime.milliseconds() + 1)) } ?? -1
            guard poll(&entries, UInt(entries.count), timeout) >= 0 || errno == EINTR else { break }
            var count: UInt64 = 0
            if entries[0].revents != 0 { _ = read(event.raw, &count, 8) }
            for (place, id) in ids.enumerated() {
                guard let session = sessions[id] else { continue }
                let (inner, outer) = (entries[1 + 2 * place].revents, entries[2 + 2 * place].revents)
                if let ending = serve(session, inner: inner, outer: outer, &buffer) {
                    sessions[id] = nil
                    note(id, ending)
                }
            }
        }
        sessions = [:]
        state.withLock {
            $0.newcomers = []
            $0.isGone = true
        }
    }

    private func note(_ id: AttendantID, _ ending: Ending) { state.withLock { $0.endings[id] = ending } }

    private func serve(_ session: Session, inner: Int16, outer: Int16, _ buffer: inout [UInt8]) -> Ending? {
        if inner & Int16(POLLOUT) != 0, !session.link.flush() { return .attendantEnded }
        if inner & Int16(POLLIN | POLLHUP) != 0, let ending = drain(session, &buffer) { return ending }
        if session.unsent > 0, !forward(session) { return .viewerLeft }
        session.link.unsent = session.unsent
        if outer & Int16(POLLIN | POLLHUP) != 0, !session.link.wantsWritable, let ending = hear(session, &buffer) {
            return ending
        }
        var inKernel: Int32 = 0
        _ = ioctl(session.viewer.raw, UInt(TIOCOUTQ), &inKernel)
        let now = Boottime.milliseconds()
        let reached = session.total - min(session.total, UInt64(max(0, inKernel)))
        session.patience.took(total: reached, waiting: session.unsent + Int(inKernel), at: now)
        state.withLock { $0.mostUnsent = max($0.mostUnsent, session.unsent) }
        if session.unsent > bound { return .unbounded }
        return isStrict ? session.patience.verdict(at: now).map { .impatient($0) } : nil
    }

    /// From the attendant into memory.
    private func drain(_ session: Session, _ buffer: inout [UInt8]) -> Ending? {
        while true {
            do {
                switch try buffer.withUnsafeMutableBytes({ try session.link.read(into: $0) }) {
                case .bytes(let count): session.outgoing += buffer[..<count]
                case .nothing: return nil
                case .ended: return .attendantEnded
                }
            } catch let refusal as RFBRefusal { return .refused(refusal.code) } catch { return .attendantEnded }
        }
    }

    /// From memory to the viewer.
    private func forward(_ session: Session) -> Bool {
        while session.unsent > 0 {
            let count = session.outgoing.withUnsafeBytes { bytes in
                send(
                    session.viewer.raw, bytes.baseAddress.map { $0 + session.written }, bytes.count - session.written,
                    Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            session.written += count
            session.total += UInt64(count)
        }
        session.outgoing.removeAll(keepingCapacity: session.outgoing.capacity <= 1 << 16)
        session.written = 0
        return true
    }

    /// From the viewer to the attendant.
    private func hear(_ session: Session, _ buffer: inout [UInt8]) -> Ending? {
        let count = recv(session.viewer.raw, &buffer, 16 << 10, Int32(MSG_DONTWAIT))
        if count == 0 { return .viewerLeft }
        if count < 0 { return errno == EAGAIN || errno == EINTR ? nil : .viewerLeft }
        var messages: [UInt8] = []
        do {
            let whole = try session.framer.feed(buffer[..<count], into: &messages)
            session.patience.heard(
                messages: whole, isMidMessage: session.framer.isMidMessage, at: Boottime.milliseconds())
        } catch { return .refused(error.code) }
        return session.link.send(messages) ? nil : .attendantEnded
    }
}
