import CLinux
import Glibc
import Loop
import Net
import RFBClient
import Screen
import Testing

@testable import View

/// Gives each visitor an attendant, and no more.
private final class Door: Reception {
    private nonisolated let attendants: Attendants
    private var present: [UInt64: AttendantID] = [:]

    nonisolated init(_ attendants: Attendants) { self.attendants = attendants }

    func admit(_ visitor: Visitor) throws(ReceptionFault) -> InnerLink {
        do throws(AdmissionError) {
            let (id, link) = try attendants.admit(controls: visitor.grant.mode == .control)
            present[visitor.id] = id
            return link
        } catch { throw ReceptionFault(error.description) }
    }

    func didLeave(_ visitor: Visitor, _ end: GateEnd) { present[visitor.id] = nil }
    func attendant(of visitor: UInt64) -> AttendantID? { present[visitor] }
}

/// The whole way: a viewer over TCP, the gate, an attendant, the masked screen.
@Suite(.serialized) struct WholeWayTests {
    /// A viewer's connection, at the point where ServerInit comes.
    static func knock(_ port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        func hear(_ count: Int) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            try #require(recv(descriptor, &bytes, count, Int32(MSG_WAITALL)) == count)
            return bytes
        }
        func say(_ bytes: [UInt8]) { _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
        #expect(try hear(12) == Array("RFB 003.008\n".utf8))
        say(Array("RFB 003.008\n".utf8))
        let types = try hear(Int(try hear(1)[0]))
        try #require(types.contains(1))
        say([1])
        #expect(try hear(4) == [0, 0, 0, 0])
        say([1])
        return descriptor
    }

    @Test func aViewerSeesTheMaskedScreenThroughTheGate() async throws {
        let hidden = PixelRect(x: 30, y: 40, width: 50, height: 30)
        let screen = try ScriptedScreen(size: PixelSize(width: 200, height: 150))
        let capture = try Capture(mask: Mask(areas: [.init(hidden)])) { () throws(ScreenError) in
            try screen.makeSource()
        }
        let inputs = Collected<InputEvent>()
        var hooks = Attendants.Hooks()
        hooks.input = { _, event in inputs.add(event) }
        let attendants = Attendants(capture: capture, label: "lane 7", hooks: hooks)
        let door = Door(attendants)
        var access = Access.Options(lane: "L07")
        access.policy.token = false
        access.policy.none = .control
        var options = Gate.Options()
        options.rfb = [try #require(ListenAddress("127.0.0.1:0"))]
        let gate = Gate(options, access: try Access(access), certificates: nil, reception: door)
        let port = try await { @LoopActor in
            try gate.open()
            return gate.rfbAddresses.first?.port ?? 0
        }()

        AttendantTests.drawAll(screen)
        let kinds: [[Int]] = [
            [RFBClient.tight], [RFBClient.zrle, RFBClient.desktopSize], [RFBClient.raw], [RFBClient.hextile],
        ]
        for encodings in kinds {
            let client = try RFBClient(owning: try Self.knock(port), format: .rgb888)
            try client.begin(encodings: encodings)
            #expect(client.name == "lane 7")
            for step in 1...10 {
                screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), UInt32(step))
                screen.scroll(PixelRect(x: 0, y: 20, width: 200, height: 100), dx: 2, dy: -3)
                try awaitTrue(seconds: 20) {
                    _ = try? client.hear(milliseconds: 100)
                    return client.picture[0, 0] == UInt32(step)
                }
            }
            screen.fill(PixelRect(x: 0, y: 0, width: 8, height: 8), 0xff_ffff)
            try awaitTrue(seconds: 20) {
                _ = try? client.hear(milliseconds: 100)
                return client.picture[0, 0] == 0xff_ffff
            }
            #expect(ViewBed.wrongPixels(client, capture) == 0)
            #expect(
                (hidden.y..<hidden.bottom).allSatisfy { y in
                    (hidden.x..<hidden.right).allSatisfy { client.picture[$0, y] == 0 }
                })
            let before = inputs.all.count
            try client.press(0x61, isDown: true)
            try awaitTrue(seconds: 20) { inputs.all.count > before }
            // It goes away with a key down, which is let go.
            _ = consume client
            try awaitTrue(seconds: 20) { inputs.all.last == .key(0x61, isDown: false) && attendants.count == 0 }
        }
        // Control is taken away in the middle.
        let client = try RFBClient(owning: try Self.knock(port), format: .rgb888)
        try client.begin(encodings: [RFBClient.raw])
        _ = try client.hear(milliseconds: 5000)
        let visitor = try #require(await { @LoopActor in gate.visitors.first?.id }())
        try client.press(0x62, isDown: true)
        try awaitTrue(seconds: 20) { inputs.all.last == .key(0x62, isDown: true) }
        let id = try #require(await { @LoopActor in door.attendant(of: visitor) }())
        attendants.setControls(false, of: id)
        try awaitTrue(seconds: 20) { inputs.all.last == .key(0x62, isDown: false) }
        // The gate ends it; nothing stays.
        await { @LoopActor in gate.close() }()
        try awaitTrue(seconds: 20) { attendants.count == 0 && screen.sources == 0 }
        #expect(await { @LoopActor in door.attendant(of: visitor) == nil }())
        attendants.stop()
        capture.stop()
    }
}
