import Glibc

/// A small RFB client that decodes, and knows nothing of the server's code: Raw, CopyRect, Hextile, Zlib, Tight, ZRLE,
/// and the pseudo-encodings Cursor, DesktopSize and LastRect.
///
/// For tests and benchmarks. Speaks from ServerInit on, as one behind a gate does. One thread at a time; every read has a time limit.
/// Source: RFC 6143; for Tight and Zlib the community's rfbproto.
public final class RFBClient {
    public struct Pointer: Hashable, Sendable {
        public var width: Int
        public var height: Int
        public var hotX: Int
        public var hotY: Int
        /// In the client's format, row by row; nil where the picture is transparent.
        public var pixels: [UInt32?]
    }

    public enum Event: Hashable, Sendable {
        /// So many rectangles.
        case update(Int)
        case size(width: Int, height: Int)
        case other(Int)
        /// A fence that came back with what it carried.
        case fence([UInt8])
        /// The server knows continuous updates, or has ended them.
        case endOfContinuousUpdates
    }

    public static let raw = 0, copyRect = 1, hextile = 5, zlib = 6, tight = 7, zrle = 16
    public static let cursor = -239, desktopSize = -223, lastRect = -224, fence = -312, continuousUpdates = -313

    let reader: ByteReader
    public let format: ClientFormat
    public internal(set) var picture = Picture(width: 0, height: 0)
    public internal(set) var pointer: Pointer?
    public private(set) var name = ""
    /// Rectangles by encoding since the beginning.
    public private(set) var rectangles: [Int: Int] = [:]
    public private(set) var updates = 0
    /// Rectangles, or parts of them, that came by JPEG.
    public internal(set) var jpegs = 0
    /// Whether a quality was asked for.
    private(set) var allowsJPEG = false
    let zlibStream: Inflater
    let zrleStream: Inflater
    let tightStreams: [Inflater]

    public init(owning descriptor: Int32, format: ClientFormat) throws {
        reader = ByteReader(owning: descriptor)
        self.format = format
        zlibStream = try Inflater()
        zrleStream = try Inflater()
        tightStreams = try (0..<4).map { _ in try Inflater() }
    }

    public var descriptor: Int32 { reader.descriptor }
    public var bytesReceived: Int { reader.received }
    public var patienceMilliseconds: Int {
        get { reader.patienceMilliseconds }
        set { reader.patienceMilliseconds = newValue }
    }

    /// Reads ServerInit, says format and encodings, asks for the whole picture.
    public func begin(encodings: [Int]) throws {
        picture = Picture(width: try reader.two(), height: try reader.two())
        _ = try reader.bytes(16)
        name = String(decoding: try reader.bytes(try reader.four()), as: UTF8.self)
        try send(format.message)
        try setEncodings(encodings)
        try request(incremental: false)
    }

    public func send(_ message: [UInt8]) throws { try reader.send(message) }

    public func setEncodings(_ encodings: [Int]) throws {
        allowsJPEG = encodings.contains { (-32 ... -23).contains($0) }
        var message: [UInt8] = [2, 0] + Self.two(encodings.count)
        for encoding in encodings {
            let bits = UInt32(bitPattern: Int32(encoding))
            message += (0..<4).map { UInt8(truncatingIfNeeded: bits >> UInt32(24 - 8 * $0)) }
        }
        try send(message)
    }

    public func request(incremental: Bool) throws {
        try request(x: 0, y: 0, width: picture.width, height: picture.height, incremental: incremental)
    }

    public func request(x: Int, y: Int, width: Int, height: Int, incremental: Bool) throws {
        try send([3, incremental ? 1 : 0] + Self.two(x) + Self.two(y) + Self.two(width) + Self.two(height))
    }

