import Net

@testable import View

/// Frames of a WebSocket: whole and in odd pieces they give the same, and what is kept is bounded.
enum WebSocketFrames {
    private static let textBytes = 40

    @Sendable static func run(_ input: [UInt8]) {
        var lot = Steering(input)
        let whole = parsed([input[...]])
        let pieces = parsed(lot.pieces(input))
        require(whole == pieces, "frames in pieces are the same: \(whole) \(pieces)")
        for (place, event) in whole.enumerated() {
            switch event {
            case .bytes(let bytes): require(bytes.count <= input.count, "no more comes out than went in")
            case .text(let bytes):
                require((1...textBytes).contains(bytes.count), "a text is as short as was agreed, and says something")
                require(String(validating: bytes, as: UTF8.self) != nil, "and it is UTF-8")
            case .ping(let payload):
                require(payload.count <= 125, "a ping is short")
                require(WebSocketFrame.pong(payload).count == payload.count + 2, "and so is its answer")
            case .pong: break
            case .close, .fault: require(place == whole.count - 1, "nothing comes behind the end")
            }
            if case .fault(let fault) = event {
                require([1002, 1003, 1007, 1009].contains(fault.code), "a fault has a code of its own: \(fault)")
                require(WebSocketFrame.close(fault.code, fault.reason).count <= 127, "and fits a frame")
            }
        }
    }

    private static func parsed(_ pieces: [ArraySlice<UInt8>]) -> [WebSocketParser.Event] {
        var limits = WebSocketParser.Limits()
        limits.messageBytes = 600
        limits.textBytes = textBytes
        var parser = WebSocketParser(limits)
        var events: [WebSocketParser.Event] = []
        for piece in pieces {
            for event in piece.withUnsafeBytes({ parser.take($0) }) {
                if case .bytes(let more) = event, case .bytes(let before)? = events.last {
                    events[events.count - 1] = .bytes(before + more)
                } else {
                    events.append(event)
                }
            }
        }
        return events
    }
}

/// RFB's greeting, with the answers of a gate that lets in whom the input says, and HTTP's upgrade before it.
enum Greetings {
    private static let policies: [AccessPolicy] = {
        var open = AccessPolicy()
        open.none = .view
        open.code = true
        open.password = AccessPolicy.Password(Array("secret".utf8), mode: .control)
        var codes = AccessPolicy()
        codes.code = true
        return [AccessPolicy(), open, codes]
    }()

    @Sendable static func run(_ input: [UInt8]) {
        var lot = Steering(input.reversed())
        let policy = policies[lot.next(policies.count)]
        let isSecure = lot.next(2) == 0
        let offer = RFBOffer(policy, isSecure: isSecure, hasTLS: true, isLoopback: lot.next(2) == 0)
        let isRight = lot.next(2) == 0
        let whole = greeted(offer, [input[...]], isRight)
        let pieces = greeted(offer, lot.pieces(input), isRight)
        require(whole == pieces, "a greeting in pieces is the same: \(whole) \(pieces)")
        let judged = whole.contains { if case .judge = $0 { true } else { false } }
        let entered = whole.contains(.enter)
        require(!entered || (judged && isRight), "nobody enters who was not judged and let in")
        let startsTLS = whole.contains(.startTLS)
        require(!startsTLS || !isSecure, "TLS begins once")
        for case .judge(.plain(let user, let password)) in whole {
            require(isSecure || startsTLS, "a credential is taken in the clear")
            require(user.count <= RFBHandshake.mostUserBytes, "a name is bounded")
            require(password.count <= RFBHandshake.mostPasswordBytes, "a password is bounded")
        }
        upgrade(input)
    }

