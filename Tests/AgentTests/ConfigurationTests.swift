import Agent
import Foundation
import Lane
import Testing

@Suite struct ConfigurationTests {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func read(_ text: String) -> ConfigurationFile {
        ConfigurationFile(file: "/etc/lanewatch/lanewatch.yaml", bytes: Array(text.utf8))
    }

    private static let least = """
        format: 1
        store: "0042"
        lane: "07"
        rules: lane.yaml
        kafka: {bootstrap.servers: "127.0.0.1:9092"}

        """

    @Test func theCommentedExampleIsRight() throws {
        let bytes = try Data(contentsOf: Self.repository.appending(path: "docs/reference/lanewatch.yaml"))
        let file = ConfigurationFile(file: "/etc/lanewatch/lanewatch.yaml", bytes: Array(bytes))
        #expect(file.diagnostics.map { $0.rendered() } == [])
        let configuration = try #require(file.configuration)
        #expect(configuration.identity == LaneIdentity(store: "0042", lane: "07"))
        #expect(configuration.ruleFiles == ["/etc/lanewatch/rules"])
        #expect(configuration.devices.map(\.role) == ["scanner", "touch"])
        #expect(configuration.devices[0].match.vendor == 0x05e0)
        #expect(configuration.kafka.map(\.key) == ["bootstrap.servers"])
        #expect(configuration.socket?.groups == ["lanewatch-pos"])
        #expect(configuration.metrics?.description == "127.0.0.1:9464")
        #expect(configuration.control == Configuration.Control())
    }

    @Test func theLeastThatWorks() throws {
        let configuration = try #require(read(Self.least).configuration)
        #expect(configuration.stateFolder == "/var/lib/lanewatch")
        #expect(configuration.topics == TopicNames())
        #expect(configuration.socket == Configuration.Socket())
        #expect(configuration.digest.hasPrefix("sha256:"))
    }

    @Test func socketAndMetricsCanBeTurnedOff() throws {
        let configuration = try #require(read(Self.least + "socket: false\nmetrics: false\n").configuration)
        #expect(configuration.socket == nil && configuration.metrics == nil)
        let quiet = try #require(read(Self.least + "control: false\ntopics: {shadow: false}\n").configuration)
        #expect(quiet.control == nil && !quiet.topics.publishesShadow)
        #expect(quiet.topics.shadow == TopicNames().shadow)
    }

