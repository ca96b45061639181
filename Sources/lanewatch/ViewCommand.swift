import Agent
import CommandLine
import Glibc
import Loop

/// `lanewatch view`: gives its place to `lanewatch-view`, which lies beside it. The agent's program links no code that draws.
enum ViewCommand {
    static var program: String { beside() + "/lanewatch-view" }

    static func perform(_ arguments: Arguments) -> Int32 {
        switch arguments.path.dropFirst().first {
        case "sessions": ViewSessions.list(arguments)
        case "end": ViewSessions.end(arguments)
        case "token": token(arguments)
        case "key": ViewKey.perform(arguments)
        case "masks": masks(arguments)
        default: give(["--config", arguments[Table.config] ?? ""])
        }
    }

    private static func masks(_ arguments: Arguments) -> Int32 {
        var words = ["masks", "--config", arguments[Table.config] ?? ""]
        for state in arguments.all(Table.maskState) { words += ["--state", state] }
        if arguments.has(Table.maskUnknown) { words.append("--unknown") }
        if let file = arguments[Table.maskPreview] { words += ["--preview", file] }
        return give(words)
    }

    private static func token(_ arguments: Arguments) -> Int32 {
        var words = ["token", "--attendant", arguments[Table.tokenAttendant] ?? ""]
        if let lane = arguments[Table.tokenLane] {
            words += ["--lane", lane]
        } else {
            guard let configuration = configuration(arguments) else { return 1 }
            words += ["--lane", configuration.identity.partitionKey]
        }
        words += ["--mode", arguments[Table.tokenMode] ?? "view", "--key", arguments[Table.tokenKey] ?? ""]
        if let intervention = arguments[Table.tokenIntervention] { words += ["--intervention", intervention] }
        // Begun seconds count whole.
        let seconds = arguments.duration(Table.tokenFor).map { length in
            length.components.seconds + (length.components.attoseconds > 0 ? 1 : 0)
        }
        if let seconds { words += ["--seconds", String(seconds)] }
        return give(words)
    }

    /// The configuration that is named; nil, with a word on standard error, where it is wrong.
    static func configuration(_ arguments: Arguments) -> Configuration? {
        let path = arguments[Table.config] ?? ""
        guard let bytes = Files.read(path, for: "view") else { return nil }
        let file = ConfigurationFile(file: path, bytes: bytes)
        for diagnostic in file.diagnostics where file.configuration == nil {
            Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
        }
        return file.configuration
    }

    private static func give(_ arguments: [String]) -> Int32 {
        let path = program
        let words = [path] + arguments
        var pointers = words.map { strdup($0) }
        pointers.append(nil)
        execv(path, pointers)
        Terminal.error("lanewatch view: cannot start \(path): \(SystemError("execv")); install lanewatch's view\n")
        for pointer in pointers { free(pointer) }
        return 2
    }

    /// The folder of this program. Source: proc(5), /proc/self/exe.
    private static func beside() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes -> Int in
            guard let base = bytes.baseAddress else { return 0 }
            return readlink("/proc/self/exe", base.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard count > 0 else { return "/usr/bin" }
        let path = String(decoding: buffer[..<count], as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "/usr/bin"
    }
}