    public func press(_ key: UInt32, isDown: Bool) throws {
        try send([4, isDown ? 1 : 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: key >> UInt32(24 - 8 * $0)) })
    }

    public func point(x: Int, y: Int, buttons: UInt8) throws { try send([5, buttons] + Self.two(x) + Self.two(y)) }

    /// Sends a fence that has to come back when all before it was done.
    public func fence(_ payload: [UInt8]) throws {
        try send([248, 0, 0, 0, 0x80, 0, 0, 1, UInt8(payload.count)] + payload)
    }

    /// Asks to be told of changes of all of the screen without asking, or no longer.
    public func setContinuous(_ isOn: Bool) throws {
        try send([150, isOn ? 1 : 0, 0, 0, 0, 0] + Self.two(picture.width) + Self.two(picture.height))
    }

    /// Reads one message, if one begins within `milliseconds`, and asks for the next update.
    /// - Returns: what came; nil for nothing.
    public func hear(milliseconds: Int, thenRequest: Bool = true) throws -> Event? {
        guard reader.wait(milliseconds: milliseconds) else { return nil }
        let type = try reader.one()
        switch type {
        case 0:
            let event = try update()
            if thenRequest {
                if case .size = event { try request(incremental: false) } else { try request(incremental: true) }
            }
            return event
        case 1:
            _ = try reader.bytes(3)
            _ = try reader.bytes(6 * (try reader.two()))
        case 2: break
        case 150: return .endOfContinuousUpdates
        case 248:
            let head = try reader.bytes(8)
            let payload = try reader.bytes(Int(head[7]))
            // One that asks is answered.
            guard head[3] & 0x80 != 0 else { return .fence(payload) }
            try send([248, 0, 0, 0, 0, head[4], head[5], head[6], UInt8(payload.count)] + payload)
        case 3:
            _ = try reader.bytes(3)
            _ = try reader.bytes(try reader.four())
        default: throw RFBClientError.wrong("message type \(type)")
        }
        return .other(type)
    }

    private func update() throws -> Event {
        _ = try reader.one()
        let count = try reader.two()
        var event = Event.update(0)
        var seen = 0
        while seen < count {
            let (x, y) = (try reader.two(), try reader.two())
            let (width, height) = (try reader.two(), try reader.two())
            let encoding = Int(Int32(truncatingIfNeeded: try reader.four()))
            if encoding == Self.lastRect { break }
            seen += 1
            rectangles[encoding, default: 0] += 1
            switch encoding {
            case Self.desktopSize:
                picture.resize(width: width, height: height)
                event = .size(width: width, height: height)
                continue
            case Self.cursor:
                try readCursor(hotX: x, hotY: y, width, height)
                continue
            default: break
            }
            guard picture.holds(x, y, width, height) else {
                throw RFBClientError.wrong(
                    "\(width)x\(height)+\(x)+\(y) is not within \(picture.width)x\(picture.height)")
            }
            try decode(encoding, x, y, width, height)
        }
        updates += 1
        if case .update = event { event = .update(seen) }
        return event
    }

    private func decode(_ encoding: Int, _ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        switch encoding {
        case Self.raw: set(try reader.bytes(width * height * format.bytesPerPixel), x, y, width, height)
        case Self.copyRect:
            let (fromX, fromY) = (try reader.two(), try reader.two())
            guard picture.holds(fromX, fromY, width, height) else { throw RFBClientError.wrong("a copy from outside") }
            picture.copy(fromX: fromX, fromY: fromY, toX: x, toY: y, width, height)
        case Self.hextile: try readHextile(x, y, width, height)
        case Self.zlib:
            let bytes = try zlibStream.unpack(
                try reader.bytes(try reader.four()), most: width * height * format.bytesPerPixel)
            guard bytes.count == width * height * format.bytesPerPixel else {
                throw RFBClientError.wrong("Zlib is short")
            }
            set(bytes, x, y, width, height)
        case Self.tight: try readTight(x, y, width, height)
        case Self.zrle: try readZRLE(x, y, width, height)
        default: throw RFBClientError.wrong("encoding \(encoding)")
        }
    }

    /// Pixels in the client's format, row by row.
    func set(_ bytes: [UInt8], _ x: Int, _ y: Int, _ width: Int, _ height: Int) {
        let (step, format) = (format.bytesPerPixel, format)
        guard format.isPlain else {
            picture.draw(x, y, width, height) { format.pixel(in: bytes, at: $0 * step) }
            return
        }
        bytes.withUnsafeBytes { bytes in
            picture.draw(x, y, width, height) {
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) & 0xff_ffff
            }
        }
    }

    private func readCursor(hotX: Int, hotY: Int, _ width: Int, _ height: Int) throws {
        let bytes = try reader.bytes(width * height * format.bytesPerPixel)
        let stride = (width + 7) / 8
        let mask = try reader.bytes(stride * height)
        var pixels: [UInt32?] = []
        for row in 0..<height {
            for column in 0..<width {
                let isThere = mask[row * stride + column / 8] & (0x80 >> UInt8(column % 8)) != 0
                pixels.append(
                    isThere ? format.pixel(in: bytes, at: (row * width + column) * format.bytesPerPixel) : nil)
            }
        }
        pointer = Pointer(width: width, height: height, hotX: hotX, hotY: hotY, pixels: pixels)
    }

    static func two(_ value: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
    }
}
