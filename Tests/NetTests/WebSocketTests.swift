import Testing

@testable import Net

/// RFC 6455's own examples, what it forbids, and pieces of every size.
@Suite struct WebSocketTests {
    typealias Event = WebSocketParser.Event

    /// A client's frame.
    static func frame(_ first: UInt8, _ payload: [UInt8], mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]) -> [UInt8] {
        var head: [UInt8]
        switch payload.count {
        case ..<126: head = [first, 0x80 | UInt8(payload.count)]
        case ..<65_536: head = [first, 0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: head = [first, 0xFF] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 255) }
        }
        return head + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    /// What comes out, whatever the pieces are: bytes beside each other are one run.
    static func parse(_ bytes: [UInt8], by size: Int = .max, _ parser: WebSocketParser = WebSocketParser()) -> [Event] {
        var parser = parser
        var events: [Event] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, size == .max ? bytes.count : start + size)
            for event in bytes[start..<end].withUnsafeBytes({ parser.take($0) }) {
                if case .bytes(let more) = event, case .bytes(let before)? = events.last {
                    events[events.count - 1] = .bytes(before + more)
                } else {
                    events.append(event)
                }
            }
            start = end
        }
        return events
    }

    @Test func theStandardsHandshakeIsAnswered() throws {
        #expect(WebSocketUpgrade.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func theStandardsMaskedHelloIsRead() {
        // 5.7: "a single-frame masked text message"; as a binary one, since text is not understood.
        let hello: [UInt8] = [0x82, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(Self.parse(hello) == [.bytes(Array("Hello".utf8))])
        #expect(
            Self.parse([0x81] + hello[1...]) == [.fault(WebSocketFault(1003, "only binary messages are understood"))])
        #expect(Self.parse([0x89] + hello[1...]) == [.ping(Array("Hello".utf8))])
        #expect(Self.parse([0x8A] + hello[1...]) == [.pong])
    }

    /// 5.7: "a single-frame unmasked text message", and a client's.
    @Test(arguments: [1, 2, 5, 4096]) func textsAreReadWhereTheyAreWantedAndBounded(size: Int) {
        #expect(WebSocketFrame.text(Array("Hello".utf8)) == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        var limits = WebSocketParser.Limits()
        limits.textBytes = 5
        let parser = WebSocketParser(limits)
        let hello = Self.frame(0x81, Array("Hello".utf8))
        let bytes =
            Self.frame(0x82, [1]) + hello + Self.frame(0x82, [2]) + hello + Self.frame(0x81, []) + Self.frame(0x82, [3])
        #expect(
            Self.parse(bytes, by: size, parser) == [
                .bytes([1]), .text(Array("Hello".utf8)), .bytes([2]), .text(Array("Hello".utf8)), .bytes([3]),
            ])
        func code(_ bytes: [UInt8]) -> UInt16? {
            guard case .fault(let fault)? = Self.parse(bytes, by: size, parser).last else { return nil }
            return fault.code
        }
        #expect(code(Self.frame(0x81, Array("Hello!".utf8))) == 1009)
        #expect(code(Self.frame(0x01, Array("Hel".utf8))) == 1009, "in fragments")
        #expect(code(Self.frame(0x81, [0xC3, 0x28])) == 1007)
        #expect(code(Self.frame(0x02, [1]) + hello) == 1002, "inside of a message")
        var half = parser
        let part = Array(hello.dropLast())
        _ = part.withUnsafeBytes { half.take($0) }
        #expect(half.isInside && half.takeEmptyFrames() == 1, "half of one has a deadline, and each counts")
    }

    @Test func theStandardsServerFramesAreWritten() {
        #expect(WebSocketFrame.pong(Array("Hello".utf8)) == [0x8A, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(WebSocketFrame.binaryHead(125) == [0x82, 125])
        #expect(WebSocketFrame.binaryHead(256) == [0x82, 0x7E, 0x01, 0x00])
        #expect(WebSocketFrame.binaryHead(65_536) == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])
        #expect(WebSocketFrame.close(1002, "no") == [0x88, 4, 0x03, 0xEA, 0x6E, 0x6F])
        #expect(WebSocketFrame.close(nil) == [0x88, 0])
        #expect(WebSocketFrame.close(1000, String(repeating: "ä", count: 100)).count == 2 + 2 + 122)
    }

    @Test(arguments: [1, 2, 3, 7, 4096])
    func fragmentsControlFramesAndLengthsComeOutWhateverThePiecesAre(size: Int) {
        let long = (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }
        let bytes =
            Self.frame(0x02, [1, 2]) + Self.frame(0x89, [9]) + Self.frame(0x00, []) + Self.frame(0x80, [3])
            + Self.frame(0x8A, []) + Self.frame(0x82, Array(long.prefix(300))) + Self.frame(0x82, long)
            + Self.frame(0x88, [0x03, 0xE8] + Array("bye".utf8)) + Self.frame(0x82, [7])
        #expect(
            Self.parse(bytes, by: size) == [
                .bytes([1, 2]), .ping([9]), .bytes([3]), .pong, .bytes(Array(long.prefix(300)) + long), .close(1000),
            ])
    }

    @Test func whatTheStandardForbidsEndsWithItsCode() {
        func code(_ bytes: [UInt8]) -> UInt16? {
            let found = Self.parse(bytes)
            #expect(found == Self.parse(bytes, by: 1), "\(bytes.prefix(16))")
            if case .fault(let fault)? = found.last { return fault.code }
            return nil
        }
        #expect(code([0x82, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]) == 1002, "unmasked")
        for bit: UInt8 in [0x40, 0x20, 0x10] { #expect(code(Self.frame(0x82 | bit, [1])) == 1002, "reserved bit") }
        for kind: UInt8 in [3, 4, 5, 6, 7, 0xB, 0xC, 0xF] { #expect(code(Self.frame(0x80 | kind, [])) == 1002, "kind") }
        #expect(code(Self.frame(0x09, [1])) == 1002, "a fragmented ping")
        #expect(code(Self.frame(0x89, [UInt8](repeating: 0, count: 126))) == 1002, "a ping that is too long")
        #expect(code(Self.frame(0x80, [1])) == 1002, "a fragment of nothing")
        #expect(code(Self.frame(0x02, [1]) + Self.frame(0x82, [1])) == 1002, "a message inside a message")
        #expect(code([0x82, 0xFE, 0, 5, 0, 0, 0, 0]) == 1002, "a length in two bytes that fits one")
        #expect(code([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0]) == 1002, "in eight that fits two")
        #expect(code([0x82, 0xFF, 0x80] + [UInt8](repeating: 0, count: 11)) == 1002, "the highest bit")
        #expect(code([0x82, 0xFF, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0]) == 1009, "more than is taken")
        #expect(code(Self.frame(0x88, [0x03])) == 1002, "half a close code")
        for wrong: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            #expect(code(Self.frame(0x88, [UInt8(wrong >> 8), UInt8(wrong & 255)])) == 1002, "close code \(wrong)")
        }
        #expect(code(Self.frame(0x88, [0x03, 0xE8, 0xC3])) == 1007, "a reason that is not UTF-8")
    }

    @Test func aMessageInManyFragmentsHasOneLimit() {
        var limits = WebSocketParser.Limits()
        limits.messageBytes = 100
        let parser = WebSocketParser(limits)
        let sixty = [UInt8](repeating: 5, count: 60)
        let found = Self.parse(Self.frame(0x02, sixty) + Self.frame(0x80, sixty), parser)
        #expect(found == [.bytes(sixty), .fault(WebSocketFault(1009, "a message has more than 100 bytes"))])
        #expect(Self.parse(Self.frame(0x82, sixty) + Self.frame(0x82, sixty), parser) == [.bytes(sixty + sixty)])
    }

    @Test func halfAFrameIsKnownAndEmptyOnesAreCounted() {
        var parser = WebSocketParser()
        func feed(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { parser.take($0) } }
        #expect(!parser.isInside)
        feed([0x82])
        #expect(parser.isInside)
        feed([0x82, 0, 0, 0, 0, 1])
        #expect(parser.isInside)
        feed([1])
        #expect(!parser.isInside && parser.takeEmptyFrames() == 0)
        for _ in 0..<5 { feed(Self.frame(0x89, [])) }
        feed(Self.frame(0x82, []))
        #expect(parser.takeEmptyFrames() == 6 && parser.takeEmptyFrames() == 0)
        feed([0x88, 0x80, 0, 0, 0, 0])
        #expect(parser.isOver && !parser.isInside)
    }

    // MARK: The upgrade

    private func request(_ change: (inout [(String, String)]) -> Void = { _ in }) throws -> HTTPRequest {
        var fields = [
            ("host", "lane-07.example:8443"), ("upgrade", "websocket"), ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13"),
        ]
        change(&fields)
        var parser = HTTPParser()
        let text = "GET /websockify HTTP/1.1\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
        Array(text.utf8).withUnsafeBytes { parser.append($0) }
        return try #require(try parser.next())
    }

    private func status(_ upgrade: WebSocketUpgrade, _ request: HTTPRequest) -> Int {
        do throws(HTTPFault) {
            _ = try upgrade.answer(to: request)
            return 101
        } catch { return error.status }
    }

    @Test func anUpgradeIsAnsweredAndWhatIsNoneIsNot() throws {
        let upgrade = WebSocketUpgrade()
        let text = String(decoding: try upgrade.answer(to: try request()), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n") && text.hasSuffix("\r\n\r\n"))
        #expect(text.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(!text.contains("protocol:"))
        let chosen = try upgrade.answer(to: try request { $0.append(("sec-websocket-protocol", "base64, binary")) })
        #expect(String(decoding: chosen, as: UTF8.self).contains("sec-websocket-protocol: binary\r\n"))
        var both = WebSocketUpgrade()
        both.protocols = ["lanewatch.v1", "binary"]
        let ours = try both.answer(to: try request { $0.append(("sec-websocket-protocol", "binary, lanewatch.v1")) })
        #expect(String(decoding: ours, as: UTF8.self).contains("sec-websocket-protocol: lanewatch.v1\r\n"))
        for (field, value, expected) in [
            ("upgrade", "h2c", 426), ("connection", "keep-alive", 426), ("sec-websocket-version", "8", 426),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25j", 400), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ] {
            let changed = try request { fields in
                fields.removeAll { $0.0 == field }
                fields.append((field, value))
            }
            #expect(status(upgrade, changed) == expected, "\(field): \(value)")
        }
        #expect(status(upgrade, try request { $0.append(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")) }) == 400)
    }

    @Test(arguments: [
        ("https://lane-07.example:8443", 101), ("HTTPS://LANE-07.example:8443", 101), ("https://console.example", 101),
        ("https://console.example:444", 101), ("http://127.0.0.1:3000", 101), ("https://lane-07.example", 403),
        ("http://lane-07.example:8443", 403), ("https://evil.example", 403), ("null", 403), ("", 403),
        ("https://console.example@evil.example", 403), ("https://lane-07.example:8443.evil.example", 403),
    ])
    func onlyPagesOfKnownOriginsMayConnect(origin: String, expected: Int) throws {
        let upgrade = WebSocketUpgrade(hosts: ["console.example"], origins: ["http://127.0.0.1:3000"])
        #expect(status(upgrade, try request { $0.append(("origin", origin)) }) == expected)
    }
}
