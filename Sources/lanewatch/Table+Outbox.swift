import CommandLine

/// `lanewatch outbox` and what is below it.
extension Table {
    static let outboxConfig = Option(
        "config", short: "c", "FILE", .file(suffixes: ["yaml"]), default: "/etc/lanewatch/lanewatch.yaml",
        help: "The lane's configuration, which names the socket and the state folder. Read where they are needed.")
    static let outboxState = Option(
        "state", "DIR", .directory, help: "Read this state folder and ask no agent.")
    static let watch = Option(
        flag: "watch", short: "w", help: "Go on until nothing waits: a bar on a terminal, else a line now and then.")
    static let watchFor = Option(
        "for", "DURATION", .duration, default: "10m", help: "With --watch: not longer than this.")

    static let exportTopic = Option(
        "topic", short: "t", "TOPIC", repeats: true, help: "Only messages of this topic. May be given more than once.")
    static let exportQuarantine = Option(
        flag: "quarantine", help: "The messages in quarantine instead of those that wait.")
    static let exportFile = Option(
        "file", "DB", .path,
        help: "Read this database, such as one that was set aside. A copy of it is read; the file stays as it is.")
    static let exportOut = Option(
        "out", short: "o", "FILE", .path,
        help: "Write to this file, which must not be there yet; standard output where it is left out.")
    static let outboxExport = Command(
        "export", "write what waits as JSON",
        description: [
            "Writes the messages that wait, or those in quarantine, as JSON lines: each a CloudEvent in JSON with all headers "
                + "as attributes, topic and partition key included. Nothing is taken out of the outbox, and the agent is not "
                + "held up."
        ],
        options: [exportTopic, exportQuarantine, exportFile, exportOut],
        examples: [
            .init("lanewatch outbox export --out waiting.jsonl", "Everything that waits."),
            .init("lanewatch outbox export --quarantine", "What no broker takes, to look at it."),
            .init(
                "lanewatch outbox export --file /var/lib/lanewatch/outbox.sqlite.damaged-1795000000000 --out saved.jsonl",
                "What can be read of a database that was set aside."),
        ],
        exitCodes: [
            .init(0, "Everything is written."),
            .init(1, "Not everything could be read, or it could not be written; standard error says how much is."),
            .init(2, "Wrong usage."),
        ])

    static let withheldID = Positional("ID", .text, .one, help: "The message's id, or the beginning of it.")
    static let withheldTopic = Option(
        "topic", short: "t", "TOPIC", help: "Where several topics have a message with this id: which is meant.")
    static let outboxRelease = Command(
        "release", "send a message of the quarantine again",
        description: [
            "Sends a message again that no broker took, once the cause is mended: a topic's limit was raised, a policy was "
                + "changed. It becomes the next message of its topic, with its old id; the header ce_releasedfrom tells "
                + "where it was. The audit topic tells who did it.",
            "Without a running agent the state folder is changed, and the message goes out after the next start.",
        ],
        positionals: [withheldID], options: [withheldTopic],
        examples: [.init("lanewatch outbox release 5f0c9a1e", "Sends it again.")],
        exitCodes: [
            .init(0, "It is in the outbox, on disk."),
            .init(1, "There is none, or you may not; standard error says why."),
            .init(2, "Wrong usage."),
        ])
    static let why = Option(
        "why", "TEXT", isRequired: true, help: "The reason: the audit topic tells it, with who did it.")
    static let outboxDiscard = Command(
        "discard", "throw a message of the quarantine away",
        description: [
            "Throws a message away that no broker takes. The audit topic tells who did it, and why; the message itself is gone: "
                + "\"lanewatch outbox export --quarantine\" keeps a copy."
        ],
        positionals: [withheldID], options: [withheldTopic, why],
        examples: [
            .init("lanewatch outbox discard 5f0c9a1e --why \"test data of 3 May\"", "Throws it away.")
        ],
        exitCodes: [
            .init(0, "It is gone."), .init(1, "There is none, or you may not; standard error says why."),
            .init(2, "Wrong usage."),
        ])

    static let outbox = Command(
        "outbox", "show what waits for the brokers, and why",
        description: [
            "Asks the agent on this lane how many messages wait on each topic, since when and why, what is on its way, how fast "
                + "a backlog goes down, and what no broker takes. Without an agent it reads the state folder, and says so.",
            "With --watch it goes on until nothing waits.",
        ],
        options: [control, outboxConfig, outboxState, watch, watchFor, answerJSON],
        examples: [
            .init("lanewatch outbox", "What waits, and why?"),
            .init("lanewatch outbox --watch --for 1h", "After an outage: until everything is delivered."),
        ],
        exitCodes: [
            .init(0, "It is told; with --watch: nothing waits."),
            .init(1, "Neither agent nor state folder can be read; with --watch: the time is over and something waits."),
            .init(2, "Wrong usage."),
        ],
        commands: [outboxExport, outboxRelease, outboxDiscard], runsAlone: true)
}
