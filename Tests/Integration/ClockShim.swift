import Foundation
import Testing

/// Clocks that a test moves under a program that runs: a library put before the C library (LD_PRELOAD, ld.so(8)) adds to
/// CLOCK_BOOTTIME and CLOCK_REALTIME what stands in a file, and says whether the wall clock is synchronised.
final class ClockShim {
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
        let code = Places.repository.appending(path: "Tests/Bed/clocks.c")
        let library = folder.appending(path: "clocks.so")
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
