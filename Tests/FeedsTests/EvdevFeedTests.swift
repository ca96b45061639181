import CLinux
import Glibc
import Lane
import Loop
import Testing

@testable import Feeds

/// A descriptor that `epoll` takes and that never becomes ready.
func eventDescriptor() -> Int32 { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) }

@Suite struct EvdevFeedTests {
    private func scanner() -> EvdevDeviceRule {
        var match = DeviceMatch()
        match.vendor = 1
        return EvdevDeviceRule(role: "scanner", kind: .scanner, match: match)
    }

    @Test(arguments: [(EACCES, "60-lanewatch.rules"), (EPERM, "DeviceAllow"), (ENOENT, "udev"), (EIO, "none known")])
    @LoopActor func whatCannotBeOpenedIsToldOnceAndGivenUp(code: Int32, remedy: String) async throws {
        let source = ScriptedSource()
        var device = DeviceFacts(syspath: "/sys/devices/1/event3", class: .input, node: "/dev/input/event3")
        device.vendor = 1
        source.plugged = [device]
        var attempts = 0
        let monitor = DeviceMonitor { source }
        let feed = EvdevFeed(
            rules: [scanner()], monitor: monitor,
            opener: { (_: String) throws(SystemError) -> Int32 in
                attempts += 1
                throw SystemError("open", code: code)
            }, firstRetry: 1)
        let sink = LineKeeper()
        try feed.start(sink)
        await until { sink.notices.count == 2 }
        #expect(attempts == 7)
        #expect(sink.lines == ["gap evdev 'scanner' cannot be opened"])
        let told = sink.notices.first
        #expect(told?.level == .warning)
        #expect(told?.fields.contains(.init("device", "scanner")) == true)
        #expect(told?.fields.contains(.init("port", "/dev/input/event3")) == true)
        #expect(told?.fields.contains { $0.key == "remedy" && $0.value.contains(remedy) } == true)
        // A resync, or news of the device, tries anew; it is not told again.
        feed.resync()
        await until { attempts == 14 }
        #expect(sink.lines.count == 1)
        feed.stop()
        source.news = [.present(device)]
        monitor.read()
        #expect(attempts == 14)
    }

    @Test @LoopActor func anUnknownLayoutStopsTheStart() {
        var rule = scanner()
        rule.scan.layout = "klingon"
        let feed = EvdevFeed(rules: [rule], monitor: DeviceMonitor { ScriptedSource() })
        #expect(throws: FeedError.self) { try feed.start(LineKeeper()) }
        #expect(rule.problems().contains { $0.contains("klingon") })
    }

    @Test func rulesSayWhatIsWrongWithThem() {
        #expect(scanner().problems() == [])
        var rule = EvdevDeviceRule(role: "", kind: .scanner, match: DeviceMatch())
        rule.scan.terminators = []
        rule.scan.gapMilliseconds = 0
        rule.scan.silenceMilliseconds = 20_000
        rule.scan.minimumLength = 600
        rule.scan.maximumLength = 5000
        #expect(rule.problems().count == 6)
    }

    @Test func signalsAreInTheCatalogue() {
        let signals: [(String, [String])] = [
            ("scan.read", ["code", "sym", "check"]), ("scan.rejected", ["reason"]), ("card.swiped", ["device"]),
            ("touch", []), ("keypad", []), ("device.attached", ["device", "port", "class"]),
            ("device.detached", ["device", "port", "class"]),
        ]
        for (type, names) in signals {
            #expect(Signal(type, names.map { ($0, "x") }, feed: .evdev)?.attributes.count == names.count)
        }
        #expect(Signal("no.such", [], feed: .evdev) == nil)
    }
}

/// The reading of `struct input_event`, on a pipe.
@Suite struct EvdevNodeTests {
    private final class Queue {
        let node: EvdevNode
        private let writer: Int32

        init() {
            var ends: [Int32] = [0, 0]
            _ = pipe(&ends)
            _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
            node = EvdevNode(owning: ends[0])
            writer = ends[1]
        }

        deinit { Glibc.close(writer) }

        func send(_ bytes: [UInt8]) { _ = write(writer, bytes, bytes.count) }

        func event(_ type: UInt16, _ code: UInt16, _ value: Int32, at: Int64 = 5) -> [UInt8] {
            var bytes: [UInt8] = []
            withUnsafeBytes(of: (at / 1_000_000).littleEndian) { bytes += $0 }
            withUnsafeBytes(of: (at % 1_000_000).littleEndian) { bytes += $0 }
            withUnsafeBytes(of: type.littleEndian) { bytes += $0 }
            withUnsafeBytes(of: code.littleEndian) { bytes += $0 }
            withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
            return bytes
        }

        func read() -> (EvdevNode.Pass, [String]) {
            var seen: [String] = []
            let pass = node.read { seen.append("\($0.type)/\($0.code)/\($0.value)@\($0.at)") }
            return (pass, seen)
        }
    }

    @Test func eventsComeWholeHoweverTheyAreCut() {
        let queue = Queue()
        let bytes = queue.event(1, 30, 1, at: 3_000_004) + queue.event(1, 30, 0, at: .max)
        queue.send(Array(bytes[..<30]))
        #expect(queue.read() == (.events, ["1/30/1@3000004"]))
        #expect(queue.read() == (.empty, []))
        queue.send(Array(bytes[30...]))
        let (pass, seen) = queue.read()
        #expect(pass == .events && seen.count == 1)
    }

    @Test func whatStandsBehindADropIsThrownAway() {
        let queue = Queue()
        queue.send(queue.event(1, 30, 1) + queue.event(0, 3, 0) + queue.event(1, 31, 1))
        #expect(queue.read() == (.events, ["1/30/1@5"]))
        queue.send(queue.event(1, 32, 1) + queue.event(0, 0, 0, at: 8) + queue.event(1, 33, 1, at: 9))
        #expect(queue.read() == (.dropped(at: 9), []))
        queue.send(queue.event(1, 34, 1))
        #expect(queue.read() == (.events, ["1/34/1@5"]))
    }

    @Test func theEndIsTold() {
        var queue: Queue? = Queue()
        let node = queue?.node
        queue = nil
        #expect(node?.read { _ in } == .ended(0))
    }
}
