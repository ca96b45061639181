import CommandLine

/// `lanewatch view` and what is below it.
extension Table {
    static let maskState = Option(
        "state", short: "s", "NAME=VALUE", repeats: true,
        help: "A state of the lane, such as basket=paying; what the agent says now where none is named.")
    static let maskUnknown = Option(flag: "unknown", help: "As while the agent does not tell the lane's state.")
    static let maskPreview = Option(
        "preview", short: "p", "FILE", .file(suffixes: ["png"]),
        help: "Also write the screen as it is now, as attendants would see it, to this PNG file.")
    static let viewMasks = Command(
        "masks", "show what is hidden in a state of the lane",
        description: [
            "Tells which parts of the screen attendants would not see, and why; with --preview as a picture of the display's "
                + "screen as it is now. It asks the agent for the lane's states unless they are named."
        ],
        options: [config, maskState, maskUnknown, maskPreview],
        examples: [
            .init("lanewatch view masks --state basket=paying --preview paying.png", "What is seen while it pays?"),
            .init("lanewatch view masks", "What is hidden now?"),
        ],
        exitCodes: [
            .init(0, "It is told."), .init(1, "The configuration is wrong, or agent or screen cannot be asked."),
            .init(2, "Wrong usage, or lanewatch-view is not installed."),
        ])

    static let viewSocket = Option(
        "control", "PATH", .path, default: "/run/lanewatch-view/control.sock",
        help: "The running view's control socket; with --config, that of the configuration.")
    static let viewSessions = Command(
        "sessions", "list who watches this lane",
        description: [
            "Asks the running view who watches now: since when and from where, whether they may control and do, how much "
                + "they were sent, and how many movements, clicks and keys of theirs reached the lane."
        ],
        options: [viewSocket, answerJSON],
        examples: [
            .init("lanewatch view sessions", "Who watches?"),
            .init("lanewatch view sessions --json", "The same, a JSON object a session."),
        ],
        exitCodes: [
            .init(0, "It is told."), .init(1, "No view runs, or you may not ask; standard error says why."),
            .init(2, "Wrong usage."),
        ])

    static let sessionID = Positional(
        "SESSION", .text, .one, help: "The session's id, or the number behind its hyphen.")
    static let endWhy = Option("why", "TEXT", help: "The reason: the audit topic tells it, with who ended it.")
    static let viewEnd = Command(
        "end", "end a session",
        description: [
            "Ends a session of the running view within a second. The audit topic tells who did it, and why. Its attendant may "
                + "come again with another token."
        ],
        positionals: [sessionID], options: [endWhy, viewSocket],
        examples: [.init("lanewatch view end 3 --why \"the customer asked for it\"", "Ends the third session.")],
        exitCodes: [
            .init(0, "It is ended."), .init(1, "There is none, or you may not; standard error says why."),
            .init(2, "Wrong usage."),
        ])

    static let tokenAttendant = Option(
        "attendant", short: "a", "NAME", isRequired: true, help: "Who will watch: stands in the audit.")
    static let tokenKey = Option(
        "key", short: "k", "FILE", .path, isRequired: true,
        help: "The key to sign with, as \"lanewatch view key\" makes it.")
    static let tokenMode = Option(
        "mode", short: "m", "MODE", .choice(["view", "control"]), default: "view", help: "What the token allows.")
    static let tokenLane = Option(
        "lane", short: "l", "STORE/LANE", help: "The lane; that of --config where it is left out.")
    static let tokenIntervention = Option(
        "intervention", short: "i", "ID", help: "The session ends when this intervention is closed.")
    static let tokenFor = Option(
        "for", "DURATION", .duration, default: "60s", help: "How long the token may be used to join, 60s at most.")
    static let viewToken = Command(
        "token", "make a token to watch a lane",
        description: [
            "Signs a token, one line on standard output: one attendant, one lane, for one joining within a minute. It is the "
                + "password in a viewer; the session may last longer than the token.",
            "Make tokens where the key is. A lane has the public half alone, and the clocks of both must agree within "
                + "seconds.",
        ],
        options: [tokenAttendant, tokenKey, tokenMode, tokenLane, tokenIntervention, tokenFor],
        examples: [
            .init(
                "lanewatch view token --key console.key --lane 0042/07 --attendant anna", "Lets Anna watch lane 07."),
            .init(
                "lanewatch view token -k console.key -l 0042/07 -a anna -m control -i 5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55",
                "Lets her control it as long as the intervention is open."),
        ],
        exitCodes: [
            .init(0, "The token is printed."), .init(1, "The key cannot be used; standard error says why."),
            .init(2, "Wrong usage."),
        ])

    static let newKey = Positional("FILE", .path, .one, help: "The private key; FILE.pub will hold its public half.")
    static let viewKey = Command(
        "key", "make a pair of keys for tokens",
        description: [
            "Makes an Ed25519 key for tokens in FILE, which its owner alone can read, and its public half in FILE.pub, and prints "
                + "what to put into the lanes' configurations. No file that is there is touched."
        ],
        positionals: [newKey],
        examples: [.init("lanewatch view key console.key", "Makes console.key and console.key.pub.")],
        exitCodes: [
            .init(0, "Both are made."), .init(1, "One cannot be made; standard error says why."),
            .init(2, "Wrong usage."),
        ])

    static let view = Command(
        "view", "show this lane's screen to attendants",
        description: [
            "Reads the configuration's view: and shows the screen of its display to viewers that speak RFB (VNC), masked as the "
                + "lane's state asks for. All is black while the agent does not tell that state.",
            "It is a program of its own, lanewatch-view, which lies beside lanewatch and takes its place. SIGTERM and SIGINT end it; "
                + "SIGHUP reads the certificate again.",
        ],
        options: [config],
        examples: [
            .init("lanewatch view --config lanewatch.yaml", "Shows the screen in the foreground."),
            .init("lanewatch view sessions", "Who watches?"),
        ],
        exitCodes: [
            .init(0, "It was told to stop and has stopped."),
            .init(1, "The configuration is wrong, or nobody could be let in; standard error says why."),
            .init(2, "Wrong usage, or lanewatch-view is not installed."),
        ],
        commands: [viewMasks, viewSessions, viewEnd, viewToken, viewKey], runsAlone: true)
}
