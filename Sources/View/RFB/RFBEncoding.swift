/// The encodings by which a lane's screen is told. Source: IANA's registry of remote framebuffer encodings.
public enum RFBEncoding {
    public static let raw: Int32 = 0
    public static let copyRect: Int32 = 1
    public static let hextile: Int32 = 5
    public static let zlib: Int32 = 6
    public static let tight: Int32 = 7
    public static let zrle: Int32 = 16
    /// Pseudo-encodings: what a viewer understands beside pictures.
    public static let cursor: Int32 = -239
    public static let desktopSize: Int32 = -223
    public static let lastRect: Int32 = -224
    public static let fence: Int32 = -312
    public static let continuousUpdates: Int32 = -313
    /// Level 0 (worst) to 9: with one of them Tight may use JPEG, without it everything is exact.
    public static let jpegQuality: ClosedRange<Int32> = -32 ... -23
    public static let compression: ClosedRange<Int32> = -256 ... -247

    /// Whether the encoders may hear of it. Others (RRE, Ultra, extended clipboard, file transfer, scaling …) never reach them.
    public static func isOffered(_ encoding: Int32) -> Bool {
        switch encoding {
        case raw, copyRect, hextile, zlib, tight, zrle, cursor, desktopSize, lastRect, fence, continuousUpdates: true
        case jpegQuality, compression: true
        default: false
        }
    }

    /// What to ask the encoder for where a viewer asks for `encoding`: the same, but for compression 0 and 5. At these
    /// libvncserver sends Tight without zlib, by a mark of TurboVNC's that other viewers take for PNG, or refuse.
    static func understood(_ encoding: Int32) -> Int32 {
        encoding == compression.lowerBound || encoding == compression.lowerBound + 5 ? encoding + 1 : encoding
    }
}

/// A viewer's pixel format, as SetPixelFormat carries it in 16 bytes. Source: RFC 6143, 7.4.
public struct PixelFormat: Hashable, Sendable {
    public var bitsPerPixel: UInt8
    public var depth: UInt8
    public var isBigEndian: Bool
    public var redMax: UInt16
    public var greenMax: UInt16
    public var blueMax: UInt16
    public var redShift: UInt8
    public var greenShift: UInt8
    public var blueShift: UInt8

    /// What frames are kept in: memory order blue, green, red, 0.
    public static let frame = PixelFormat(
        bitsPerPixel: 32, depth: 24, isBigEndian: false, redMax: 255, greenMax: 255, blueMax: 255, redShift: 16,
        greenShift: 8, blueShift: 0)

    public init(
        bitsPerPixel: UInt8, depth: UInt8, isBigEndian: Bool, redMax: UInt16, greenMax: UInt16, blueMax: UInt16,
        redShift: UInt8, greenShift: UInt8, blueShift: UInt8
    ) {
        self.bitsPerPixel = bitsPerPixel
        self.depth = depth
        self.isBigEndian = isBigEndian
        self.redMax = redMax
        self.greenMax = greenMax
        self.blueMax = blueMax
        self.redShift = redShift
        self.greenShift = greenShift
        self.blueShift = blueShift
    }

    /// The 16 bytes; true colour.
    public var bytes: [UInt8] {
        func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
        return [bitsPerPixel, depth, isBigEndian ? 1 : 0, 1] + two(redMax) + two(greenMax) + two(blueMax)
            + [redShift, greenShift, blueShift, 0, 0, 0]
    }

    /// - Returns: the format that the 16 bytes say.
    /// - Throws: where no encoder can make it: a colour map, odd sizes, colours that do not fit.
    @discardableResult
    static func check(_ bytes: ArraySlice<UInt8>) throws(RFBRefusal) -> PixelFormat {
        let raw = Array(bytes)
        guard raw.count == 16 else { throw RFBRefusal(.pixelFormat, "a pixel format of \(raw.count) bytes; it has 16") }
        func two(_ place: Int) -> UInt16 { UInt16(raw[place]) << 8 | UInt16(raw[place + 1]) }
        let format = PixelFormat(
            bitsPerPixel: raw[0], depth: raw[1], isBigEndian: raw[2] != 0, redMax: two(4), greenMax: two(6),
            blueMax: two(8), redShift: raw[10], greenShift: raw[11], blueShift: raw[12])
        guard [8, 16, 32].contains(format.bitsPerPixel) else {
            throw RFBRefusal(.pixelFormat, "\(format.bitsPerPixel) bits a pixel; it is 8, 16 or 32")
        }
        guard raw[3] != 0 else { throw RFBRefusal(.pixelFormat, "a colour map; only true colour is made") }
        let colours = [
            (format.redMax, format.redShift), (format.greenMax, format.greenShift), (format.blueMax, format.blueShift),
        ]
        for (most, shift) in colours {
            guard most > 0, most & (most &+ 1) == 0, most.trailingBitCount + Int(shift) <= Int(format.bitsPerPixel)
            else {
                throw RFBRefusal(.pixelFormat, "a colour of 0 to \(most) at bit \(shift)")
            }
        }
        return format
    }
}

extension UInt16 {
    /// Of 2^n - 1: n.
    fileprivate var trailingBitCount: Int { (~self).trailingZeroBitCount }
}
