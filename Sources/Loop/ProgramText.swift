import Glibc

/// The code and constants of the program and its libraries, as far as they are in memory.
///
/// Starting touches most of them, watching a lane little: half of what a system counts as the process's memory is not
/// used again. They come from files that never change while they are mapped, so any page can go and be there again when it is used.
public enum ProgramText {
    /// Unmaps all of it; what is used from now on comes back, a few pages at a time, out of the page cache. For programs that have
    /// started. Some milliseconds; on any thread.
    ///
    /// A part in which any page differs from its file is left as it is: a debugger's breakpoint, a relocation.
    /// Source: proc(5), smaps; madvise(2), MADV_DONTNEED: private file mappings are populated anew from the file.
    /// - Returns: the bytes of the parts that were unmapped, in memory or not; 0 where the system does not tell of them.
    @discardableResult
    public static func release() -> Int {
        var released = 0
        for part in parts() {
            guard let start = UnsafeMutableRawPointer(bitPattern: part.lowerBound) else { continue }
            if madvise(start, part.count, MADV_DONTNEED) == 0 { released += part.count }
        }
        return released
    }

    /// The parts of loaded programs and libraries that are mapped privately, not writable, and hold no page of their own: code and
    /// constants.
    static func parts() -> [Range<UInt>] {
        guard let file = fopen("/proc/self/smaps", "re") else { return [] }
        defer { fclose(file) }
        var found: [(range: Range<UInt>, path: String)] = []
        // Of files that are loaded: others may be unmapped by whoever reads them, and their place be taken, before we come to it.
        var loaded: Set<String> = []
        var current: (range: Range<UInt>, path: String)?
        var own = 0
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let line {
            let words = String(cString: line).split(whereSeparator: \.isWhitespace)
            guard words.count > 1 else { continue }
            if words[0].hasSuffix(":") {
                guard let part = current, ["Anonymous:", "Swap:"].contains(words[0]) else { continue }
                own += Int(words[1]) ?? 1
                // The later one of the two.
                guard words[0] == "Swap:" else { continue }
                if own == 0 { found.append(part) }
                current = nil
            } else {
                // Addresses, rights, offset, device, inode, path.
                (current, own) = (nil, 0)
                guard words.count >= 6, words[5].hasPrefix("/"), let range = range(words[0]) else { continue }
                let path = words[5...].joined(separator: " ")
                if words[1] == "r-xp" { loaded.insert(path) }
                if words[1] == "r-xp" || words[1] == "r--p" { current = (range, path) }
            }
        }
        return found.filter { loaded.contains($0.path) }.map(\.range)
    }

    private static func range(_ text: Substring) -> Range<UInt>? {
        let ends = text.split(separator: "-").compactMap { UInt($0, radix: 16) }
        return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
    }
}
