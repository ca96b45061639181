/// A command of the program: what it is called, what it takes, what it answers. Values only: parsing, help, the manual
/// and completions are all made from it.
public struct Command: Hashable, Sendable {
    public struct Example: Hashable, Sendable {
        /// A whole command line, without a prompt.
        public var line: String
        /// What it does, in one sentence.
        public var meaning: String
        public init(_ line: String, _ meaning: String) {
            self.line = line
            self.meaning = meaning
        }
    }

    public struct ExitCode: Hashable, Sendable {
        public var code: Int32
        public var meaning: String
        public init(_ code: Int32, _ meaning: String) {
            self.code = code
            self.meaning = meaning
        }

        /// What most commands answer.
        public static let usual: [ExitCode] = [
            ExitCode(0, "All is good."), ExitCode(1, "The input is wrong; standard error says where and how."),
            ExitCode(2, "Wrong usage: an unknown option, a missing argument."),
        ]
    }

    public let name: String
    /// One line without a full stop, for lists: `check rule files and the configuration`.
    public let summary: String
    /// Paragraphs.
    public let description: [String]
    public let positionals: [Positional]
    /// Also understood by the commands below this one.
    public let options: [Option]
    public let examples: [Example]
    public let exitCodes: [ExitCode]
    /// Commands below this one: `outbox list`. A command has either these or positionals.
    public let commands: [Command]
    /// Does something of its own too where none of those below is named.
    public let runsAlone: Bool

    public init(
        _ name: String, _ summary: String, description: [String] = [], positionals: [Positional] = [],
        options: [Option] = [], examples: [Example], exitCodes: [ExitCode] = ExitCode.usual, commands: [Command] = [],
        runsAlone: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.description = description
        self.positionals = positionals
        self.options = options
        self.examples = examples
        self.exitCodes = exitCodes
        self.commands = commands
        self.runsAlone = runsAlone || commands.isEmpty
    }

    func command(named name: String) -> Command? { commands.first { $0.name == name } }
}

/// The program: its commands and what only its manual tells. The root's options (`--no-color`) belong to every command.
///
/// ```swift
/// let rules = Option("rules", short: "r", "FILE", .file(suffixes: ["yaml"]), repeats: true, help: "Read rules from FILE.")
/// let check = Command("check", "check rule files", options: [rules], examples: [.init("lanewatch check", "Checks …")])
/// let table = CommandTable(root: Command("lanewatch", "watch a lane", examples: […], commands: [check]), version: "1.0")
/// switch try table.parse(words) {
/// case .run(let arguments): … arguments.path == ["check"], arguments.all(rules)
/// case .show(let text): … print it, exit 0
/// }
/// ```
public struct CommandTable: Hashable, Sendable {
    /// An entry of the manual's FILES or ENVIRONMENT.
    public struct Note: Hashable, Sendable {
        public var name: String
        public var meaning: String
        public init(_ name: String, _ meaning: String) {
            self.name = name
            self.meaning = meaning
        }
    }

    public let root: Command
    public let version: String
    public let files: [Note]
    public let environment: [Note]
    /// Manual pages to look at: `("journalctl", 1)` as `journalctl(1)`.
    public let seeAlso: [String]

    public init(
        root: Command, version: String, files: [Note] = [], environment: [Note] = [], seeAlso: [String] = []
    ) {
        self.root = root
        self.version = version
        self.files = files
        self.environment = environment
        self.seeAlso = seeAlso
    }

    /// Every command with the names that lead to it, the root first, in the order of the table.
    var everyCommand: [(path: [String], command: Command)] {
        func below(_ path: [String], _ command: Command) -> [(path: [String], command: Command)] {
            [(path, command)] + command.commands.flatMap { below(path + [$0.name], $0) }
        }
        return below([], root)
    }

    /// The commands from the root to the one at `path`; nil when the table has no such command.
    func chain(to path: [String]) -> [Command]? {
        var chain = [root]
        for name in path {
            guard let next = chain.last?.command(named: name) else { return nil }
            chain.append(next)
        }
        return chain
    }

    /// What the last command of `chain` understands: its own options, then those of the commands above it, then `--help`.
    func options(of chain: [Command]) -> [Option] {
        chain.reversed().flatMap(\.options) + (chain.count == 1 ? [.help, .version] : [.help])
    }
}