    private static func greeted(
        _ offer: RFBOffer, _ pieces: [ArraySlice<UInt8>], _ isRight: Bool
    ) -> [RFBHandshake.Action] {
        var handshake = RFBHandshake(offer, challenge: [UInt8](repeating: 7, count: 16))
        var actions: [RFBHandshake.Action] = handshake.start()
        for piece in pieces {
            var rest = piece
            while !rest.isEmpty, handshake.missing > 0 {
                let before = rest.count
                var next = handshake.take(&rest)
                require(rest.count < before, "what is wanted is taken")
                var index = 0
                while index < next.count {
                    switch next[index] {
                    case .startTLS: next += handshake.didStartTLS()
                    case .judge: next += isRight ? handshake.accept() : handshake.refuse("no")
                    default: break
                    }
                    index += 1
                }
                actions += next
            }
            require(
                handshake.missing <= RFBHandshake.mostUserBytes + RFBHandshake.mostPasswordBytes,
                "no more is wanted than a credential")
        }
        return actions
    }

    private static func upgrade(_ input: [UInt8]) {
        var parser = HTTPParser()
        input.withUnsafeBytes { parser.append($0) }
        let upgrade = WebSocketUpgrade(hosts: ["console.example"], origins: ["https://a.example:1"])
        do throws(HTTPFault) {
            while let request = try parser.next() {
                do throws(HTTPFault) {
                    let answer = try upgrade.answer(to: request)
                    require(answer.starts(with: "HTTP/1.1 101 ".utf8), "an answer upgrades")
                    require(answer.suffix(4) == [13, 10, 13, 10], "an answer is a whole head")
                } catch { require((400...426).contains(error.status), "a refusal has a status: \(error)") }
            }
        } catch { require(error.status >= 400, "a refusal has a status: \(error)") }
    }
}

/// Tokens as somebody may send them: no trap, and one text alone for what one says.
enum Tokens {
    @Sendable static func run(_ input: [UInt8]) {
        // As text, and as the bytes that a text stands for.
        read(String(decoding: input.prefix(600), as: UTF8.self))
        read(Base64.encodeForAddress(Array(input.prefix(380))))
        if let bytes = Base64.decode(String(decoding: input, as: UTF8.self)) {
            require(Base64.encode(bytes) == String(decoding: input, as: UTF8.self), "one text stands for bytes")
        }
        require(Base64.decodeForAddress(Base64.encodeForAddress(input)) == input, "base64 gives back what it got")
    }

    private static func read(_ text: String) {
        do throws(AccessRefusal) {
            let (token, keyName, signed, signature) = try Token.read(text)
            require(token.encoded(by: keyName) == signed, "a token read and written is the same: \(token)")
            require(Base64.encodeForAddress(signed + signature) == text, "one text stands for a token")
            require(
                (try? token.check(lane: "L07", now: 0, mostSeconds: 60, skewSeconds: 5, boot: 0)) == nil
                    || token.lane == "L07", "a lane is looked at")
            require(throwsAny { try Token(text, keys: []) }, "without a key no token counts")
        } catch { require(!error.text.isEmpty, "a refusal says why") }
    }

    private static func throwsAny(_ body: () throws -> Token) -> Bool { (try? body()) == nil }
}

/// What a viewer sends after it was let in.
enum ClientMessages {
    @Sendable static func run(_ input: [UInt8]) {
        var lot = Steering(input)
        let whole = framed([input[...]])
        let pieces = framed(lot.pieces(input))
        require(whole == pieces, "messages in pieces are the same: \(whole) \(pieces)")
        require(whole.count <= input.count, "no more comes out than went in")
        // What came out is understood again, and is the same.
        require(framed([whole[...]]) == whole, "what passed once passes again")
    }

    private static func framed(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        do throws(RFBRefusal) {
            for piece in pieces { try framer.feed(piece, into: &out) }
        } catch { require(WrittenFiles.isShown(error.description), "a refusal is one plain line: \(error)") }
        let counts = framer.counts
        require(counts.messages == counts.passed + counts.swallowed + counts.refused, "messages are counted: \(counts)")
        return out
    }
}
