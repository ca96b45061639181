import CommandLine

extension Table {
    static let topicsTimeout = Option(
        "timeout", short: "t", "DURATION", .duration, default: "15s",
        help: "The longest that the cluster is waited for, in all.")
    static let dryRun = Option(
        flag: "dry-run",
        help: "Make nothing: have the cluster say what would come of it, and show Kafka's own command for each topic.")
    static let topicsJSON = Option(flag: "json", help: "One JSON object a line: the cluster, then each topic.")

    static let topicsCheck = Command(
        "check", "compare a cluster's topics with what lanes need",
        description: [
            "Asks the cluster of the configuration for every topic that lanes with this configuration and its rules write or "
                + "read: whether it is there, its partitions, replicas and settings, and whether its replicas have everything.",
            "For each difference it says what is wrong, what comes of it, and the command or setting that mends it. An error: "
                + "messages are lost, refused, or wait. A warning: a promise holds less than it should. A note: nothing has to "
                + "be done. Nothing is changed, and no topic is made by asking.",
        ],
        options: [config, topicsTimeout, topicsJSON],
        examples: [
            .init("lanewatch topics check", "Is the cluster as this lane needs it?"),
            .init("lanewatch topics check --config lanewatch.yaml --json", "The same for a monitoring system."),
        ],
        exitCodes: [
            .init(0, "Everything is as needed; notes do not count."),
            .init(1, "There are errors or warnings."),
            .init(2, "Wrong usage, a wrong configuration, or the cluster cannot be reached."),
        ])
    static let topicsCreate = Command(
        "create", "make the topics that are missing",
        description: [
            "Makes each topic that lanes with this configuration and its rules need and that is not there, with the partitions, "
                + "replicas, cleanup and retention of topic_settings in the configuration. What is there is never changed and "
                + "never deleted; lanewatch topics check tells whether it is right.",
            "The client needs the right to create topics: one machine of the cluster's operators is a better place than a lane.",
        ],
        options: [config, dryRun, topicsTimeout, topicsJSON],
        examples: [
            .init("lanewatch topics create --dry-run", "What would be made?"),
            .init("lanewatch topics create", "Makes it."),
        ],
        exitCodes: [
            .init(0, "Every topic is there now; with --dry-run: nothing stands in the way."),
            .init(1, "A topic could not be made; standard output says why, and the way out."),
            .init(2, "Wrong usage, a wrong configuration, or the cluster cannot be reached."),
        ])
    static let topics = Command(
        "topics", "make and check the topics on a cluster",
        description: [
            "Lanes publish to topics that somebody has to make. Which they are follows from the configuration and its rules; how "
                + "they are made, from topic_settings. docs/reference/topics.md has each with its reasons."
        ],
        examples: [
            .init("lanewatch topics create", "Makes what is missing."),
            .init("lanewatch topics check", "Says what is not as it must be."),
        ],
        commands: [topicsCheck, topicsCreate])
}
