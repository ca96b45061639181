import CLinux
import Glibc
import Synchronization

/// Standard output and standard error. Output is gathered and written in large pieces; errors go out at once.
enum Terminal {
    private struct Buffer {
        var bytes: [UInt8] = []
        var isPlain = false
        var isBroken = false
    }

    private static let buffer = Mutex(Buffer())

    /// `--no-color` was given.
    static var isPlain: Bool {
        get { buffer.withLock { $0.isPlain } }
        set { buffer.withLock { $0.isPlain = newValue } }
    }

    /// Standard output could not be written.
    static var isBroken: Bool { buffer.withLock { $0.isBroken } }

    /// Whether standard output shows colours. Source: no-color.org.
    static var isColoured: Bool { isColoured(1) }

    static func isColoured(_ descriptor: Int32) -> Bool {
        if isPlain || isatty(descriptor) == 0 { return false }
        if let set = getenv("NO_COLOR"), set[0] != 0 { return false }
        if let term = getenv("TERM"), String(cString: term) == "dumb" { return false }
        return true
    }

    /// How wide help may be: the terminal's width, at most 100; 80 where there is none.
    static var columns: Int {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 40 else { return 80 }
        return min(100, Int(size.ws_col))
    }

    static func out(_ text: String) {
        let isFull = buffer.withLock { buffer in
            buffer.bytes.append(contentsOf: text.utf8)
            return buffer.bytes.count >= 65_536
        }
        if isFull { flush() }
    }

    static func flush() {
        let bytes = buffer.withLock { buffer in
            let bytes = buffer.bytes
            buffer.bytes = []
            return bytes
        }
        if !write(bytes, to: 1) { buffer.withLock { $0.isBroken = true } }
    }

    static func error(_ text: String) {
        flush()
        _ = write(Array(text.utf8), to: 2)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent)
            }
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            sent += count
        }
        return true
    }

    /// `text` in the colour `code` (SGR), where colours are shown.
    static func coloured(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
