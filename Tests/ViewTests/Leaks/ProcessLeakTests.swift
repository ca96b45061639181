import CLinux
import Foundation
import Glibc
import Lane
import Loop
import RFBClient
import ScreenBed
import Synchronization
import Testing

@testable import View

/// The program itself, on a real X server, with an agent that tells the lane's state: what of a hidden secret is in its memory, and
/// that none is decoded while its agent is killed.
///
/// Nothing may have it: not the raw picture, not the memory that the X server copies into, no masked frame, no encoder's copy, no buffer of
/// a socket, no stack.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ProcessLeakTests {
    static let secret = (x: 200, y: 160, width: 128, height: 64)
    static let mark = (x: 0, y: 0, width: 8, height: 8)

    /// Pixels that are nowhere else, each row of them the same: found in memory by a row's first half.
    static let row: [UInt32] = {
        var lot = SplitMix(seed: 0x5ec2e7)
        return (0..<secret.width).map { _ in 0xe0_0000 | UInt32(truncatingIfNeeded: lot.next()) & 0x1f_3f3f }
    }()
    static var pattern: [UInt8] {
        row.prefix(64).flatMap { [UInt8($0 & 255), UInt8($0 >> 8 & 255), UInt8($0 >> 16)] + [0] }
    }

    /// An X server, the view's program on it, and an agent.
    final class Till {
        let folder: String
        let x: BedProcess
        let view: BedProcess
        let painter: XPainter
        let agent: StandInAgent
        let port: UInt16

        init(masks: String, unknown: String = "all") throws {
            folder = NSTemporaryDirectory() + "lanewatch-leak-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let (x, display) = try #require(BedProcess.xvfb("640x480x24"))
            self.x = x
            painter = try #require(XPainter(display))
            agent = try StandInAgent(folder + "/control.sock")
            port = Loopback.freePort()
            try ProcessLeakTests.rules.write(toFile: folder + "/rules.yaml", atomically: true, encoding: .utf8)
            let configuration = """
                format: 1
                store: "1"
                lane: leak
                state: \(folder)/state
                rules: rules.yaml
                socket: false
                control: {path: \(folder)/control.sock}
                metrics: false
                log: {level: warning, format: text}
                kafka: {bootstrap.servers: "127.0.0.1:1"}
                view:
                  display: "\(display)"
                  rfb: 127.0.0.1:\(port)
                  https: false
                  everybody: view
                  unknown_state: \(unknown)
                  masks: \(masks)

                """
            try configuration.write(toFile: folder + "/lanewatch.yaml", atomically: true, encoding: .utf8)
            let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            let program = products.appendingPathComponent("lanewatch-view").path
            view = try #require(
                BedProcess([program, "--config", folder + "/lanewatch.yaml"], errors: folder + "/errors"))
            let deadline = Boottime.milliseconds() + 20_000
            while true {
                if let raw = Loopback.connection(port) {
                    close(raw)
                    break
                }
                try #require(Boottime.milliseconds() < deadline && view.isRunning, "\(errors)")
                _ = poll(nil, 0, 10)
            }
        }

        var errors: String { ProcessMemory.text(folder + "/errors") }

        func join(_ encodings: [Int], _ format: ClientFormat = .rgb888) throws -> RFBClient {
            let client = try RFBClient(owning: try #require(Loopback.viewer(port)), format: format)
            try client.begin(encodings: encodings)
            return client
        }

        func drawSecret() {
            let secret = ProcessLeakTests.secret
            let pixels = (0..<secret.height).flatMap { _ in ProcessLeakTests.row }
            painter.put(pixels, x: secret.x, y: secret.y, width: secret.width)
            painter.flush()
        }

        deinit {
            agent.kill()
            view.stop(SIGTERM)
            x.stop(SIGTERM)
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    static let rules = """
        format: 1
        states:
          basket:
            open: pos.state where state = basket_open
            paying: pos.state where state = payment
        """

    private static func hear(_ clients: [RFBClient], milliseconds: Int64, until isDone: () -> Bool = { false }) throws {
        let deadline = Boottime.milliseconds() + milliseconds
        while Boottime.milliseconds() < deadline, !isDone() {
            for client in clients { _ = try client.hear(milliseconds: 5) }
        }
    }

    private static let kinds: [[Int]] = [
        [RFBClient.raw], [RFBClient.hextile], [RFBClient.zlib], [RFBClient.tight], [RFBClient.zrle],
        [RFBClient.tight, MendTests.quality],
    ]

    /// Where the secret is in the view's memory.
    private static func found(_ lane: Till) -> (private: Int, shared: Int) {
        let places = ProcessMemory.places(of: pattern, in: lane.view.pid)
        let shared = places.filter { !$0.mapping.name.isEmpty && !$0.mapping.name.hasPrefix("[") }
        return (places.count - shared.count, shared.count)
    }

    /// A mask is in force before the source, on another thread, has heard of it: some milliseconds.
    private static func expectNowhere(_ lane: Till, _ place: SourceLocation = #_sourceLocation) {
        var last = found(lane)
        for _ in 0..<20 where last != (0, 0) {
            usleep(50_000)
            last = found(lane)
        }
        #expect(last == (0, 0), sourceLocation: place)
    }

    @Test(arguments: [
        "[{while: basket is paying, area: all}]", "[{while: basket is paying, area: [190, 150, 150, 90]}]",
    ])
    func aHiddenSecretIsNowhereInTheProcess(masks: String) throws {
        let lane = try Till(masks: masks)
        lane.agent.set("paying")
        let clients = try Self.kinds.map { try lane.join($0) }
        lane.drawSecret()
        // Much is sent meanwhile, around it, so that all buffers are used.
        for step in 0..<30 {
            lane.painter.fill(x: 0, y: 0, width: 640, height: 140, UInt32(step) * 0x00_0803)
            lane.painter.fill(x: step * 10, y: 300, width: 200, height: 150, UInt32(step) * 0x00_0307)
            lane.drawSecret()
            try Self.hear(clients, milliseconds: 10)
        }
        try Self.hear(clients, milliseconds: 1000)
        let seen = clients.filter(LeakBed.hasRed).count
        #expect(seen == 0, "\(seen) viewers saw the secret")
        Self.expectNowhere(lane)
        #expect(lane.view.isRunning, "\(lane.errors)")
    }

    /// Without a mask it is in more places, so the test above can fail.
    @Test func withoutItsMaskItIsFound() throws {
        let lane = try Till(masks: "[{while: basket is paying, area: all}]")
        lane.agent.set("open")
        let clients = try Self.kinds.map { try lane.join($0) }
        lane.drawSecret()
        try Self.hear(clients, milliseconds: 5000) { clients.allSatisfy(LeakBed.hasRed) }
        #expect(clients.allSatisfy(LeakBed.hasRed))
        #expect(Self.found(lane).private > Self.secret.height)
        // The raw picture and the masked frame are in no core dump; buffers on the way to viewers, who may see it, are.
        let places = ProcessMemory.places(of: Self.pattern, in: lane.view.pid)
        #expect(places.filter(\.mapping.isOutOfDumps).count >= 2 * Self.secret.height)
    }

    /// The agent goes away in the middle, again and again, at any moment: from then on all is black.
    @Test func theAgentKilledInTheMiddleShowsNothing() throws {
        let lane = try Till(masks: "[{while: basket is paying, area: [190, 150, 150, 90]}]")
        let clients = try Self.kinds.map { try lane.join($0) }
        let background: UInt32 = 0x00_3050
        var lot = SplitMix(seed: 3)
        for round in 0..<8 {
            lane.agent.start()
            lane.agent.set("open")
            lane.painter.fill(x: 0, y: 0, width: 640, height: 480, background)
            lane.painter.synchronise()
            try Self.hear(clients, milliseconds: 10_000) { clients.allSatisfy { $0.picture[320, 40] == background } }
            try #require(clients.allSatisfy { $0.picture[320, 40] == background }, "round \(round): \(lane.errors)")
            // It says that the customer pays, or dies before it could: either way the view hears of it before the secret is drawn.
            if Bool.random(using: &lot) {
                lane.agent.set("paying")
                try Self.hear(clients, milliseconds: 10_000) {
                    clients.allSatisfy { $0.picture[200, 160] == 0 && $0.picture[320, 40] == background }
                }
                lane.drawSecret()
                try Self.hear(clients, milliseconds: Int64.random(in: 0...30, using: &lot))
                #expect(clients.filter(LeakBed.hasRed).count == 0)
                lane.agent.kill()
            } else {
                lane.agent.kill()
                try Self.hear(clients, milliseconds: 10_000) { clients.allSatisfy { $0.picture[320, 40] == 0 } }
                lane.drawSecret()
            }
            // Not one of them shows it at any moment from here on, and all become black.
            let deadline = Boottime.milliseconds() + 10_000
            while Boottime.milliseconds() < deadline {
                for client in clients {
                    _ = try client.hear(milliseconds: 5)
                    #expect(!LeakBed.hasRed(client))
                }
                if clients.allSatisfy({ $0.picture[320, 40] == 0 && $0.picture[210, 170] == 0 }) { break }
            }
            #expect(clients.allSatisfy { $0.picture[320, 40] == 0 && $0.picture[210, 170] == 0 })
            Self.expectNowhere(lane)
            // Gone from the screen before the next agent speaks.
            lane.painter.fill(x: 0, y: 0, width: 640, height: 480, background)
            lane.painter.synchronise()
            try Self.hear(clients, milliseconds: 50)
        }
    }
}

/// An agent's control socket as the view knows it: `follow` alone. Any thread.
final class StandInAgent: Sendable {
    private struct State {
        var listener: Int32 = -1
        var revision: Int64 = 1
        var basket: String?
        var callers: [Int32] = []
    }

    private let path: String
    private let state = Mutex(State())

    init(_ path: String) throws {
        self.path = path
        start()
        try #require(state.withLock { $0.listener } >= 0)
    }

    /// Listens anew, where it does not.
    func start() {
        let isNew = state.withLock { state in
            guard state.listener < 0 else { return false }
            state.listener = Self.listen(path)
            state.basket = nil
            return state.listener >= 0
        }
        guard isNew else { return }
        startThread(name: "agent") { [self] in accept() }
    }

    func set(_ basket: String?) {
        state.withLock { state in
            state.basket = basket
            state.revision += 1
        }
    }

    /// Its process ends: listener and connections are gone at once.
    func kill() {
        state.withLock { state in
            guard state.listener >= 0 else { return }
            shutdown(state.listener, Int32(SHUT_RDWR))
            close(state.listener)
            state.listener = -1
            for caller in state.callers { shutdown(caller, Int32(SHUT_RDWR)) }
            state.callers = []
        }
        unlink(path)
    }

    private static func listen(_ path: String) -> Int32 {
        unlink(path)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(100)) }
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0, Glibc.listen(raw, 8) == 0 else {
            close(raw)
            return -1
        }
        return raw
    }

    private func accept() {
        while true {
            let listener = state.withLock { $0.listener }
            guard listener >= 0 else { return }
            let caller = Glibc.accept(listener, nil, nil)
            guard caller >= 0 else { return }
            let isIn = state.withLock { state in
                if state.listener == listener { state.callers.append(caller) }
                return state.listener == listener
            }
            guard isIn else {
                close(caller)
                return
            }
            startThread(name: "agent caller") { [self] in serve(caller) }
        }
    }

    /// Answers when the state is another one than the caller knows, or after a second.
    private func serve(_ caller: Int32) {
        defer {
            state.withLock { $0.callers.removeAll { $0 == caller } }
            close(caller)
        }
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while recv(caller, &byte, 1, 0) == 1 {
            guard byte == 10 else {
                line.append(byte)
                continue
            }
            let after = (try? JSONValue(parsing: line))?["after"]?.int ?? -1
            line = []
            var waited = 0
            while waited < 1000, state.withLock({ $0.revision == after && $0.callers.contains(caller) }) {
                _ = poll(nil, 0, 1)
                waited += 1
            }
            let (revision, basket) = state.withLock { ($0.revision, $0.basket) }
            let value = basket.map { "\"\($0)\"" } ?? "null"
            let answer = Array("{\"ok\":true,\"revision\":\(revision),\"states\":{\"basket\":\(value)}}\n".utf8)
            guard send(caller, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else { return }
        }
    }
}
