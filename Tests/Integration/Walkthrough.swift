import Foundation

/// A Markdown page that its reader walks through: files to save, commands to run, and what these print.
///
/// - A block that is introduced by "Save this as `NAME`" is a file.
/// - An `sh` block is run. Its exit code is 0, or what the words before the next block say: "exit code 1".
/// - A `text` block after it is what it prints, on both outputs; `…` stands for the rest of a line, alone on a line for any
///   lines. Where there is none it prints nothing.
struct Walkthrough {
    enum Step: Equatable {
        case file(name: String, text: String)
        case command(script: String, code: Int32, output: [String])
    }

    private(set) var steps: [(line: Int, step: Step)] = []
    /// Blocks that the reader could make nothing of.
    private(set) var faults: [String] = []

    init(_ markdown: String) {
        var prose = ""
        var fence: (line: Int, language: String)?
        var block: [String] = []
        for (place, line) in markdown.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") {
                if let open = fence {
                    add(open.language, block, prose, line: open.line)
                    (fence, block, prose) = (nil, [], "")
                } else {
                    fence = (place + 1, String(line.dropFirst(3)))
                }
            } else if fence != nil {
                block.append(String(line))
            } else {
                prose += line + "\n"
            }
        }
        if let fence { faults.append("line \(fence.line): a block has no end") }
        settle(prose)
    }

    private mutating func add(_ language: String, _ block: [String], _ prose: String, line: Int) {
        settle(prose)
        if let name = prose.firstMatch(of: /Save this as `([^`]+)`/)?.1 {
            steps.append((line, .file(name: String(name), text: block.map { $0 + "\n" }.joined())))
        } else if language == "sh" {
            steps.append((line, .command(script: block.joined(separator: "\n"), code: 0, output: [])))
        } else if language == "text", case .command(let script, let code, let output)? = steps.last?.step,
            output.isEmpty
        {
            steps[steps.count - 1].step = .command(script: script, code: code, output: block)
        } else {
            faults.append(
                "line \(line): this block is no command, no file that is introduced, and no output of a command")
        }
    }

    /// The words after a command may say its exit code.
    private mutating func settle(_ prose: String) {
        guard let said = prose.firstMatch(of: /[Ee]xit code (\d+)/)?.1, let code = Int32(said),
            case .command(let script, _, let output)? = steps.last?.step
        else { return }
        steps[steps.count - 1].step = .command(script: script, code: code, output: output)
    }

    /// Whether `found` is what `expected` says.
    static func fits(_ found: ArraySlice<String>, _ expected: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return found.isEmpty }
        if first == "…" {
            return (found.startIndex...found.endIndex).contains { fits(found[$0...], expected.dropFirst()) }
        }
        guard let line = found.first else { return false }
        let matches = first.hasSuffix("…") ? line.hasPrefix(first.dropLast()) : line == first
        return matches && fits(found.dropFirst(), expected.dropFirst())
    }

    /// Saves and runs all of it in `folder`, with `path` first in PATH; what did not go as the page says.
    func walk(in folder: URL, path: String) throws -> [String] {
        var faults = self.faults
        let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        for (line, step) in steps {
            switch step {
            case .file(let name, let text):
                try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
            case .command(let script, let code, let output):
                // The folder is handed over by the environment: a name is no part of a script.
                let found = try Program.run(
                    "/bin/bash", ["-c", "cd \"$WALK\" && \(script)"],
                    environment: ["WALK": folder.path, "PATH": "\(path):\(inherited)", "NO_COLOR": "1"], seconds: 60)
                if found.code != code { faults.append("line \(line): exit code \(found.code), the page says \(code)") }
                if !Self.fits(found.output[...], output[...]) {
                    faults.append(
                        "line \(line): prints\n\(found.output.joined(separator: "\n"))\nthe page says\n\(output.joined(separator: "\n"))"
                    )
                }
            }
        }
        return faults
    }
}
