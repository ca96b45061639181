import COpenSSL
import Glibc

/// The server's side of TLS on a non-blocking descriptor, which its owner keeps open as long as this lives.
///
/// Used by one thread. Every call makes what progress it can and says what has to happen before the next one can make more.
/// After `failed` the session is over: nothing can be read or written. Sources: ssl(7), SSL_get_error(3).
public final class TLSSession {
    public enum Step: Hashable, Sendable {
        /// So many bytes; 0 of a handshake that is complete.
        case done(Int)
        case wantsRead
        case wantsWrite
        /// The peer closed: properly, or by ending the connection below.
        case closed
        /// What the peer sent is no TLS, or none that is served here. The reason is OpenSSL's, for a log.
        case failed(String)
    }

    private let session: OpaquePointer
    public private(set) var isEstablished = false
    private var isBroken = false

    /// - Parameter descriptor: a connected, non-blocking socket. Bytes read from it before are lost to the session.
    public init?(_ context: TLSContext, descriptor: Int32) {
        ERR_clear_error()
        guard let session = SSL_new(context.raw) else { return nil }
        guard SSL_set_fd(session, descriptor) == 1 else {
            SSL_free(session)
            return nil
        }
        SSL_set_accept_state(session)
        self.session = session
    }

    deinit { SSL_free(session) }

    /// Goes on with the handshake: `done(0)` once it is complete.
    public func handshake() -> Step {
        guard !isBroken else { return .closed }
        ERR_clear_error()
        let code = SSL_do_handshake(session)
        if code == 1 {
            isEstablished = true
            return .done(0)
        }
        return step(code)
    }

    /// Reads at most `room`'s bytes. With room for a whole record (16 KiB) nothing readable stays inside the session.
    public func read(into room: UnsafeMutableRawBufferPointer) -> Step {
        guard !isBroken else { return .closed }
        ERR_clear_error()
        var count = 0
        let code = SSL_read_ex(session, room.baseAddress, room.count, &count)
        return code == 1 ? .done(count) : step(code)
    }

    /// Writes a part of `bytes`, which may be at another address when what is left of them is offered again.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Step {
        guard !isBroken else { return .closed }
        guard bytes.count > 0 else { return .done(0) }
        ERR_clear_error()
        var count = 0
        let code = SSL_write_ex(session, bytes.baseAddress, bytes.count, &count)
        return code == 1 ? .done(count) : step(code)
    }

    /// Whether bytes of the peer lie inside, of whole records or of the beginning of one. Source: SSL_has_pending(3).
    public var hasPending: Bool { SSL_has_pending(session) == 1 }

    /// Bytes that `read` gives without looking at the socket, which epoll does not know of. Source: SSL_pending(3).
    public var readableBytes: Int { Int(SSL_pending(session)) }

    /// Bytes that went into the socket, with all that TLS adds.
    public var sentBytes: UInt64 { SSL_get_wbio(session).map { BIO_number_written($0) } ?? 0 }

    /// `TLSv1.3`.
    public var version: String { SSL_get_version(session).map { String(cString: $0) } ?? "" }

    /// Says goodbye to the peer, without waiting for its answer. Source: SSL_shutdown(3).
    public func sayGoodbye() {
        guard isEstablished, !isBroken else { return }
        ERR_clear_error()
        _ = SSL_shutdown(session)
        ERR_clear_error()
    }

    private func step(_ code: Int32) -> Step {
        let wanted = SSL_get_error(session, code)
        switch wanted {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .closed
        case SSL_ERROR_SYSCALL:
            isBroken = true
            ERR_clear_error()
            return .closed
        default:
            // SSL_shutdown must not be called after these two kinds. Source: SSL_get_error(3).
            isBroken = true
            let first = ERR_peek_error()
            let reason = first == 0 ? nil : ERR_reason_error_string(first)
            let text = reason.map { String(cString: $0) } ?? "protocol error"
            ERR_clear_error()
            // A connection that ends within a record is an end, in OpenSSL 3 as in 1.1.
            return text == "unexpected eof while reading" ? .closed : .failed(text)
        }
    }
}
