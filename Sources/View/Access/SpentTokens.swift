import CLinux
import Glibc
import Loop
import Net

/// The numbers of tokens that were used and whose time is not over: each joins once, also when this process starts again.
///
/// A line a token in one file, written before anybody is let in. The file belongs below /run: it has to outlive the process, not
/// the machine, as tokens from before a boot are refused. So it is never brought to a disk, and writing it takes microseconds.
/// Kept until a token's time is over, in memory and in the file; at most `most`. Used by one thread.
struct SpentTokens {
    static let most = 4096
    /// Lines whose time is over, past which the file is written anew.
    private static let mostStale = 256

    private let path: String?
    private var expiries: [[UInt8]: Int64] = [:]
    private var stale = 0

    /// - Parameters:
    ///   - path: nil keeps numbers in memory alone, for tests.
    ///   - now: Unix seconds.
    /// - Throws: where the file is there and cannot be read or is not ours: better nobody than somebody twice.
    init(path: String?, now: Int64) throws(TLSFault) {
        self.path = path
        guard let path, access(path, F_OK) == 0 else { return }
        let bytes = try Self.readAll(path)
        for line in bytes.split(separator: 0x0A).suffix(Self.most + Self.mostStale) {
            // A line that was cut off by a fault is of a token whose bearer was not let in.
            guard let (number, expires) = Self.parse(line) else { continue }
            if expires > now { expiries[number] = expires } else { stale += 1 }
        }
    }

    var count: Int { expiries.count }

    /// Notes that a token is used, or refuses it.
    mutating func spend(_ number: [UInt8], expires: Int64, now: Int64) throws(AccessRefusal) {
        if expiries[number] != nil { throw .replayed }
        if expiries.count >= Self.most || stale >= Self.mostStale { forget(now: now) }
        guard expiries.count < Self.most, append(number, expires) else { throw .notKept }
        expiries[number] = expires
    }

    private mutating func forget(now: Int64) {
        let before = expiries.count
        expiries = expiries.filter { $0.value > now }
        guard let path else { return }
        stale += before - expiries.count
        guard stale >= Self.mostStale else { return }
        let lines = expiries.flatMap { Self.line($0.key, $0.value) }
        // Where it cannot be written anew, the longer one is as right.
        if (try? PrivateFile.write(lines, to: path)) != nil { stale = 0 }
    }

    private func append(_ number: [UInt8], _ expires: Int64) -> Bool {
        guard let path else { return true }
        let raw = lw_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else { return false }
        let file = Descriptor(owning: raw)
        let line = Self.line(number, expires)
        // One write: a line is whole or is not there. Source: write(2), O_APPEND.
        return write(file.raw, line, line.count) == line.count
    }

    private static func line(_ number: [UInt8], _ expires: Int64) -> [UInt8] {
        Array("\(Base64.encodeForAddress(number)) \(expires)\n".utf8)
    }

    private static func parse(_ line: ArraySlice<UInt8>) -> ([UInt8], Int64)? {
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count == 2, let number = Base64.decodeForAddress(String(words[0])), let expires = Int64(words[1]),
            number.count == Token.numberBytes
        else { return nil }
        return (number, expires)
    }

    private static func readAll(_ path: String) throws(TLSFault) -> [UInt8] {
        let raw = lw_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        guard raw >= 0 else { throw TLSFault("\(path) cannot be read: \(SystemError.text(of: errno))") }
        let file = Descriptor(owning: raw)
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 << 10)
        // Lines have some 30 bytes: 4096 and as many stale ones are far below this.
        while bytes.count < 1 << 20 {
            let count = Glibc.read(file.raw, &room, room.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw TLSFault("\(path) cannot be read: \(SystemError.text(of: errno))") }
            if count == 0 { break }
            bytes += room[..<count]
        }
        return bytes
    }
}
