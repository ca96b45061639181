import CommandLine
import Foundation
import Testing

@Suite struct PagesTests {
    /// Runs a program with `input` on its standard input, and gives its status and both outputs.
    static func run(_ program: String, _ arguments: [String], input: String = "") throws -> (status: Int32, out: String)
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        try process.run()
        stdin.fileHandleForWriting.write(Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let out = stdout.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: out, as: UTF8.self))
    }

    @Test func helpOfTheProgramReadsAsWritten() {
        let expected = """
            Usage: sample [OPTIONS] COMMAND

            Watch a lane.

            Watches a lane. Never writes to a device, e.g. a scanner.

            .dotted 'quoted' C:\\path.

            Commands:
              check   check rule files
              replay  run a recording through the rules
              outbox  look into the outbox

            Options:
                  --color WHEN  Colour the output. One of: auto, always, never. Default:
                                auto.
              -q, --quiet       Say nothing but errors.
              -v, --verbose     Say more; twice for everything.
              -h, --help        Show this help.
              -V, --version     Show the version.

            Examples:
              sample check rules.d
                  Checks every rule file of a directory.

            Exit codes:
              0  All is good.
              1  The input is wrong; standard error says where and how.
              2  Wrong usage: an unknown option, a missing argument.

            "sample help COMMAND" tells more about a command.

            """
        #expect(Sample.table.help() == expected)
    }

    @Test(arguments: [40, 60, 80, 132])
    func helpKeepsToItsColumns(_ columns: Int) throws {
        for path in [[], ["check"], ["replay"], ["outbox"], ["outbox", "list"], ["outbox", "save"]] {
            let help = try #require(Sample.table.help(of: path, columns: columns))
            #expect(help.contains("Examples:\n"))
            #expect(help.contains("--help"))
            for line in help.split(separator: "\n") where !line.hasPrefix("  sample") {
                #expect(line.count <= columns, "\(line)")
                #expect(line.last != " ")
            }
        }
        #expect(Sample.table.help(of: ["nothing"]) == nil)
    }

    @Test func theManualPageIsCleanForMandoc() throws {
        let page = Sample.table.manual(date: "November 21, 2026")
        let lint = try Self.run("/usr/bin/mandoc", ["-T", "lint", "-W", "style"], input: page)
        // Cross references to pages that this machine has not installed are no fault of ours.
        let found = lint.out.split(separator: "\n").filter {
            !$0.contains("referenced manual not found") && !$0.contains("mandoc.db")
        }
        #expect(found == [], "\(page)")
        let shown = try Self.run("/usr/bin/mandoc", ["-T", "utf8", "-O", "width=80"], input: page)
        let plain = shown.out.replacing(/.\u{8}/, with: "")
        for part in [
            "sample replay", "--rules FILE", "-r, --rules FILE", "May be repeated.", ".dotted 'quoted' C:\\path.",
            "/etc/sample/sample.yaml", "NO_COLOR", "journalctl(1), systemd(1), sd_notify(3)",
            "sample check \"my rules\".yaml", "The recording has no end.", "outbox save --into DIRECTORY",
        ] { #expect(plain.contains(part), "\(part)\n\(plain)") }
    }

    @Test(arguments: [
        ("sample ", ["check", "replay", "outbox", "help"]),
        ("sample re", ["replay"]),
        ("sample --q", ["--quiet"]),
        ("sample -q outbox ", ["list", "save"]),
        ("sample outbox save --i", ["--into"]),
        ("sample --color=", ["auto", "always", "never"]),
        ("sample --color=al", ["always"]),
        ("sample check --color n", ["never"]),
        ("sample --color never re", ["replay"]),
        ("sample --color=never re", ["replay"]),
        ("sample check --rules ", ["folder", "one.yaml", "two words.yml"]),
        ("sample replay -r one", ["one.yaml"]),
        ("sample replay ", ["folder", "day.jsonl"]),
        ("sample replay -q day.jsonl --rules=x ", ["low", "high"]),
        ("sample replay day.jsonl low ", []),
        ("sample check ", ["day.jsonl", "folder", "one.yaml", "two words.yml"]),
        ("sample outbox save --into ", ["folder"]),
        ("sample replay --speed ", []),
        // A value that is called like a command is none.
        ("sample --color check ch", ["check"]),
    ])
    func bashCompletes(_ line: String, _ expected: [String]) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lanewatch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("folder"), withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["one.yaml", "two words.yml", "day.jsonl"] {
            try Data().write(to: folder.appendingPathComponent(name))
        }
        // Words as bash splits them: "=" is a word of its own.
        var words = line.replacing("=", with: " = ").split(separator: " ").map(String.init)
        if line.hasSuffix(" ") || line.hasSuffix("=") { words.append("") }
        if line.hasSuffix("=") { words.removeLast() }
        let script = """
            set -u
            cd '\(folder.path)'
            \(Sample.table.bashCompletion())
            COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " ")))
            COMP_CWORD=\(words.count - 1)
            _sample
            ((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
            exit 0
            """
        let answer = try Self.run("/bin/bash", ["--norc"], input: script)
        #expect(answer.out.split(separator: "\n").map(String.init).sorted() == expected.sorted(), "\(answer.out)")
    }
}
