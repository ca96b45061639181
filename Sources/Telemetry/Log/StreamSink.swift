import CLinux
import Glibc
import Lane

/// Records as lines on a descriptor that somebody else owns.
public struct StreamSink: LogSink {
    private let descriptor: Int32
    private let format: LogFormat

    public init(descriptor: Int32, format: LogFormat) {
        self.descriptor = descriptor
        self.format = format
    }

    public func write(_ record: LogRecord) {
        var line = Self.line(record, format)
        line.append(0x0A)
        var written = 0
        var waits = 0
        while written < line.count {
            let count = line.withUnsafeBytes { bytes -> Int in
                guard let base = bytes.baseAddress else { return 0 }
                return Glibc.write(descriptor, base + written, bytes.count - written)
            }
            if count > 0 {
                written += count
            } else if errno == EAGAIN, waits < 20 {
                // Somebody has made the terminal non-blocking.
                waits += 1
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, 100)
            } else if errno != EINTR {
                return
            }
        }
    }

    static func line(_ record: LogRecord, _ format: LogFormat) -> [UInt8] {
        switch format {
        case .text(let colour): return Array(text(record, colour: colour).utf8)
        case .json, .journal: return json(record)
        }
    }

    /// `2026-11-21T08:14:03.120Z warning  peer refused  uid=1000 pid=77`
    private static func text(_ record: LogRecord, colour: Bool) -> String {
        let name = record.level.name
        let padded = name + String(repeating: " ", count: max(0, 8 - name.count))
        let (on, off) = colour ? (colourOf(record.level), "\u{1B}[0m") : ("", "")
        let (dim, plain) = colour ? ("\u{1B}[2m", "\u{1B}[0m") : ("", "")
        var text = "\(dim)\(record.at.rfc3339)\(plain) \(on)\(padded)\(off) \(visible(record.message))"
        for (place, field) in record.fields.enumerated() {
            text += (place == 0 ? "  " : " ") + "\(dim)\(field.key)=\(plain)\(quoted(field.value.description))"
        }
        return text
    }

    private static func colourOf(_ level: LogRecord.Level) -> String {
        switch level {
        case .debug: return "\u{1B}[2m"
        case .info: return "\u{1B}[32m"
        case .warning: return "\u{1B}[33m"
        case .error: return "\u{1B}[31m"
        case .critical: return "\u{1B}[1;31m"
        }
    }

    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0 != "\\" }
        return isPlain ? visible(text) : "\"" + visible(text, quoting: true) + "\""
    }

    /// Nothing that a terminal would obey: control characters and those that turn the direction of text are written out.
    private static func visible(_ text: String, quoting: Bool = false) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22 where quoting, 0x5C where quoting: out += "\\" + String(scalar)
            case 0x0A: out += "\\n"
            case 0x09: out += "\\t"
            case 0..<0x20, 0x7F..<0xA0, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF:
                out += "\\u{\(String(scalar.value, radix: 16))}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    private static func json(_ record: LogRecord) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("time", record.at.rfc3339)
            json.member("level", record.level.name)
            json.member("message", record.message)
            for field in record.fields {
                switch field.value {
                case .text(let text): json.member(field.key, text)
                case .int(let number): json.member(field.key, number)
                }
            }
        }
        return json.bytes
    }
}
