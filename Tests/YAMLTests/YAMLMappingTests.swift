import Testing

@testable import YAML

@Suite struct YAMLMappingTests {
    static let text = """
        port: 70000
        prot: 1
        name: 12
        wait: 1m30s
        quick: 50ms
        on: "yes"
        off: True
        level: infoo
        many: "3"
        nothing:
        list: [a, [b], c]
        empty: []
        one: a
        map: {x: 1, yy: 2}
        zzz: 1
        """

    func mapping(_ text: String, keys: [String]? = nil) throws -> YAMLMapping {
        let document = YAMLDocument(file: "x.yaml", bytes: Array(text.utf8))
        let root = try #require(document.root)
        return try #require(YAMLMapping(root, "the file", keys: keys, Findings(document)))
    }

    /// Found by fuzzing: each of many names was looked for among all of them, which took minutes.
    @Test(.timeLimit(.minutes(3))) func aMappingOfManyKeysIsNoTrouble() throws {
        let map = try mapping((0..<100_000).map { "k\($0):\n" }.joined())
        #expect(map.pairs.allSatisfy { map.has($0.key) })
        #expect(!map.has("k100000") && map.pair("k17")?.keyRange.start.line == 18)
    }

    @Test func allFaultsAreToldInLineOrder() throws {
        let keys = [
            "port", "name", "wait", "quick", "on", "off", "level", "many", "nothing", "list", "empty", "one", "map",
        ]
        let map = try mapping(Self.text, keys: keys)
        #expect(map.mapping("map", "\"map\"", keys: ["x", "y"])?.int("x") == 1)
        #expect(map.texts("one", isListOnly: true).isEmpty)
        #expect(map.texts("one").map(\.text) == ["a"])
        #expect(map.texts("empty").isEmpty)
        #expect(map.texts("empty", allowsEmpty: true).isEmpty)
        #expect(map.texts("list").map(\.text) == ["a", "c"])
        #expect(map.text("nothing") == nil)
        #expect(map.int("many") == nil)
        #expect(map.choice("level", of: ["debug", "info"]) == nil)
        #expect(map.bool("on") == nil)
        #expect(map.bool("off") == true)
        #expect(map.duration("quick", in: 100...1000) == nil)
        #expect(map.duration("wait") == nil)
        #expect(map.text("name") == "12")
        #expect(map.int("port", in: 1...65535) == nil)
        map.require("port", "lane")
        #expect(map.findings.hasErrors)
        #expect(
            map.findings.inLineOrder.map { $0.rendered() }.joined() == """
                x.yaml:1:1: error: the file needs "lane"
                    1 | port: 70000
                      | ^^^^
                x.yaml:1:7: error: "port" must be 1 to 65535, not 70000
                    1 | port: 70000
                      |       ^^^^^
                x.yaml:2:1: error: unknown key "prot" in the file; did you mean "port"?
                    2 | prot: 1
                      | ^^^^
                x.yaml:4:7: error: "wait" needs a duration, not "1m30s"; write "90s"
                    4 | wait: 1m30s
                      |       ^^^^^
                x.yaml:5:8: error: "quick" must be 100ms to 1s, not 50ms
                    5 | quick: 50ms
                      |        ^^^^
                x.yaml:6:5: error: "on" needs true or false, not "yes"; write true
                    6 | on: "yes"
                      |     ^^^^^
                x.yaml:8:8: error: "level" cannot be "infoo"; did you mean "info"?
                    8 | level: infoo
                      |        ^^^^^
                      = help: one of: debug, info
                x.yaml:9:7: error: "many" needs a whole number, not "3"; write 3, without quotes
                    9 | many: "3"
                      |       ^^^
                x.yaml:10:9: error: "nothing" needs text, not nothing
                   10 | nothing:
                      |         ^
                x.yaml:11:11: error: each of "list" needs text, not a list
                   11 | list: [a, [b], c]
                      |           ^^^
                x.yaml:12:8: error: "empty" is an empty list; leave the key out, or name at least one
                   12 | empty: []
                      |        ^^
                x.yaml:13:6: error: "one" needs a list of text, not "a"; write ["a"]
                   13 | one: a
                      |      ^
                x.yaml:14:13: error: unknown key "yy" in "map"
                   14 | map: {x: 1, yy: 2}
                      |             ^^
                      = help: known keys: x, y
                x.yaml:15:1: error: unknown key "zzz" in the file
                   15 | zzz: 1
                      | ^^^
                      = help: known keys: port, name, wait, quick, on, off, level, many, nothing, list, empty, one, map

                """)
    }

    @Test func aMisspeltKeyIsNotMissing() throws {
        let map = try mapping("prot: 1\n", keys: ["port", "host"])
        map.require("port", "host")
        #expect(map.hasOrMeans("port") && !map.has("port"))
        #expect(
            map.findings.diagnostics.map(\.message) == [
                "unknown key \"prot\" in the file; did you mean \"port\"?", "the file needs \"host\"",
            ])
    }

    /// What was refused as YAML is not told a second time by those who wanted something else there.
    @Test func aRefusedValueIsToldOnce() throws {
        let map = try mapping("a: *x\nb: *x\nc: *x\nd: *x\ne: *x\nf: *x\n")
        #expect(map.text("a") == nil && map.int("b") == nil && map.duration("c") == nil && map.bool("d") == nil)
        #expect(map.mapping("e", "e") == nil && map.list("f").isEmpty && map.texts("a").isEmpty)
        #expect(map.findings.diagnostics.count == 6)
    }

    @Test func noMoreThanAThousandFaultsAreKept() {
        let findings = Findings(SourceText(file: "x", bytes: []))
        for _ in 0..<5000 { findings.error("e", at: nil) }
        #expect(findings.diagnostics.count == 1001)
        #expect(findings.errorCount == 5000)
        #expect(findings.diagnostics.last?.message == "more than 1000 faults in this file; the rest is not told")
    }
}

