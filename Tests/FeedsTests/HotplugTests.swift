import Lane
import Loop
import Testing

@testable import Feeds

/// A source of devices that says what the test tells it to.
@LoopActor final class ScriptedSource: DeviceSource {
    let descriptor: Int32
    var news: [DeviceNews] = []
    var plugged: [DeviceFacts] = []

    init() { descriptor = eventDescriptor() }
    func next() -> DeviceNews? { news.isEmpty ? nil : news.removeFirst() }
    func enumerate() -> [DeviceFacts] { plugged }
}

/// A sink that keeps what it gets, as lines.
@LoopActor final class LineKeeper: FeedSink {
    var lines: [String] = []
    var notices: [Notice] = []
    var room: Int { 100 }

    func receive(_ reading: Reading) {
        switch reading {
        case .gap(let gap): lines.append("gap \(gap.feed.rawValue) '\(gap.subject)' \(gap.reason)")
        case .signal(let signal):
            lines.append(signal.type.name + signal.attributes.map { " \($0.value)" }.joined())
        }
    }
    func receive(_ signal: Signal, answer: @escaping @LoopActor (Result<Int64, AcceptFault>) -> Void) {}
    func whenRoom(_ resume: @escaping @LoopActor () -> Void) {}
    func note(_ notice: Notice) { notices.append(notice) }

    func take() -> [String] {
        defer { lines = [] }
        return lines
    }
}

@LoopActor private func facts(_ name: String, _ kind: DeviceClass, vendor: UInt16, at place: String = "1")
    -> DeviceFacts
{
    var facts = DeviceFacts(syspath: "/sys/devices/\(place)/\(name)", class: kind, node: "/dev/\(name)")
    facts.vendor = vendor
    return facts
}

private func rule(_ role: String, vendor: UInt16, kind: EvdevDeviceRule.Kind = .presence) -> EvdevDeviceRule {
    var match = DeviceMatch()
    match.vendor = vendor
    return EvdevDeviceRule(role: role, kind: kind, match: match)
}

@Suite struct HotplugTests {
    @Test @LoopActor func theSnapshotTellsEveryRole() throws {
        let source = ScriptedSource()
        source.plugged = [
            facts("hidraw0", .hidraw, vendor: 1), facts("event3", .input, vendor: 1),
            facts("event4", .input, vendor: 9),
        ]
        let feed = HotplugFeed(
            rules: [rule("scanner", vendor: 1), rule("printer", vendor: 2)], monitor: DeviceMonitor { source })
        let sink = LineKeeper()
        try feed.start(sink)
        let expected = ["device.attached scanner /dev/event3 input", "device.detached printer"]
        #expect(sink.take() == expected)
        feed.resync()
        #expect(sink.take() == expected)
        #expect(feed.counts.isBalanced && feed.counts.dropped == ["not_listed": 2, "same_role": 2])
        feed.stop()
        feed.resync()
        #expect(sink.take() == [])
    }

