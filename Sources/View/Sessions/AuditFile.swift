import CLinux
import Glibc
import Lane
import Loop
import Net

/// The lines of an `AuditTrail` on disk: appended, and written anew without those that are not needed any more.
///
/// Used by one thread. A line that was cut off by a crash is none: nobody was let in by it. Source: open(2), O_APPEND;
/// fdatasync(2); rename(2).
final class AuditFile {
    /// A line, as it stands in the file.
    struct Line: Hashable, Sendable {
        var stream: String
        var number: Int64
        var bytes: [UInt8]
        var fact: ViewFact
    }

    private let path: String
    private let lock: Descriptor
    private var file: Descriptor?
    private(set) var bytes = 0

    /// - Throws: where another process has it, or it cannot be made.
    init(_ path: String) throws(AuditFault) {
        self.path = path
        let raw = lw_open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else {
            throw AuditFault("\(path) cannot be used: \(SystemError.text(of: errno)); look at the state folder")
        }
        lock = Descriptor(owning: raw)
        guard flock(lock.raw, LOCK_EX | LOCK_NB) == 0 else {
            throw AuditFault("\(path) is in use: another lanewatch view runs with this state folder; stop it")
        }
    }

    /// What it holds, and how many of its lines cannot be read; at most `limit` bytes are looked at.
    func read(limit: Int) throws(AuditFault) -> (lines: [Line], unreadable: Int) {
        let raw = lw_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard raw >= 0 else {
            if errno == ENOENT { return ([], 0) }
            throw AuditFault("\(path) cannot be read: \(SystemError.text(of: errno))")
        }
        let descriptor = Descriptor(owning: raw)
        var found: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while found.count <= limit {
            let count = Glibc.read(descriptor.raw, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw AuditFault("\(path) cannot be read: \(SystemError.text(of: errno))") }
            if count == 0 { break }
            found += piece[..<count]
        }
        bytes = found.count
        // What has no line feed was never finished.
        let whole = found.lastIndex(of: 0x0A).map { found[...$0] } ?? []
        var lines: [Line] = []
        var unreadable = 0
        for bytes in whole.split(separator: 0x0A) {
            if let line = Self.line(Array(bytes)) { lines.append(line) } else { unreadable += 1 }
        }
        return (lines, unreadable)
    }

    private static func line(_ bytes: [UInt8]) -> Line? {
        guard let value = try? JSONValue(parsing: bytes), let fact = try? ViewFact(value),
            let stream = value["stream"]?.text, let number = value["number"]?.int
        else { return nil }
        return Line(stream: stream, number: number, bytes: bytes, fact: fact)
    }

    /// Brings `lines` to the disk, behind what is there. Where that fails, the file is as it was.
    func append(_ lines: [Line]) throws(AuditFault) {
        guard !lines.isEmpty else { return }
        if file == nil {
            let raw = lw_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard raw >= 0 else { throw fault() }
            file = Descriptor(owning: raw)
            var status = stat()
            guard fstat(raw, &status) == 0 else { throw fault() }
            bytes = Int(status.st_size)
        }
        guard let raw = file?.raw else { return }
        let text: [UInt8] = lines.flatMap { line -> [UInt8] in line.bytes + [0x0A] }
        guard Self.write(text, to: raw), fdatasync(raw) == 0 else {
            let failed = fault()
            _ = ftruncate(raw, off_t(bytes))
            throw failed
        }
        bytes += text.count
    }

    /// Leaves `lines` alone in it.
    func replace(with lines: [Line]) throws(AuditFault) {
        let draft = path + ".new"
        let raw = lw_open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else { throw fault() }
        let fresh = Descriptor(owning: raw)
        let text: [UInt8] = lines.flatMap { line -> [UInt8] in line.bytes + [0x0A] }
        guard Self.write(text, to: fresh.raw), fdatasync(fresh.raw) == 0, rename(draft, path) == 0 else {
            let failed = fault()
            unlink(draft)
            throw failed
        }
        // Opened anew with the next line, behind what stands there now.
        file = nil
        bytes = text.count
    }

    private static func write(_ bytes: [UInt8], to raw: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(raw, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    private func fault() -> AuditFault {
        AuditFault("\(path) cannot be written: \(SystemError.text(of: errno)); look at the disk")
    }
}

/// Why the audit's file cannot be used; one sentence with the way out.
public struct AuditFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
