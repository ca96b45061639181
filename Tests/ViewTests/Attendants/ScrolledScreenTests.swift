import Glibc
import RFBClient
import Screen
import ScreenBed
import Testing

@testable import View

/// Lists that are scrolled on a real X server: viewers move pixels of their own, and show what the lane shows.
@Suite(.serialized) struct ScrolledScreenTests {
    /// The list, and a part of it that is hidden in one of the cases.
    private static let list = PixelRect(x: 20, y: 20, width: 280, height: 250)
    private static let hidden = PixelRect(x: 60, y: 150, width: 90, height: 40)

    /// A row of something like letters.
    private static func row(_ number: Int) -> [UInt32] {
        (0..<26 * list.width).map { place in
            let (x, y) = (place % list.width, place / list.width)
            guard (6..<20).contains(y), x % 9 < 7 else { return 0xf4f4f0 }
            let letter = (x / 9 &* 2_654_435_761 &+ number &* 40_503 &+ y / 3 &* 977) & 0xffff
            return [0xf4f4f0, 0xa0a09c, 0x60605c, 0x20201c][letter >> (x % 9 + y / 3) & 3]
        }
    }

    @Test(arguments: [false, true]) func viewersThatMoveShowWhatIsShown(isMasked: Bool) throws {
        let (server, display) = try #require(BedProcess.xvfb("320x300x24"))
        defer { server.stop(SIGTERM) }
        let painter = try #require(XPainter(display))
        let capture = try Capture(mask: isMasked ? Mask(areas: [.init(Self.hidden)]) : .nothing) {
            () throws(ScreenError) in try X11Source(X11Screen(display: display))
        }
        let attendants = Attendants(capture: capture, label: "lane 7")
        let gate = try StandInGate(bound: 640 * 480 * 4 + (1 << 20), isStrict: false)
        defer {
            attendants.stop()
            gate.stop()
            capture.stop()
        }
        let list = Self.list
        for line in 0..<9 {
            painter.put(Self.row(line), x: list.x, y: list.y + line * 26, width: list.width)
        }
        painter.synchronise()
        var clients: [RFBClient] = []
        for encodings in [
            [RFBClient.tight, RFBClient.copyRect, RFBClient.lastRect, MendTests.quality],
            [RFBClient.zrle, RFBClient.copyRect], [RFBClient.raw], [RFBClient.hextile, RFBClient.copyRect],
        ] {
            let client = try RFBClient(owning: try gate.admit(attendants).1, format: .rgb888)
            try client.begin(encodings: encodings)
            clients.append(client)
        }
        var random = SystemRandomNumberGenerator()
        for round in 1...10 {
            for step in 0..<Int.random(in: 1...4, using: &random) {
                painter.copy(
                    x: list.x, y: list.y + 26, width: list.width, height: list.height - 26, toX: list.x, toY: list.y)
                painter.put(Self.row(100 + round * 7 + step), x: list.x, y: list.bottom - 26, width: list.width)
                // Beside it, on what has moved, and on what will.
                if Bool.random(using: &random) {
                    painter.fill(
                        x: Int.random(in: 8..<300, using: &random), y: Int.random(in: 8..<290, using: &random),
                        width: Int.random(in: 1...60, using: &random), height: Int.random(in: 1...20, using: &random),
                        UInt32.random(in: 0...0xff_ffff, using: &random))
                }
                painter.flush()
                // Mostly one move is seen before the next.
                if Int.random(in: 0..<4, using: &random) > 0 { usleep(4000) }
            }
            let mark = UInt32(round) << 12 | 0x80
            painter.fill(x: 0, y: 0, width: 8, height: 8, mark)
            painter.synchronise()
            for (number, client) in clients.enumerated() {
                let wrong = try Self.wrong(client, capture, mark)
                #expect(wrong == 0, "viewer \(number), round \(round): \(wrong) pixels")
            }
        }
        let moved = clients.map { $0.rectangles[RFBClient.copyRect, default: 0] }
        #expect(moved[2] == 0)
        // What is hidden is not read, so that moves are found beside it, if at all.
        if !isMasked { #expect(moved[0] > 5 && moved[1] > 5 && moved[3] > 5, "\(moved)") }
    }

    /// What `client` shows otherwise than it is, once it shows the mark and hears no more.
    private static func wrong(_ client: RFBClient, _ capture: Capture, _ mark: UInt32) throws -> Int {
        for _ in 0..<400 where client.picture.width == 0 || !isNear(client.picture[3, 3], mark) {
            _ = try client.hear(milliseconds: 25)
        }
        var wrong = ViewBed.wrongPixels(client, capture)
        for _ in 0..<40 where wrong != 0 {
            _ = try client.hear(milliseconds: 100)
            wrong = ViewBed.wrongPixels(client, capture)
        }
        return wrong
    }

    /// JPEG comes before what is exact.
    private static func isNear(_ pixel: UInt32, _ colour: UInt32) -> Bool {
        [UInt32(0), 8, 16].allSatisfy { abs(Int(pixel >> $0 & 255) - Int(colour >> $0 & 255)) < 40 }
    }
}
