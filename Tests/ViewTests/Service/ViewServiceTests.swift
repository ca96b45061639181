import Foundation
import Lane
import Loop
import Net
import RFBClient
import Screen
import Testing

@testable import View

/// The service whole, but for an X server: who watches is asked over its socket, noted, and handed over before it ends.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ViewServiceTests {
    private func ask(_ path: String, _ line: String) throws -> JSONValue {
        var client = try LineClient(path: path, timeout: .seconds(10))
        return try JSONValue(parsing: try client.exchange(Array(line.utf8), timeout: .seconds(10)))
    }

    private func join(_ port: UInt16) throws -> RFBClient {
        let wire = try GateWire(port)
        #expect(try wire.greet().contains(1))
        wire.send([1])
        try wire.result()
        wire.send([1])
        let client = try RFBClient(owning: try wire.bridge(), format: .rgb888)
        try client.begin(encodings: [RFBClient.zrle])
        var isSeen = false
        for _ in 0..<50 where !isSeen { isSeen = try client.hear(milliseconds: 200) != nil }
        try #require(isSeen, "no picture came")
        return client
    }

    @Test func aDesertedViewEndsWhenTheAuditIsHandedOver() async throws {
        let folder = try GateFolder()
        let screen = try ScriptedScreen(size: PixelSize(width: 320, height: 240))
        let gone = Counter()
        let notices = Collected<Notice>()
        let address = try #require(ListenAddress("127.0.0.1:0"))
        let (service, port) = try await { @LoopActor in
            var access = Access.Options(lane: "1/7")
            access.policy.token = false
            access.policy.none = .view
            var options = ViewService.Options(access: access)
            options.gate.rfb = [address]
            options.masks = MaskPlan(entries: [], unknown: .none)
            options.control = "\(folder.path)/control.sock"
            options.auditFile = "\(folder.path)/audit"
            options.socket = ViewControl.Options(
                server: LineServer.Options(path: "\(folder.path)/view.sock"),
                changers: PeerRule(users: [], groups: []), store: "1", lane: "7")
            let service = try ViewService(options, input: nil, tell: { notices.add($0) }) { () throws(ScreenError) in
                try screen.makeSource()
            }
            try service.start()
            return (service, service.gate.rfbAddresses.first?.port ?? 0)
        }()
        // The agent is away: the session is opened all the same, and noted here.
        var client: RFBClient? = try join(port)
        await { @LoopActor in service.stopWhenDeserted(for: 100) { gone.add() } }()
        let answer = try ask("\(folder.path)/view.sock", #"{"do":"sessions"}"#)
        let session = try #require(answer["sessions"]?.elements?.first)
        #expect(session["attendant"] == .null && session["way"]?.text == "none" && session["encoding"]?.text == "ZRLE")
        #expect((session["bytesOut"]?.int ?? 0) > 0 && session["control"]?.bool == false)
        client = nil
        let path = "\(folder.path)/audit"
        func lines() -> Int {
            ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").count
        }
        try awaitTrue(seconds: 20) { lines() == 2 }
        // Nobody is there, and the audit is not told: it stays.
        try await Task.sleep(for: .milliseconds(1000))
        #expect(gone.value == 0)
        let agent = AuditAgent()
        try await agent.start("\(folder.path)/control.sock")
        try awaitTrue(seconds: 20) { gone.value == 1 }
        let kept = await agent.kept
        #expect(kept.map(\.type) == ["sco.view.opened.v1", "sco.view.closed.v1"])
        #expect(kept[0].session.masks == MaskPlan(entries: [], unknown: .none).digest)
        #expect(kept[0].session.attendant == nil && kept[0].session.masks != MaskPlan.standard.digest)
        #expect(!notices.all.contains { $0.message.contains("has not taken all of the audit") })
        await { @LoopActor in service.stop() }()
        await agent.stop()
        withExtendedLifetime(client) {}
    }
}
