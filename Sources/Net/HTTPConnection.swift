import CLinux
import Glibc
import Loop

/// One client: reads a request, writes its answer, then the next. Holds at most one head and one answer.
@LoopActor final class HTTPConnection {
    enum State {
        /// Waits for a request, or for the rest of one.
        case reading
        /// An answer is on its way.
        case writing
        /// The last answer is out; what the client still sends is thrown away, so that no reset overtakes the answer
        /// (RFC 9112, 9.6).
        case draining
    }

    let descriptor: Descriptor
    var parser = HTTPParser()
    private(set) var state = State.reading
    var requests = 0
    /// Bytes behind the last request are here, and are looked at before more are read.
    var hasMore = false
    /// Since when it waits for a request or for the rest of one; in milliseconds of the loop's clock.
    var waitsSince: Int64
    var deadline: EventLoop.Deadline?
    private var output: [UInt8] = []
    private var written = 0
    private var keepsAlive = true
    private var drained = 0

    init(_ descriptor: consuming Descriptor, now: Int64) {
        self.descriptor = descriptor
        waitsSince = now
    }

    enum Outcome {
        /// Wait for more.
        case pending
        /// The answer is out and the connection stays.
        case free
        case over
    }

    /// Reads once. False at the end of the client's bytes, or when the connection is broken.
    func receive(_ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        let count = recv(descriptor.raw, scratch.baseAddress, scratch.count, 0)
        if count > 0 {
            parser.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            return true
        }
        return count < 0 && (errno == EAGAIN || errno == EINTR)
    }

    func begin(_ answer: [UInt8], keepsAlive: Bool) {
        output = answer
        written = 0
        self.keepsAlive = keepsAlive
        state = .writing
    }

    /// Writes what goes.
    func write() -> Outcome {
        switch StreamSocket.send(output, from: &written, to: descriptor.raw) {
        case .some: return .pending
        case .gone: return .over
        case .all: break
        }
        output = []
        if keepsAlive {
            state = .reading
            return .free
        }
        shutdown(descriptor.raw, Int32(SHUT_WR))
        state = .draining
        return .pending
    }

    /// Throws away what still comes, up to 64 KiB.
    func drain(_ scratch: UnsafeMutableRawBufferPointer) -> Outcome {
        while drained < 65_536 {
            let count = recv(descriptor.raw, scratch.baseAddress, scratch.count, 0)
            if count > 0 {
                drained += count
            } else if count < 0, errno == EAGAIN {
                return .pending
            } else if count == 0 || errno != EINTR {
                return .over
            }
        }
        return .over
    }
}
