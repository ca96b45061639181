import CommandLine

extension Table {
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
        ])
}
