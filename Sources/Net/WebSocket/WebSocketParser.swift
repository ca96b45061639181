/// Why a WebSocket connection is ended from here: the code of the close frame, and a reason for the peer.
public struct WebSocketFault: Error, Hashable, Sendable {
    public var code: UInt16
    public var reason: String
    public init(_ code: UInt16, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Source: RFC 6455, 7.4.1.
    static func wrong(_ reason: String) -> WebSocketFault { WebSocketFault(1002, reason) }
}

/// A client's bytes in pieces of any size → payload of its binary messages, short texts where they are wanted, and control
/// frames. A value. Source: RFC 6455, 5.
///
/// Strict: unmasked frames, reserved bits and kinds, long or broken control frames, lengths in more bytes than they need are
/// faults. Binary messages are streams here: payload comes out as it comes in, so nothing but a frame's head and the payload of a
/// control frame (139 bytes at most) or of a text is kept.
public struct WebSocketParser: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Of a message, over all of its fragments.
        public var messageBytes = 1 << 20
        /// Of a text message, which must come in one frame; 0: none is understood.
        public var textBytes = 0
        public init() {}
    }

    public enum Event: Hashable, Sendable {
        /// Payload of binary messages. Where one message ends and the next begins does not show.
        case bytes([UInt8])
        /// A whole text message, UTF-8.
        case text([UInt8])
        case ping([UInt8])
        case pong
        /// The peer ends the connection, with the code that it gave.
        case close(UInt16?)
        case fault(WebSocketFault)
    }

    private enum State {
        case head
        case payload(left: Int, place: Int)
        case text(size: Int)
        case control(kind: UInt8, size: Int)
        case over
    }

    private let limits: Limits
    private var state = State.head
    private var kept: [UInt8] = []
    private var mask: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    /// Whether a message has begun that has more fragments.
    private var isFragmented = false
    private var messageBytes = 0
    private var emptyFrames = 0

    public init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Whether a frame has begun whose end is not here. Between two fragments it has not.
    public var isInside: Bool {
        switch state {
        case .head: !kept.isEmpty
        case .payload, .text, .control: true
        case .over: false
        }
    }

    /// Whether a close frame or a fault was found: everything after it is thrown away.
    public var isOver: Bool { if case .over = state { true } else { false } }

    /// How many frames without payload, texts and control frames came since the last look: they cost a peer little.
    public mutating func takeEmptyFrames() -> Int {
        defer { emptyFrames = 0 }
        return emptyFrames
    }

    public mutating func take(_ piece: UnsafeRawBufferPointer) -> [Event] {
        var events: [Event] = []
        var rest = piece[...]
        while !rest.isEmpty {
            switch state {
            case .over: return events
            case .head:
                kept.append(rest.removeFirst())
                guard let size = Self.headSize(kept), kept.count == size else { continue }
                if let fault = begin() { return end(fault, &events) }
            case .payload(let left, let place):
                let count = min(left, rest.count)
                append(rest.prefix(count), from: place, to: &events)
                rest = rest.dropFirst(count)
                state = left == count ? .head : .payload(left: left - count, place: place &+ count)
            case .text(let size):
                guard keep(&rest, upTo: size) else { continue }
                if let fault = finishText(&events) { return end(fault, &events) }
            case .control(let kind, let size):
                guard keep(&rest, upTo: size) else { continue }
                if let fault = finish(kind, &events) { return end(fault, &events) }
            }
            // A control frame without payload is whole with its head.
            if case .control(let kind, 0) = state, let fault = finish(kind, &events) { return end(fault, &events) }
        }
        return events
    }

    /// Keeps payload until there are `size` bytes of it; whether they are here.
    private mutating func keep(_ rest: inout Slice<UnsafeRawBufferPointer>, upTo size: Int) -> Bool {
        let count = min(size - kept.count, rest.count)
        for byte in rest.prefix(count) { kept.append(byte ^ maskByte(kept.count)) }
        rest = rest.dropFirst(count)
        return kept.count == size
    }

    private mutating func end(_ fault: WebSocketFault, _ events: inout [Event]) -> [Event] {
        state = .over
        kept = []
        return events + [.fault(fault)]
    }

    private func maskByte(_ place: Int) -> UInt8 {
        switch place & 3 {
        case 0: mask.0
        case 1: mask.1
        case 2: mask.2
        default: mask.3
        }
    }

    private func append(_ bytes: Slice<UnsafeRawBufferPointer>, from place: Int, to events: inout [Event]) {
        var plain: [UInt8] = []
        if case .bytes(let before)? = events.last {
            plain = before
            events.removeLast()
        }
        plain.reserveCapacity(plain.count + bytes.count)
        var place = place
        for byte in bytes {
            plain.append(byte ^ maskByte(place))
            place &+= 1
        }
        events.append(.bytes(plain))
    }

    /// How long a head is, as soon as its first two bytes tell; wrong ones are as long as they are.
    private static func headSize(_ kept: [UInt8]) -> Int? {
        guard kept.count >= 2 else { return nil }
        guard kept[1] & 0x80 != 0, kept[0] & 0x70 == 0 else { return kept.count }
        switch kept[1] & 0x7F {
        case 126: return kept[0] & 0x08 != 0 ? kept.count : 8
        case 127: return kept[0] & 0x08 != 0 ? kept.count : 14
        default: return 6
        }
    }

    /// Looks at a whole head. Source: RFC 6455, 5.2.
    private mutating func begin() -> WebSocketFault? {
        let (first, second) = (kept[0], kept[1])
        let kind = first & 0x0F
        guard first & 0x70 == 0 else { return .wrong("a reserved bit is set") }
        guard second & 0x80 != 0 else { return .wrong("a client's frame must be masked") }
        let short = Int(second & 0x7F)
        if kind >= 0x8 {
            guard kind <= 0xA else { return .wrong("a frame of no known kind") }
            guard first & 0x80 != 0, short <= 125 else { return .wrong("a control frame is fragmented or too long") }
        }
        var size = UInt64(short)
        if short >= 126 {
            size = kept[2..<(kept.count - 4)].reduce(0) { $0 << 8 | UInt64($1) }
            guard size > (short == 126 ? 125 : 0xFFFF), size >> 63 == 0 else {
                return .wrong("a length that is not written the shortest way")
            }
        }
        let key = Array(kept.suffix(4))
        mask = (key[0], key[1], key[2], key[3])
        kept = []
        if size == 0 || kind >= 0x8 { emptyFrames += 1 }
        guard kind < 0x8 else {
            state = .control(kind: kind, size: Int(size))
            return nil
        }
        return beginMessage(kind, isFinal: first & 0x80 != 0, size)
    }

    private mutating func beginMessage(_ kind: UInt8, isFinal: Bool, _ size: UInt64) -> WebSocketFault? {
        switch kind {
        case 0 where !isFragmented: return .wrong("a fragment of no message")
        case 0: break
        case 1, 2:
            guard !isFragmented else { return .wrong("a message inside a message") }
            guard kind == 2 else { return beginText(isFinal: isFinal, size) }
            messageBytes = 0
        default: return .wrong("a frame of no known kind")
        }
        guard size <= UInt64(limits.messageBytes - messageBytes) else {
            return WebSocketFault(1009, "a message has more than \(limits.messageBytes) bytes")
        }
        messageBytes += Int(size)
        isFragmented = !isFinal
        state = size == 0 ? .head : .payload(left: Int(size), place: 0)
        return nil
    }

    private mutating func beginText(isFinal: Bool, _ size: UInt64) -> WebSocketFault? {
        guard limits.textBytes > 0 else { return WebSocketFault(1003, "only binary messages are understood") }
        guard isFinal, size <= UInt64(limits.textBytes) else {
            return WebSocketFault(1009, "a text has more than \(limits.textBytes) bytes, or comes in fragments")
        }
        // One without letters says nothing, and is counted as an empty frame.
        state = size == 0 ? .head : .text(size: Int(size))
        if size > 0 { emptyFrames += 1 }
        return nil
    }

    private mutating func finishText(_ events: inout [Event]) -> WebSocketFault? {
        defer { kept = [] }
        state = .head
        guard String(validating: kept, as: UTF8.self) != nil else {
            return WebSocketFault(1007, "a text that is not UTF-8")
        }
        events.append(.text(kept))
        return nil
    }

    /// A whole control frame. Source: RFC 6455, 5.5.
    private mutating func finish(_ kind: UInt8, _ events: inout [Event]) -> WebSocketFault? {
        let payload = kept
        kept = []
        state = .head
        switch kind {
        case 0x9: events.append(.ping(payload))
        case 0xA: events.append(.pong)
        default:
            guard !payload.isEmpty else {
                state = .over
                events.append(.close(nil))
                return nil
            }
            guard payload.count >= 2 else { return .wrong("half a close code") }
            let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
            guard Self.mayBeSent(code) else { return .wrong("a close code that is none") }
            guard String(validating: payload[2...], as: UTF8.self) != nil else {
                return WebSocketFault(1007, "a close reason that is not UTF-8")
            }
            state = .over
            events.append(.close(code))
        }
        return nil
    }

    /// Sources: RFC 6455, 7.4; IANA's registry of close codes.
    private static func mayBeSent(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
