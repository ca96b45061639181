/// A rectangle of pixels: `x` to the right and `y` down from the screen's upper left corner; `x + width` and `y + height` are
/// outside of it. One with a width or height of 0 or less is empty.
public struct PixelRect: Hashable, Sendable, CustomStringConvertible {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    public static let empty = PixelRect(x: 0, y: 0, width: 0, height: 0)

    public var isEmpty: Bool { width <= 0 || height <= 0 }
    public var right: Int { x + width }
    public var bottom: Int { y + height }
    /// In pixels.
    public var area: Int { isEmpty ? 0 : width * height }

    /// What both have; `empty` where that is nothing.
    public func intersection(_ other: PixelRect) -> PixelRect {
        let (left, top) = (max(x, other.x), max(y, other.y))
        let found = PixelRect(
            x: left, y: top, width: min(right, other.right) - left, height: min(bottom, other.bottom) - top)
        return found.isEmpty ? .empty : found
    }

    /// The smallest that holds both.
    public func union(_ other: PixelRect) -> PixelRect {
        if isEmpty { return other }
        if other.isEmpty { return self }
        let (left, top) = (min(x, other.x), min(y, other.y))
        return PixelRect(
            x: left, y: top, width: max(right, other.right) - left, height: max(bottom, other.bottom) - top)
    }

    public func contains(_ other: PixelRect) -> Bool {
        other.isEmpty || (x <= other.x && y <= other.y && right >= other.right && bottom >= other.bottom)
    }

    public func offset(x dx: Int, y dy: Int) -> PixelRect {
        PixelRect(x: x + dx, y: y + dy, width: width, height: height)
    }

    public var description: String { "\(width)x\(height)+\(x)+\(y)" }
}

/// A screen's size in pixels.
public struct PixelSize: Hashable, Sendable, CustomStringConvertible {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// What RFB can say, and what fits a small machine's memory: 64 MiB at 4 bytes a pixel.
    public static let largest = PixelSize(width: 16_384, height: 16_384)
    public static let mostPixels = 16 << 20

    public var isUsable: Bool {
        (1...Self.largest.width).contains(width) && (1...Self.largest.height).contains(height)
            && width * height <= Self.mostPixels
    }

    public var bounds: PixelRect { PixelRect(x: 0, y: 0, width: width, height: height) }
    public var description: String { "\(width)x\(height)" }
}
