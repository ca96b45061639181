import CLinux
import Glibc

/// How records are written.
public enum LogFormat: Hashable, Sendable {
    /// For people.
    case text(colour: Bool)
    /// One JSON object a line.
    case json
    /// The journal, with every field a field of its own.
    case journal

    /// What suits standard error: the journal where it is connected to it, text on a terminal (coloured, unless NO_COLOR
    /// is set to anything), else JSON lines.
    ///
    /// Sources: systemd.exec(5), `$JOURNAL_STREAM`; <https://no-color.org>.
    public static func suitable(
        environment: (String) -> String?, isTerminal: Bool, stream: (device: UInt64, inode: UInt64)?
    ) -> LogFormat {
        if let stream, environment("JOURNAL_STREAM") == "\(stream.device):\(stream.inode)" { return .journal }
        guard isTerminal else { return .json }
        return .text(colour: (environment("NO_COLOR") ?? "").isEmpty && environment("TERM") != "dumb")
    }

    /// The same for this process.
    public static func suitable() -> LogFormat {
        var status = stat()
        let stream = fstat(2, &status) == 0 ? (UInt64(status.st_dev), UInt64(status.st_ino)) : nil
        return suitable(
            environment: { name in getenv(name).map { String(cString: $0) } }, isTerminal: isatty(2) == 1,
            stream: stream)
    }

    /// A sink that writes to standard error, or to the journal.
    public func sink() -> any LogSink {
        switch self {
        case .journal: return JournalSink()
        case .text, .json: return StreamSink(descriptor: 2, format: self)
        }
    }
}
