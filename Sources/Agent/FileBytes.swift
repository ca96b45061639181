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
}
