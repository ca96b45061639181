import Net
import Testing

@testable import View

/// RFB's greeting as a value: every version and way, every wrong answer, pieces of every size.
@Suite struct GateHandshakeTests {
    typealias Action = RFBHandshake.Action
    private static let challenge = (0..<16).map { UInt8($0) }

    private func offer(_ types: [UInt8], _ subtypes: [UInt32] = []) -> RFBOffer {
        var offer = RFBOffer(AccessPolicy(), isSecure: false, hasTLS: false, isLoopback: false)
        offer.types = types
        offer.subtypes = subtypes
        return offer
    }

    private func handshake(_ types: [UInt8], _ subtypes: [UInt32] = []) -> RFBHandshake {
        RFBHandshake(offer(types, subtypes), challenge: Self.challenge)
    }

    /// Feeds bytes, all of which it must take.
    private func feed(_ handshake: inout RFBHandshake, _ bytes: [UInt8], by size: Int = 1000) -> [Action] {
        var actions: [Action] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            var piece = rest.prefix(size)
            rest = rest.dropFirst(piece.count)
            actions += handshake.take(&piece)
            if !piece.isEmpty { return actions + [.end("\(piece.count) bytes were not taken")] }
        }
        return actions
    }

    private func version(_ text: String) -> [UInt8] { Array("RFB \(text)\n".utf8) }

    @Test func theServerSpeaksFirst() {
        #expect(handshake([1]).start() == [.send(Array("RFB 003.008\n".utf8))])
    }

    @Test(arguments: [1, 3, 1000])
    func veNCryptWithAToken(size: Int) {
        var handshake = handshake([19], [262, 261])
        #expect(feed(&handshake, version("003.008"), by: size) == [.send([1, 19])])
        #expect(feed(&handshake, [19], by: size) == [.send([0, 2])])
        #expect(feed(&handshake, [0, 2], by: size) == [.send([0, 2, 0, 0, 1, 6, 0, 0, 1, 5])])
        #expect(feed(&handshake, [0, 0, 1, 6], by: size) == [.send([1]), .startTLS])
        #expect(handshake.missing == 0, "what comes next is TLS's")
        #expect(handshake.didStartTLS() == [] && handshake.isAsking && handshake.missing == 8)
        #expect(feed(&handshake, [0, 0, 0, 3, 0, 0, 0, 2], by: size) == [])
        #expect(
            feed(&handshake, Array("bobpw".utf8), by: size)
                == [.judge(.plain(user: Array("bob".utf8), password: Array("pw".utf8)))])
        #expect(handshake.missing == 0 && !handshake.isAsking)
        #expect(handshake.accept() == [.send([0, 0, 0, 0])])
        #expect(feed(&handshake, [1], by: size) == [.enter])
        #expect(handshake.missing == 0)
    }

    @Test func plainInsideAWebSocketWithEmptyNames() {
        var handshake = handshake([19], [256])
        _ = feed(&handshake, version("003.008") + [19, 0, 2])
        // noVNC sends the choice and, when a person has typed, the lengths and both texts.
        #expect(feed(&handshake, [0, 0, 1, 0]) == [] && handshake.isAsking)
        #expect(feed(&handshake, [0, 0, 0, 0, 0, 0, 0, 0]) == [.judge(.plain(user: [], password: []))])
        let text = "no"
        #expect(
            handshake.refuse(text) == [.send([0, 0, 0, 1, 0, 0, 0, 2] + Array(text.utf8)), .end(text)])
        #expect(handshake.accept() == [] && handshake.missing == 0, "it stays over")
    }

    @Test func vncsChallengeInEveryVersion() {
        for (text, beginning): (String, [UInt8]) in [
            ("003.003", [0, 0, 0, 2]), ("003.005", [0, 0, 0, 2]), ("003.007", [1, 2]), ("003.008", [1, 2]),
            ("003.889", [1, 2]), ("004.001", [1, 2]), ("005.000", [1, 2]),
        ] {
            var handshake = handshake([2])
            var actions = feed(&handshake, version(text))
            if beginning.count == 2 { actions += feed(&handshake, [2]) }
            #expect(actions == [.send(beginning), .send(Self.challenge)], "\(text)")
            #expect(handshake.isAsking)
            let response = [UInt8](repeating: 7, count: 16)
            #expect(feed(&handshake, response, by: 5) == [.judge(.challenge(Self.challenge, response: response))])
            var refused = handshake
            #expect(handshake.accept() == [.send([0, 0, 0, 0])] && feed(&handshake, [0]) == [.enter])
            // A reason only from 3.8 on.
            let isNew = text != "003.003" && text != "003.005" && text != "003.007"
            #expect(
                refused.refuse("x").first
                    == .send(isNew ? [0, 0, 0, 1, 0, 0, 0, 1, UInt8(ascii: "x")] : [0, 0, 0, 1]), "\(text)")
        }
    }

    @Test func noneSaysItsResultOnlyFrom38() {
        var old = handshake([1])
        #expect(feed(&old, version("003.003")) == [.send([0, 0, 0, 1]), .judge(.none)])
        #expect(old.accept() == [] && feed(&old, [1]) == [.enter])
        var middle = handshake([1])
        #expect(feed(&middle, version("003.007") + [1]) == [.send([1, 1]), .judge(.none)])
        #expect(middle.accept() == [] && feed(&middle, [1]) == [.enter])
        var new = handshake([1])
        #expect(feed(&new, version("003.008") + [1]) == [.send([1, 1]), .judge(.none)])
        #expect(new.accept() == [.send([0, 0, 0, 0])])
        // Inside VeNCrypt there is always a result.
        var inside = handshake([19], [260])
        _ = feed(&inside, version("003.007") + [19, 0, 2, 0, 0, 1, 4])
        #expect(inside.didStartTLS() == [.judge(.none)] && inside.accept() == [.send([0, 0, 0, 0])])
    }

    @Test func x509WithVNCsChallenge() {
        var handshake = handshake([19], [261])
        _ = feed(&handshake, version("003.008") + [19, 0, 2, 0, 0, 1, 5])
        #expect(handshake.didStartTLS() == [.send(Self.challenge)] && handshake.missing == 16 && handshake.isAsking)
    }

    @Test func wrongAnswersEndIt() {
        func last(_ bytes: [UInt8], _ types: [UInt8] = [19, 2], _ subtypes: [UInt32] = [262]) -> Action? {
            var handshake = handshake(types, subtypes)
            var rest = bytes[...]
            let actions = handshake.take(&rest)
            #expect(handshake.missing == 0, "nothing more is read")
            return actions.last
        }
        for wrong in [
            "RFB 003,008\n", "RFB 003.008\r", "rfb 003.008\n", "RFB 00a.008\n", "RFB 002.002\n", "GET / HTTP/1",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{0}\u{0}\u{0}\u{0}", "            ",
        ] {
            guard case .end? = last(Array(wrong.utf8)) else {
                Issue.record("\(wrong.debugDescription) is taken for a version")
                continue
            }
        }
        for wrong: [UInt8] in [[0], [1], [5], [16], [255]] {
            guard case .end? = last(version("003.008") + wrong) else { Issue.record("type \(wrong)"); continue }
        }
        for wrong: [UInt8] in [[0, 1], [0, 3], [1, 2], [0, 0], [255, 255]] {
            guard case .end? = last(version("003.008") + [19] + wrong) else { Issue.record("\(wrong)"); continue }
        }
        for wrong: [UInt8] in [[0, 0, 1, 0], [0, 0, 1, 3], [0, 0, 0, 0], [255, 255, 255, 255]] {
            guard case .end? = last(version("003.008") + [19, 0, 2] + wrong) else { Issue.record("\(wrong)"); continue }
        }
        for wrong: [UInt8] in [
            [0, 0, 0, 129, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 2, 1], [255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            guard case .end? = last(version("003.008") + [19, 0, 2, 0, 0, 1, 0] + wrong, [19], [256]) else {
                Issue.record("lengths \(wrong)")
                continue
            }
        }
        // 3.3 knows no VeNCrypt: it is told so.
        var old = handshake([19], [262])
        let actions = feed(&old, version("003.003"))
        guard case .send(let bytes)? = actions.first, case .end? = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(bytes.starts(with: [0, 0, 0, 0, 0, 0, 0]) && bytes.count == 8 + Int(bytes[7]))
    }

    @Test func itHoldsNoMoreThanOneCredential() {
        var handshake = handshake([19], [256])
        _ = feed(&handshake, version("003.008") + [19, 0, 2, 0, 0, 1, 0])
        _ = feed(&handshake, [0, 0, 0, 128, 0, 0, 2, 0])
        #expect(handshake.missing == 640)
        var flood = [UInt8](repeating: 65, count: 100_000)[...]
        _ = handshake.take(&flood)
        #expect(flood.count == 100_000 - 640, "what it cannot use it does not take")
    }

    // MARK: What is offered

    @Test func weakWaysAreOfferedOnlyWhereTheyMayBe() throws {
        var policy = AccessPolicy()
        policy.password = AccessPolicy.Password(Array("secret".utf8), mode: .view)
        policy.none = .view
        func offered(_ isSecure: Bool, _ isLoopback: Bool, hasTLS: Bool = true) -> RFBOffer {
            RFBOffer(policy, isSecure: isSecure, hasTLS: hasTLS, isLoopback: isLoopback)
        }
        #expect(offered(false, false) == offer([19], [262]))
        #expect(offered(true, false) == offer([19], [256]))
        #expect(offered(false, true) == offer([1, 19, 2], [262, 261, 260]))
        #expect(offered(true, true) == offer([1, 19, 2], [256]))
        policy.allowRemote = true
        #expect(offered(false, false) == offer([1, 19, 2], [262, 261, 260]))
        #expect(offered(false, false, hasTLS: false) == offer([1, 2]))
        policy = AccessPolicy()
        #expect(offered(false, true) == offer([19], [262]) && offered(false, true, hasTLS: false).isEmpty)
        policy.code = true
        #expect(offered(true, false) == offer([19, 2], [256]), "a code may go through TLS from anywhere")
        #expect(offered(false, false) == offer([19], [262, 261]), "and in the clear on loopback alone")
        #expect(offered(false, true) == offer([19, 2], [262, 261]))
    }
}
