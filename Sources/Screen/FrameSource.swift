/// A screen as it is, with all that is on it. Outside of this module nobody can read its pixels: they leave it through `Mask`
/// alone.
///
/// Four bytes a pixel in memory order blue, green, red, unused. Valid within the call that it was given to.
public struct RawFrame: ~Copyable {
    public let size: PixelSize
    /// Bytes from one row to the next.
    let stride: Int
    let pixels: UnsafeRawPointer

    init(size: PixelSize, stride: Int, pixels: UnsafeRawPointer) {
        self.size = size
        self.stride = stride
        self.pixels = pixels
    }
}

/// A scroll: what was in `from`, moved by (`dx`, `dy`).
public struct ScreenCopy: Hashable, Sendable {
    public var from: PixelRect
    public var dx: Int
    public var dy: Int
    public var to: PixelRect { from.offset(x: dx, y: dy) }

    public init(from: PixelRect, dx: Int, dy: Int) {
        self.from = from
        self.dx = dx
        self.dy = dy
    }
}

/// The mouse pointer's picture.
public struct CursorShape: Hashable, Sendable {
    public var size: PixelSize
    /// The pixel that points.
    public var hotX: Int
    public var hotY: Int
    /// Premultiplied, four bytes a pixel in memory order blue, green, red, alpha; row by row without a gap.
    public var pixels: [UInt8]

    public init(size: PixelSize, hotX: Int, hotY: Int, pixels: [UInt8]) {
        self.size = size
        self.hotX = hotX
        self.hotY = hotY
        self.pixels = pixels
    }
}

/// Where the windows are that masks follow, in the frame's coordinates, in front or not.
public struct WindowPlaces: Hashable, Sendable {
    /// Nil where it is not known: all of the screen may be theirs.
    let places: [MaskPlan.WindowMatch: [PixelRect]]?

    public static let unknown = WindowPlaces(nil)

    /// - Parameter places: of each window that is followed, none where it is not on the screen.
    public init(_ places: [MaskPlan.WindowMatch: [PixelRect]]?) { self.places = places }

    func of(_ match: MaskPlan.WindowMatch) -> [PixelRect]? { places?[match] }
}

/// What a look at a screen found.
public struct ScreenChange: Sendable {
    /// What moved since the look before, in order, where the source knows; the frame shows it moved already. All that is not what
    /// the copies bring is in `damage` too. Empty is always right.
    public var copies: [ScreenCopy] = []
    public var damage = Damage()
    /// Nil where the size is what it was. With a new one all of the screen counts as changed.
    public var size: PixelSize?
    /// The pointer's new picture.
    public var cursor: CursorShape?
    /// Where the windows that masks follow are; nil where they are as they were.
    public var windows: WindowPlaces?
    public init() {}
}

/// Where a screen's pixels come from: an X server, a test card. Lives on the capture thread, which alone calls it, and only while
/// somebody watches.
public protocol FrameSource: AnyObject {
    var size: PixelSize { get }
    /// Readable when `look` may find something. -1: nothing tells, ask at `nextLook`.
    var descriptor: Int32 { get }
    /// When to look though the descriptor says nothing, CLOCK_MONOTONIC in nanoseconds; nil is never.
    var nextLook: Int64? { get }
    /// Brings the frame up to date, and tells what of it changed. Does not wait.
    /// - Throws: a screen that is gone, and how to get it back is `Capture`'s to know: it asks for another source.
    func look() throws(ScreenError) -> ScreenChange
    /// The frame as the last look left it.
    func withFrame<R>(_ body: (borrowing RawFrame) -> R) -> R
    /// What nobody may see from now on, of any size: it is not kept, and not read any more. What was concealed and is not any more, the next
    /// look reads.
    func conceal(_ rects: [PixelRect])
}

extension FrameSource {
    /// One that makes its pixels itself has nothing to forget.
    public func conceal(_ rects: [PixelRect]) {}
}

/// What went wrong with a screen, as a sentence for operators.
public struct ScreenError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// No X server there, or it went away: another attempt later may find one.
        case unreachable
        /// It is there and does not let us in.
        case refused
        /// It lacks what is needed, or is larger than can be shown.
        case unsupported
    }
    public let code: Code
    public let description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
