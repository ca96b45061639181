import CLinux
import Glibc
import Loop

/// The files of noVNC that a browser needs, read from a folder: Debian's package, or one unpacked beside it.
///
/// A path is names of letters, digits, `.`, `-` and `_` below `app`, `core` or `vendor`, and `vnc.html`; the end of the last name says
/// what it is, and others than those listed are not there. A link that leads out of the folder is not there either. Files are read
/// anew each time, from the kernel's cache; at most `mostBytes`.
struct NoVNCFiles: Sendable {
    /// Where they are in addresses.
    static let place = "/novnc/"
    static let mostBytes = 1 << 20
    private static let mostParts = 6
    private static let mostPathBytes = 128

    static let types = [
        ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
        ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".woff": "font/woff",
        ".ttf": "font/ttf", ".mp3": "audio/mpeg", ".oga": "audio/ogg",
    ]

    struct File {
        var path: String
        var type: String
        /// From its size and when it was last changed.
        var tag: String

        /// Its bytes; nil where it cannot be read, is no plain file or too large.
        func read() -> [UInt8]? {
            // O_NONBLOCK: should it have become a pipe meanwhile, nobody waits.
            let raw = lw_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)
            guard raw >= 0 else { return nil }
            let file = Descriptor(owning: raw)
            var facts = stat()
            guard fstat(file.raw, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size <= mostBytes else {
                return nil
            }
            var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
            var count = 0
            while count < bytes.count {
                let piece = bytes.withUnsafeMutableBytes { room in
                    room.baseAddress.map { Glibc.read(file.raw, $0 + count, room.count - count) } ?? 0
                }
                guard piece > 0 else { return nil }
                count += piece
            }
            return bytes
        }
    }

    private let folder: String

    init(folder: String) { self.folder = folder }

    /// Whether noVNC is where it should be.
    var isThere: Bool { file("core/rfb.js") != nil }

    /// - Parameter path: below `place`, as a client sent it: escapes are no names.
    func file(_ path: String) -> File? {
        guard let type = Self.type(of: path), let root = Self.resolve(folder),
            let found = Self.resolve("\(root)/\(path)"),
            found.hasPrefix(root == "/" ? root : "\(root)/")
        else { return nil }
        var facts = stat()
        guard stat(found, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size <= Self.mostBytes else {
            return nil
        }
        let changed = UInt64(bitPattern: Int64(facts.st_mtim.tv_sec)) &* 1_000_000_000 &+ UInt64(facts.st_mtim.tv_nsec)
        let tag = "\"\(String(changed, radix: 36))-\(String(facts.st_size, radix: 36))\""
        return File(path: found, type: type, tag: tag)
    }

    /// What a path is that may be asked for; nil where it may not.
    static func type(of path: String) -> String? {
        guard path.utf8.count <= mostPathBytes else { return nil }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let last = parts.last, let dot = last.lastIndex(of: "."), parts.count <= mostParts,
            parts.allSatisfy(isName), let type = types[String(last[dot...])]
        else { return nil }
        if parts.count == 1 { return last == "vnc.html" ? type : nil }
        return ["app", "core", "vendor"].contains(parts[0]) && dot != last.startIndex ? type : nil
    }

    private static func isName(_ part: Substring) -> Bool {
        !part.isEmpty && !part.hasPrefix(".")
            && part.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    /// Without links. Source: realpath(3).
    private static func resolve(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}
