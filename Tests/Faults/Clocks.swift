import FaultParts
import Foundation

/// Clocks that are moved under an agent that runs; see Tests/Bed/clocks.c.
struct Clocks {
    private let library: String
    private let offsets: String

    init(folder: String) throws {
        library = folder + "/clocks.so"
        offsets = folder + "/offsets"
        let made = try Command.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", library, Places.repository + "/Tests/Bed/clocks.c", "-ldl"])
        guard made.code == 0 else { throw Fault("the clocks cannot be made: cc: \(made.errors)") }
        try Data(count: 24).write(to: URL(fileURLWithPath: offsets))
    }

    var environment: [String: String] { ["LD_PRELOAD": library, "CLOCK_SHIM": offsets] }

    /// Both are from the real clock, in milliseconds. Programs that run see it at once.
    func set(boottime: Int, wall: Int) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: offsets))
        defer { try? file.close() }
        // In place, as running programs have it mapped.
        try withUnsafeBytes(of: (Int64(boottime), Int64(wall), Int64(0))) { try file.write(contentsOf: Data($0)) }
    }
}