    @Test @LoopActor func aRoleIsThereWhileOneOfItsNodesIs() throws {
        let source = ScriptedSource()
        let monitor = DeviceMonitor { source }
        let feed = HotplugFeed(rules: [rule("scanner", vendor: 1)], monitor: monitor)
        let sink = LineKeeper()
        try feed.start(sink)
        _ = sink.take()
        let event = facts("event3", .input, vendor: 1)
        let raw = facts("hidraw0", .hidraw, vendor: 1)
        source.news = [
            .present(event), .present(raw), .present(event), .other, .present(facts("event9", .input, vendor: 7)),
            .gone(event.syspath), .gone("/sys/devices/unheard"), .gone(raw.syspath), .gone(raw.syspath),
        ]
        monitor.read()
        #expect(
            sink.take() == ["device.attached scanner /dev/event3 input", "device.detached scanner /dev/event3 input"])
        #expect(feed.counts.isBalanced)
        feed.stop()
    }

    @Test @LoopActor func anOverflowIsAGapAndAFreshSnapshot() throws {
        let source = ScriptedSource()
        let monitor = DeviceMonitor { source }
        source.plugged = [facts("event3", .input, vendor: 1)]
        let feed = HotplugFeed(rules: [rule("scanner", vendor: 1), rule("scale", vendor: 2)], monitor: monitor)
        let sink = LineKeeper()
        try feed.start(sink)
        _ = sink.take()
        source.plugged = [facts("ttyACM0", .tty, vendor: 2)]
        source.news = [.overflow]
        monitor.read()
        #expect(
            sink.take() == [
                "gap hotplug '' overflow", "device.detached scanner /dev/event3 input",
                "device.attached scale /dev/ttyACM0 tty", "device.attached scale /dev/ttyACM0 tty",
                "device.detached scanner",
            ])
        #expect(feed.counts.isBalanced)
        feed.stop()
    }

    @Test @LoopActor func aBrokenSocketIsOpenedAgain() async throws {
        var sources: [ScriptedSource] = []
        let monitor = DeviceMonitor { () throws(FeedError) -> any DeviceSource in
            if sources.count == 1 {
                sources.append(ScriptedSource())
                throw FeedError("not yet", isRetriable: true)
            }
            let source = ScriptedSource()
            if !sources.isEmpty { source.plugged = [facts("event5", .input, vendor: 1, at: "2")] }
            sources.append(source)
            return source
        }
        let feed = HotplugFeed(rules: [rule("scanner", vendor: 1)], monitor: monitor)
        let sink = LineKeeper()
        try feed.start(sink)
        sources[0].news = [.broken("Bad file descriptor")]
        monitor.read()
        // The first attempt to open it again fails, the next is a second later.
        await until { sink.lines.contains("device.attached scanner /dev/event5 input") }
        #expect(sink.lines.contains("gap hotplug '' udev's socket failed"))
        #expect(feed.counts.isBalanced)
        feed.stop()
    }

    @Test @LoopActor func propertiesThatComeLateCount() throws {
        let source = ScriptedSource()
        let monitor = DeviceMonitor { source }
        let feed = HotplugFeed(rules: [rule("scanner", vendor: 1)], monitor: monitor)
        let sink = LineKeeper()
        try feed.start(sink)
        _ = sink.take()
        var device = facts("event3", .input, vendor: 1)
        device.vendor = nil
        source.news = [.present(device)]
        monitor.read()
        #expect(sink.take() == [])
        device.vendor = 1
        source.news = [.present(device)]
        monitor.read()
        #expect(sink.take() == ["device.attached scanner /dev/event3 input"])
        feed.stop()
    }

    @Test(arguments: [
        ("*", "", true), ("", "", true), ("", "x", false), ("Elo*", "Elo Touch", true), ("*Touch", "Elo Touch", true),
        ("E?o*T*h", "Elo Touch", true), ("e*", "Elo", false), ("a*b*c", "a1b2b3c", true), ("a*b*c", "a1b2b3", false),
        ("??", "é€", true), ("****x", "x", true), ("[ab]", "a", false),
    ])
    func globsMatch(pattern: String, text: String, expected: Bool) {
        #expect(Glob.matches(pattern, text) == expected)
    }

    @Test @LoopActor func allPartsOfAMatchMustHold() {
        var device = facts("event3", .input, vendor: 0x05e0)
        device.product = 0x1200
        device.name = "Symbol Scanner"
        device.phys = "usb-0000:00:14.0-3/input0"
        device.links = ["/dev/input/by-id/usb-Symbol-event-kbd"]
        device.properties = ["ID_BUS": "usb", "ID_SERIAL": "S1"]
        var match = DeviceMatch()
        #expect(match.isEmpty && !match.matches(device))
        match.name = "Symbol*"
        match.vendor = 0x05e0
        match.product = 0x1200
        match.phys = "usb-*-3/input?"
        match.link = "/dev/input/by-id/usb-Symbol-event-kbd"
        match.properties = ["ID_BUS": "usb", "ID_SERIAL": "S1"]
        #expect(match.matches(device))
        let breaks: [(inout DeviceFacts) -> Void] = [
            { $0.name = "Other" }, { $0.vendor = nil }, { $0.product = 0x1201 }, { $0.phys = "usb-1/input0" },
            { $0.links = [] }, { $0.properties["ID_SERIAL"] = nil },
        ]
        for breakIt in breaks {
            var other = device
            breakIt(&other)
            #expect(!match.matches(other))
        }
    }
}

/// Waits for `condition`, which others on the lane's thread make true; at most ten seconds.
@LoopActor func until(_ condition: @LoopActor () -> Bool) async {
    for _ in 0..<2000 where !condition() {
        await withCheckedContinuation { continuation in
            EventLoop.shared.schedule(inMilliseconds: 5) { continuation.resume() }
        }
    }
    #expect(condition())
}
