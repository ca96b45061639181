import CLinux
import Foundation
import Glibc
import Lane
import Loop
import Net
import Synchronization
import Testing

@testable import Telemetry

@Suite struct HealthTests {
    @Test func theWorstCheckDecides() throws {
        let ok = HealthReport([.init("outbox", .ok), .init("kafka", .ok)])
        #expect(ok.response.status == 200 && ok.response.body == Array("ok\n".utf8))
        #expect(HealthReport([]).response.status == 200)
        let degraded = HealthReport([
            .init("outbox", .ok), .init("kafka", .degraded, "no broker since 08:14; nothing is lost"),
        ])
        #expect(degraded.response.status == 200)
        #expect(
            String(decoding: degraded.response.body, as: UTF8.self)
                == #"{"state":"degraded","checks":[{"check":"outbox","state":"ok"},{"check":"kafka","state":"degraded","reason":"no broker since 08:14; nothing is lost"}]}"#
                + "\n")
        let failed = HealthReport([.init("kafka", .degraded), .init("outbox", .failed, "4111111111111111")])
        #expect(failed.response.status == 503)
        #expect(try JSONValue(parsing: failed.json)["checks"]?.elements?.last?["reason"]?.text == "[masked]")
    }

    @Test func thePagesAreServed() async throws {
        let metrics = Metrics()
        metrics.gauge(.build, "1.0", "2.0.2").set(1)
        let state = Mutex(HealthReport.State.ok)
        let address = try #require(ListenAddress("127.0.0.1:0"))
        let shared = Shared(state)
        let pages = TelemetryPages(metrics) { HealthReport([.init("outbox", shared.state.withLock { $0 }, "full")]) }
        let server = HTTPServer(HTTPServer.Options(addresses: [address])) { pages.respond(to: $0) }
        let port = try await Self.start(server)
        func get(_ path: String) throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
            process.arguments = [
                "-sS", "--noproxy", "*", "--max-time", "10", "-w", "%{http_code} %{content_type}",
                "http://127.0.0.1:\(port)\(path)",
            ]
            let out = Pipe()
            process.standardOutput = out
            try process.run()
            defer { process.waitUntilExit() }
            return String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        }
        #expect(try get("/healthz") == "ok\n200 text/plain; charset=utf-8")
        shared.state.withLock { $0 = .failed }
        #expect(
            try get("/healthz?x")
                == "{\"state\":\"failed\",\"checks\":[{\"check\":\"outbox\",\"state\":\"failed\",\"reason\":\"full\"}]}\n503 application/json"
        )
        let page = try get("/metrics")
        #expect(page.contains("lanewatch_build_info{version=\"1.0\",librdkafka=\"2.0.2\"} 1\n"))
        #expect(page.hasSuffix("200 text/plain; version=0.0.4; charset=utf-8"))
        #expect(try get("/").contains("404"))
        await Self.stop(server)
    }

    private final class Shared: Sendable {
        let state: Mutex<HealthReport.State>
        init(_ state: consuming sending Mutex<HealthReport.State>) { self.state = state }
    }

    @LoopActor private static func start(_ server: HTTPServer) throws -> UInt16 {
        try server.start()
        return server.addresses.first?.port ?? 0
    }

    @LoopActor private static func stop(_ server: HTTPServer) { server.stop() }
}

/// One after the other: they set the process's environment, as systemd does.
@Suite(.serialized) struct ServiceNotifierTests {
    @Test func systemdIsTold() throws {
        let path = "/tmp/lanewatch-notify-\(getpid()).sock"
        let receiver = try Datagrams(path)
        setenv("NOTIFY_SOCKET", path, 1)
        setenv("WATCHDOG_USEC", "3000000", 1)
        setenv("WATCHDOG_PID", "\(getpid())", 1)
        defer { for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) } }
        let notifier = ServiceNotifier()
        #expect(notifier.watchdogMilliseconds == 3000)
        func next() -> String { String(decoding: receiver.next(), as: UTF8.self) }
        #expect(notifier.ready("watching lane 07\nMAINPID=1"))
        #expect(next() == "READY=1\nSTATUS=watching lane 07 MAINPID=1")
        let before = Boottime.monotonicNanoseconds() / 1000
        #expect(notifier.reloading())
        let parts = next().split(separator: "\n")
        #expect(parts.first == "RELOADING=1" && parts.last == "STATUS=reloading")
        let stamp = try #require(parts.dropFirst().first.flatMap { Int64($0.dropFirst("MONOTONIC_USEC=".count)) })
        #expect(stamp >= before && stamp <= Boottime.monotonicNanoseconds() / 1000)
        #expect(notifier.status("3 open"))
        #expect(next() == "STATUS=3 open")
        #expect(notifier.watchdog())
        #expect(next() == "WATCHDOG=1")
        #expect(notifier.stopping())
        #expect(next() == "STOPPING=1\nSTATUS=stopping")
    }

    @Test func withoutSystemdNothingHappens() {
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) }
        let notifier = ServiceNotifier()
        #expect(notifier.watchdogMilliseconds == nil)
        #expect(!notifier.ready("x"))
    }

    @Test func theWatchdogIsFedWhileTheAgentLives() async {
        let pulse = Pulse()
        let notifier = ServiceNotifier(watchdogMilliseconds: 20) { text in pulse.beat(text) }
        await Self.start(notifier, pulse)
        for _ in 0..<1000 where pulse.beats < 5 { try? await Task.sleep(for: .milliseconds(5)) }
        #expect(pulse.beats >= 5)
        pulse.die()
        // After its death was seen no beat comes: looked at over several of its intervals.
        let asked = pulse.asked
        for _ in 0..<1000 where pulse.asked < asked + 5 { try? await Task.sleep(for: .milliseconds(5)) }
        let beats = pulse.beats
        for _ in 0..<1000 where pulse.asked < asked + 10 { try? await Task.sleep(for: .milliseconds(5)) }
        #expect(pulse.beats == beats)
    }

    @LoopActor private static func start(_ notifier: ServiceNotifier, _ pulse: Pulse) {
        notifier.startWatchdog { pulse.isAlive() }
    }

    private final class Pulse: Sendable {
        private let state = Mutex((beats: 0, asked: 0, isAlive: true))
        var beats: Int { state.withLock { $0.beats } }
        var asked: Int { state.withLock { $0.asked } }
        func beat(_ text: String) -> Bool {
            state.withLock { $0.beats += text == "WATCHDOG=1" ? 1 : 1000 }
            return true
        }
        func die() { state.withLock { $0.isAlive = false } }
        func isAlive() -> Bool {
            state.withLock {
                $0.asked += 1
                return $0.isAlive
            }
        }
    }
}
