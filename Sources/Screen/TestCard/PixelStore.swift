/// Memory for a picture that is drawn here: a pixel is 0xRRGGBB, which in memory is blue, green, red, 0 on the little-endian
/// machines that lanes are.
final class PixelStore {
    let size: PixelSize
    private let base: UnsafeMutablePointer<UInt32>

    init(size: PixelSize, colour: UInt32 = 0) {
        self.size = size
        let count = max(1, size.width * size.height)
        base = .allocate(capacity: count)
        base.initialize(repeating: colour.littleEndian, count: count)
    }

    deinit { base.deallocate() }

    func fill(_ rect: PixelRect, _ colour: UInt32) { draw(rect) { _, _ in colour } }

    /// Gives each pixel of `rect` that lies in the picture the colour of `colour(x, y)`.
    func draw(_ rect: PixelRect, _ colour: (Int, Int) -> UInt32) {
        let part = rect.intersection(size.bounds)
        guard !part.isEmpty else { return }
        for y in part.y..<part.bottom {
            for x in part.x..<part.right { base[y * size.width + x] = (colour(x, y) & 0xff_ffff).littleEndian }
        }
    }

    /// Moves `from`, which with its target lies in the picture.
    func move(_ from: PixelRect, dx: Int, dy: Int) {
        // Rows in the order in which none is overwritten before it was read; update(from:) minds overlaps within one.
        let rows = dy > 0 ? Array((from.y..<from.bottom).reversed()) : Array(from.y..<from.bottom)
        for y in rows {
            (base + (y + dy) * size.width + from.x + dx).update(from: base + y * size.width + from.x, count: from.width)
        }
    }

    func copy() -> PixelStore {
        let other = PixelStore(size: size)
        other.base.update(from: base, count: max(1, size.width * size.height))
        return other
    }

    func withFrame<R>(_ body: (borrowing RawFrame) -> R) -> R {
        body(RawFrame(size: size, stride: size.width * 4, pixels: base))
    }
}
