/// Cuts what a viewer sends into whole RFB messages, and lets through only those, and only in forms, that a lane's view needs.
///
/// Pure: bytes in pieces of any size go in, whole messages come out, in order. Holds at most one unfinished message
/// (`mostHeld` bytes), so nothing behind it ever waits for the rest of one.
///
/// | message | what becomes of it |
/// |---|---|
/// | SetPixelFormat (0) | true colour of 8, 16 or 32 bits is let through, else refused |
/// | SetEncodings (2) | only what `RFBEncoding.isOffered`, in the viewer's order; more than 1024 are refused |
/// | FramebufferUpdateRequest (3) | let through; one of no pixels is dropped |
/// | KeyEvent (4), PointerEvent (5) | let through |
/// | ClientCutText (6) | swallowed, as lanes have no clipboard to share; past 16 MiB refused |
/// | EnableContinuousUpdates (150), ClientFence (248) | let through; a fence that carries more than 64 bytes is refused |
/// | all others | refused |
///
/// Source: RFC 6143, 7.5; the community's rfbproto for 150 and 248.
public struct ClientMessageFramer: Sendable {
    /// The most bytes that wait for the rest of their message.
    public static let mostHeld = 4 + 4 * mostEncodings
    static let mostEncodings = 1024
    static let mostCutText = 16 << 20
    static let mostFenceBytes = 64

    /// Messages by what became of them: in = out + dropped + held.
    public struct Counts: Hashable, Sendable {
        public var messages = 0
        public var passed = 0
        public var swallowed = 0
        public var refused = 0
    }

    public private(set) var counts = Counts()
    /// Of pictures, the one that the viewer named first; nil before it named any.
    public private(set) var preferredEncoding: Int32?
    private var held: [UInt8] = []
    /// What of a cut text is still to come.
    private var toSwallow = 0
    private var awaitsClientInit: Bool

    /// - Parameter afterClientInit: false where the viewer's ClientInit, one byte, is still to come. It is swallowed:
    ///   every attendant shares the screen, and `InnerLink` has said so on the inside.
    public init(afterClientInit: Bool = true) { awaitsClientInit = !afterClientInit }

    /// Whether the viewer still owes the rest of a message: it has a deadline.
    public var isMidMessage: Bool { !held.isEmpty || toSwallow > 0 }

    /// Takes `bytes` as they came and appends whole messages to `out`.
    /// - Returns: how many messages ended in `bytes`, for a limit on their rate.
    /// - Throws: `RFBRefusal`; what was whole before it is in `out` already. The connection is to be ended, and nothing fed any
    ///   more.
    @discardableResult
    public mutating func feed(_ bytes: some Sequence<UInt8>, into out: inout [UInt8]) throws(RFBRefusal) -> Int {
        let before = counts.messages
        for byte in bytes {
            if awaitsClientInit {
                awaitsClientInit = false
            } else if toSwallow > 0 {
                toSwallow -= 1
                if toSwallow == 0 { endSwallowed() }
            } else {
                held.append(byte)
                try advance(into: &out)
            }
        }
        return counts.messages - before
    }

    /// Ends the held message if it is whole.
    private mutating func advance(into out: inout [UInt8]) throws(RFBRefusal) {
        guard let type = held.first else { return }
        switch type {
        case 0 where held.count == 20:
            do { try PixelFormat.check(held[4..<20]) } catch { throw refuse(error) }
            pass(held, into: &out)
        case 2 where held.count == 4 && number(at: 2, 2) > Self.mostEncodings:
            throw refuse(
                RFBRefusal(.tooManyEncodings, "\(number(at: 2, 2)) encodings; at most \(Self.mostEncodings) are taken"))
        case 2 where held.count >= 4 && held.count == 4 + 4 * number(at: 2, 2):
            pass(offeredEncodings(), into: &out)
        case 3 where held.count == 10:
            if number(at: 6, 2) == 0 || number(at: 8, 2) == 0 { endSwallowed() } else { pass(held, into: &out) }
        case 4 where held.count == 8, 5 where held.count == 6:
            pass(held, into: &out)
        case 6 where held.count == 8:
            let length = number(at: 4, 4)
            guard length <= Self.mostCutText else {
                throw refuse(RFBRefusal(.cutTextTooLong, "a cut text of \(length) bytes"))
            }
            held.removeAll(keepingCapacity: true)
            toSwallow = length
            if length == 0 { endSwallowed() }
        case 150 where held.count == 10:
            pass(held, into: &out)
        case 248 where held.count == 9 && held[8] > Self.mostFenceBytes:
            throw refuse(RFBRefusal(.fence, "a fence with \(held[8]) bytes; at most \(Self.mostFenceBytes) are taken"))
        case 248 where held.count >= 9 && held.count == 9 + Int(held[8]):
            pass(held, into: &out)
        case 0, 2, 3, 4, 5, 6, 150, 248:
            return
        default:
            throw refuse(RFBRefusal(.unknownMessage, "message type \(type); a viewer sends 0, 2 to 6, 150 and 248"))
        }
    }

    private mutating func pass(_ message: [UInt8], into out: inout [UInt8]) {
        out += message
        counts.messages += 1
        counts.passed += 1
        held.removeAll(keepingCapacity: held.capacity <= 256)
    }

    private mutating func endSwallowed() {
        counts.messages += 1
        counts.swallowed += 1
        held.removeAll(keepingCapacity: true)
    }

    private mutating func refuse(_ refusal: RFBRefusal) -> RFBRefusal {
        counts.messages += 1
        counts.refused += 1
        held.removeAll()
        return refusal
    }

    /// The held SetEncodings without what is not offered.
    private mutating func offeredEncodings() -> [UInt8] {
        var kept: [UInt8] = []
        var count = 0
        preferredEncoding = nil
        for place in stride(from: 4, to: held.count, by: 4) {
            let encoding = Int32(truncatingIfNeeded: number(at: place, 4))
            guard RFBEncoding.isOffered(encoding) else { continue }
            // CopyRect is no picture; below 0 are pseudo-encodings.
            if preferredEncoding == nil, encoding >= 0, encoding != RFBEncoding.copyRect {
                preferredEncoding = encoding
            }
            let bits = UInt32(bitPattern: RFBEncoding.understood(encoding))
            kept += (0..<4).map { UInt8(truncatingIfNeeded: bits >> UInt32(24 - 8 * $0)) }
            count += 1
        }
        return [2, 0, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)] + kept
    }

    /// The big-endian number of `bytes` bytes that begins at `place`, which is held.
    private func number(at place: Int, _ bytes: Int) -> Int {
        held[place..<place + bytes].reduce(0) { $0 << 8 | Int($1) }
    }
}
