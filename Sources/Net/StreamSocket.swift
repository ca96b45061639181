import CLinux
import Glibc
import Loop

/// What every server of stream sockets does with the kernel: taking connections, and writing without waiting.
public enum StreamSocket {
    /// Takes connections that wait on `listening`, at most 16: those who are here come first. Source: accept(2).
    ///
    /// - Returns: the error number where the process or the machine has no room for one more: the connection stays in the queue,
    ///   and would wake the loop again and again. Nil otherwise.
    @LoopActor public static func accept(on listening: Int32, _ admit: (consuming Descriptor) -> Void) -> Int32? {
        for _ in 0..<16 {
            let raw = accept4(listening, nil, nil, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
            if raw >= 0 {
                admit(Descriptor(owning: raw))
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOMEM, ENOBUFS: return errno
            default: return nil
            }
        }
        return nil
    }

    /// Looks away from `listening` for a second, if `isListening` still says so by then.
    @LoopActor public static func rest(_ listening: Int32, while isListening: @escaping @LoopActor () -> Bool) {
        EventLoop.shared.setInterest(listening, [])
        EventLoop.shared.schedule(inMilliseconds: 1000) {
            if isListening() { EventLoop.shared.setInterest(listening, .readable) }
        }
    }

    public enum Sent {
        case all
        /// The peer takes nothing more now.
        case some
        /// The peer is gone.
        case gone
    }

    /// Sends `output` from `written` on, which moves with it. Source: send(2).
    public static func send(_ output: [UInt8], from written: inout Int, to descriptor: Int32) -> Sent {
        while written < output.count {
            let count = output.withUnsafeBytes { bytes -> Int in
                guard let base = bytes.baseAddress else { return 0 }
                return Glibc.send(descriptor, base + written, bytes.count - written, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                return .some
            } else if errno != EINTR {
                return .gone
            }
        }
        return .all
    }
}
