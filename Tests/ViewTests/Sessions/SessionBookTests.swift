import Foundation
import Lane
import Loop
import Net
import RFBClient
import Screen
import Synchronization
import Testing

@testable import View

/// Sessions from the gate to the audit: real sockets, real files, real encoders, an agent that answers as the agent does.
final class SessionBed: Sendable {
    final class Hand: LaneHand {
        let played: Collected<InputEvent>
        init(_ played: Collected<InputEvent>) { self.played = played }
        func play(_ event: InputEvent) { played.add(event) }
        func end() {}
    }

    let agent = AuditAgent()
    let screen: ScriptedScreen
    let capture: Capture
    let attendants: Attendants
    let trail: AuditTrail
    let book: SessionBook
    let gate: GateBed
    let told = Collected<ViewFact>()
    let played = Collected<InputEvent>()
    let folder: GateFolder

    var socket: String { "\(folder.path)/control.sock" }

    init(
        limit: Int = 4 << 20, isAgentThere: Bool = true, change: (inout Gate.Options) -> Void = { _ in },
        options: SessionBook.Options = SessionBook.Options()
    ) async throws {
        folder = try GateFolder()
        if isAgentThere { try await agent.start("\(folder.path)/control.sock") }
        let screen = try ScriptedScreen(size: PixelSize(width: 320, height: 240))
        self.screen = screen
        capture = try Capture(mask: .nothing) { () throws(ScreenError) in try screen.makeSource() }
        let now = Clock()
        clockSource = now
        let hands = Hands(now: { now.milliseconds.withLock { $0 } }) { [played] in Hand(played) }
        var hooks = Attendants.Hooks()
        hooks.input = { id, event in hands.take(id, event) }
        hooks.ended = { id, _, _ in hands.end(id) }
        attendants = Attendants(capture: capture, label: "lane 7", hooks: hooks)
        trail = try AuditTrail(
            path: "\(folder.path)/audit", agent: "\(folder.path)/control.sock", limit: limit, tell: { _ in })
        var options = options
        options.masks = "sha256:" + String(repeating: "b", count: 64)
        let book = SessionBook(
            AttendantReception(attendants), hands: hands, trail: trail, options: options,
            told: { [told] in told.add($0) })
        self.book = book
        gate = try await GateBed(behind: book, change)
        await { @LoopActor [gate = gate.gate] in
            book.endAtGate = { [weak gate] id in _ = gate?.end(id) }
            book.start()
        }()
    }

    private final class Clock: Sendable {
        let milliseconds = Mutex<Int64>(0)
    }
    private let clockSource: Clock

    /// Hands' time goes on.
    func pass(_ milliseconds: Int64) { clockSource.milliseconds.withLock { $0 += milliseconds } }

    /// A viewer that has come in and seen the screen.
    func join(
        _ attendant: String = "anna", mode: ViewMode = .control, intervention: String? = nil,
        encoding: Int = RFBClient.raw
    ) throws -> RFBClient {
        let token = try gate.token(attendant, mode: mode, intervention: intervention)
        let wire = try GateWire.join(gate, token: token, serverInit: false)
        let client = try RFBClient(owning: try wire.bridge(), format: .rgb888)
        try client.begin(encodings: [encoding])
        var isSeen = false
        for _ in 0..<50 where !isSeen { isSeen = try client.hear(milliseconds: 200) != nil }
        try #require(isSeen, "no picture came")
        return client
    }

    var lines: [SessionBook.Line] { get async { await { @LoopActor [book] in book.lines }() } }

    /// The facts that the agent has, once there are so many.
    func kept(_ count: Int) async throws -> [ViewFact] {
        for _ in 0..<2000 where await agent.kept.count < count { try await Task.sleep(for: .milliseconds(5)) }
        let kept = await agent.kept
        try #require(kept.count == count, "\(kept.map(\.type))")
        return kept
    }

    func stop() async throws {
        await gate.close()
        attendants.stop()
        try awaitTrue(seconds: 10) { self.attendants.count == 0 }
        capture.stop()
        trail.stop(within: 2000)
        await agent.stop()
    }
}

