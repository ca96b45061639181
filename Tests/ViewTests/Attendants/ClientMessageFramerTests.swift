import Testing

@testable import View

@Suite struct ClientMessageFramerTests {
    static let format: [UInt8] = [0, 0, 0, 0] + PixelFormat.frame.bytes
    static let request: [UInt8] = [3, 1, 0, 0, 0, 0, 4, 0, 3, 0]
    static let key: [UInt8] = [4, 1, 0, 0, 0, 0, 0, 0x61]
    static let pointer: [UInt8] = [5, 1, 0, 10, 0, 20]

    static func encodings(_ list: [Int32]) -> [UInt8] {
        [2, 0, UInt8(list.count >> 8), UInt8(truncatingIfNeeded: list.count)]
            + list.flatMap { one in
                let bits = UInt32(bitPattern: one)
                return (0..<4).map { UInt8(truncatingIfNeeded: bits >> UInt32(24 - 8 * $0)) }
            }
    }

    static func cutText(_ length: Int) -> [UInt8] {
        [6, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
            + Array(repeating: 0x78, count: length)
    }

    @Test func wholeMessagesComeOutAsTheyWent() throws {
        let sent = Self.format + Self.encodings([7, 16, 0]) + Self.request + Self.key + Self.pointer
        for size in [1, 2, 3, 7, sent.count] {
            var framer = ClientMessageFramer()
            var out: [UInt8] = []
            var messages = 0
            for start in stride(from: 0, to: sent.count, by: size) {
                let before = out.count
                messages += try framer.feed(sent[start..<min(start + size, sent.count)], into: &out)
                // Nothing but whole messages, at any time.
                #expect(out.count == before || Self.isWhole(out))
            }
            #expect(out == sent)
            #expect(messages == 5)
            #expect(!framer.isMidMessage)
            #expect(framer.counts == .init(messages: 5, passed: 5))
        }
    }

    /// A reading of lengths of its own.
    static func isWhole(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while let type = rest.first {
            let lengths: [UInt8: Int] = [0: 20, 3: 10, 4: 8, 5: 6]
            guard rest.count >= 4 else { return false }
            let list = Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3])
            let length = type == 2 ? 4 + 4 * list : lengths[type] ?? .max
            guard rest.count >= length else { return false }
            rest = rest.dropFirst(length)
        }
        return true
    }

    @Test func onlyWhatIsOfferedReachesTheEncoder() throws {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        // RRE, Ultra, TightPNG, X cursor, pointer position, extended clipboard, ExtendedDesktopSize, server identity and Xvp do not.
        try framer.feed(
            Self.encodings([
                7, 2, 9, -260, 16, 1, 5, 6, 0, -239, -240, -232, -223, -308, -224, -1_063_131_698, -65_532, -309, -24,
                -250,
            ]), into: &out)
        #expect(out == Self.encodings([7, 16, 1, 5, 6, 0, -239, -223, -224, -24, -250]))
    }

    @Test func compressionThatViewersDoNotUnderstandIsNotAskedFor() throws {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        try framer.feed(Self.encodings([-256, -251, -254, -247]), into: &out)
        #expect(out == Self.encodings([-255, -250, -254, -247]))
    }

    @Test(arguments: [1, 7, 8, 149, 151, 200, 249, 250, 251, 252, 253, 254, 255] as [UInt8])
    func unknownMessagesAreRefusedAtTheirFirstByte(type: UInt8) throws {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        let error = #expect(throws: RFBRefusal.self) { try framer.feed(Self.key + [type], into: &out) }
        #expect(error?.code == .unknownMessage)
        #expect(error?.description.contains("\(type)") == true)
        #expect(out == Self.key, "what was whole before it is there")
        #expect(framer.counts == .init(messages: 2, passed: 1, refused: 1))
    }

    @Test func cutTextIsSwallowedWithoutBeingHeld() throws {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        let messages = try framer.feed(Self.cutText(0) + Self.cutText(100_000) + Self.key, into: &out)
        #expect(messages == 3)
        #expect(out == Self.key)
        #expect(framer.counts == .init(messages: 3, passed: 1, swallowed: 2))
        try framer.feed(Self.cutText(50).dropLast(), into: &out)
        #expect(framer.isMidMessage)
        try framer.feed([0x78], into: &out)
        #expect(!framer.isMidMessage)
        let error = #expect(throws: RFBRefusal.self) {
            try framer.feed([6, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0], into: &out)
        }
        #expect(error?.code == .cutTextTooLong)
    }

    @Test func tooManyEncodingsAreRefusedBeforeTheyCome() throws {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        let error = #expect(throws: RFBRefusal.self) { try framer.feed([2, 0, 0xff, 0xff], into: &out) }
        #expect(error?.code == .tooManyEncodings)
        var other = ClientMessageFramer()
        let many = Self.encodings(Array(repeating: 16, count: 1024))
        try other.feed(many, into: &out)
        #expect(out == many)
        try other.feed(Self.encodings([]), into: &out)
        #expect(out == many + Self.encodings([]))
    }

    @Test func formatsThatNoEncoderMakesAreRefused() {
        func bytes(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            var message = Self.format
            change(&message)
            return message
        }
        let wrong = [
            bytes { $0[4] = 24 }, bytes { $0[4] = 0 }, bytes { $0[7] = 0 },
            bytes {
                $0[8] = 0; $0[9] = 0
            },
            bytes { $0[9] = 254 }, bytes { $0[14] = 25 }, bytes { $0[14] = 255 }, bytes { $0[4] = 16 },
        ]
        for message in wrong {
            var framer = ClientMessageFramer()
            var out: [UInt8] = []
            let error = #expect(throws: RFBRefusal.self) { try framer.feed(message, into: &out) }
            #expect(error?.code == .pixelFormat)
            #expect(out.isEmpty)
        }
    }

    @Test func fencesAndContinuousUpdatesAreLetThroughWhole() throws {
        let fence: [UInt8] = [248, 0, 0, 0, 0x80, 0, 0, 1, 3, 1, 2, 3]
        let empty: [UInt8] = [248, 0, 0, 0, 0, 0, 0, 1, 0]
        let continuous: [UInt8] = [150, 1, 0, 0, 0, 0, 1, 0, 1, 0]
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        for byte in fence + empty + continuous { try framer.feed([byte], into: &out) }
        #expect(out == fence + empty + continuous)
        #expect(framer.counts == .init(messages: 3, passed: 3))
        let error = #expect(throws: RFBRefusal.self) {
            try framer.feed([248, 0, 0, 0, 0x80, 0, 0, 1, 65], into: &out)
        }
        #expect(error?.code == .fence)
    }

    @Test func requestsOfNoPixelsAreDropped() throws {
        var framer = ClientMessageFramer()
        var out: [UInt8] = []
        try framer.feed([3, 1, 0, 0, 0, 0, 0, 0, 3, 0, 3, 1, 0, 0, 0, 0, 3, 0, 0, 0], into: &out)
        #expect(out.isEmpty)
        #expect(framer.counts.swallowed == 2)
    }

    @Test func clientInitIsSwallowedWhereItIsStillToCome() throws {
        var framer = ClientMessageFramer(afterClientInit: false)
        var out: [UInt8] = []
        try framer.feed([1] + Self.key, into: &out)
        #expect(out == Self.key)
    }

    @Test func randomBytesNeverMakeMoreThanWholeMessages() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var framer = ClientMessageFramer()
            var out: [UInt8] = []
            for _ in 0..<20 {
                // Likely types first, or all would end at once.
                let bytes =
                    [UInt8.random(in: 2...6, using: &random)]
                    + (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...12, using: &random) }
                do { try framer.feed(bytes, into: &out) } catch { break }
                #expect(framer.counts.messages == framer.counts.passed + framer.counts.swallowed)
            }
            #expect(Self.isWhole(out))
        }
    }
}
