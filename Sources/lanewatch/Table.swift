import Agent
import CommandLine

/// The program's commands: parsing, help, the manual page and completions are all made from this table.
enum Table {
    static let noColor = Option(
        flag: "no-color", help: "Plain text, also on a terminal. NO_COLOR in the environment does the same.")

    // run
    static let config = Option(
        "config", short: "c", "FILE", .file(suffixes: ["yaml"]), default: "/etc/lanewatch/lanewatch.yaml",
        help: "The configuration.")
    static let run = Command(
        "run", "watch this lane",
        description: [
            "Reads the configuration and its rules, then watches the lane until it is told to stop. Every fault in "
                + "either is told with its place, and the agent does not start.",
            "SIGTERM and SIGINT stop it within 5 s: what was accepted is on disk, what was not delivered goes out after "
                + "the next start. SIGHUP reads the rules again; with an error in them the old ones stay.",
        ],
        options: [config, json],
        examples: [
            .init("lanewatch run", "Runs with /etc/lanewatch/lanewatch.yaml, as the unit does."),
            .init("lanewatch run --config lanewatch.yaml", "Runs in the foreground with a file of this folder."),
        ],
        exitCodes: [
            .init(0, "It was told to stop and has stopped."),
            .init(
                1, "The configuration or a rule file is wrong, or the lane cannot be watched; standard error says why."),
            .init(2, "Wrong usage: an unknown option, a missing argument."),
        ])

    // check
    static let ruleFiles = Positional(
        "FILE", .file(suffixes: ["yaml"]), .manyOrNone,
        help: "Rule files, and folders that stand for theirs; together they are one set.")
    static let checkConfig = Option(
        "config", short: "c", "FILE", .file(suffixes: ["yaml"]),
        help: "Check this configuration, and the rules that it names.")
    static let json = Option(flag: "json", help: "One JSON object a line, for editors and other tools.")
    static let check = Command(
        "check", "find what is wrong in rule files and the configuration",
        description: [
            "Tells every error of every file in one run: its line and column, one sentence, the line itself, and the way "
                + "out. Errors go to standard output, warnings to standard error; with --json both to standard output.",
            "A folder stands for its *.yaml in byte order of names, without *.test.yaml, signals.yaml, hidden files and folders. "
                + "A *.test.yaml that is named is checked for its form.",
        ],
        positionals: [ruleFiles], options: [checkConfig, json],
        examples: [
            .init("lanewatch check rules", "Checks a folder of rule files."),
            .init("lanewatch check /etc/lanewatch/rules.d", "Checks the files of a folder as one set."),
            .init("lanewatch check --config /etc/lanewatch/lanewatch.yaml", "Checks the configuration and its rules."),
        ],
        exitCodes: [
            .init(0, "Nothing is wrong. Warnings do not count."), .init(1, "There are errors."),
            .init(2, "Wrong usage, or a file cannot be read."),
        ])

    // test
    static let testFiles = Positional(
        "FILE", .file(suffixes: ["test.yaml"]), .many,
        help: "Test files: X.test.yaml tests X.yaml beside it, or what its rules: names.")
    static let test = Command(
        "test", "run the tests of rule files",
        description: [
            "Runs each test in virtual time and compares the complete list of what came out with what the test expects. A "
                + "failed test shows both as a timeline, with the signals between.",
            "The last line counts the tests, and says how much of a lane's time they took and how long that was.",
        ],
        positionals: [testFiles],
        options: [testExplain, testCoverage, failUnder, testFilter, testList, json],
        examples: [
            .init("lanewatch test rules/*.test.yaml", "Runs the tests of the shipped rules."),
            .init(
                "lanewatch test --filter decline --explain rules/payment.test.yaml",
                "Runs those with decline in their name, and says what each signal did where one fails."),
            .init("lanewatch test --coverage rules/*.test.yaml", "Says what of which rules no test has touched."),
        ],
        exitCodes: [
            .init(0, "Every test passed."),
            .init(1, "A test failed, a file is wrong, or less than --fail-under is touched."),
            .init(2, "Wrong usage, a file cannot be read, or no test has the filter's text in its name."),
        ])
    static let testExplain = Option(
        flag: "explain",
        help: "With a failed test: what each signal did to the rules that differ, and the nearest miss.")
    static let testCoverage = Option(
        flag: "coverage",
        help: "Which rules, and what of them (fired, cleared, escalated, muted, expired …), no test has touched.")
    static let failUnder = Option(
        "fail-under", "PERCENT", .integer(0...100),
        help: "With --coverage: exit with 1 where less of the rules' branches is touched.")
    static let testFilter = Option(
        "filter", "TEXT", repeats: true, help: "Only tests with TEXT in their name.")
    static let testList = Option(flag: "list", help: "List the tests, with file and line, and run none.")

