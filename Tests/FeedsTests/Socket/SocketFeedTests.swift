import CLinux
import Feeds
import Glibc
import Lane
import Loop
import Testing

@Suite struct SocketFeedTests {
    private func expectBalanced(_ counts: (lines: StageCounts, connections: StageCounts)) {
        #expect(counts.lines.isBalanced, "\(counts.lines)")
        #expect(counts.connections.isBalanced, "\(counts.connections)")
        #expect(counts.connections.held == 0)
    }

    @Test func anAnswerComesWhenTheSignalIsDurableAndInTheOrderOfTheLines() async throws {
        let bed = try await SocketBed()
        let sink = bed.sink
        await SocketBed.onLoop { sink.isDurable = false }
        let peer = try RawPeer(bed.path)
        peer.send(
            """
            {"type":"payment.started","pay":"P1","amount":1299,"colour":"red","ack":true}
            {"type":"heartbeat"}
            {"type":"hartbeat","ack":true}
            {"type":"pos.state","state":"idle","ack":true}

            {"type":"pos.state",}

            """)
        await sink.until { $0.signals.count == 3 }
        // The faulty line's answer waits behind the one that the disk owes.
        #expect(peer.sendWhatFits([]) == 0)
        var none = [UInt8](repeating: 0, count: 1)
        #expect(recv(peer.descriptor, &none, 1, Int32(MSG_DONTWAIT)) == -1)
        let feed = bed.feed
        #expect(await SocketBed.onLoop { feed.counts.held } == 2)
        await SocketBed.onLoop { sink.commit() }
        #expect(
            peer.lines(4) == [
                #"{"ok":true,"seq":1,"ignored":["colour"]}"#,
                #"{"ok":false,"error":"no signal \"hartbeat\"; did you mean \"heartbeat\"?","column":10}"#,
                #"{"ok":true,"seq":3}"#,
                #"{"ok":false,"error":"expected a string in double quotes","column":21}"#,
            ])
        let signals = await SocketBed.onLoop { sink.signals }
        #expect(signals.map(\.type.name) == ["payment.started", "heartbeat", "pos.state"])
        #expect(signals.first?.feed == .pos)
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.out == 3)
        #expect(counts.lines.dropped == ["unknown_type": 1, "malformed": 1])
        #expect(await SocketBed.onLoop { feed.ignoredAttributes } == 1)
    }

    /// Not even root and the agent's own user, unless they are named.
    @Test func staffIsWhoIsNamed() async throws {
        let line =
            #"{"type":"attendant.resolved","intervention":"5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55","ack":true}"# + "\n"
        for isNamed in [false, true] {
            let bed = try await SocketBed { if isNamed { $0.staffUsers = [geteuid()] } }
            let peer = try RawPeer(bed.path)
            peer.send(line)
            #expect(peer.line()?.hasPrefix(isNamed ? #"{"ok":true"# : #"{"ok":false"#) == true)
            let sink = bed.sink
            #expect(await SocketBed.onLoop { sink.signals.map(\.feed) } == (isNamed ? [.staff] : []))
            let counts = await bed.stop()
            expectBalanced(counts)
            #expect(counts.lines.dropped == (isNamed ? [:] : ["foreign_type": 1]))
        }
    }

    @Test func whatCannotBeMadeDurableIsSaidAndCounted() async throws {
        let bed = try await SocketBed()
        let sink = bed.sink
        await SocketBed.onLoop { sink.isDurable = false }
        let peer = try RawPeer(bed.path)
        peer.send("{\"type\":\"heartbeat\",\"ack\":true}\n")
        await sink.until { $0.owedCount == 1 }
        await SocketBed.onLoop { sink.commit(AcceptFault("the disk is full")) }
        #expect(peer.line() == #"{"ok":false,"error":"the disk is full"}"#)
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.dropped == ["not_durable": 1])
    }

    @Test func piecesOfAnySizeGiveTheSameSignals() async throws {
        let bed = try await SocketBed()
        let peer = try RawPeer(bed.path)
        let bytes = (0..<500).flatMap {
            Array("{\"type\":\"item.quantity\",\"sku\":\"é\($0)\",\"quantity\":\($0)}\r\n".utf8)
        }
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + Int.random(in: 1...97))
            #expect(peer.send(Array(bytes[at..<end])))
            at = end
        }
        await bed.sink.until { $0.signals.count == 500 }
        let sink = bed.sink
        let quantity = try #require(AttributeName("quantity"))
        let quantities = await SocketBed.onLoop { sink.signals.map { $0[quantity] } }
        let expected: [AttributeValue?] = (0..<500).map { AttributeValue.int(Int64($0)) }
        #expect(quantities == expected)
        expectBalanced(await bed.stop())
    }

    @Test func aWriterFasterThanTheDiskIsHeldBackAndLosesNothing() async throws {
        let bed = try await SocketBed { $0.linesPerSecond = 10_000_000 }
        let sink = bed.sink
        await SocketBed.onLoop { sink.room = 10 }
        let peer = try RawPeer(bed.path)
        let line = Array("{\"type\":\"pos.state\",\"state\":\"idle\"}\n".utf8)
        let all = [UInt8]((0..<10_000).flatMap { _ in line })
        // Nobody takes more than ten: the kernel's buffers fill up, and no more goes in.
        var sent = peer.sendWhatFits(all)
        await sink.until { $0.signals.count == 10 && $0.isAskedForRoom }
        sent += peer.sendWhatFits(Array(all[sent...]))
        #expect(sent < all.count)
        let feed = bed.feed
        #expect(await SocketBed.onLoop { feed.counts.in } == 10)
        await SocketBed.onLoop { sink.giveRoom(7) }
        await sink.until { $0.signals.count == 17 && $0.isAskedForRoom }
        await SocketBed.onLoop { sink.giveRoom(.max) }
        #expect(peer.send(Array(all[sent...])))
        await sink.until { $0.signals.count == 10_000 }
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.out == 10_000)
    }

    @Test func aFloodDoesNotKeepOthersWaiting() async throws {
        let bed = try await SocketBed { $0.linesPerTurn = 64 }
        let sink = bed.sink
        await SocketBed.onLoop { sink.room = 0 }
        let flood = try RawPeer(bed.path)
        let line = Array("{\"type\":\"pos.state\",\"state\":\"idle\"}\n".utf8)
        let sent = flood.sendWhatFits([UInt8]((0..<3000).flatMap { _ in line })) / line.count
        #expect(sent > 1000)
        let quiet = try RawPeer(bed.path)
        quiet.send("{\"type\":\"help.requested\"}\n")
        #expect(await bed.until { $0.connectionCounts.held == 2 })
        // One after the other, as room comes in small pieces: the flood must not take it all.
        await SocketBed.onLoop { sink.giveRoom(64) }
        await sink.until { $0.signals.count == 64 && $0.isAskedForRoom }
        await SocketBed.onLoop { sink.giveRoom(64) }
        await sink.until { $0.signals.count == 128 }
        let place = await SocketBed.onLoop { sink.signals.firstIndex { $0.type.name == "help.requested" } }
        #expect((place ?? .max) <= 128)
        await SocketBed.onLoop { sink.giveRoom(.max) }
        await sink.until { $0.signals.count == sent + 1 }
        expectBalanced(await bed.stop())
    }

    @Test func aWriterPastItsLimitIsToldAndClosed() async throws {
        let bed = try await SocketBed { $0.linesPerSecond = 50 }
        let good = try RawPeer(bed.path)
        let mad = try RawPeer(bed.path)
        _ = mad.sendWhatFits([UInt8]((0..<2000).flatMap { _ in Array("{\"type\":\"heartbeat\"}\n".utf8) }))
        #expect(mad.lines() == [#"{"ok":false,"error":"more than 50 lines a second; the connection is closed"}"#])
        good.send("{\"type\":\"heartbeat\",\"ack\":true}\n")
        #expect(good.line()?.hasPrefix("{\"ok\":true") == true)
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.dropped == ["too_fast": 1])
        #expect(counts.connections.dropped == ["too_fast": 1, "stopped": 1])
        let sink = bed.sink
        #expect(await SocketBed.onLoop { sink.notices.map(\.message) } == ["writer too fast"])
    }

    @Test func aPeerThatDoesNotReadItsAnswersIsClosedAndHarmsNobody() async throws {
        let bed = try await SocketBed {
            $0.answerBytes = 8192
            $0.answerSeconds = 1
        }
        let deaf = try RawPeer(bed.path)
        var small: Int32 = 4096
        setsockopt(deaf.descriptor, SOL_SOCKET, SO_RCVBUF, &small, 4)
        let line = Array("{\"type\":\"heartbeat\",\"ack\":true}\n".utf8)
        let many = [UInt8]((0..<20_000).flatMap { _ in line })
        _ = deaf.sendWhatFits(many)
        let good = try RawPeer(bed.path)
        good.send("{\"type\":\"heartbeat\",\"ack\":true}\n")
        #expect(good.line()?.hasPrefix("{\"ok\":true") == true)
        // It goes on writing as long as anything fits, and reads nothing.
        for _ in 0..<12_000 {
            let feed = bed.feed
            if await SocketBed.onLoop({ feed.connectionCounts.droppedTotal }) > 0 { break }
            _ = deaf.sendWhatFits(many)
            try await Task.sleep(for: .milliseconds(5))
        }
        good.send("{\"type\":\"heartbeat\",\"ack\":true}\n")
        #expect(good.line()?.hasPrefix("{\"ok\":true") == true)
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.connections.dropped == ["slow_reader": 1, "stopped": 1])
    }

    @Test func aWriterOfFaultyLinesThatNeverReadsIsNotStopped() async throws {
        let bed = try await SocketBed()
        let peer = try RawPeer(bed.path)
        let bad = [UInt8]((0..<8000).flatMap { _ in Array("{\"type\":\"heartbeta\"}\n".utf8) })
        #expect(peer.send(bad))
        #expect(peer.send("{\"type\":\"heartbeat\"}\n"))
        await bed.sink.until { $0.signals.count == 1 }
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.dropped == ["unknown_type": 8000])
        #expect(counts.connections.dropped == ["stopped": 1])
    }

    @Test func linesBeforeTheEndCountEvenWhenNobodyReadsTheirAnswers() async throws {
        let bed = try await SocketBed()
        let sink = bed.sink
        await SocketBed.onLoop { sink.isDurable = false }
        do {
            let peer = try RawPeer(bed.path)
            peer.send([UInt8]((0..<1000).flatMap { _ in Array("{\"type\":\"heartbeat\",\"ack\":true}\n".utf8) }))
            peer.send("{\"type\":\"heartbeat\"")
        }
        await sink.until { $0.signals.count == 1000 }
        await SocketBed.onLoop { sink.commit() }
        #expect(await bed.until { $0.connectionCounts.held == 0 })
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.out == 1000)
        #expect(counts.lines.dropped == ["incomplete": 1])
        #expect(counts.connections.out == 1)
    }

    @Test func aPeerThatEndsItsWritingStillGetsItsAnswers() async throws {
        let bed = try await SocketBed()
        let sink = bed.sink
        await SocketBed.onLoop { sink.isDurable = false }
        let peer = try RawPeer(bed.path)
        peer.send("{\"type\":\"heartbeat\",\"ack\":true}\n{\"type\":\"heart")
        peer.endWriting()
        await sink.until { $0.owedCount == 1 }
        await SocketBed.onLoop { sink.commit() }
        #expect(
            peer.lines() == [
                #"{"ok":true,"seq":1}"#, #"{"ok":false,"error":"the line has no end: a line feed was expected"}"#,
            ])
        expectBalanced(await bed.stop())
    }

    @Test func aLineTooLongIsSkippedAndTold() async throws {
        let bed = try await SocketBed { $0.lineBytes = 100 }
        let peer = try RawPeer(bed.path)
        peer.send(
            "{\"type\":\"" + String(repeating: "x", count: 300_000) + "\"}\n{\"type\":\"heartbeat\",\"ack\":true}\n")
        #expect(
            peer.lines(2) == [#"{"ok":false,"error":"the line is longer than 100 bytes"}"#, #"{"ok":true,"seq":1}"#])
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.dropped == ["oversized": 1])
    }

    @Test func connectionsPastTheLimitAreToldAndClosed() async throws {
        let bed = try await SocketBed { $0.connections = 3 }
        let peers = try (0..<3).map { _ in try RawPeer(bed.path) }
        #expect(await bed.until { $0.connectionCounts.held == 3 })
        for _ in 0..<5 {
            let late = try RawPeer(bed.path)
            #expect(late.lines() == [#"{"ok":false,"error":"3 connections are open, and no more are taken"}"#])
        }
        for peer in peers {
            peer.send("{\"type\":\"heartbeat\",\"ack\":true}\n")
            #expect(peer.line()?.hasPrefix("{\"ok\":true") == true)
        }
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.connections.dropped == ["limit": 5, "stopped": 3])
        #expect(peers[0].line() == nil)
    }

    @Test func anyBytesAreAnsweredOrCounted() async throws {
        let bed = try await SocketBed { $0.lineBytes = 200 }
        let pieces = [
            "{", "}", "\"type\"", ":", "\"heartbeat\"", ",", "\"ack\":true", "\n", "\\u00", "\u{0}", "[[[[", "1e999",
            "\"cpu\":5",
            "\"text\":\"4111111111111111\"", "\r\n", " ",
        ]
        for _ in 0..<20 {
            let peer = try RawPeer(bed.path)
            for _ in 0..<200 {
                var bytes = Array((pieces.randomElement() ?? "").utf8)
                if Int.random(in: 0..<20) == 0 { bytes = (0..<40).map { _ in UInt8.random(in: 0...255) } }
                peer.send(bytes)
            }
            peer.endWriting()
            for line in peer.lines() {
                let value = try JSONValue(parsing: line)
                #expect(value["ok"]?.bool != nil)
                #expect(!line.contains("4111111111111111"))
            }
        }
        let counts = await bed.stop()
        expectBalanced(counts)
        #expect(counts.lines.in > 100)
        #expect(counts.lines.held == 0)
    }
}
