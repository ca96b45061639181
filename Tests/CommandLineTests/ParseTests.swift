import CommandLine
import Testing

@Suite struct ParseTests {
    private func run(_ words: String...) throws -> Arguments {
        guard case .run(let arguments) = try Sample.table.parse(words) else {
            throw UnexpectedHelp()
        }
        return arguments
    }

    private struct UnexpectedHelp: Error {}

    private func error(_ words: [String]) -> UsageError? {
        do {
            _ = try Sample.table.parse(words)
            return nil
        } catch { return error }
    }

    @Test func theSampleTableHasNoFaults() {
        #expect(Sample.table.faults == [])
    }

    @Test func valuesComeInEveryGNUForm() throws {
        for words in [
            ["replay", "--rules", "a.yaml", "--rules=b.yaml", "day.jsonl", "-r", "c.yaml", "-rd.yaml", "-qvvre.yaml"],
            [
                "-q", "-v", "replay", "-v", "-ra.yaml", "-rb.yaml", "-rc.yaml", "-rd.yaml", "-re.yaml", "--",
                "day.jsonl",
            ],
        ] {
            guard case .run(let arguments) = try Sample.table.parse(words) else {
                Issue.record("no run: \(words)")
                continue
            }
            #expect(arguments.path == ["replay"])
            #expect(arguments.all(Sample.rules) == ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"])
            #expect(arguments.has(Sample.quiet))
            #expect(arguments.count(of: Sample.verbose) == 2)
            #expect(arguments[Sample.recording] == "day.jsonl")
            #expect(arguments[Sample.level] == nil)
        }
    }

    @Test func anOptionIsItsDefaultUntilItIsGivenAndTheLastOneCounts() throws {
        #expect(try run("replay", "x").integer(Sample.speed) == 1)
        #expect(try run("replay", "x").has(Sample.speed) == false)
        #expect(try run("replay", "--speed=5", "x", "--speed", "7").integer(Sample.speed) == 7)
        #expect(try run("replay", "x")[Sample.color] == "auto")
        #expect(try run("replay", "x", "--color=never")[Sample.color] == "never")
        #expect(try run("replay", "x", "-w", "45s").duration(Sample.wait) == .seconds(45))
        #expect(try run("replay", "x").duration(Sample.wait) == nil)
        #expect(error(["replay", "x", "--rules="])?.message == "--rules must be a path, not \"\"")
    }

    @Test func afterTwoDashesNothingIsAnOption() throws {
        #expect(try run("check", "--", "-q", "--rules", "--").all(Sample.files) == ["-q", "--rules", "--"])
        #expect(try run("check", "-", "a").all(Sample.files) == ["-", "a"])
    }

    @Test func nestedCommandsHaveAPath() throws {
        #expect(try run("outbox", "list").path == ["outbox", "list"])
        #expect(try run("outbox", "save", "--into", "/tmp")[Sample.directory] == "/tmp")
    }

    @Test(arguments: [
        (["chekc"], "sample: no command \"chekc\"; did you mean \"check\"?"),
        (["xyzzy"], "sample: no command \"xyzzy\"; it is one of: check, replay, outbox"),
        ([], "sample: which command? It is one of: check, replay, outbox"),
        (["outbox"], "sample outbox: which command? It is one of: list, save"),
        (["outbox", "lits"], "sample outbox: no command \"lits\"; did you mean \"list\"?"),
        (["check", "--ruels", "a"], "sample check: no option \"--ruels\"; did you mean \"--rules\"?"),
        (["check", "--verb"], "sample check: no option \"--verb\"; did you mean \"--verbose\"?"),
        (["check", "--zzzzzzzz"], "sample check: no option \"--zzzzzzzz\""),
        (["check", "-z"], "sample check: no option \"-z\""),
        (["check"], "sample check: FILE is missing"),
        (["check", "a", "--rules"], "sample check: --rules needs a value: --rules FILE"),
        (["check", "a", "-r"], "sample check: -r needs a value: -r FILE"),
        (["check", "--quiet=yes", "a"], "sample check: --quiet takes no value"),
        (["outbox", "list", "all"], "sample outbox list: takes no arguments, but there is \"all\""),
        (["outbox", "save"], "sample outbox save: --into DIRECTORY is missing"),
        (["replay", "a", "low", "b"], "sample replay: one argument too many: \"b\""),
        (["replay", "a", "lwo"], "sample replay: LEVEL must be one of: low, high, not \"lwo\"; did you mean \"low\"?"),
        (["replay", ""], "sample replay: RECORDING must be a path, not \"\""),
        (["replay", "a", "--speed=0"], "sample replay: --speed must be a whole number from 1 to 1000, not \"0\""),
        (
            ["replay", "a", "--speed", "fast"],
            "sample replay: --speed must be a whole number from 1 to 1000, not \"fast\""
        ),
        (
            ["replay", "a", "-w45"],
            "sample replay: -w must be a duration such as 500ms, 45s, 2m, 1h or 7d, not \"45\""
        ),
        (
            ["--color=alwyas", "check"],
            "sample: --color must be one of: auto, always, never, not \"alwyas\"; did you mean \"always\"?"
        ),
        (["help", "chekc"], "sample: no command \"chekc\"; did you mean \"check\"?"),
    ])
    func aUsageErrorSaysWhatAndTheNearestName(_ words: [String], _ message: String) {
        let error = error(words)
        #expect(error?.description.split(separator: "\n").first.map(String.init) == message)
        #expect(error?.exitCode == 2)
        #expect(error?.description.contains("--help\".") == true)
    }