    // replay
    static let replayRules = Option(
        "rules", short: "r", "FILE", .file(suffixes: ["yaml"]), repeats: true, isRequired: true,
        help: "Rule file, or a folder of them. May be given more than once; together they are one set.")
    static let store = Option("store", "NAME", default: "0", help: "The store, where ids of interventions matter.")
    static let replayAgainst = Option(
        "against", short: "a", "FILE", .file(suffixes: ["yaml"]), repeats: true,
        help: "The rules as they were: tell what --rules would have changed. May be given more than once.")
    static let replaySummary = Option(
        flag: "summary", help: "With --against: the tables only, not each intervention.")
    static let recording = Positional(
        "RECORDING", .file(suffixes: ["jsonl"]), .many, help: "Signals as JSON Lines; - is standard input.")
    static let replay = Command(
        "replay", "run rules over a recording",
        description: [
            "Prints what the rules would have raised, escalated and cleared, a line each, with times from the "
                + "recording's first signal on. A recording of several lanes gives lines that begin with the lane.",
            "It ends with the last signal. What still waits then is told on standard error.",
            "With --against it tells instead what an edit would have changed, over any number of recordings: + raised, "
                + "- not raised any more, ~ earlier, later, longer, shorter or otherwise; then a table by rule and one by lane.",
        ],
        positionals: [recording], options: [replayRules, replayAgainst, replaySummary, json, store],
        examples: [
            .init(
                "lanewatch replay --rules rules docs/tutorial/recording.jsonl",
                "Runs the shipped rules over a recording."),
            .init(
                "lanewatch replay --rules new-rules --against rules recordings/*.jsonl",
                "Tells what the edit would have changed."),
        ])

    // bundle
    static let bundlePaths = Positional(
        "PATH", .path, .many, help: "Rule files, or a folder of them; with --show, bundles.")
    static let bundleOut = Option(
        "out", short: "o", "FILE", .path, help: "Where to write it; NAME.bundle in this folder where it is left out.")
    static let bundleKey = Option(
        "key", short: "k", "FILE", .file(suffixes: ["pem"]), repeats: true,
        help: "Sign with this private key (Ed25519, PEM). May be given more than once.")
    static let bundleName = Option("name", "NAME", help: "The set's name; the folder's where it is left out.")
    static let bundleVersion = Option(
        "set-version", "TEXT", help: "The set's version; the beginning of its digest where it is left out.")
    static let bundleShow = Option(flag: "show", help: "Check bundles and tell what they hold.")
    static let bundleTrust = Option(
        "trust", "FILE", .file(suffixes: ["pem"]), repeats: true,
        help: "With --show: a public key; a bundle must be signed by one of these.")
    static let bundle = Command(
        "bundle", "put a rule set into one signed file",
        description: [
            "Checks rule files and writes them into one file with a digest, which every message of a lane that runs them "
                + "carries. With --key it is signed; a lane whose configuration says signing: {required: true} takes no other.",
            "A key pair is made with: openssl genpkey -algorithm ed25519 -out rules.key.pem; openssl pkey -in "
                + "rules.key.pem -pubout -out rules.pub.pem. The private half stays where bundles are made.",
        ],
        positionals: [bundlePaths],
        options: [bundleOut, bundleKey, bundleName, bundleVersion, bundleShow, bundleTrust],
        examples: [
            .init(
                "lanewatch bundle --key rules.key.pem --out store.bundle rules", "Makes a signed bundle of a folder."),
            .init("lanewatch bundle --show --trust rules.pub.pem store.bundle", "Checks it as a lane would."),
        ],
        exitCodes: [
            .init(0, "It was made; with --show: it is good."),
            .init(1, "The rules have errors, a key cannot be used, or a bundle is not to be trusted."),
            .init(2, "Wrong usage, or a file cannot be read or written."),
        ])

