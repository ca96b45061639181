import CLinux
import Foundation
import Glibc
import Loop
import Net
import Testing

@testable import View

/// The gate with real sockets and real TLS; behind it something that sends back what it gets.
@Suite(.serialized) struct GateTests {
    @Test func aTokenComesInOverVeNCrypt() async throws {
        let bed = try await GateBed()
        let wire = try GateWire.join(bed, user: "anna", token: try bed.token("anna", mode: .view, intervention: "i-1"))
        try wire.ping()
        let certificate = await { @LoopActor in bed.gate.certificate?.fingerprint }()
        #expect(wire.fingerprint == certificate)
        let visitor = try #require(bed.reception.present.first)
        #expect(visitor.grant == Grant(attendant: "anna", mode: .view, intervention: "i-1", way: .token))
        #expect(visitor.isEncrypted && !visitor.isWebSocket && visitor.address == "127.0.0.1" && visitor.id == 1)
        #expect(await { @LoopActor in bed.gate.visitors }() == [visitor])
        let counts = await bed.counts
        #expect(counts.present == 1 && counts.waiting == 0 && counts.visitors == 1)
        #expect(counts.bytesIn == 6 && counts.bytesOut == 6 + EchoReception.serverInit.count)
        // Ended from here: the client sees it, the attendant goes.
        #expect(await { @LoopActor in bed.gate.end(1) && !bed.gate.end(1) }())
        #expect(wire.isEnded() && bed.reception.left == [1: .ended])
        await bed.close()
    }

    @Test func aTokenComesInOverASecureWebSocket() async throws {
        let bed = try await GateBed()
        let wire = try GateWire.joinWeb(bed)
        for _ in 0..<10 { try wire.ping() }
        // A picture larger than any buffer, whole.
        wire.send([3, 0, 0, 0, 0, 0, 4, 0, 3, 0])
        #expect(try wire.receive(10)[0] == 3)
        #expect(try wire.receive(100_000) == [UInt8](repeating: 0xAB, count: 100_000))
        let visitor = try #require(bed.reception.present.first)
        #expect(visitor.isEncrypted && visitor.isWebSocket)
        // A ping is answered; a goodbye too, with its code.
        wire.sendRaw(GateWire.frame(0x89, [1, 2, 3]))
        try wire.ping()
        #expect(wire.pongs == 1)
        wire.sendRaw(GateWire.frame(0x88, [0x03, 0xE8]))
        #expect(wire.isEnded() && wire.closeCode == 1000)
        #expect(await bed.until { $0.open == 0 && $0.ends[.closed] == 1 })
        await bed.close()
    }

    @Test func byesOfFewBytesAtATimeAreTheSame() async throws {
        let bed = try await GateBed()
        let wire = try GateWire(bed.https)
        try wire.startTLS()
        for byte in Array("GET /websockify HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n".utf8) {
            wire.sendRaw([byte])
        }
        let rest =
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        wire.sendRaw(Array(rest.utf8))
        #expect(try wire.receiveHead().hasPrefix("HTTP/1.1 101"))
        // From here frames by hand, a byte at a time.
        let token = Array(try bed.token().utf8)
        let first = Array("RFB 003.008\n".utf8) + [19, 0, 2, 0, 0, 1, 0]
        let bytes = first + GateWire.four(0) + GateWire.four(token.count) + token + [1] + [5, 0, 0, 1, 0, 2]
        for byte in bytes.flatMap({ GateWire.frame(0x82, [$0]) }) { wire.sendRaw([byte]) }
        #expect(await bed.until { $0.bytesIn == 6 })
        await bed.close()
    }

    @Test func everythingAtOnceIsTheSame() async throws {
        let bed = try await GateBed()
        let wire = try GateWire(bed.https)
        try wire.startTLS()
        try wire.upgrade()
        let token = Array(try bed.token().utf8)
        let first = Array("RFB 003.008\n".utf8) + [19, 0, 2, 0, 0, 1, 0]
        wire.send(first + GateWire.four(0) + GateWire.four(token.count) + token + [1] + [5, 0, 0, 1, 0, 2])
        #expect(await bed.until { $0.bytesIn == 6 })
        await bed.close()
    }