    @Test func helpAndVersionAreShownWhateverElseIsMissing() throws {
        let help = try #require(Sample.table.help(of: ["check"]))
        for words in [
            ["check", "--help"], ["check", "-h"], ["check", "-qh"], ["help", "check"], ["--help", "check"],
        ] {
            let expected = words == ["--help", "check"] ? Sample.table.help() : help
            #expect(try Sample.table.parse(words) == .show(expected ?? ""), "\(words)")
        }
        #expect(try Sample.table.parse(["help"]) == .show(Sample.table.help() ?? ""))
        #expect(try Sample.table.parse(["--version"]) == .show("sample 1.2.3\n"))
        #expect(error(["check", "--version"]) != nil)
    }

    @Test(
        arguments: [
            ("1ms", Duration.milliseconds(1)), ("500ms", .milliseconds(500)), ("45s", .seconds(45)),
            ("2m", .seconds(120)),
            ("1h", .seconds(3600)), ("7d", .seconds(604_800)), ("0s", nil), ("", nil), ("s", nil), ("5", nil),
            ("-5s", nil),
            ("5 s", nil), ("5S", nil), ("1h30m", nil), ("٣s", nil), ("99999999999999999999s", nil),
            ("9223372036854775807d", nil), ("9223372036854775807ms", nil), ("3660000d", .seconds(316_224_000_000)),
            ("3660001d", nil),
        ] as [(String, Duration?)])
    func durationsReadAsInRuleFiles(_ text: String, _ duration: Duration?) {
        #expect(DurationText.parse(text) == duration)
    }

    @Test func anyWordsGiveAResultOrAnError() {
        let pieces = [
            "--", "-", "--=", "-=", "--rules", "--rules=", "check", "replay", "-qqq", "-r", "", "é", "--é=", "help",
        ]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            let words = (0..<Int.random(in: 0...6, using: &generator)).compactMap { _ in pieces.randomElement() }
            if let error = error(words) { #expect(error.message.isEmpty == false) }
        }
    }

    @Test func theTableFindsItsOwnFaults() {
        let twice = Option(flag: "twice", short: "t", help: "Does.")
        let bad = CommandTable(
            root: Command(
                "bad", "is bad.", options: [twice, twice, Option("Big", "N", .integer(1...2), default: "3", help: "")],
                examples: [],
                commands: [
                    Command(
                        "a", "x", positionals: [Positional("A", .text, .many, help: "a"), Positional("B", help: "")],
                        options: [Option(flag: "help", help: "Mine.")], examples: []),
                    Command("a", "x", examples: [.init("bad a", "A.")]),
                ]), version: "0")
        let faults = bad.faults.joined(separator: "\n")
        for part in [
            "bad: the summary", "bad: no example", "bad: a command twice", "bad: the option --twice twice",
            "bad: the option -t twice", "bad: --Big: a name", "bad: --Big has no help",
            "must be a whole number from 1 to 2",
            "bad a: B has no help", "bad a: only the last positional", "bad a: the option --help twice",
        ] { #expect(faults.contains(part), "\(part)") }
    }
}
