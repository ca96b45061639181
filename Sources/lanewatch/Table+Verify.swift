import CommandLine

extension Table {
    static let verifyConfig = Option(
        "config", short: "c", "FILE", .file(suffixes: ["yaml"]), default: "/etc/lanewatch/lanewatch.yaml",
        help: "The configuration whose brokers and topics are meant, unless --brokers names others.")
    static let verifyBrokers = Option(
        "brokers", short: "b", "HOST:PORT", help: "Brokers, with commas between, instead of a configuration's.")
    static let verifySetting = Option(
        "set", short: "X", "KEY=VALUE", repeats: true,
        help:
            "A setting of librdkafka, over the configuration's: security.protocol=SSL. A password's value is a file: "
            + "sasl.password=@FILE. May be given more than once.")
    static let verifyTopic = Option(
        "topic", short: "t", "TOPIC", repeats: true,
        help:
            "Read this topic. May be given more than once. Without it: those of the configuration and its rules, or with "
            + "--brokers the cluster's sco.*, without the attendants' own.")
    static let verifyCompacted = Option(
        "compacted", "TOPIC", repeats: true,
        help: "Of this topic only each lane's last message need be there. The topic of lane states always is such.")
    static let verifySince = Option(
        "since", "WHEN", help: "Only messages from then on: 2h ago, or of the clock: 2026-11-21T08:00:00Z.")
    static let verifyLane = Option(
        "lane", short: "l", "STORE/LANE", repeats: true, help: "Only this lane. May be given more than once.")
    static let verifyLate = Option(
        "late", "DURATION", .duration, default: "1m",
        help: "Tell of messages that came into the log so long after they were recorded.")
    static let verifyStrict = Option(
        flag: "strict", help: "A message that came twice is a fault too, though consumers drop it by its id.")
    static let verifySchemas = Option(
        "schemas", "DIRECTORY", .directory,
        help: "JSON Schemas (*.schema.json) beside those that are built in, as of a newer version's lanes.")

    static let verify = Command(
        "verify", "prove that topics hold every message, in order",
        description: [
            "Reads topics from their first record, or from --since, to the end they have now, and holds them against what is "
                + "promised: of each lane every sequence is there, in order, each message well formed, as its schema says, with "
                + "the id that belongs to it; the audit chain is whole. Nothing is written, no consumer group is made.",
            "A fault is told with its place in the log, up to five of a kind for each lane and topic; --json tells all gaps. What "
                + "is told and is no fault: repeats of the same message, a new epoch, messages that the lane itself says it "
                + "dropped or withheld, late ones, a beginning that is no longer kept.",
            "The last line is one sentence: clean, or what is wrong.",
        ],
        options: [
            verifyConfig, verifyBrokers, verifySetting, verifyTopic, verifyCompacted, verifySince, verifyLane,
            verifyLate,
            verifyStrict, verifySchemas, json,
        ],
        examples: [
            .init("lanewatch verify", "On a lane: all of its brokers' topics that its configuration names."),
            .init(
                "lanewatch verify --brokers kafka1:9092 --since 2h", "From anywhere: the last two hours of all lanes."),
            .init(
                "lanewatch verify -b kafka1:9093 -X security.protocol=SSL --topic sco.interventions --lane 0042/07",
                "One lane's interventions, over TLS."),
        ],
        exitCodes: [
            .init(0, "Clean."), .init(1, "Not clean: the faults are told."),
            .init(2, "Wrong usage, or something could not be read: nothing is said of that."),
        ])
}