    // explain, rules
    static let control = Option(
        "control", "PATH", .path, default: "/run/lanewatch/control.sock", help: "The running agent's control socket.")
    static let answerJSON = Option(flag: "json", help: "JSON, for tools.")
    static let explainedRule = Positional("RULE", .text, .one, help: "The id of a rule: payment-timeout.")
    static let explainedRecording = Positional(
        "RECORDING", .file(suffixes: ["jsonl"]), .oneOrNone,
        help: "Signals as JSON Lines; - is standard input. Without it the agent on this lane is asked.")
    static let explainRules = Option(
        "rules", short: "r", "FILE", .file(suffixes: ["yaml"]), default: "/usr/share/lanewatch/rules", repeats: true,
        help: "With a recording: rule file, folder or bundle. May be given more than once; together they are one set.")
    static let explainedLane = Option(
        "lane", "LANE", help: "With a recording: only this lane of several.")
    static let explainAt = Option(
        "at", "TIME",
        help:
            "With a recording: how the rule stood then, instead of what happened: after the first signal (4m10s), or of "
            + "the clock (2026-01-05T10:04:10Z).")
    static let explainAll = Option(
        flag: "all",
        help:
            "With a recording: every signal; without it, of a long run that all did the same only the first and the last."
    )
    static let explain = Command(
        "explain", "say why a rule raised, or why not",
        description: [
            "With a recording: runs the rules over it and prints for one of them what each signal did to it: it armed a wait, "
                + "answered one, counted as 2 of 3, did not count because the basket was closed. It ends with how often the "
                + "rule raised, and with the nearest miss. Times are from the recording's first signal on, as those of "
                + "lanewatch replay.",
            "Without one: asks the agent on this lane what the rule is doing: what is raised, what waits and until when, how far "
                + "it has counted, and what stands in its way (a guard, a mute, a silence, a cooldown).",
        ],
        positionals: [explainedRule, explainedRecording],
        options: [explainRules, explainedLane, explainAt, explainAll, control, answerJSON],
        examples: [
            .init("lanewatch explain payment-timeout", "On a lane: why is it quiet, and when will it call?"),
            .init(
                "lanewatch explain --rules rules payment-timeout docs/tutorial/recording.jsonl",
                "What happened to payments."),
            .init(
                "lanewatch explain --rules rules --at 9m40s three-declines docs/tutorial/recording.jsonl",
                "How that rule stood then."),
        ],
        exitCodes: [
            .init(0, "It is told."),
            .init(
                1, "A rule file or the recording is wrong, the rule is switched off, or the agent cannot be reached."),
            .init(2, "Wrong usage, no such rule in the files, or a file cannot be read."),
        ])
    static let listedRules = Option(
        "rules", short: "r", "FILE", .file(suffixes: ["yaml"]), repeats: true,
        help: "List the rules of this file, folder or bundle instead of asking the agent. May be given more than once.")
    static let listedLane = Option(
        "lane", "NAME", help: "With --rules: the lane whose parameters count. Without it the defaults are shown.")
    static let sort = Option(
        "sort", "KEY", .choice(["id", "fired", "last", "precision"]), default: "id",
        help: "id, fired (most first), last (fired last first), precision (worst first).")
    static let rules = Command(
        "rules", "list the rules, how often they fired, and how often rightly",
        description: [
            "Asks the agent on this lane for its rules: whether each calls, is in shadow or silenced, what is raised now, how "
                + "often it fired, and how often attendants said that it was a false alarm. Precision is the share of judged "
                + "interventions that were right.",
            "With --rules it lists what the files say, without an agent and without counts.",
        ],
        options: [control, listedRules, listedLane, sort, answerJSON],
        examples: [
            .init("lanewatch rules --sort precision", "Which rules cry wolf?"),
            .init("lanewatch rules --rules rules", "What is in this folder?"),
        ],
        exitCodes: [
            .init(0, "The rules are listed."), .init(1, "The agent cannot be reached, or a file is wrong."),
            .init(2, "Wrong usage, or a file cannot be read."),
        ])