    @Test func aWrongCredentialGetsOneAnswerForAll() async throws {
        let bed = try await GateBed { $0.mostDelaySeconds = 0.3 }
        let spent = try bed.token()
        _ = try GateWire.join(bed, token: spent)
        for (user, wrong) in [
            ("", "nonsense"), ("", try bed.token(lane: "L08")), ("", try bed.token(age: 61)), ("eve", try bed.token()),
            ("", spent), ("", ""),
        ] {
            let fault = #expect(throws: GateWire.Fault.self) { try GateWire.join(bed, user: user, token: wrong) }
            guard case .refused(let text)? = fault else {
                Issue.record("\(String(describing: fault))")
                continue
            }
            #expect(text == AccessRefusal.publicText)
        }
        #expect(throws: GateWire.Fault.self) { try GateWire.joinWeb(bed, token: spent) }
        let refused = await { @LoopActor in bed.access.refused }()
        #expect(refused == [.malformed: 2, .wrongLane: 1, .expired: 1, .wrongAttendant: 1, .replayed: 2])
        #expect(await bed.until { $0.ends[.refused] == 7 })
        for remark in bed.remarks.all {
            #expect(!remark.fields.values.contains { $0.contains(spent) }, "no credential in a log: \(remark)")
        }
        #expect(bed.remarks.all.contains { $0.message == "somebody was not let in" })
        await bed.close()
    }

    @Test func vncsPasswordAndNoneComeInWhereTheyMay() async throws {
        let password = try #require(AccessPolicy.Password(Array("geheimes Wort".utf8), mode: .view))
        let bed = try await GateBed(policy: {
            $0.password = password
            $0.none = .control
        })
        // In the clear, by RFB 3.8 and 3.3; in a WebSocket; and VeNCrypt's ways.
        func answer(_ wire: GateWire) throws {
            let challenge = try wire.receive(16)
            wire.send(try #require(Secrets.vncResponse(to: challenge, password: Array("geheimes".utf8))))
            try wire.result()
            try wire.enter()
            try wire.ping()
        }
        let new = try GateWire(bed.rfb)
        #expect(try new.greet() == [1, 19, 2])
        new.send([2])
        try answer(new)
        let none = try GateWire(bed.rfb)
        _ = try none.greet()
        none.send([1])
        try none.result()
        try none.enter()
        try none.ping()
        // 3.3: the server decides.
        let old = try GateWire(bed.rfb)
        #expect(try old.receive(12) == Array("RFB 003.008\n".utf8))
        old.send(Array("RFB 003.003\n".utf8))
        #expect(try old.receive(4) == [0, 0, 0, 1])
        try old.enter()
        let web = try GateWire(bed.https)
        try web.startTLS()
        try web.upgrade(origin: "https://localhost")
        #expect(try web.greet() == [1, 19, 2])
        web.send([2])
        try answer(web)
        var insides: [GateWire] = []
        for subtype in [261, 260] {
            let inside = try GateWire(bed.rfb)
            _ = try inside.greet()
            #expect(try inside.veNCrypt(subtype) == [262, 261, 260])
            insides.append(inside)
            guard subtype == 260 else {
                try answer(inside)
                continue
            }
            try inside.result()
            try inside.enter()
            try inside.ping()
        }
        #expect(bed.reception.present.map(\.grant.mode) == [.view, .control, .control, .view, .view, .control])
        #expect(bed.reception.present.map(\.isEncrypted) == [false, false, false, true, true, true])
        await bed.close()
    }

    @Test func aCodeComesInByTheStockPagesWay() async throws {
        let bed = try await GateBed(policy: {
            $0.code = true
            $0.token = false
        })
        let code = try #require(await { @LoopActor in bed.access.giveCode("anna", .view) }())
        for isFirst in [true, false] {
            let web = try GateWire(bed.https)
            try web.startTLS()
            try web.upgrade()
            #expect(try web.greet() == [19, 2])
            web.send([2])
            let challenge = try web.receive(16)
            web.send(try #require(Secrets.vncResponse(to: challenge, password: Array(code.utf8))))
            if isFirst {
                try web.result()
                try web.enter()
            } else {
                #expect(throws: GateWire.Fault.self) { try web.result() }
            }
        }
        await bed.close()
    }

    @Test func pagesAreServedAndOriginsAreLookedAt() async throws {
        let bed = try await GateBed()
        func curl(_ words: [String]) throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
            process.arguments = ["-s", "-i", "--max-time", "60", "--cacert", "\(bed.folder.path)/gate.pem"] + words
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return String(decoding: bytes, as: UTF8.self)
        }
        let base = "https://localhost:\(bed.https)"
        // Trusted by its own certificate, twice over one connection.
        let pages = try curl(["\(base)/", "\(base)/none"])
        #expect(
            pages.contains("HTTP/1.1 200 OK") && pages.contains("<p>lane L07</p>") && pages.contains("404 Not Found"))
        let head = try curl(["-I", "\(base)/"])
        #expect(head.contains("content-length: 15") && !head.contains("<p>"))
        #expect(try curl(["-X", "POST", "\(base)/"]).contains("405 Method Not Allowed"))
        #expect(try curl(["\(base)/websockify"]).contains("426 Upgrade Required"))
        #expect(try curl(["-H", "X: \(String(repeating: "a", count: 5000))", "\(base)/"]).contains("HTTP/1.1 431"))
        #expect(try curl(["http://localhost:\(bed.https)/"]).contains("this port speaks https"))
        let wire = try GateWire(bed.https)
        try wire.startTLS()
        let fault = #expect(throws: GateWire.Fault.self) { try wire.upgrade(origin: "https://evil.example") }
        guard case .refused(let answer)? = fault, answer.hasPrefix("HTTP/1.1 403") else {
            Issue.record("\(String(describing: fault))")
            return
        }
        #expect(await bed.until { $0.open == 0 || $0.waiting == 1 })
        await bed.close()
    }

