import CommandLine
import Glibc
import Loop

/// `lanewatch view`: gives its place to `lanewatch-view`, which lies beside it. The agent's program links no code that draws.
enum ViewCommand {
    static var program: String { beside() + "/lanewatch-view" }

    static func perform(_ arguments: Arguments) -> Int32 {
        let path = program
        var words = [path]
        if arguments.path.last == "masks" { words.append("masks") }
        words += ["--config", arguments[Table.config] ?? ""]
        if arguments.path.last == "masks" {
            for state in arguments.all(Table.maskState) { words += ["--state", state] }
            if arguments.has(Table.maskUnknown) { words.append("--unknown") }
            if let file = arguments[Table.maskPreview] { words += ["--preview", file] }
        }
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
