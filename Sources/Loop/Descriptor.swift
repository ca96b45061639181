import CLinux
import Glibc

/// A file descriptor with one owner: closed when the value goes.
public struct Descriptor: ~Copyable, Sendable {
    /// Valid as long as this value lives; never close it yourself.
    public let raw: Int32

    /// Takes over `raw`.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { if raw >= 0 { _ = CLinux.close(raw) } }

    /// Gives the descriptor away unclosed.
    public consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }
}

/// A system call that failed: which, on what, and `errno`.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    public let call: String
    public let code: Int32

    public init(_ call: String, code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    public var description: String { "\(call): \(Self.text(of: code))" }

    /// `strerror_r`'s text for an `errno` value.
    public static func text(of code: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress else { return "error \(code)" }
            base[0] = 0
            _ = strerror_r(code, base, buffer.count)
            return base[0] == 0 ? "error \(code)" : String(cString: base)
        }
    }
}
