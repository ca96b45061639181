import Foundation
import Loop
import RFBClient
import Screen
import Synchronization
import Testing

@testable import View

/// The whole way: a screen, its capture, real attendants, the gate, and viewers that decode.
@Suite(.serialized) struct GateScreenTests {
    private func bed() async throws -> (ViewBed, GateBed) {
        let view = try ViewBed()
        let reception = AttendantReception(view.attendants)
        let gate = try await GateBed(behind: reception, policy: { $0.none = .view })
        return (view, gate)
    }

    private func stop(_ view: ViewBed, _ gate: GateBed) async throws {
        await gate.close()
        try view.stop()
    }

    @Test func everyWayInShowsTheSameScreenExactly() async throws {
        let (view, gate) = try await bed()
        view.screen.draw(PixelRect(x: 0, y: 0, width: 320, height: 240)) { x, y in
            UInt32(x & 255) << 16 | UInt32(y & 255)
        }
        let open = try GateWire(gate.rfb)
        #expect(try open.greet() == [1, 19])
        open.send([1])
        try open.result()
        open.send([1])
        let wires = [
            open, try GateWire.join(gate, serverInit: false),
            try GateWire.joinWeb(gate, token: try gate.token("bert"), serverInit: false),
        ]
        let encodings = [[RFBClient.raw], [RFBClient.zrle], [RFBClient.tight, RFBClient.copyRect]]
        var clients: [RFBClient] = []
        for (wire, some) in zip(wires, encodings) {
            let client = try RFBClient(owning: try wire.bridge(), format: .rgb888)
            try client.begin(encodings: some)
            clients.append(client)
        }
        for client in clients {
            while try client.hear(milliseconds: 2000) == nil {}
            var isQuiet = false
            while !isQuiet { isQuiet = try client.hear(milliseconds: 300) == nil }
            #expect(client.name == "lane 7" && client.picture.width == 320)
            #expect(view.wrongPixels(client) == 0)
        }
        #expect(view.attendants.count == 3)
        // Ended from here, all of it goes; ended by the attendant, the connection does.
        let visitors = await { @LoopActor in gate.gate.visitors }()
        #expect(visitors.map(\.grant.way) == [.none, .token, .token])
        #expect(await { @LoopActor in gate.gate.end(visitors[0].id) }())
        try awaitTrue(seconds: 10) { view.attendants.count == 2 }
        view.attendants.stop()
        #expect(await gate.until { $0.ends[.attendantEnded] == 2 && $0.present == 0 })
        try await stop(view, gate)
    }

    /// A stock viewer, which speaks RFB 3.3 and knows nothing of us.
    @Test func aStockViewerTakesAPicture() async throws {
        let (view, gate) = try await bed()
        // It waits for something to be seen.
        view.screen.draw(PixelRect(x: 0, y: 0, width: 320, height: 240)) { x, y in
            UInt32(x & 255) << 16 | UInt32(y & 255)
        }
        let file = "\(gate.folder.path)/screen.jpg"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/vncsnapshot")
        // Displays are counted from port 5900 on.
        process.arguments = ["-quiet", "127.0.0.1:\(Int(gate.rfb) - 5900)", file]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        #expect(bytes.starts(with: [0xFF, 0xD8, 0xFF]) && bytes.count > 500, "\(bytes.count)")
        #expect(await gate.until { $0.ends[.closed] == 1 && $0.visitors == 1 })
        try await stop(view, gate)
    }
}
