import Foundation
import Glibc

/// A program run to its end.
public enum Command {
    /// - Parameter words: The program, looked for in PATH, and its arguments. Whoever wants a time limit begins with `timeout`.
    public static func run(
        _ words: [String], environment: [String: String] = [:]
    ) throws -> (code: Int32, output: [UInt8], errors: String) {
        // Through files: what a program leaves running would hold a pipe open.
        var template = Array("/tmp/lanewatch-command-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Fault("mkdtemp: \(String(cString: strerror(errno)))") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (out, err) = (folder + "/out", folder + "/err")
        for name in [out, err] { _ = FileManager.default.createFile(atPath: name, contents: nil) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: out))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: err))
        try process.run()
        while process.isRunning { usleep(2000) }
        let output = (try? Data(contentsOf: URL(fileURLWithPath: out))).map { [UInt8]($0) } ?? []
        let errors = (try? String(contentsOfFile: err, encoding: .utf8)) ?? ""
        return (process.terminationStatus, output, errors.trimmingCharacters(in: .whitespacesAndNewlines))
    }
}
