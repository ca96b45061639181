import Lane
import Rules
import Testing
import YAML

@testable import Agent

/// `view:` of the configuration: what is hidden is checked against the states of the rules.
@Suite struct ViewSettingsTests {
    private static let rules = """
        format: 1
        states:
          basket: {open: pos.state where state = basket_open, paying: pos.state where state = payment}
        rules:
          - {id: a, on: touch, while: basket is open, severity: info, clear_after: 1m}
        """

    private func read(_ view: String) -> ConfigurationFile {
        let text = """
            format: 1
            store: "0042"
            lane: "07"
            rules: lane.yaml
            kafka: {bootstrap.servers: "127.0.0.1:9092"}
            view:

            """
        let lines = view.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)\n" }.joined()
        return ConfigurationFile(file: "/etc/lanewatch/lanewatch.yaml", bytes: Array((text + lines).utf8))
    }

    private func masks(_ file: ConfigurationFile) throws -> (masks: [ViewSettings.Resolved], faults: [Diagnostic]) {
        let (set, faults) = RuleFile.load(files: [("lane.yaml", Array(Self.rules.utf8))])
        let rules = try #require(set, "\(faults)")
        let view = try #require(file.configuration?.view)
        let found = view.resolve(rules, file.source)
        return (found.masks, found.diagnostics)
    }

    @Test func withoutAWordThereIsNoViewAndWithOneItIsOnLoopbackAlone() throws {
        let none = "format: 1\nstore: a\nlane: b\nrules: lane.yaml\nkafka: {bootstrap.servers: x}\n"
        #expect(ConfigurationFile(file: "a.yaml", bytes: Array(none.utf8)).configuration?.view == nil)
        let view = try #require(read("display: \":0\"").configuration?.view)
        #expect(view.rfb?.description == "127.0.0.1:5900" && view.https?.description == "127.0.0.1:5843")
        #expect(view.everybody == nil && view.password == nil && view.tokenKeys.isEmpty && !view.allowsRemote)
        #expect(view.hidesUnknown && view.masks.isEmpty)
        #expect(view.page?.novnc == "/usr/share/novnc" && view.page?.frames == [])
    }

    @Test func thePageIsReadAndTurnedOff() throws {
        let view = try #require(
            read("page: {novnc: novnc, frames: [\"https://console.example:8443\"]}").configuration?.view)
        #expect(view.page?.novnc == "/etc/lanewatch/novnc" && view.page?.frames == ["https://console.example:8443"])
        #expect(try #require(read("page: false").configuration?.view).page == nil)
    }

    @Test func allOfItIsRead() throws {
        let file = read(
            """
            display: ":1"
            authority: x.auth
            output: HDMI-1
            rfb: "[::1]:5901"
            https: false
            allow_remote: true
            token_keys: [console.pub.pem]
            password: {file: pass, mode: control}
            everybody: view
            masks:
              - {while: basket is paying and basket is not open, area: all}
              - {area: [0, 640, 420, 128], style: blur, reason: customer card}
            unknown_state: none
            idle: 10m
            longest: 1h
            attendants: 4
            """)
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics.map(\.message))")
        let view = try #require(file.configuration?.view)
        #expect(view.rfb?.description == "[::1]:5901" && view.https == nil)
        #expect(view.authority == "/etc/lanewatch/x.auth" && view.password?.file == "/etc/lanewatch/pass")
        #expect(view.password?.mode == .control && view.everybody == .view && !view.hidesUnknown)
        #expect(view.idle == 600_000 && view.longest == 3_600_000 && view.attendants == 4)
        let (masks, faults) = try masks(file)
        #expect(faults.isEmpty && masks.count == 2)
        #expect(masks[0].terms.map(\.value) == ["paying", "open"] && masks[0].terms.map(\.isNegated) == [false, true])
        #expect(masks[0].reason == "basket is paying and basket is not open" && masks[0].mask.area == nil)
        #expect(masks[1].reason == "customer card" && masks[1].mask.area == [0, 640, 420, 128])
        #expect(masks[1].mask.style == .blur && masks[1].terms.isEmpty)
    }

    @Test(arguments: [
        ("masks: [{while: basket is paid, area: all}]", "state \"basket\" is never \"paid\""),
        ("masks: [{while: baskt is paying, area: all}]", "no state \"baskt\""),
        ("masks: [{while: basket, area: all}]", "cannot read"),
    ])
    func aConditionOnWhatTheRulesDoNotHaveIsAnErrorAtItsPlace(view: String, words: String) throws {
        let (masks, faults) = try masks(read(view))
        let fault = try #require(faults.first)
        #expect(masks.isEmpty && fault.severity == .error && fault.message.contains(words), "\(fault.message)")
        #expect(fault.range?.start.line == 7 && (fault.range?.start.column ?? 0) > 10)
    }

    @Test(arguments: [
        ("masks: [{while: basket is open}]", "\"area\""), ("masks: [{area: [1, 2, 3]}]", "[x, y, width, height]"),
        ("masks: [{area: [0, 0, 0, 5]}]", "[x, y, width, height]"), ("masks: [{area: all, style: grey}]", "style"),
        ("masks: [{area: all, window: x}]", "needs class=NAME"), ("rfb: 5900", "address:port"),
        ("rfb: nowhere:x", "address:port"), ("certificate: a.pem", "go together"), ("everybody: all", "everybody"),
        ("page: {novc: /x}", "unknown key"), ("page: {frames: [\"https://a.example/x\"]}", "origins"),
        ("page: {frames: [\"https://a.example; script-src *\"]}", "origins"), ("password: {mode: view}", "file"),
        ("unknown_state: black", "unknown_state"), ("attendants: 0", "attendants"),
    ])
    func whatCannotBeMeantIsRefused(view: String, words: String) {
        let file = read(view)
        #expect(file.configuration == nil)
        #expect(file.diagnostics.contains { $0.message.contains(words) }, "\(file.diagnostics.map(\.message))")
        #expect(file.diagnostics.allSatisfy { $0.range?.start.line == 7 })
    }

    @Test func whatIsToldOfSessionsIsRead() throws {
        let standard = try #require(read("display: \":0\"").configuration?.view)
        #expect(standard.closeGrace == 10_000 && standard.hooks.open.isEmpty)
        #expect(standard.notice?.viewed == "This lane is being viewed by an attendant")
        #expect(standard.control?.path == "/run/lanewatch-view/control.sock" && standard.control?.mode == 0o660)
        let view = try #require(
            read(
                """
                close_grace: 0s
                hooks: {open: [/usr/bin/tower, blue light], close: /usr/bin/dark}
                notice: {viewed: Hello, position: bottom}
                control: {path: view.sock, mode: "0600", change_users: [anna]}
                """
            ).configuration?.view)
        #expect(view.closeGrace == 0)
        #expect(view.hooks.open == ["/usr/bin/tower", "blue light"] && view.hooks.close == ["/usr/bin/dark"])
        #expect(view.notice?.viewed == "Hello" && view.notice?.isAtBottom == true)
        #expect(view.notice?.controlled == "This lane is being controlled by an attendant")
        #expect(view.control?.path == "/etc/lanewatch/view.sock" && view.control?.changeUsers == ["anna"])
        let off = try #require(read("notice: false\ncontrol: false").configuration?.view)
        #expect(off.notice == nil && off.control == nil)
    }

    @Test(arguments: [
        ("hooks: {open: [tower]}", "a hook begins with the whole path of a program, not \"tower\""),
        ("hooks: {opened: [/bin/true]}", "unknown key \"opened\" in \"hooks\""),
        ("notice: {position: left}", "\"position\" cannot be \"left\""),
        ("control: {path: /run/lanewatch/control.sock}", "\"control\" and the agent's \"control\" have the same path"),
        ("control: {view_users: [anna]}", "unknown key \"view_users\" in \"control\""),
        ("close_grace: 2d", "close_grace"),
    ]) func mistakesInItAreSaid(_ text: String, _ words: String) {
        let file = read(text)
        #expect(file.configuration == nil)
        #expect(file.diagnostics.contains { $0.message.contains(words) }, "\(file.diagnostics.map(\.message))")
    }

    // MARK: Who watches

    @Test func sessionsOnAScreen() throws {
        let answer = try JSONValue(
            parsing: """
                {"ok":true,"store":"0042","lane":"07","now":"2026-11-21T14:15:15.000Z","timezone":"UTC","sessions":[
                {"session":"5f0c9a1e7d42-3","attendant":"anna","from":"10.1.2.3","mode":"control","way":"token","intervention":"9a03deee",
                "control":true,"since":"2026-11-21T14:14:14.000Z","forMs":61000,"idleMs":2500,"encrypted":true,"web":true,
                "encoding":"Tight","bytesIn":100,"bytesOut":312456,"inputs":1234},
                {"session":"5f0c9a1e7d42-4","attendant":null,"from":"127.0.0.1","mode":"view","way":"none","intervention":null,
                "control":false,"since":"2026-11-21T14:15:15.000Z","forMs":0,"idleMs":0,"encrypted":false,"web":false,
                "encoding":null,"bytesIn":0,"bytesOut":0,"inputs":0}]}
                """)
        let lines = SessionsText.text(answer, zone: UTC()).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(
            lines.map(String.init) == [
                "SESSION         WHO     FROM       MODE             SINCE                IDLE  PICTURE       SENT  INPUTS  FOR",
                "5f0c9a1e7d42-3  anna    10.1.2.3   control, has it  14:14:14 (1m1s ago)    2s  Tight, web  312 kB   1 234  9a03deee",
                "5f0c9a1e7d42-4  (none)  127.0.0.1  view             14:15:15 (now)         0s  -              0 B       0  -",
                "", "lane 0042/07: 2 sessions", "",
            ])
        let nobody = try JSONValue(parsing: "{\"ok\":true,\"store\":\"1\",\"lane\":\"2\",\"sessions\":[]}")
        #expect(SessionsText.text(nobody, zone: UTC()) == "lane 1/2: nobody watches\n")
    }
}