    @Test func requestsInOneGoAreAnsweredInOrder() async throws {
        let bed = try await GateBed()
        let wire = try GateWire(bed.https)
        try wire.startTLS()
        let one = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let last = "GET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        wire.sendRaw(Array((String(repeating: one, count: 50) + last).utf8))
        let text = String(decoding: wire.receiveAll(), as: UTF8.self)
        #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 51 && text.contains("404 Not Found"))
        #expect(await bed.counts.pages == 51)
        await bed.close()
    }

    @Test func aRenewedCertificateNeedsNoRestart() async throws {
        let bed = try await GateBed()
        let before = try GateWire.join(bed)
        try PrivateFile.write(try SelfMadeIdentity.make(names: ["renewed"]), to: "\(bed.folder.path)/gate.pem")
        await { @LoopActor in bed.gate.reloadCertificate() }()
        let after = try GateWire.joinWeb(bed)
        #expect(before.fingerprint != after.fingerprint)
        try before.ping()
        try after.ping()
        #expect(bed.remarks.all.contains { $0.fields["fingerprint"] == after.fingerprint })
        await bed.close()
    }

    @Test func limitsOfVisitorsTurnAwayTheNewcomerInWords() async throws {
        let bed = try await GateBed {
            $0.mostVisitors = 3
            $0.mostVisitorsPerAccount = 2
        }
        let one = try GateWire.join(bed)
        _ = one
        let two = try GateWire.joinWeb(bed)
        let again = #expect(throws: GateWire.Fault.self) { try GateWire.join(bed) }
        #expect("\(String(describing: again))".contains("as often as anybody may"))
        let three = try GateWire.join(bed, token: try bed.token("bert"))
        let fourth = #expect(throws: GateWire.Fault.self) { try GateWire.join(bed, token: try bed.token("carl")) }
        #expect("\(String(describing: fourth))".contains("as many watch"))
        try two.ping()
        try three.ping()
        #expect(await bed.until { $0.ends[.full] == 2 && $0.present == 3 })
        await bed.close()
    }

