import CLinux
import Glibc
import Loop

/// What the kernel counts of this process. Sources: proc(5), getrusage(2).
public enum ProcessReadings {
    /// For `Metrics.onScrape`. Reads two small files of /proc: microseconds.
    @LoopActor public static func collect(_ scrape: inout Scrape) {
        var usage = rusage()
        if getrusage(Int32(RUSAGE_SELF.rawValue), &usage) == 0 {
            scrape.set(.processCPU, [], seconds(usage.ru_utime) + seconds(usage.ru_stime))
        }
        if let pages = residentPages() { scrape.set(.processMemory, [], pages * sysconf(Int32(_SC_PAGESIZE))) }
        if let count = openDescriptors() { scrape.set(.processDescriptors, [], count) }
        scrape.set(.processStart, [], startedAt)
        scrape.set(.wakeUps, [], EventLoop.shared.wakeUps)
    }

    /// When the process first asked, which it does while it starts.
    private static let startedAt = Double(Boottime.wallMilliseconds()) / 1000

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }

    private static func residentPages() -> Int? {
        let raw = lw_open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else { return nil }
        let file = Descriptor(owning: raw)
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(file.raw, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let fields = bytes[..<count].split(separator: 0x20)
        return fields.count > 1 ? Int(String(decoding: fields[1], as: UTF8.self)) : nil
    }

    private static func openDescriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without ".", ".." and the descriptor of the folder itself.
        return max(0, count - 3)
    }
}
