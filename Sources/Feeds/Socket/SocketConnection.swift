import CLinux
import Glibc
import Loop
import Net

/// One writer: its descriptor, the bytes that came and those that go. What they mean is the feed's.
@LoopActor final class SocketConnection {
    /// What has to happen before more lines are taken.
    enum Wait {
        /// More bytes.
        case bytes
        /// The other connections' turn.
        case turn
        /// Room behind the merge point.
        case room
        /// The peer reads its answers.
        case reader
        /// Answers that wait for the disk are given.
        case answers
        /// Nothing: the connection takes no more lines, and ends when its answers are out.
        case end
    }

    let descriptor: Descriptor
    let peer: lw_peer_credentials
    let access: SocketAccess
    var framer: LineFramer
    var bucket: TokenBucket
    var answers = AnswerQueue()
    var wait = Wait.bytes
    /// The peer sends nothing more.
    var sawEnd = false
    /// Why the feed ended it; nil where the peer did.
    var endReason: String?
    /// The peer cannot be written to any more; lines that it sent before still count.
    private(set) var isDeaf = false
    var output: [UInt8] = []
    private var written = 0
    var deadline: EventLoop.Deadline?
    /// Answers were added since the last flush.
    var isDirty = false
    /// The feed has it among its connections.
    var isOpen = false

    /// What an answer that waits for the disk knows of its connection. One for all of them: a weak reference for each
    /// would cost more than the answer.
    @LoopActor final class Tether {
        fileprivate(set) weak var connection: SocketConnection?
    }

    let tether = Tether()

    private var watchedFor: EventLoop.Readiness?
    private let ready: @LoopActor (SocketConnection, EventLoop.Readiness) -> Void

    init(
        _ descriptor: consuming Descriptor, peer: lw_peer_credentials, access: SocketAccess, options: SocketOptions,
        now: Int64,
        ready: @escaping @LoopActor (SocketConnection, EventLoop.Readiness) -> Void
    ) {
        self.descriptor = descriptor
        self.peer = peer
        self.access = access
        framer = LineFramer(limit: options.lineBytes)
        bucket = TokenBucket(perSecond: options.linesPerSecond, now: now)
        self.ready = ready
        tether.connection = self
    }

    /// Bytes of answers that the peer has not taken.
    var unsent: Int { output.count - written }

    enum Received {
        case bytes
        case nothingNow
        case end
    }

    /// Reads once into the framer, at most `scratch.count` bytes.
    func receive(_ scratch: UnsafeMutableRawBufferPointer) -> Received {
        while true {
            let count = recv(descriptor.raw, scratch.baseAddress, scratch.count, 0)
            if count > 0 {
                framer.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
                if let base = scratch.baseAddress { explicit_bzero(base, count) }
                return .bytes
            }
            if count == 0 { return .end }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .nothingNow : .end
        }
    }

    /// Writes what it can.
    func flush() {
        isDirty = false
        if !isDeaf, case .gone = StreamSocket.send(output, from: &written, to: descriptor.raw) { isDeaf = true }
        if isDeaf || written == output.count {
            discardOutput()
        } else if written >= 65_536 {
            output.removeFirst(written)
            written = 0
        }
    }

    private func discardOutput() {
        output.removeAll(keepingCapacity: output.capacity <= 4096)
        written = 0
    }

    /// Watches for what is waited for. Epoll tells hang-ups unasked, again and again, so a descriptor from which nothing
    /// is wanted is not watched at all. False when the kernel cannot watch one more.
    func updateWatch() -> Bool {
        var wanted: EventLoop.Readiness = []
        if wait == .bytes { wanted.insert(.readable) }
        if unsent > 0 { wanted.insert(.writable) }
        if wanted.isEmpty {
            unwatch()
        } else if watchedFor == nil {
            do {
                try EventLoop.shared.watch(descriptor.raw, for: wanted) { [unowned self] in ready(self, $0) }
                watchedFor = wanted
            } catch { return false }
        } else if watchedFor != wanted {
            EventLoop.shared.setInterest(descriptor.raw, wanted)
            watchedFor = wanted
        }
        return true
    }

    func unwatch() {
        guard watchedFor != nil else { return }
        EventLoop.shared.unwatch(descriptor.raw)
        watchedFor = nil
    }
}