    @Test func sessionsEndWhenTheyAreIdleOrTooLongOrTheirInterventionIsOver() async throws {
        let idle = try await GateBed { $0.idleSeconds = 0.2 }
        #expect(try GateWire.join(idle).isEnded())
        #expect(await idle.until { $0.ends[.idle] == 1 })
        await idle.close()
        let long = try await GateBed { $0.longestSeconds = 0.2 }
        let wire = try GateWire.joinWeb(long)
        #expect(wire.isEnded() && wire.closeCode == 1001)
        #expect(await long.until { $0.ends[.maximum] == 1 })
        await long.close()
        let bed = try await GateBed()
        let ours = try GateWire.join(bed, token: try bed.token(intervention: "i-1"))
        let other = try GateWire.join(bed, token: try bed.token(intervention: "i-2"))
        await { @LoopActor in bed.gate.end(intervention: "i-1") }()
        #expect(ours.isEnded())
        try other.ping()
        await bed.close()
    }

    @Test func whereThereIsNoScreenTheVisitorIsToldToComeAgain() async throws {
        let bed = try await GateBed(reception: EchoReception(isClosed: true))
        #expect(throws: GateWire.Fault.self) { try GateWire.join(bed) }
        #expect(await bed.until { $0.ends[.noRoom] == 1 && $0.open == 0 })
        #expect(bed.remarks.all.contains { $0.fields["reason"] == "no screen" })
        await bed.close()
    }

    @Test func itListensOnIPv6AndOnSocketsThatOthersOpened() async throws {
        let six = try #require(ListenAddress("[::1]:0"))
        var port: UInt16 = 0
        let adopted = try six.listen(port: &port).release()
        let bed = try await GateBed {
            $0.rfb = [six]
            $0.adopted = [("https", adopted)]
        }
        let wire = try GateWire(bed.rfb, host: "::1")
        #expect(try wire.greet() == [19])
        let web = try GateWire(port, host: "::1")
        try web.startTLS()
        try web.upgrade()
        #expect(try web.greet() == [19])
        await bed.close()
        #expect(throws: SystemError.self) { try GateWire(port, host: "::1") }
    }

    @Test func aListenerThatNobodyCouldPassIsAMistake() async throws {
        let near = try #require(ListenAddress("127.0.0.1:0"))
        let far = try #require(ListenAddress("0.0.0.0:0"))
        let pem = try SelfMadeIdentity.make(names: [])
        let folder = try GateFolder()
        try PrivateFile.write(pem, to: "\(folder.path)/gate.pem")
        let files = try CertificateFiles(certificate: "\(folder.path)/gate.pem", key: "\(folder.path)/gate.pem")
        func fault(_ address: ListenAddress, _ hasTLS: Bool, _ change: (inout AccessPolicy) -> Void) async throws
            -> String?
        {
            var options = Access.Options(lane: "L07")
            change(&options.policy)
            var gateOptions = Gate.Options()
            gateOptions.rfb = [address]
            let gate = Gate(
                gateOptions, access: try Access(options), certificates: hasTLS ? files : nil,
                reception: EchoReception())
            return await { @LoopActor in
                do throws(GateFault) {
                    try gate.open()
                    gate.close()
                    return nil
                } catch { return error.description }
            }()
        }
        #expect(try await fault(near, true) { _ in } == nil)
        #expect(try await fault(near, false) { _ in } != nil)
        #expect(try await fault(far, true) { _ in } == nil)
        #expect(try await fault(near, false) { $0.none = .view } == nil)
        let said = try await fault(far, false) { $0.none = .view }
        #expect(said?.contains("allow_remote") == true)
        #expect(
            try await fault(far, false) {
                $0.none = .view
                $0.allowRemote = true
            } == nil)
        #expect(
            try await fault(far, true) {
                $0.token = false; $0.none = .view
            } != nil)
    }
}
