import Foundation
import Loop
import Net
import Testing

@testable import View

/// The page's own words in the gate's WebSocket, beside RFB.
@Suite(.serialized) struct GatePageTests {
    private func news(_ bed: GateBed, _ visitor: UInt64, _ text: String) async {
        await { @LoopActor in bed.gate.tell(visitor, news: Array(text.utf8)) }()
    }

    @Test func newsReachPagesAndNoStockViewer() async throws {
        let bed = try await GateBed()
        let page = try GateWire.joinWeb(bed, isPage: true)
        let stock = try GateWire.joinWeb(bed)
        let visitors = await { @LoopActor in bed.gate.visitors }()
        #expect(visitors.map(\.isPage) == [true, false])
        #expect(try page.text { $0.contains("resume") }.contains("again-"))
        for visitor in visitors { await news(bed, visitor.id, "{\"n\":1}") }
        #expect(try page.text() == "{\"n\":1}")
        // RFB goes on beside it, in both.
        try page.ping()
        try stock.ping()
        #expect(stock.texts.isEmpty)
        #expect(await bed.counts.news == 1)
        await bed.close()
    }

    /// Those that wait behind a picture that nobody takes: the newest comes, and none of the memory grows.
    @Test func newsWaitForPicturesAndTheNewestCounts() async throws {
        let bed = try await GateBed(reception: EchoReception(pictureBytes: 16 << 20)) { $0.stallSeconds = 60 }
        let page = try GateWire.joinWeb(bed, isPage: true)
        _ = try page.text { $0.contains("resume") }
        page.send([3, 0, 0, 0, 0, 0, 0, 9, 0, 9])
        let id = try #require(await { @LoopActor in bed.gate.visitors.first?.id }())
        var told = 0
        while await bed.counts.newsReplaced < 50, told < 20_000 {
            told += 1
            await news(bed, id, "{\"n\":\(told)}")
        }
        #expect(await bed.counts.newsReplaced >= 50)
        await news(bed, id, "{\"n\":\"last\"}")
        _ = try page.receive(10 + (16 << 20))
        #expect(try page.text { $0.contains("last") } == "{\"n\":\"last\"}")
        let counts = await bed.counts
        #expect(counts.news + counts.newsReplaced == told + 1)
        await bed.close()
    }

    @Test func aPageLearnsWhatIsWrongWithItsTokenAndAStrangerNothing() async throws {
        let bed = try await GateBed { $0.mostDelaySeconds = 0.1 }
        let spent = try bed.token()
        _ = try GateWire.join(bed, token: spent)
        for (user, wrong, reason) in [
            ("", "nonsense", "credential"), ("", try bed.token(lane: "L08"), "wrong_lane"),
            ("", try bed.token(age: 61), "expired"), ("eve", try bed.token(), "wrong_attendant"),
            ("", spent, "replayed"), ("", String(try bed.token(age: 61).dropLast(2)) + "AA", "credential"),
        ] {
            let wire = try GateWire(bed.https)
            try wire.startTLS()
            try wire.upgrade(path: "/websockify?way=plain", isPage: true)
            #expect(try wire.greet() == [19])
            try wire.veNCrypt(256)
            wire.sendPlain(user, wrong)
            #expect(throws: GateWire.Fault.self) { try wire.result() }
            #expect(wire.texts == ["{\"refused\":\"\(reason)\"}"], "\(reason)")
        }
        await bed.close()
    }

    @Test func aPageIsToldWhyItsSessionEnds() async throws {
        let bed = try await GateBed()
        let page = try GateWire.joinWeb(bed, isPage: true)
        _ = try page.text { $0.contains("resume") }
        let id = try #require(await { @LoopActor in bed.gate.visitors.first?.id }())
        await { @LoopActor in _ = bed.gate.end(id) }()
        #expect(try page.text() == "{\"ended\":\"ended\"}")
        #expect(page.isEnded() && page.closeCode == 1000)
        await bed.close()
    }

    @Test func thePageTakesTheWayThatItMeans() async throws {
        let bed = try await GateBed(policy: { $0.none = .view })
        // Both are open; noVNC would take the one without a credential.
        func offered(_ way: String) throws -> [UInt8] {
            let wire = try GateWire(bed.https)
            try wire.startTLS()
            try wire.upgrade(path: "/websockify\(way)", isPage: true)
            return try wire.greet()
        }
        #expect(try offered("") == [1, 19] && offered("?way=plain") == [19] && offered("?way=none") == [1])
        #expect(try offered("?way=other") == [1, 19])
        await bed.close()
        let closed = try await GateBed()
        let wire = try GateWire(closed.https)
        try wire.startTLS()
        #expect(throws: GateWire.Fault.self) { try wire.upgrade(path: "/websockify?way=none", isPage: true) }
        await closed.close()
    }

    @Test func whoSaysTooMuchOrNonsenseIsEnded() async throws {
        let bed = try await GateBed()
        let flood = try GateWire.joinWeb(bed, isPage: true)
        for _ in 0..<100 { flood.say("{}") }
        #expect(await bed.until { $0.ends[.flooded] == 1 })
        let long = try GateWire.joinWeb(bed, isPage: true)
        long.say(String(repeating: "x", count: GateConnection.textBytes + 1))
        #expect(await bed.until { $0.ends[.garbage] == 1 })
        // No page of ours: texts are not spoken there.
        let stock = try GateWire.joinWeb(bed)
        stock.say("{}")
        #expect(await bed.until { $0.ends[.garbage] == 2 })
        let good = try GateWire.joinWeb(bed, isPage: true)
        good.say("{\"do\":\"control\",\"on\":true}")
        try good.ping()
        #expect(await bed.until { $0.wishes >= 1 })
        await bed.close()
    }

    @Test func aPageThatLostItsConnectionComesBackWithItsCode() async throws {
        let bed = try await GateBed()
        func code(_ wire: GateWire) throws -> String {
            let text = try wire.text { $0.contains("resume") }
            return String(text.dropFirst("{\"resume\":\"".count).dropLast(2))
        }
        let first = try GateWire.joinWeb(bed, isPage: true)
        let again = try code(first)
        first.reset()
        #expect(await bed.until { $0.present == 0 })
        let second = try GateWire.joinWeb(bed, token: again, isPage: true)
        try second.ping()
        #expect(await { @LoopActor in bed.gate.visitors.map(\.grant.attendant) }() == ["anna"])
        // Once: and a code is nothing for who does not come as a page.
        #expect(throws: GateWire.Fault.self) { try GateWire.joinWeb(bed, token: again, isPage: true) }
        let next = try code(second)
        #expect(throws: GateWire.Fault.self) { try GateWire.join(bed, token: next) }
        // While the old connection is still there, which nobody reads any more: it goes.
        let third = try GateWire.joinWeb(bed, token: next, isPage: true)
        #expect(await bed.until { $0.ends[.replaced] == 1 && $0.present == 1 })
        let last = try code(third)
        // Ended on purpose, there is no way back.
        let id = try #require(await { @LoopActor in bed.gate.visitors.first?.id }())
        await { @LoopActor in _ = bed.gate.end(id) }()
        #expect(throws: GateWire.Fault.self) { try GateWire.joinWeb(bed, token: last, isPage: true) }
        #expect(await bed.counts.resumed == 2)
        await bed.close()
    }
}
