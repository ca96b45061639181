import CommandLine

/// A small program with every kind of option, positional and command.
enum Sample {
    static let color = Option(
        "color", "WHEN", .choice(["auto", "always", "never"]), default: "auto", help: "Colour the output.")
    static let quiet = Option(flag: "quiet", short: "q", help: "Say nothing but errors.")
    static let verbose = Option(flag: "verbose", short: "v", repeats: true, help: "Say more; twice for everything.")
    static let rules = Option(
        "rules", short: "r", "FILE", .file(suffixes: ["yaml", "yml"]), repeats: true, help: "Read rules from FILE.")
    static let speed = Option("speed", "N", .integer(1...1000), default: "1", help: "Play N times as fast.")
    static let wait = Option("wait", short: "w", "DURATION", .duration, help: "Wait at most this long.")
    static let directory = Option("into", "DIRECTORY", .directory, isRequired: true, help: "Write into DIRECTORY.")
    static let files = Positional("FILE", .path, .many, help: "Rule files or directories of them.")
    static let recording = Positional("RECORDING", .file(suffixes: ["jsonl"]), .one, help: "A recording.")
    static let level = Positional("LEVEL", .choice(["low", "high"]), .oneOrNone, help: "How much.")

    static let table = CommandTable(
        root: Command(
            "sample", "watch a lane",
            description: ["Watches a lane. Never writes to a device, e.g. a scanner.", ".dotted 'quoted' C:\\path."],
            options: [color, quiet, verbose],
            examples: [.init("sample check rules.d", "Checks every rule file of a directory.")],
            commands: [
                Command(
                    "check", "check rule files", positionals: [files], options: [rules],
                    examples: [.init("sample check \"my rules\".yaml", "Checks one file.")]),
                Command(
                    "replay", "run a recording through the rules", description: ["Prints what would have been raised."],
                    positionals: [recording, level], options: [rules, speed, wait],
                    examples: [.init("sample replay --rules a.yaml day.jsonl", "Replays a day.")],
                    exitCodes: [.init(0, "Good."), .init(3, "The recording has no end.")]),
                Command(
                    "outbox", "look into the outbox", examples: [.init("sample outbox list", "Lists parcels.")],
                    commands: [
                        Command("list", "list parcels", examples: [.init("sample outbox list", "Lists parcels.")]),
                        Command(
                            "save", "write parcels to files", options: [directory],
                            examples: [.init("sample outbox save --into /tmp", "Saves parcels.")]),
                    ]),
            ]),
        version: "1.2.3",
        files: [.init("/etc/sample/sample.yaml", "The configuration.")],
        environment: [.init("NO_COLOR", "No colour where it is set.")],
        seeAlso: ["systemd(1)", "sd_notify(3)", "journalctl(1)"])
}
