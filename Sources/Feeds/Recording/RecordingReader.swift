import CLinux
import Glibc
import Loop

/// A recording's bytes, piece by piece, read on a thread of its own.
actor RecordingReader {
    private var file: Descriptor?
    private let path: String
    private let executor = ThreadExecutor(name: "replay")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ file: consuming Descriptor, path: String) {
        self.file = consume file
        self.path = path
    }

    deinit { executor.stop() }

    /// The next bytes, none at the end.
    func next() throws(SystemError) -> [UInt8] {
        guard let raw = file?.raw else { return [] }
        while true {
            var bytes = [UInt8](repeating: 0, count: 262_144)
            let count = read(raw, &bytes, bytes.count)
            if count >= 0 { return count == bytes.count ? bytes : Array(bytes[..<count]) }
            guard errno == EINTR else { throw SystemError("read") }
        }
    }
}
