import Glibc

/// What another process of this user has in its memory.
enum ProcessMemory {
    struct Mapping {
        var start: UInt64
        var end: UInt64
        var isReadable: Bool
        /// Behind a file, or such as `[heap]`; empty for memory of no name.
        var name: String
        /// Not in a core dump (MADV_DONTDUMP). Source: proc(5), smaps, VmFlags `dd`.
        var isOutOfDumps = false
    }

    static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece[..<count]
        }
    }

    static func mappings(_ pid: pid_t) -> [Mapping] {
        var found: [Mapping] = []
        for line in text("/proc/\(pid)/smaps").split(separator: "\n") {
            if line.hasPrefix("VmFlags:") {
                let flags = line.split(separator: " ")
                if let last = found.indices.last { found[last].isOutOfDumps = flags.contains("dd") }
                continue
            }
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count >= 5, let dash = fields[0].firstIndex(of: "-"),
                let start = UInt64(fields[0][..<dash], radix: 16),
                let end = UInt64(fields[0][fields[0].index(after: dash)...], radix: 16)
            else { continue }
            found.append(
                Mapping(
                    start: start, end: end, isReadable: fields[1].hasPrefix("r"),
                    name: fields.count > 5 ? String(fields[5]).trimmed : ""))
        }
        return found
    }

    /// Where `pattern` begins in the process's memory, by mapping. What cannot be read, as what a device has mapped, is left out.
    static func places(of pattern: [UInt8], in pid: pid_t) -> [(mapping: Mapping, address: UInt64)] {
        let memory = open("/proc/\(pid)/mem", O_RDONLY)
        guard memory >= 0 else { return [] }
        defer { close(memory) }
        var found: [(Mapping, UInt64)] = []
        let room = 4 << 20
        var bytes = [UInt8](repeating: 0, count: room)
        for mapping in mappings(pid) where mapping.isReadable && mapping.name != "[vvar]" {
            var start = mapping.start
            while start < mapping.end {
                let wanted = min(room, Int(mapping.end - start))
                let count = pread(memory, &bytes, wanted, off_t(start))
                guard count > 0 else { break }
                bytes.withUnsafeBytes { all in
                    for offset in offsets(of: pattern, in: UnsafeRawBufferPointer(rebasing: all[..<count])) {
                        found.append((mapping, start + UInt64(offset)))
                    }
                }
                // Patterns lie across the pieces' ends too.
                let step = count - (count == wanted && start + UInt64(count) < mapping.end ? pattern.count - 1 : 0)
                start += UInt64(max(1, step))
            }
        }
        return found
    }

    /// By its third byte, a pixel's red, which is rare in memory.
    private static func offsets(of pattern: [UInt8], in bytes: UnsafeRawBufferPointer) -> [Int] {
        guard let base = bytes.baseAddress, pattern.count > 2, bytes.count >= pattern.count else { return [] }
        var (found, place): ([Int], Int) = ([], 2)
        while place < bytes.count, let hit = memchr(base + place, Int32(pattern[2]), bytes.count - place) {
            let start = UnsafeRawPointer(hit) - base - 2
            if start + pattern.count <= bytes.count, memcmp(base + start, pattern, pattern.count) == 0 {
                found.append(start)
            }
            place = start + 3
        }
        return found
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }).split(separator: " ").first.map { String($0) } ?? ""
    }
}
