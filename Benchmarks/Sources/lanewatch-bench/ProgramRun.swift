import Glibc
import Loop

/// A program that was run to its end, its output in a file.
struct ProgramRun {
    var seconds: Double
    /// On all processors, user and system.
    var cpu: Double
    /// Most resident memory in MB: VmHWM, looked at each 5 ms. (`ru_maxrss` begins with the peak of who started it.)
    var peak: Double
    /// The exit code; negative: the signal that ended it.
    var code: Int32

    /// Runs `words` with standard input from `input`, standard output to `output`, and standard error to `errors`; nil where it
    /// cannot be started. A program that takes more than `limit` seconds is ended.
    init?(
        _ words: [String], input: String = "/dev/null", output: String, errors: String = "/dev/null",
        limit: Double = 120
    ) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let begin = Boottime.nanoseconds()
        guard posix_spawnp(&child, words[0], &actions, nil, arguments, environ) == 0 else { return nil }
        var status: Int32 = 0
        var usage = rusage()
        var kilobytes = 0.0
        while wait4(child, &status, WNOHANG, &usage) == 0 {
            let line = Text.file("/proc/\(child)/status").split(whereSeparator: \.isNewline).first {
                $0.hasPrefix("VmHWM:")
            }
            if let value = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                Double($0)
            }) {
                kilobytes = max(kilobytes, value)
            }
            if Double(Boottime.nanoseconds() - begin) / 1e9 > limit { kill(child, SIGKILL) }
            usleep(5000)
        }
        seconds = Double(Boottime.nanoseconds() - begin) / 1e9
        peak = kilobytes / 1024
        func inSeconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        cpu = inSeconds(usage.ru_utime) + inSeconds(usage.ru_stime)
        code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }
}
