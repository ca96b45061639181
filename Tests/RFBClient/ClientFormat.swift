/// The pixel format that a test client asks for: true colour. Source: RFC 6143, 7.4.
public struct ClientFormat: Hashable, Sendable, CustomStringConvertible {
    public var bits: Int
    public var depth: Int
    public var isBigEndian: Bool
    public var mostRed: UInt32
    public var mostGreen: UInt32
    public var mostBlue: UInt32
    public var shiftRed: UInt32
    public var shiftGreen: UInt32
    public var shiftBlue: UInt32

    public init(
        bits: Int, depth: Int, isBigEndian: Bool = false, most: (UInt32, UInt32, UInt32),
        shift: (UInt32, UInt32, UInt32)
    ) {
        self.bits = bits
        self.depth = depth
        self.isBigEndian = isBigEndian
        (mostRed, mostGreen, mostBlue) = most
        (shiftRed, shiftGreen, shiftBlue) = shift
    }

    /// What most viewers ask for.
    public static let rgb888 = ClientFormat(bits: 32, depth: 24, most: (255, 255, 255), shift: (16, 8, 0))
    public static let bgr888 = ClientFormat(bits: 32, depth: 24, most: (255, 255, 255), shift: (0, 8, 16))
    /// The colours in the upper three bytes, the highest byte first.
    public static let rgbx888Big = ClientFormat(
        bits: 32, depth: 24, isBigEndian: true, most: (255, 255, 255), shift: (24, 16, 8))
    public static let rgb565 = ClientFormat(bits: 16, depth: 16, most: (31, 63, 31), shift: (11, 5, 0))
    public static let rgb565Big = ClientFormat(
        bits: 16, depth: 16, isBigEndian: true, most: (31, 63, 31), shift: (11, 5, 0))
    public static let bgr233 = ClientFormat(bits: 8, depth: 8, most: (7, 7, 3), shift: (0, 3, 6))

    var bytesPerPixel: Int { bits / 8 }

    /// Whether a pixel is a frame's 0xRRGGBB, low byte first: most viewers, and a shorter way to decode.
    var isPlain: Bool { self == .rgb888 }

    var mask: UInt32 { mostRed << shiftRed | mostGreen << shiftGreen | mostBlue << shiftBlue }

    /// What a frame's pixel 0xRRGGBB is in this format: the nearest of the colours that it has.
    public func pixel(of colour: UInt32) -> UInt32 {
        func scale(_ value: UInt32, _ most: UInt32) -> UInt32 { (value * most + 127) / 255 }
        return scale(colour >> 16 & 255, mostRed) << shiftRed | scale(colour >> 8 & 255, mostGreen) << shiftGreen
            | scale(colour & 255, mostBlue) << shiftBlue
    }

    /// The pixel whose bytes begin at `place`.
    func pixel(in bytes: [UInt8], at place: Int) -> UInt32 {
        var value: UInt32 = 0
        for offset in 0..<bytesPerPixel {
            let byte = UInt32(bytes[place + offset])
            value |= byte << UInt32(8 * (isBigEndian ? bytesPerPixel - 1 - offset : offset))
        }
        return value & mask
    }

    /// Whether all colours lie in the lower, or all in the upper three bytes of four. Source: RFC 6143, 7.7.5.
    private var fitsLower: Bool { bits == 32 && mask < 1 << 24 }
    private var fitsUpper: Bool { bits == 32 && mask & 0xff == 0 }

    /// Bytes of a CPIXEL of ZRLE.
    var compactBytes: Int { depth <= 24 && (fitsLower || fitsUpper) ? 3 : bytesPerPixel }

    func compactPixel(in bytes: [UInt8], at place: Int) -> UInt32 {
        guard compactBytes == 3, bits == 32 else { return pixel(in: bytes, at: place) }
        var value: UInt32 = 0
        for offset in 0..<3 {
            value |= UInt32(bytes[place + offset]) << UInt32(8 * (isBigEndian ? 2 - offset : offset))
        }
        return (fitsLower ? value : value << 8) & mask
    }

    /// Whether Tight packs a pixel into red, green, blue, a byte each. Source: the community's rfbproto, Tight encoding.
    var isPacked: Bool { bits == 32 && depth == 24 && mostRed == 255 && mostGreen == 255 && mostBlue == 255 }
    var tightBytes: Int { isPacked ? 3 : bytesPerPixel }

    func tightPixel(in bytes: [UInt8], at place: Int) -> UInt32 {
        guard isPacked else { return pixel(in: bytes, at: place) }
        return UInt32(bytes[place]) << shiftRed | UInt32(bytes[place + 1]) << shiftGreen
            | UInt32(bytes[place + 2]) << shiftBlue
    }

    /// The message SetPixelFormat.
    var message: [UInt8] {
        func two(_ value: UInt32) -> [UInt8] {
            [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
        }
        return [0, 0, 0, 0, UInt8(bits), UInt8(depth), isBigEndian ? 1 : 0, 1] + two(mostRed) + two(mostGreen)
            + two(mostBlue) + [UInt8(shiftRed), UInt8(shiftGreen), UInt8(shiftBlue), 0, 0, 0]
    }

    public var description: String {
        "\(bits) bits\(isBigEndian ? " big-endian" : "") \(mostRed)/\(mostGreen)/\(mostBlue)<<\(shiftRed),\(shiftGreen),\(shiftBlue)"
    }
}