@Suite struct DurationScalarTests {
    @Test(
        arguments: [
            ("500ms", 500), ("45s", 45_000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0), ("007s", 7000),
            ("87600h", 315_360_000_000),
            ("87601h", nil), ("", nil), ("s", nil), ("45", nil), ("45 s", nil), ("1.5s", nil), ("-1s", nil),
            ("+1s", nil),
            ("1m30s", nil), ("1S", nil), ("1d", nil), ("٣s", nil), ("99999999999999999999s", nil),
        ] as [(String, Int64?)])
    func isOneNumberAndOneUnit(text: String, milliseconds: Int64?) {
        #expect(DurationScalar.milliseconds(text) == milliseconds)
    }

    @Test(
        arguments: [
            ("45 sec", "45s"), ("45 seconds", "45s"), ("90S", "90s"), ("1m30s", "90s"), ("1h 30 min", "90m"),
            ("1.5h", "90m"),
            ("2 days", "48h"), ("100 millis", "100ms"), ("0.5s", "500ms"), ("120 s", "120s"), ("45", nil),
            ("soon", nil), ("0 s", nil),
            ("1.5ms", nil), ("1 week", nil), ("", nil), ("1..5s", nil), ("999999999999h", nil), ("s45", nil),
        ] as [(String, String?)])
    func whatWasMeantIsOneThingOrNone(text: String, meaning: String?) {
        #expect(DurationScalar.meaning(of: text) == meaning)
        if let meaning { #expect(DurationScalar.milliseconds(meaning) != nil) }
    }

    @Test(arguments: [
        (0, "0ms"), (1, "1ms"), (1000, "1s"), (1500, "1500ms"), (60_000, "1m"), (90_000, "90s"), (7_200_000, "2h"),
    ])
    func isWrittenInTheLargestUnit(milliseconds: Int64, text: String) {
        #expect(DurationScalar.text(milliseconds) == text)
    }
}
