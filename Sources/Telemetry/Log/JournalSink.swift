import CSystemd
import Glibc

/// Records as entries of the journal: `journalctl -u lanewatch LANEWATCH_RULE_ID=payment-timeout`.
///
/// Sources: sd_journal_print(3), systemd.journal-fields(7).
public struct JournalSink: LogSink {
    public init() {}

    public func write(_ record: LogRecord) {
        let entry = Self.entry(record)
        // One buffer for all fields: iovec only points.
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for field in entry {
            bytes.append(contentsOf: field)
            ends.append(bytes.count)
        }
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            var start = 0
            let vectors: [iovec] = ends.map { end in
                defer { start = end }
                return iovec(iov_base: base + start, iov_len: end - start)
            }
            _ = sd_journal_sendv(vectors, Int32(vectors.count))
        }
    }

    /// `NAME=value` for each field; the message shows the fields as well, as `journalctl` prints nothing else.
    static func entry(_ record: LogRecord) -> [[UInt8]] {
        let shown = record.fields.map { " \($0.key)=\($0.value.description)" }.joined()
        var entry = [
            "MESSAGE=\(record.message)\(shown)", "PRIORITY=\(record.level.priority)", "SYSLOG_IDENTIFIER=lanewatch",
            "LANEWATCH_MESSAGE=\(record.message)",
        ]
        for field in record.fields { entry.append("\(name(field.key))=\(field.value.description)") }
        return entry.map { Array($0.utf8) }
    }

    /// `rule.id` → `LANEWATCH_RULE_ID`: capitals, digits and underscores only.
    private static func name(_ key: String) -> String {
        "LANEWATCH_" + String(key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }
}