    @Test func whoMayAskAndWhoIsStaff() throws {
        let text = """
            socket: {staff_users: console, staff_groups: [attendants, "2001"]}
            control: {path: c.sock, mode: "0660", group: support, groups: support}

            """
        let file = read(Self.least + text)
        #expect(file.diagnostics == [])
        let configuration = try #require(file.configuration)
        #expect(configuration.socket?.staffUsers == ["console"])
        #expect(configuration.socket?.staffGroups == ["attendants", "2001"])
        #expect(configuration.control?.path == "/etc/lanewatch/c.sock" && configuration.control?.mode == 0o660)
        #expect(configuration.control?.group == "support" && configuration.control?.groups == ["support"])
        let closed = read(Self.least + "control: {groups: support}\n")
        #expect(closed.configuration?.control?.groups == ["support"])
        #expect(
            closed.diagnostics.map(\.headline) == [
                "/etc/lanewatch/lanewatch.yaml:6:19: warning: those that \"groups\" names cannot open the socket: its \"mode\" lets its owner alone"
            ])
    }

    /// Each wrong file, and the first line that is said of it.
    @Test(arguments: [
        (
            "",
            "/etc/lanewatch/lanewatch.yaml: error: the configuration is empty; it needs format, store, lane, rules and kafka"
        ),
        (least + "kafak: {}\n", "6:1: error: unknown key \"kafak\" in the configuration; did you mean \"kafka\"?"),
        (
            least + "timezone: Europe/Berln\n",
            "6:11: error: no time zone \"Europe/Berln\" on this machine; write an IANA name such as Europe/Berlin"
        ),
        (least + "devices: [{role: scanner}]\n", "6:12: error: device \"scanner\" says nothing to know it by"),
        (
            least + "devices: [{role: gun, usb: \"05e0:1200\"}]\n",
            "6:18: error: device \"gun\" needs \"kind\": its role is none of them"
        ),
        (
            least + "devices: [{role: scanner, usb: 5e0:1200}]\n",
            "6:32: error: \"usb\" needs vendor:product in hexadecimal as lsusb prints it, such as \"05e0:1200\", not \"5e0:1200\""
        ),
        (
            least + "devices: [{role: scanner, kind: scaner, name: x}]\n",
            "6:33: error: \"kind\" cannot be \"scaner\"; did you mean \"scanner\"?"
        ),
        (
            least + "devices: [{role: scanner, name: x, layout: qq}]\n",
            "6:44: error: device scanner: xkb-data has no layout qq; us, de, fr and gb are some"
        ),
        (
            least + "devices: [{role: scanner, name: x, terminators: entr}]\n",
            "6:49: error: no terminator \"entr\"; did you mean \"enter\"?"
        ),
        (
            least + "socket: {mode: \"0999\"}\n",
            "6:16: error: \"mode\" needs permission bits in octal, such as \"0660\""
        ),
        (least + "socket: {line_bytes: 5}\n", "6:22: error: \"line_bytes\" must be 256 to 1048576, not 5"),
        (
            least + "socket: {path: a.sock}\ncontrol: {path: a.sock}\n",
            "7:11: error: \"control\" and \"socket\" have the same path"
        ),
        (
            least + "control: {modus: \"0600\"}\n",
            "6:11: error: unknown key \"modus\" in \"control\"; did you mean \"mode\"?"
        ),
        (least + "topics: {audit: sco.interventions}\n", "6:10: error: two of \"topics\" have the same name"),
        (
            least + "topics: {audit: \"a b\"}\n",
            "6:17: error: a topic's name is made of letters, digits, \".\", \"_\" and \"-\""
        ),
        (least + "log: {level: loud}\n", "6:14: error: \"level\" cannot be \"loud\""),
        (least + "simulate: yes\n", "6:11: error: \"simulate\" needs true or false, not \"yes\"; write true"),
        (
            "format: 2\nstore: a\nlane: b\nrules: r\nkafka: {bootstrap.servers: x}\n",
            "1:9: error: \"format\" must be 1, not 2: this agent knows no other"
        ),
        (
            "format: 1\nstore: a/b\nlane: b\nrules: r\nkafka: {bootstrap.servers: x}\n",
            "2:8: error: \"store\" must be 1 to 64 letters, digits, \".\", \"_\" or \"-\", not \"a/b\""
        ),
        (
            "format: 1\nstore: a\nlane: b\nrules: r\nkafka: {acks: all}\n",
            "5:9: error: \"kafka\" needs \"bootstrap.servers\": host:port,host:port,…"
        ),
    ])
    func namesTheFault(_ text: String, _ first: String) {
        let file = read(text)
        #expect(file.configuration == nil)
        let line = file.diagnostics.first?.headline ?? ""
        #expect(line.hasSuffix(first), "\(line)")
    }

    @Test func allFaultsComeInOneRunInLineOrder() {
        let file = read("format: 1\nstore: \"\"\nlane: b\nkafka: {}\nlog: {level: x, colour: y}\nrules: []\n")
        #expect(file.diagnostics.compactMap { $0.range?.start.line } == [2, 4, 5, 5, 6])
    }

    /// Whatever the file holds, reading it ends with a configuration or an error.
    @Test func mutilatedFilesNeverTrap() throws {
        let bytes = Array(try Data(contentsOf: Self.repository.appending(path: "docs/reference/lanewatch.yaml")))
        var state: UInt64 = 42
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        for _ in 0..<150 {
            var mutated = bytes
            for _ in 0...random(4) {
                let place = random(mutated.count)
                if random(2) == 0 { mutated[place] = UInt8(random(256)) } else { mutated.remove(at: place) }
            }
            let file = ConfigurationFile(file: "x.yaml", bytes: mutated)
            #expect((file.configuration == nil) == file.diagnostics.contains { $0.severity == .error })
        }
    }
}

@Suite struct LaneClockTests {
    private let saved = LaneClock.Saved(
        boot: "a", offset: 1000, last: LaneInstant(milliseconds: 6000), lastWall: WallInstant(milliseconds: 6500),
        isSynchronised: true)

    @Test func theFirstStartReadsLikeUnixTime() {
        let (clock, away) = LaneClock.begin(after: nil, boot: "a", boottime: 50, wall: 7000, isSynchronised: false)
        #expect(clock.offset == 6950 && away == 0)
    }

    @Test func theSameBootKeepsItsOffsetWhateverTheWallClockSays() {
        let (clock, away) = LaneClock.begin(after: saved, boot: "a", boottime: 9000, wall: 1, isSynchronised: false)
        #expect(clock.offset == 1000 && away == 4000)
    }

    @Test func anotherBootGoesOnByTheWallClock() {
        let (clock, away) = LaneClock.begin(after: saved, boot: "b", boottime: 10, wall: 8500, isSynchronised: true)
        #expect(away == 2000 && clock.offset + 10 == 8000)
    }

    @Test func withoutASynchronisedClockTheGapIsUnknownAndTimeNeverGoesBack() {
        let (clock, away) = LaneClock.begin(after: saved, boot: "b", boottime: 10, wall: 5000, isSynchronised: true)
        #expect(away == nil && clock.offset + 10 == 6001)
        let (_, unsynchronised) = LaneClock.begin(
            after: saved, boot: "b", boottime: 10, wall: 9000, isSynchronised: false)
        #expect(unsynchronised == nil)
    }

    @Test func whatNoClockEverShowedIsNotBelieved() {
        var bad = saved
        bad.last.milliseconds = .min
        let (clock, away) = LaneClock.begin(after: bad, boot: "a", boottime: 50, wall: 7000, isSynchronised: true)
        #expect(clock.offset == 6950 && away == nil)
    }

    @Test func isKeptAsJSON() {
        #expect(LaneClock.Saved(json: saved.json) == saved)
        #expect(LaneClock.Saved(json: Array("{}".utf8)) == nil)
    }

    @Test func aStoresZoneFollowsSummerTime() {
        #expect(
            StoreZone.exists("Europe/Berlin") && !StoreZone.exists("../etc/passwd") && !StoreZone.exists("Mars/Base"))
    }
}
