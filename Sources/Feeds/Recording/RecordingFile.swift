import CLinux
import Glibc
import Loop

/// The file of a recorder and its older ones: `lane.jsonl`, `lane.jsonl.1`, … Runs on a thread of its own, as disks make
/// one wait.
actor RecordingFile {
    struct Fault: Error {
        /// What was done, on what, and what the system said.
        var sentence: String
    }

    private let path: String
    private let limit: Int64
    private let keep: Int
    private var file: Descriptor?
    private var size: Int64 = 0
    private let executor = ThreadExecutor(name: "recorder")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(path: String, limit: Int64, keep: Int) {
        self.path = path
        self.limit = max(4096, limit)
        self.keep = max(0, keep)
    }

    deinit { executor.stop() }

    /// Appends lines, each with its line feed at its end (`ends`: where each line ends in `bytes`). How many lines are in the
    /// file whole, and why not all. Before a line that would make the file larger than its limit, a new one is begun.
    func append(_ bytes: [UInt8], ends: [Int]) -> (written: Int, fault: Fault?) {
        var written = 0
        var start = 0
        do throws(Fault) {
            while written < ends.count {
                if file == nil { try open() }
                if size > 0, size + Int64(ends[written] - start) > limit { try rotate() }
                var last = written
                while last + 1 < ends.count, size + Int64(ends[last + 1] - start) <= limit { last += 1 }
                try write(bytes[start..<ends[last]])
                start = ends[last]
                written = last + 1
            }
            return (written, nil)
        } catch {
            // Tried again with the next lines: the disk may have room by then, or the folder be there.
            return (written, error)
        }
    }

    func close() { file = nil }

    private func open() throws(Fault) {
        let raw = lw_open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard raw >= 0 else { throw fault("open") }
        let file = Descriptor(owning: raw)
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            throw Fault(sentence: "another recorder writes to \(path); give each lane a file of its own")
        }
        var status = stat()
        guard fstat(raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Fault(sentence: "\(path) is no plain file; choose another path")
        }
        size = Int64(status.st_size)
        cutHalfLine(raw)
        self.file = consume file
    }

    /// Removes half a line that a crash or a power cut has left at the end: it is of no use to anybody.
    private func cutHalfLine(_ raw: Int32) {
        var tail = [UInt8](repeating: 0, count: Int(min(size, 65_536)))
        guard !tail.isEmpty, pread(raw, &tail, tail.count, off_t(size) - tail.count) == tail.count else { return }
        guard tail.last != 0x0A else { return }
        let end = tail.lastIndex(of: 0x0A).map { size - Int64(tail.count) + Int64($0) + 1 }
        // A line of more than 64 KiB is none of ours: it is ended, not cut.
        if let end = end ?? (size <= 65_536 ? 0 : nil), ftruncate(raw, off_t(end)) == 0 {
            size = end
        } else if Glibc.write(raw, "\n", 1) == 1 {
            size += 1
        }
    }

    private func write(_ bytes: ArraySlice<UInt8>) throws(Fault) {
        guard let raw = file?.raw else { return }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer -> Int in
                guard let base = buffer.baseAddress else { return 0 }
                return Glibc.write(raw, base + done, buffer.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let fault = fault("write")
                // A line is in the file whole or not at all.
                if done > 0, ftruncate(raw, off_t(size)) != 0 { file = nil }
                throw fault
            }
            done += count
        }
        size += Int64(done)
    }

    /// `lane.jsonl.2` becomes `.3`, and so on; the oldest goes.
    private func rotate() throws(Fault) {
        file = nil
        if keep == 0 {
            guard unlink(path) == 0 || errno == ENOENT else { throw fault("unlink") }
        }
        for number in stride(from: keep - 1, through: 0, by: -1) {
            let from = number == 0 ? path : "\(path).\(number)"
            guard rename(from, "\(path).\(number + 1)") == 0 || errno == ENOENT else { throw fault("rename") }
        }
        try open()
    }

    private func fault(_ call: String) -> Fault {
        let code = errno
        return Fault(sentence: "the recording \(path): \(SystemError(call, code: code))")
    }
}
