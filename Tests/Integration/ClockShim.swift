import Foundation
import Testing

/// Clocks that a test moves under a program that runs: a library put before the C library (LD_PRELOAD, ld.so(8)) adds to
/// CLOCK_BOOTTIME and CLOCK_REALTIME what stands in a file, and says whether the wall clock is synchronised.
final class ClockShim {
    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/timerfd.h>
        #include <sys/timex.h>
        #include <time.h>

        static const volatile long long *milliseconds;

        __attribute__((constructor)) static void begin(void) {
          int file = open(getenv("CLOCK_SHIM"), O_RDONLY);
          if (file >= 0) milliseconds = mmap(0, 24, PROT_READ, MAP_SHARED, file, 0);
        }

        static void add(struct timespec *time, long long by) {
          long long all = time->tv_sec * 1000000000LL + time->tv_nsec + by * 1000000LL;
          time->tv_sec = all / 1000000000LL;
          time->tv_nsec = all % 1000000000LL;
        }

        int clock_gettime(clockid_t clock, struct timespec *now) {
          static int (*real)(clockid_t, struct timespec *);
          if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
          int code = real(clock, now);
          if (code == 0 && milliseconds && clock == CLOCK_BOOTTIME) add(now, milliseconds[0]);
          if (code == 0 && milliseconds && clock == CLOCK_REALTIME) add(now, milliseconds[1]);
          return code;
        }

        int timerfd_settime(int timer, int flags, const struct itimerspec *value, struct itimerspec *old) {
          static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);
          if (!real) real = dlsym(RTLD_NEXT, "timerfd_settime");
          struct itimerspec moved = *value;
          if (milliseconds && (flags & TFD_TIMER_ABSTIME) && (moved.it_value.tv_sec || moved.it_value.tv_nsec))
            add(&moved.it_value, -milliseconds[0]);
          return real(timer, flags, &moved, old);
        }

        int adjtimex(struct timex *state) {
          memset(state, 0, sizeof *state);
          state->status = milliseconds && milliseconds[2] ? STA_UNSYNC : 0;
          return 0;
        }
        """

    static let compiler: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/bin"]
        for name in ["clang", "gcc", "cc"] {
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }()

    private let folder: URL
    private let offsets: URL

    /// Makes the library in a folder of its own.
    init() throws {
        folder = try Places.folder()
        offsets = folder.appending(path: "offsets")
        let (code, library) = (folder.appending(path: "clocks.c"), folder.appending(path: "clocks.so"))
        try Self.source.write(to: code, atomically: true, encoding: .utf8)
        try Data(count: 24).write(to: offsets)
        let compiler = try #require(Self.compiler)
        let made = try Program.run(
            compiler, ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library.path, code.path, "-ldl"])
        guard made.code == 0 else { throw TestFault("\(compiler): \(made.output.joined(separator: " | "))") }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var environment: [String: String] {
        ["LD_PRELOAD": folder.appending(path: "clocks.so").path, "CLOCK_SHIM": offsets.path]
    }

    /// Both are from the real clock, in milliseconds. Programs that run see it at once.
    func set(boottime: Int64, wall: Int64, isSynchronised: Bool = true) throws {
        let file = try FileHandle(forWritingTo: offsets)
        defer { try? file.close() }
        // In place, as running programs have it mapped.
        try withUnsafeBytes(of: (boottime, wall, Int64(isSynchronised ? 0 : 1))) {
            try file.write(contentsOf: Data($0))
        }
    }
}
