import CommandLine

extension Table {
    static let doctorPatience = Option(
        "timeout", "DURATION", .duration, default: "10s", help: "How long each broker and topic may take.")
    static let doctor = Command(
        "doctor", "say what keeps this lane from working",
        description: [
            "Reads the configuration, then looks from this lane at all that the agent needs: versions, rules, the state folder and "
                + "its room, the clock, the devices, the agent itself, and each broker: whether its name has an address, whether "
                + "it answers, its TLS certificate, the login, and whether each topic is there. A line a check, with the way out.",
            "It may run beside the agent. It writes to no topic and shows no secret. Run it as the agent's user, to see what the "
                + "agent sees: runuser -u lanewatch -- lanewatch doctor. Credentials that systemd hands over are only there "
                + "in the unit; CREDENTIALS_DIRECTORY can name a folder with them.",
        ],
        options: [config, doctorPatience, json],
        examples: [
            .init("lanewatch doctor", "Looks at this lane."),
            .init("lanewatch doctor --json | grep fail", "What is broken, for tools."),
        ],
        exitCodes: [
            .init(0, "Nothing is broken; warnings do not count."), .init(1, "Something is broken."),
            .init(2, "Wrong usage, or the configuration cannot be read."),
        ])
}