@Suite(.serialized, .timeLimit(.minutes(3))) struct SessionBookTests {
    @Test func aSessionIsInTheAuditFromItsBeginningToItsEnd() async throws {
        let bed = try await SessionBed()
        var client: RFBClient? = try bed.join(intervention: "5f0c9a1e")
        let opened = try await bed.kept(1)[0]
        #expect(opened.type == "sco.view.opened.v1" && opened.session.attendant == "anna")
        #expect(opened.session.mode == "control" && opened.session.way == "token" && opened.session.from == "127.0.0.1")
        #expect(opened.session.intervention == "5f0c9a1e" && opened.session.masks.hasPrefix("sha256:bb"))
        guard case .opened(isEncrypted: true, isWeb: false) = opened.kind else { throw Failure() }
        let line = try #require(await bed.lines.first)
        #expect(line.session == opened.session && !line.hasControl && line.inputs == 0)
        try client?.press(0x61, isDown: true)
        try client?.press(0x61, isDown: false)
        try client?.point(x: 3, y: 4, buttons: 0)
        try awaitTrue(seconds: 10) { bed.played.all.count == 3 }
        let control = try await bed.kept(2)[1]
        #expect(control.kind == .control(.taken, other: nil) && control.session == opened.session)
        #expect(await bed.lines.first?.hasControl == true)
        client = nil
        let closed = try await bed.kept(3)[2]
        guard case .closed(let ending) = closed.kind else { throw Failure() }
        #expect(ending.cause == "closed" && ending.inputs == 3 && ending.by == nil && ending.why == nil)
        #expect((ending.durationMilliseconds ?? -1) >= 0 && closed.session == opened.session)
        #expect(await bed.lines.isEmpty)
        // Hooks hear the same.
        #expect(bed.told.all.map(\.type) == [opened.type, control.type, closed.type])
        try await bed.stop()
    }

    private struct Failure: Error {}

    @Test func controlGoesFromOneToAnotherAndSaysSo() async throws {
        let bed = try await SessionBed()
        let anna = try bed.join("anna")
        let bert = try bed.join("bert")
        let viewer = try bed.join("cleo", mode: .view)
        let sessions = await bed.lines.map(\.session.id)
        try anna.press(0x61, isDown: true)
        try awaitTrue(seconds: 10) { bed.played.all.count == 1 }
        try bert.point(x: 1, y: 1, buttons: 1)
        _ = try await bed.kept(5)
        // Who has no right has no hands, and is no news.
        try viewer.press(0x63, isDown: true)
        bed.pass(ControlRight.rest)
        try bert.point(x: 2, y: 2, buttons: 1)
        try awaitTrue(seconds: 10) { bed.played.all.count == 2 }
        let facts = try await bed.kept(6).suffix(3)
        #expect(
            facts.map(\.kind) == [
                .control(.taken, other: nil), .control(.refused, other: sessions[0]),
                .control(.taken, other: sessions[0]),
            ])
        #expect(facts.map(\.session.id) == [sessions[0], sessions[1], sessions[1]])
        #expect(bed.played.all == [.key(0x61, isDown: true), .pointer(x: 2, y: 2, buttons: 1)])
        #expect(await bed.lines.map(\.hasControl) == [false, true, false])
        withExtendedLifetime((anna, bert, viewer)) {}
        try await bed.stop()
    }

    @Test func somebodyOnTheLaneEndsASession() async throws {
        let bed = try await SessionBed()
        let client = try bed.join()
        let id = try #require(await bed.lines.first?.session.id)
        let unknown = await { @LoopActor [book = bed.book] in Result { try book.end("nobody") } }()
        #expect(throws: ReceptionFault.self) { try unknown.get() }
        let began = Boottime.milliseconds()
        let ended = try await { @LoopActor [book = bed.book] in
            // What follows the hyphen is enough.
            try book.end(String(id.split(separator: "-")[1]), why: "shift's end", by: 4711)
        }()
        #expect(ended == id)
        #expect(throws: (any Error).self) { while true { _ = try client.hear(milliseconds: 5000) } }
        #expect(Boottime.milliseconds() - began < 20_000)
        guard case .closed(let ending) = try await bed.kept(2)[1].kind else { throw Failure() }
        #expect(ending.cause == "ended" && ending.why == "shift's end" && ending.by == 4711)
        try await bed.stop()
    }

    @Test func aSessionEndsSomeTimeAfterItsIntervention() async throws {
        var options = SessionBook.Options()
        options.closeGraceSeconds = 1
        let bed = try await SessionBed(options: options)
        let bound = try bed.join("anna", intervention: "i-1")
        let other = try bed.join("bert", intervention: "i-2")
        let free = try bed.join("cleo")
        func follow(_ open: Set<String>?) async { await { @LoopActor [book = bed.book] in book.follow(open: open) }() }
        // Not known, and open: nobody ends.
        await follow(nil)
        await follow(["i-1", "i-2"])
        try await Task.sleep(for: .milliseconds(1500))
        #expect(await bed.lines.count == 3)
        // It closes and comes back within the time: nobody ends.
        await follow(["i-2"])
        await follow(["i-1", "i-2"])
        try await Task.sleep(for: .milliseconds(1500))
        #expect(await bed.lines.count == 3)
        await follow(["i-2"])
        // The agent goes away meanwhile: it is not known whether it is closed.
        await follow(nil)
        try await Task.sleep(for: .milliseconds(1500))
        #expect(await bed.lines.count == 3)
        await follow(["i-2"])
        guard case .closed(let ending) = try await bed.kept(4)[3].kind else { throw Failure() }
        #expect(ending.cause == "intervention_closed")
        #expect(throws: (any Error).self) { while true { _ = try bound.hear(milliseconds: 5000) } }
        #expect(await bed.lines.map(\.session.attendant) == ["bert", "cleo"])
        withExtendedLifetime((other, free)) {}
        try await bed.stop()
    }

    /// Nobody sees what nobody would hear of.
    @Test func withoutRoomForItsOpeningNoSessionIsOpened() async throws {
        let bed = try await SessionBed(limit: 12 * AuditTrail.factBytes, isAgentThere: false)
        var clients: [RFBClient] = []
        while bed.trail.refusal == nil, clients.count < 100 { clients.append(try bed.join("a\(clients.count)")) }
        #expect(clients.count > 1 && clients.count < 50)
        let token = try bed.gate.token("late")
        let wire = try GateWire(bed.gate.rfb)
        #expect(try wire.greet().contains(19))
        try wire.veNCrypt(262)
        wire.sendPlain("", token)
        // SecurityResult: failed, and why. Source: RFC 6143, 7.1.3.
        #expect(try wire.receive(4) == [0, 0, 0, 1])
        let length = try wire.receive(4).reduce(0) { $0 << 8 | Int($1) }
        let reason = String(decoding: try wire.receive(length), as: UTF8.self)
        #expect(reason.contains("too much waits for the audit"))
        #expect(wire.isEnded())
        #expect(await bed.lines.count == clients.count)
        // Those who watch go on, and their ends are kept.
        let count = clients.count
        clients = []
        _ = await bed.gate.until { $0.present == 0 }
        try await bed.agent.start(bed.socket)
        _ = try await bed.kept(2 * count)
        // The token was not spent by the refusal.
        let again = try GateWire.join(bed.gate, token: token, serverInit: false)
        #expect(await bed.gate.until { $0.present == 1 })
        withExtendedLifetime(again) {}
        try await bed.stop()
    }

    /// The opening is on disk before a byte of the picture is sent, and a disk that cannot be written shows nobody anything.
    @Test func aDiskThatFailsShowsNobodyAnything() async throws {
        let bed = try await SessionBed(isAgentThere: false)
        let path = "\(bed.folder.path)/audit"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let wire = try GateWire.join(bed.gate, token: try bed.gate.token(), serverInit: false)
        #expect(wire.isEnded() && wire.receiveAll().isEmpty)
        #expect(await bed.lines.isEmpty && bed.attendants.count == 0)
        try FileManager.default.removeItem(atPath: path)
        try awaitTrue(seconds: 10) { bed.trail.refusal == nil }
        let client = try bed.join()
        let text = try String(contentsOfFile: path, encoding: .utf8)
        // The one that failed began and ended; the one that goes on began.
        #expect(text.split(separator: "\n").count == 3)
        withExtendedLifetime(client) {}
        try await bed.stop()
    }
}
