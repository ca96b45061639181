import CLinux
import Glibc
import Loop

/// A certificate and its key in files, read again when they change: a renewal needs no restart.
///
/// The files are looked at when a connection asks for the context, at most once a second: no timer, nothing while nobody comes.
/// What cannot be used leaves the last good pair in force, and is told. Used by one thread.
public struct CertificateFiles: Sendable {
    /// The largest file that is read.
    public static let byteLimit = 64 << 10

    private let certificate: String
    private let key: String
    private var seen: [FileMark]
    private var lookedAt: Int64
    /// In force.
    public private(set) var context: TLSContext
    /// How often another pair came into force, and how often one could not be used.
    public private(set) var reloads = 0
    public private(set) var refusals = 0
    /// Why the files as they are now cannot be used; nil where they are in force.
    public private(set) var fault: TLSFault?

    /// - Parameters:
    ///   - key: may be the same file.
    ///   - now: milliseconds of the loop's clock.
    public init(certificate: String, key: String, now: Int64 = Boottime.milliseconds()) throws(TLSFault) {
        self.certificate = certificate
        self.key = key
        seen = [FileMark(certificate), FileMark(key)]
        lookedAt = now
        context = try Self.load(certificate, key)
    }

    /// Opens the files; where neither is there, makes a pair that nobody vouches for and writes it into `certificate`, readable
    /// by its owner alone. One that was made so and ends within 30 days is made anew.
    ///
    /// - Parameter names: what the lane is called, besides loopback.
    public static func openOrMake(
        _ path: String, names: [String], now: Int64 = Boottime.milliseconds(),
        wallSeconds: Int64 = Boottime.wallMilliseconds() / 1000
    ) throws(TLSFault) -> (files: CertificateFiles, isNew: Bool) {
        if access(path, F_OK) == 0 {
            let files = try CertificateFiles(certificate: path, key: path, now: now)
            let found = files.context.certificate
            // One that somebody vouches for is not ours to replace.
            if found.issuer != found.subject || found.notAfter > wallSeconds + 30 * 86_400 { return (files, false) }
        }
        try PrivateFile.write(try SelfMadeIdentity.make(names: names), to: path)
        return (try CertificateFiles(certificate: path, key: path, now: now), true)
    }

    /// The context for a connection that begins at `now`, in milliseconds of the loop's clock.
    public mutating func current(now: Int64) -> TLSContext {
        if now - lookedAt >= 1000 {
            lookedAt = now
            if [FileMark(certificate), FileMark(key)] != seen { reload() }
        }
        return context
    }

    /// Reads the files now. The pair in force stays where they cannot be used.
    public mutating func reload() {
        seen = [FileMark(certificate), FileMark(key)]
        do throws(TLSFault) {
            let fresh = try Self.load(certificate, key)
            if fresh.fingerprint != context.fingerprint { reloads += 1 }
            context = fresh
            fault = nil
        } catch {
            // Two files are not written in one step: between them they do not belong together. The next look is as good.
            refusals += 1
            fault = error
        }
    }

    private static func load(_ certificate: String, _ key: String) throws(TLSFault) -> TLSContext {
        let chain = try PrivateFile.read(certificate)
        let secret = key == certificate ? chain : try PrivateFile.read(key)
        do throws(TLSFault) { return try TLSContext(certificate: chain, key: secret) } catch {
            throw TLSFault("\(certificate), \(key): \(error.description)")
        }
    }
}

/// Small files with secrets in them.
public enum PrivateFile {
    /// All of a file of at most 64 KiB.
    public static func read(_ path: String) throws(TLSFault) -> [UInt8] {
        let raw = lw_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        guard raw >= 0 else { throw TLSFault("\(path) cannot be read: \(SystemError.text(of: errno))") }
        let file = Descriptor(owning: raw)
        var bytes = [UInt8](repeating: 0, count: CertificateFiles.byteLimit + 1)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes { room -> Int in
                guard let base = room.baseAddress else { return 0 }
                return Glibc.read(file.raw, base + count, room.count - count)
            }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw TLSFault("\(path) cannot be read: \(SystemError.text(of: errno))") }
            if more == 0 { break }
            count += more
        }
        guard count <= CertificateFiles.byteLimit else {
            throw TLSFault("\(path) has more than \(CertificateFiles.byteLimit) bytes")
        }
        return Array(bytes.prefix(count))
    }

    /// Writes `bytes` beside `path`, for the owner alone, brings them to the disk, and puts them in its place in one step.
    /// Source: rename(2).
    public static func write(_ bytes: [UInt8], to path: String) throws(TLSFault) {
        let beside = "\(path).\(getpid()).new"
        _ = unlink(beside)
        let raw = lw_open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else { throw TLSFault("\(path) cannot be written: \(SystemError.text(of: errno))") }
        do {
            let file = Descriptor(owning: raw)
            var written = 0
            while written < bytes.count {
                let more = bytes.withUnsafeBytes { room -> Int in
                    guard let base = room.baseAddress else { return 0 }
                    return Glibc.write(file.raw, base + written, room.count - written)
                }
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { break }
                written += more
            }
            guard written == bytes.count, fsync(file.raw) == 0 else {
                let said = SystemError.text(of: errno)
                _ = unlink(beside)
                throw TLSFault("\(path) cannot be written: \(said)")
            }
        }
        guard rename(beside, path) == 0 else {
            let said = SystemError.text(of: errno)
            _ = unlink(beside)
            throw TLSFault("\(path) cannot be written: \(said)")
        }
    }
}
