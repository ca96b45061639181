import CommandLine

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

    static let view = Command(
        "view", "show this lane's screen to attendants",
        description: [
            "Reads the configuration's view: and shows the screen of its display to viewers that speak RFB (VNC), masked as the "
                + "lane's state asks for. All is black while the agent does not tell that state.",
            "It is a program of its own, lanewatch-view, which lies beside lanewatch and takes its place. SIGTERM and SIGINT end it; "
                + "SIGHUP reads the certificate again.",
        ],
        options: [config],
        examples: [.init("lanewatch view --config lanewatch.yaml", "Shows the screen in the foreground.")],
        exitCodes: [
            .init(0, "It was told to stop and has stopped."),
            .init(1, "The configuration is wrong, or nobody could be let in; standard error says why."),
            .init(2, "Wrong usage, or lanewatch-view is not installed."),
        ],
        commands: [viewMasks], runsAlone: true)
}
