import CLinux
import Glibc
import Loop

/// Small files, whole.
public enum FileBytes {
    /// The bytes of `path`, at most `limit`; a larger file is an error, `EFBIG`.
    public static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let raw = lw_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else { throw SystemError("open \(path)") }
        let descriptor = Descriptor(owning: raw)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor.raw, &piece, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError("read \(path)")
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw SystemError("read \(path)", code: EFBIG) }
            bytes.append(contentsOf: piece[0..<count])
        }
    }

    /// Makes `path` hold `bytes`: all of them or, on an error, what it held before.
    ///
    /// A file beside it is written, brought to the disk and renamed. Source: rename(2), fsync(2).
    public static func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        let draft = "\(path).\(getpid()).new"
        let raw = lw_open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard raw >= 0 else { throw SystemError("open \(draft)") }
        let descriptor = Descriptor(owning: raw)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor.raw, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                let fault = SystemError("write \(draft)")
                unlink(draft)
                throw fault
            }
            written += count
        }
        guard fsync(descriptor.raw) == 0, rename(draft, path) == 0 else {
            let fault = SystemError("rename \(draft)")
            unlink(draft)
            throw fault
        }
    }
}
