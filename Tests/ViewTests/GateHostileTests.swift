import CLinux
import Foundation
import Glibc
import Loop
import Net
import Synchronization
import Testing

@testable import View

/// Clients that mean ill, or are broken, beside a good one: it is served, nobody is locked out, and everything comes back.
@Suite(.serialized) struct GateHostileTests {
    /// What is done to a gate, and how each such connection ends.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var end: GateEnd?
        var isWeb = false
        var act: @Sendable (GateWire) throws -> Void
        var testDescription: String { name }
    }

    /// Times that a test can wait for.
    private static func hurried(_ options: inout Gate.Options) {
        options.entrySeconds = 1.2
        options.typingSeconds = 1.2
        options.pageSeconds = 1.2
        options.mostDelaySeconds = 0.3
        options.halfMessageSeconds = 0.5
        options.stallSeconds = 1
    }

    private static func http(_ text: String) -> [UInt8] { Array(text.utf8) }
    private static let upgradeHead =
        "GET /websockify HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

    /// Before anybody is let in: each state of the greeting, with garbage, half, or too much.
    static let strangers: [Case] = [
        Case(name: "silence on RFB's port", end: .expired) { _ in },
        Case(name: "half a version", end: .expired) { $0.sendRaw(http("RFB 003.")) },
        Case(name: "no version", end: .garbage) { $0.sendRaw(http("GET / HTTP/1.1\r\n\r\n")) },
        Case(name: "TLS on RFB's port", end: .garbage) { $0.sendRaw([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3, 0, 0]) },
        Case(name: "noise on RFB's port", end: .garbage) { $0.sendRaw(Secrets.random(70_000)) },
        Case(name: "zeros on RFB's port", end: .garbage) { $0.sendRaw([UInt8](repeating: 0, count: 1_000_000)) },
        Case(name: "a version, then silence", end: .expired) { $0.sendRaw(http("RFB 003.008\n")) },
        Case(name: "a type that was not offered", end: .garbage) { $0.sendRaw(http("RFB 003.008\n") + [2]) },
        Case(name: "RFB 3.3, which knows no VeNCrypt", end: .garbage) { $0.sendRaw(http("RFB 003.003\n")) },
        Case(name: "half of VeNCrypt's version", end: .expired) { $0.sendRaw(http("RFB 003.008\n") + [19, 0]) },
        Case(name: "another version of VeNCrypt", end: .garbage) { $0.sendRaw(http("RFB 003.008\n") + [19, 0, 1]) },
        Case(name: "a subtype without TLS", end: .garbage) {
            $0.sendRaw(http("RFB 003.008\n") + [19, 0, 2, 0, 0, 1, 0])
        },
        Case(name: "no TLS where it was chosen", end: .garbage) {
            $0.sendRaw(http("RFB 003.008\n") + [19, 0, 2, 0, 0, 1, 6] + [UInt8](repeating: 65, count: 3000))
        },
        Case(name: "TLS chosen, then silence", end: .expired) {
            $0.sendRaw(http("RFB 003.008\n") + [19, 0, 2, 0, 0, 1, 6])
        },
        Case(name: "half a TLS hello in VeNCrypt", end: .expired) {
            $0.sendRaw(http("RFB 003.008\n") + [19, 0, 2, 0, 0, 1, 6] + [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3])
        },
        Case(name: "a TLS record longer than there are", end: .garbage) {
            $0.sendRaw(http("RFB 003.008\n") + [19, 0, 2, 0, 0, 1, 6] + [0x16, 3, 1, 0xFF, 0xFF, 1, 0, 1, 0xFC, 3, 3])
        },
        Case(name: "a password of 4 GiB", end: .garbage) {
            _ = try $0.greet()
            try $0.veNCrypt(262)
            $0.send([0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])
        },
        Case(name: "asked for a credential, then silence", end: .expired) {
            _ = try $0.greet()
            try $0.veNCrypt(262)
        },
        Case(name: "half a credential", end: .expired) {
            _ = try $0.greet()
            try $0.veNCrypt(262)
            $0.send([0, 0, 0, 4, 0, 0, 0, 100] + Array("annahalf".utf8))
        },
        Case(name: "a wrong credential", end: .refused) {
            _ = try $0.greet()
            try $0.veNCrypt(262)
            $0.sendPlain("anna", "wrong")
        },
        Case(name: "a wrong credential, and gone before the answer", end: nil) {
            _ = try $0.greet()
            try $0.veNCrypt(262)
            $0.sendPlain("anna", "wrong")
            $0.reset()
        },
        Case(name: "a reset in the middle of TLS", end: nil) {
            $0.sendRaw(http("RFB 003.008\n") + [19, 0, 2, 0, 0, 1, 6, 0x16, 3, 1])
            $0.reset()
        },
        Case(name: "silence on the HTTPS port", end: .expired, isWeb: true) { _ in },
        Case(name: "half a TLS hello", end: .expired, isWeb: true) {
            $0.sendRaw([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3])
        },
        Case(name: "no TLS", end: .garbage, isWeb: true) { $0.sendRaw(Array("RFB 003.008\n".utf8)) },
        Case(name: "noise for TLS", end: .garbage, isWeb: true) { $0.sendRaw([0xFF] + Secrets.random(100_000)) },
        Case(name: "TLS, then silence", end: .expired, isWeb: true) { try $0.startTLS() },
        Case(name: "half a request", end: .expired, isWeb: true) {
            try $0.startTLS()
            $0.sendRaw(http("GET / HTTP/1.1\r\nHost: lo"))
        },
        Case(name: "a request without an end", end: .answered, isWeb: true) {
            try $0.startTLS()
            $0.sendRaw(http("GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 50_000)))
        },
        Case(name: "CONNECT", end: .answered, isWeb: true) {
            try $0.startTLS()
            $0.sendRaw(http("CONNECT localhost:5900 HTTP/1.1\r\nHost: localhost:5900\r\n\r\n"))
        },
        Case(name: "noise for HTTP", end: .answered, isWeb: true) {
            try $0.startTLS()
            $0.sendRaw([0x0A] + Secrets.random(20_000) + http("\r\n\r\n"))
        },
        Case(name: "bytes behind the upgrade", end: .answered, isWeb: true) {
            try $0.startTLS()
            let rest = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nRFB 003.008\n"
            $0.sendRaw(http(upgradeHead + rest))
        },
        Case(name: "a WebSocket, then silence", end: .expired, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
        },
        Case(name: "an unmasked frame", end: .garbage, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            $0.sendRaw([0x82, 12] + http("RFB 003.008\n"))
        },
        Case(name: "half a WebSocket frame", end: .expired, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            $0.sendRaw([0x82, 0x8C, 1, 2])
        },
        Case(name: "a WebSocket frame of 2^62 bytes", end: .garbage, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            $0.sendRaw([0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
        },
        Case(name: "text for RFB", end: .garbage, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            $0.sendRaw(GateWire.frame(0x81, http("RFB 003.008\n")))
        },
        Case(name: "a flood of pings before RFB", end: .flooded, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            $0.sendRaw((0..<2000).flatMap { _ in GateWire.frame(0x89, [7]) })
        },
        Case(name: "noise for frames", end: .garbage, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            $0.sendRaw([0xF2] + Secrets.random(50_000))
        },
        Case(name: "a megabyte of frames without bytes", end: .flooded, isWeb: true) {
            try $0.startTLS()
            try $0.upgrade()
            let empty = [UInt8](GateWire.frame(0x82, []))
            $0.sendRaw((0..<30_000).flatMap { _ in empty })
        },
    ]

    /// After they were let in.
    static let visitors: [Case] = [
        Case(name: "half a message, then silence", end: .halfMessage) { $0.send([5, 0, 0]) },
        Case(name: "half a message in a WebSocket", end: .halfMessage, isWeb: true) { $0.send([4, 1]) },
        Case(name: "half a frame, then silence", end: .halfMessage, isWeb: true) {
            $0.sendRaw([0x82, 0x86, 1, 2, 3, 4, 4])
        },
        Case(name: "a message that no viewer sends", end: .garbage) { $0.send([7, 0, 0, 0, 0, 0]) },
        Case(name: "noise for messages", end: .garbage, isWeb: true) { $0.send([255] + Secrets.random(10_000)) },
        Case(name: "a clipboard of 4 GiB", end: .garbage) { $0.send([6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]) },
        Case(name: "65,535 encodings", end: .garbage) { $0.send([2, 0, 0xFF, 0xFF]) },
        Case(name: "asks for pictures and never reads", end: .stalled) { wire in
            for _ in 0..<40 { wire.send([3, 0, 0, 0, 0, 0, 4, 0, 3, 0]) }
        },
        Case(name: "the same in a WebSocket", end: .stalled, isWeb: true) { wire in
            for _ in 0..<40 { wire.send([3, 0, 0, 0, 0, 0, 4, 0, 3, 0]) }
        },
        Case(name: "a flood of pings", end: .flooded, isWeb: true) {
            $0.sendRaw((0..<2000).flatMap { _ in GateWire.frame(0x89, [7]) })
        },
        Case(name: "a reset in the middle of a picture", end: nil) {
            $0.send([3, 0, 0, 0, 0, 0, 4, 0, 3, 0])
            _ = try $0.receive(1000)
            $0.reset()
        },
        Case(name: "gone without a goodbye", end: .closed, isWeb: true) { shutdown($0.descriptor, Int32(SHUT_WR)) },
    ]

    /// The good client's worst round trip while something is done and just after it, in milliseconds.
    private static func beside(_ good: GateWire, _ act: () throws -> Void) throws -> Double {
        let pings = Pings(good)
        defer { pings.end() }
        try act()
        try awaitTrue(seconds: 20, "twenty round trips") { pings.left <= 0 }
        pings.end()
        let (worst, fault) = pings.found
        if let fault { throw fault }
        return Double(worst) / 1_000_000
    }

    /// Round trips of a good client on a thread of its own, one after the other: twenty more from when it is looked at what is left.
    private final class Pings: Sendable {
        private struct State {
            var worst: Int64 = 0
            var fault: (any Error)?
            var left: Int?
            var isOver = false
            var isGone = false
        }
        private let state = Mutex(State())

        init(_ good: GateWire) {
            startThread(name: "good client") { [self] in
                while !state.withLock({ $0.isOver || $0.fault != nil }) {
                    let began = Boottime.nanoseconds()
                    do { try good.ping() } catch { state.withLock { $0.fault = error } }
                    let took = Boottime.nanoseconds() - began
                    state.withLock { state in
                        state.worst = max(state.worst, took)
                        state.left = state.left.map { $0 - 1 }
                    }
                    usleep(2000)
                }
                state.withLock { $0.isGone = true }
            }
        }

        var left: Int {
            state.withLock { state in
                if state.fault != nil { return 0 }
                if state.left == nil { state.left = 20 }
                return state.left ?? 0
            }
        }
        var found: (worst: Int64, fault: (any Error)?) { state.withLock { ($0.worst, $0.fault) } }

        /// Returns when the thread uses the wire no more.
        func end() {
            state.withLock { $0.isOver = true }
            while !state.withLock({ $0.isGone }) { usleep(500) }
        }
    }

    /// How much a good client's round trip may take, in milliseconds. On a machine that does nothing else the promise itself
    /// (LANEWATCH_QUIET=1, `make test-hostile`); beside builds and other tests so much that only a gate that waited for somebody takes more.
    private static let generous: Double = ProcessInfo.processInfo.environment["LANEWATCH_QUIET"] == "1" ? 50 : 250

    @Test(arguments: strangers)
    func aStrangerHarmsNobody(_ one: Case) async throws {
        let bed = try await GateBed(Self.hurried)
        let good = try GateWire.join(bed)
        try good.ping()
        let hostile = try GateWire(one.isWeb ? bed.https : bed.rfb)
        let worst = try Self.beside(good) { try one.act(hostile) }
        #expect(worst < Self.generous, "a good client waited \(worst) ms")
        if let end = one.end {
            // It ends by itself, at its time, for its reason. The hostile one reads what it is told.
            #expect(hostile.isEnded())
            #expect(await bed.until { $0.open == 1 && $0.ends == [end: 1] })
        } else {
            _ = hostile.isEnded()
        }
        // Another good one comes in at once, and the first is still there.
        try GateWire.joinWeb(bed).ping()
        try good.ping()
        await bed.close()
    }

    @Test(arguments: visitors)
    func aVisitorHarmsNobody(_ one: Case) async throws {
        let bed = try await GateBed(reception: EchoReception(pictureBytes: 2_000_000), Self.hurried)
        let good = try GateWire.join(bed)
        let hostile: GateWire
        if one.isWeb {
            hostile = try GateWire.joinWeb(bed, token: try bed.token("eve"))
        } else {
            hostile = try GateWire.join(bed, token: try bed.token("eve"), receiveBuffer: 4096)
        }
        let worst = try Self.beside(good) { try one.act(hostile) }
        #expect(worst < Self.generous, "a good client waited \(worst) ms")
        if let end = one.end {
            #expect(await bed.until { $0.ends[end] == 1 && $0.open == 1 && $0.present == 1 })
            #expect(bed.reception.left[2] == end)
        } else {
            #expect(hostile.isEnded())
        }
        try GateWire.joinWeb(bed).ping()
        try good.ping()
        await bed.close()
    }

    // MARK: Many

    @Test func twoHundredSilentConnectionsLockNobodyOut() async throws {
        let bed = try await GateBed {
            Self.hurried(&$0)
            $0.entrySeconds = 30
        }
        let good = try GateWire.join(bed)
        let before = openDescriptors()
        var silent: [GateWire] = []
        for number in 0..<200 {
            silent.append(try GateWire(number % 2 == 0 ? bed.rfb : bed.https))
            if number % 40 == 39 { try good.ping() }
        }
        #expect(await bed.until { $0.connections == 201 })
        let counts = await bed.counts
        #expect(counts.waiting <= 32 && counts.ends[.evicted] == 200 - counts.waiting, "\(counts)")
        // A newcomer comes in at once, from the same address.
        try GateWire.joinWeb(bed).ping()
        // The oldest went, the youngest are here.
        #expect(silent[0].isEnded())
        silent[198].sendRaw(Array("RFB 003.008\n".utf8))
        #expect(try silent[198].receive(14) == Array("RFB 003.008\n".utf8) + [1, 19])
        silent = []
        try good.ping()
        #expect(await bed.until { $0.waiting == 0 })
        #expect(openDescriptors() <= before + 8, "descriptors come back")
        await bed.close()
    }

    @Test func twoHundredResetsInEveryStateLeaveNothing() async throws {
        let bed = try await GateBed()
        let good = try GateWire.join(bed)
        try good.ping()
        let before = openDescriptors()
        for number in 0..<200 {
            let wire = try GateWire(number % 3 == 0 ? bed.https : bed.rfb)
            switch number % 9 {
            case 0: break
            case 1: wire.sendRaw(Array("RFB 003.".utf8))
            case 2: _ = try? wire.greet()
            case 3: try? wire.startTLS()
            case 4:
                _ = try? wire.greet()
                _ = try? wire.veNCrypt(262)
            case 5:
                _ = try? wire.greet()
                wire.send([19, 0, 2, 0, 0, 1, 6, 0x16, 3, 1])
            case 6:
                try? wire.startTLS()
                try? wire.upgrade()
            case 7:
                _ = try? wire.greet()
                _ = try? wire.veNCrypt(262)
                wire.sendPlain("", try bed.token("n\(number)"))
            default:
                _ = try? wire.greet()
                _ = try? wire.veNCrypt(262)
                wire.sendPlain("", try bed.token("n\(number)"))
                try? wire.result()
                wire.send([1, 3, 0, 0, 0, 0, 0, 4, 0, 3, 0])
            }
            wire.reset()
        }
        try good.ping()
        #expect(await bed.until { $0.open == 1 && $0.present == 1 })
        #expect(openDescriptors() <= before + 4, "descriptors come back")
        await bed.close()
    }

    @Test func wrongPasswordsByTheDozenDelayOnlyThemselves() async throws {
        let bed = try await GateBed { $0.entrySeconds = 30 }
        var guessers: [GateWire] = []
        for number in 0..<24 {
            let wire = try GateWire(bed.rfb)
            _ = try wire.greet()
            try wire.veNCrypt(262)
            wire.sendPlain("anna", "guess \(number)")
            guessers.append(wire)
        }
        #expect(await bed.until { _ in bed.remarks.all.contains { $0.fields["reason"] == "malformed" } })
        // The right one, from the same address, while answers are held back.
        let began = Boottime.milliseconds()
        let good = try GateWire.join(bed)
        let took = Boottime.milliseconds() - began
        let held = await bed.counts
        if held.waiting >= 20 { #expect(took < 1900, "\(took) ms: it waited like a wrong one") }
        try good.ping()
        for wire in guessers { #expect(throws: GateWire.Fault.self) { try wire.result() } }
        #expect(Boottime.milliseconds() - began >= 1000, "the later ones waited for their answer")
        #expect(await bed.until { $0.ends[.refused] == 24 })
        await bed.close()
    }

    @Test func aFloodOfMessagesIsPacedAndOthersAreServed() async throws {
        let bed = try await GateBed { $0.messagesPerSecond = 500 }
        let good = try GateWire.join(bed)
        let flooding = try GateWire.join(bed, token: try bed.token("eve"))
        let began = Boottime.milliseconds()
        let burst = (0..<2000).flatMap { _ in [UInt8]([4, 1, 0, 0, 0, 0, 0, 65]) }
        flooding.send(burst)
        try good.ping()
        #expect(try flooding.receive(burst.count) == burst, "none is lost")
        // A second's worth at once, three seconds for the rest.
        #expect(Boottime.milliseconds() - began >= 2000)
        #expect(await bed.counts.rests > 0)
        try good.ping()
        await bed.close()
    }

    @Test func aSlowReaderIsServedAndHoldsOnePicture() async throws {
        let picture = 3_000_000
        let bed = try await GateBed(reception: EchoReception(pictureBytes: picture)) { $0.stallSeconds = 5 }
        let good = try GateWire.join(bed)
        let slow = try GateWire.join(bed, token: try bed.token("slow"), receiveBuffer: 4096)
        for _ in 0..<4 { slow.send([3, 0, 0, 0, 0, 0, 4, 0, 3, 0]) }
        // It reads all the time, a little at a time. One picture is on its way and not four: the gate's count holds the
        // attendant back, and wakes it again.
        for number in 1...3 {
            for _ in 0..<60 { _ = try slow.receive(picture / 60) }
            try good.ping()
            #expect(await bed.counts.bytesOut < (number + 1) * picture + 1000)
        }
        #expect(await bed.counts.present == 2)
        await bed.close()
    }

    @Test func theOldestOfTheMostCrowdedAddressGoes() async throws {
        let bed = try await GateBed {
            $0.mostWaiting = 4
            $0.mostWaitingPerAddress = 100
        }
        let wires = try (0..<4).map { _ in try GateWire(bed.rfb) }
        for wire in wires { #expect(try wire.receive(12).count == 12) }
        // From another address of this machine.
        let other = try GateWire(bed.rfb, from: "127.0.0.2")
        #expect(try other.receive(12).count == 12)
        #expect(wires[0].isEnded())
        let again = try GateWire(bed.rfb)
        #expect(try again.receive(12).count == 12)
        #expect(wires[1].isEnded())
        // The one who is alone at its address is still here.
        other.sendRaw(Array("RFB 003.008\n".utf8))
        #expect(try other.receive(2) == [1, 19])
        #expect(await bed.counts.ends == [.evicted: 2])
        await bed.close()
    }

    @Test func aTokenIsReplayedByNobodyNotEvenAtTheSameTime() async throws {
        let bed = try await GateBed { $0.mostDelaySeconds = 0.1 }
        let token = try bed.token()
        var wires: [GateWire] = []
        for number in 0..<12 {
            let wire = try GateWire(number % 2 == 0 ? bed.rfb : bed.https)
            if number % 2 == 1 {
                try wire.startTLS()
                try wire.upgrade()
            }
            _ = try wire.greet()
            try wire.veNCrypt(number % 2 == 0 ? 262 : 256)
            wires.append(wire)
        }
        for wire in wires { wire.sendPlain("", token) }
        let admitted = wires.filter { (try? $0.result()) != nil }.count
        #expect(admitted == 1)
        let refused = await { @LoopActor in bed.access.refused }()
        #expect(refused == [.replayed: 11])
        await bed.close()
    }
}
