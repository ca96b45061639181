import Foundation

/// Where tests put the messages that they have read from topics, for `scripts/check-records` to hold each against its schema
/// and against the CloudEvents SDK. On where `LANEWATCH_RECORDS` names a folder, as `make test` does.
///
/// For what the product has made. What a test has spoiled by purpose does not belong here.
public enum RecordShelf {
    public static let folder = ProcessInfo.processInfo.environment["LANEWATCH_RECORDS"].flatMap {
        $0.isEmpty ? nil : $0
    }
    private static let lock = NSLock()

    /// Keeps a record, a JSON object a line; bytes that are no UTF-8 are not what the product writes, and stay as they can.
    public static func keep(topic: String, key: String?, headers: [(name: String, value: String)], value: String?) {
        guard let folder else { return }
        let object: [String: Any] = [
            "topic": topic, "key": key ?? NSNull(), "headers": headers.map { [$0.name, $0.value] },
            "value": value ?? NSNull(),
        ]
        guard let line = try? JSONSerialization.data(withJSONObject: object) else { return }
        lock.lock()
        defer { lock.unlock() }
        let path = "\(folder)/\(ProcessInfo.processInfo.processIdentifier).jsonl"
        if !FileManager.default.fileExists(atPath: path) {
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        guard let file = FileHandle(forWritingAtPath: path) else { return }
        defer { try? file.close() }
        _ = try? file.seekToEnd()
        try? file.write(contentsOf: line + [10])
    }
}