    // signal
    static let signalType = Positional("TYPE", .text, .one, help: "A signal of the catalogue: payment.started.")
    static let signalAttributes = Positional("NAME=VALUE", .text, .manyOrNone, help: "Its attributes.")
    static let socket = Option(
        "socket", short: "s", "PATH", .path, default: "/run/lanewatch/pos.sock", help: "The agent's socket.")
    static let timeout = Option(
        "timeout", "DURATION", .duration, default: "5s", help: "How long to wait for the answer.")
    static let signal = Command(
        "signal", "tell the agent that something happened",
        description: [
            "Writes one signal to the agent's socket, as the POS application does, and waits until it is durable. Prints its number."
        ],
        positionals: [signalType, signalAttributes], options: [socket, timeout],
        examples: [
            .init("lanewatch signal payment.started pay=P1 amount=1299", "A payment was begun."),
            .init("lanewatch signal --socket ./pos.sock help.requested", "The customer asks for help."),
        ],
        exitCodes: [
            .init(0, "The signal is on the lane's disk."), .init(1, "The agent refused it, or cannot be reached."),
            .init(2, "Wrong usage: an unknown option, a missing argument."),
        ])

    // demo
    static let length = Option("for", "DURATION", .duration, default: "30s", help: "How long.")
    static let demoRules = Option(
        "rules", short: "r", "FILE", .file(suffixes: ["yaml"]), default: "/usr/share/lanewatch/rules",
        repeats: true,
        help: "Rule file. May be given more than once.")
    static let demoScreen = Option(
        "screen", "DISPLAY", .text,
        help:
            "Also show this X display to attendants, on loopback: lanewatch-view is started, and black while the customer pays."
    )
    static let demoTill = Option(
        "till", "PATH", .path,
        help: "Also write what a till's screen shows to this socket, line by line: demo-kiosk draws it.")
    static let demo = Command(
        "demo", "see it work, without a till and without a broker",
        description: [
            "Runs the agent on a simulated lane, with a Kafka of three brokers inside this process. Shows signals and "
                + "interventions as they happen, and ends with a summary. Nothing is left behind."
        ],
        options: [length, demoRules, demoScreen, demoTill],
        examples: [
            .init("lanewatch demo --rules rules", "Half a minute of a customer's troubles."),
            .init("lanewatch demo --for 5m", "Five minutes, to look in with kcat."),
        ],
        exitCodes: [
            .init(0, "All that was raised was delivered."), .init(1, "Something was not, or could not be started."),
            .init(2, "Wrong usage: an unknown option."),
        ])

    // manual
    static let form = Positional(
        "FORM", .choice(["man", "bash"]), .one, help: "man: a manual page; bash: completions.")
    static let manual = Command(
        "manual", "print the manual page or completions",
        description: [
            "Prints lanewatch(1) as a manual page, or completions for bash; `make install` puts them in place."
        ],
        positionals: [form],
        examples: [
            .init("lanewatch manual man | man -l -", "Shows the manual page."),
            .init("source <(lanewatch manual bash)", "Completes in this shell."),
        ])

    static let all = CommandTable(
        root: Command(
            "lanewatch", "tells when a self-checkout lane cannot go on",
            description: [
                "Lanewatch watches a self-checkout lane's devices and POS application, decides by a table of rules when a "
                    + "customer cannot go on, and publishes that to Kafka, where nothing is lost in an outage or a crash."
            ],
            options: [noColor],
            examples: [
                .init("lanewatch demo --rules rules", "See it work."),
                .init("lanewatch check rules", "Check rule files."),
                .init("lanewatch run", "Watch this lane."),
            ],
            commands: [
                run, check, test, replay, explain, rules, outbox, bundle, signal, view, topics, verify, doctor, demo,
                manual,
            ]),
        version: Version.text,
        files: [
            .init("/etc/lanewatch/lanewatch.yaml", "The configuration."),
            .init("/var/lib/lanewatch/", "The outbox: what is not yet delivered, and the engine's checkpoint."),
            .init("/run/lanewatch/pos.sock", "The socket of the POS application."),
            .init("/run/lanewatch/control.sock", "The socket on which the running agent can be asked."),
            .init("/run/lanewatch-view/control.sock", "The socket on which the live view can be asked who watches."),
            .init("/usr/share/lanewatch/rules/", "The shipped rules and their tests."),
        ],
        environment: [.init("NO_COLOR", "Plain text, also on a terminal.")],
        seeAlso: ["systemctl(1)", "journalctl(1)", "kcat(1)"])
}
