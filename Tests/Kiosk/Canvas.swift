/// A picture in memory that the kiosk draws into: 0xRRGGBB, row by row.
struct Canvas {
    struct Rect: Hashable {
        var x: Int, y: Int, width: Int, height: Int
        var right: Int { x + width }
        var bottom: Int { y + height }

        func contains(_ left: Int, _ top: Int) -> Bool { x <= left && left < right && y <= top && top < bottom }
        func inset(_ by: Int) -> Rect { Rect(x: x + by, y: y + by, width: width - 2 * by, height: height - 2 * by) }
    }

    enum Place { case left, middle, right }

    /// How much of each pixel of a letter is covered, 0 to 255.
    private struct Stamp {
        var width: Int, height: Int
        /// From where the letter stands to the stamp's upper left corner.
        var left: Int, top: Int
        var cover: [UInt8]
    }

    private struct StampKey: Hashable { var character: Character, size: Int, weight: Int }

    let width: Int
    let height: Int
    private(set) var pixels: [UInt32]
    private var stamps: [StampKey: Stamp] = [:]

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [UInt32](repeating: 0, count: width * height)
    }

    mutating func fill(_ rect: Rect, _ colour: UInt32) {
        let (left, right) = (max(0, rect.x), min(width, rect.right))
        guard left < right, rect.y < rect.bottom else { return }
        for y in max(0, rect.y)..<max(0, min(height, rect.bottom)) {
            let row = y * width
            pixels.withUnsafeMutableBufferPointer { $0[(row + left)..<(row + right)].update(repeating: colour) }
        }
    }

    /// From `above` to `below`.
    mutating func shade(_ rect: Rect, _ above: UInt32, _ below: UInt32) {
        for row in 0..<rect.height {
            let colour = Self.mix(above, below, UInt32(row * 255 / max(1, rect.height - 1)))
            fill(Rect(x: rect.x, y: rect.y + row, width: rect.width, height: 1), colour)
        }
    }

    /// With round corners.
    mutating func panel(_ rect: Rect, radius: Int, _ colour: UInt32) {
        let radius = min(radius, rect.height / 2, rect.width / 2)
        fill(Rect(x: rect.x, y: rect.y + radius, width: rect.width, height: rect.height - 2 * radius), colour)
        fill(Rect(x: rect.x + radius, y: rect.y, width: rect.width - 2 * radius, height: radius), colour)
        fill(
            Rect(x: rect.x + radius, y: rect.bottom - radius, width: rect.width - 2 * radius, height: radius), colour)
        for dy in 0..<radius {
            for dx in 0..<radius {
                let (x, y) = (Float(radius - dx) - 0.5, Float(radius - dy) - 0.5)
                let cover = Float(radius) - (x * x + y * y).squareRoot() + 0.5
                for left in [rect.x + dx, rect.right - 1 - dx] {
                    for top in [rect.y + dy, rect.bottom - 1 - dy] { blend(left, top, colour, Self.byte(cover)) }
                }
            }
        }
    }

    /// A stroke with round ends.
    mutating func stroke(_ from: (Float, Float), _ to: (Float, Float), radius: Float, _ colour: UInt32) {
        let margin = radius + 1
        let (left, right) = (Int(min(from.0, to.0) - margin), Int(max(from.0, to.0) + margin))
        let (top, bottom) = (Int(min(from.1, to.1) - margin), Int(max(from.1, to.1) + margin))
        let line = Letters.Stroke(x0: from.0, y0: from.1, x1: to.0, y1: to.1)
        for y in top...bottom {
            for x in left...right {
                let distance = Self.distance(Float(x) + 0.5, Float(y) + 0.5, line)
                blend(x, y, colour, Self.byte(radius - distance + 0.5))
            }
        }
    }

    /// `y` is the line that letters stand on, `size` a capital's height in pixels, `x` where `place` of the text is.
    mutating func text(
        _ text: String, x: Int, y: Int, size: Int, _ colour: UInt32, _ place: Place = .left, weight: Int = 100
    ) {
        let dot = Float(size) / 7
        let wide = Letters.shared.width(text) * dot
        var pen = Float(x)
        if place == .middle { pen -= wide / 2 }
        if place == .right { pen -= wide }
        for character in text {
            if character == " " {
                pen += (2 + Letters.gap) * dot
                continue
            }
            let key = StampKey(character: character, size: size, weight: weight)
            let stamp = stamps[key] ?? Self.stamp(key)
            stamps[key] = stamp
            put(stamp, Int(pen.rounded()), y, colour)
            pen += ((Letters.shared.shape(character)?.width ?? 4) + Letters.gap) * dot
        }
    }

    /// Moves `rect` up by `rows`, as the window's own copy does.
    mutating func moveUp(_ rect: Rect, by rows: Int) {
        for y in rect.y..<max(rect.y, rect.bottom - rows) {
            let (to, from) = (y * width + rect.x, (y + rows) * width + rect.x)
            pixels.withUnsafeMutableBufferPointer { pixels in
                for x in 0..<rect.width { pixels[to + x] = pixels[from + x] }
            }
        }
    }

    mutating func set(_ x: Int, _ y: Int, _ colour: UInt32) { pixels[y * width + x] = colour }

    /// A row of four-byte pixels for each of `rect`'s rows, as X wants them.
    func bytes(_ rect: Rect) -> [UInt32] {
        var found: [UInt32] = []
        found.reserveCapacity(rect.width * rect.height)
        for y in rect.y..<rect.bottom { found += pixels[(y * width + rect.x)..<(y * width + rect.right)] }
        return found
    }

    /// Where this differs from `old`, of the same size: squares, joined along rows.
    func differences(from old: Canvas) -> [Rect] {
        let tile = 32
        var found: [Rect] = []
        for top in stride(from: 0, to: height, by: tile) {
            let bottom = min(height, top + tile)
            var open: Rect?
            for left in stride(from: 0, to: width, by: tile) {
                let right = min(width, left + tile)
                let isSame = (top..<bottom).allSatisfy { y in
                    pixels[(y * width + left)..<(y * width + right)]
                        == old.pixels[(y * width + left)..<(y * width + right)]
                }
                if isSame {
                    if let rect = open { found.append(rect) }
                    open = nil
                } else {
                    open = Rect(x: open?.x ?? left, y: top, width: right - (open?.x ?? left), height: bottom - top)
                }
            }
            if let rect = open { found.append(rect) }
        }
        return found
    }

    private mutating func put(_ stamp: Stamp, _ x: Int, _ y: Int, _ colour: UInt32) {
        for row in 0..<stamp.height {
            for column in 0..<stamp.width {
                let cover = stamp.cover[row * stamp.width + column]
                if cover > 0 { blend(x + stamp.left + column, y + stamp.top + row, colour, cover) }
            }
        }
    }

    private static func stamp(_ key: StampKey) -> Stamp {
        guard let shape = Letters.shared.shape(key.character) else {
            return Stamp(width: 0, height: 0, left: 0, top: 0, cover: [])
        }
        let dot = Float(key.size) / 7
        let radius = dot * 0.46 * Float(key.weight) / 100
        let margin = Int(radius) + 2
        let (width, height) = (Int(shape.width * dot) + 2 * margin, Int(dot * 8) + 2 * margin)
        var cover = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let (px, py) = (Float(x - margin) + 0.5, Float(y - margin) + 0.5)
                let least = shape.strokes.map {
                    distance(
                        px, py,
                        Letters.Stroke(x0: $0.x0 * dot, y0: $0.y0 * dot, x1: $0.x1 * dot, y1: $0.y1 * dot))
                }.min()
                cover[y * width + x] = byte(radius - (least ?? 1e6) + 0.5)
            }
        }
        // The sixth row's middle stands on the line.
        return Stamp(width: width, height: height, left: -margin, top: -margin - Int(6 * dot + radius), cover: cover)
    }

    private static func distance(_ x: Float, _ y: Float, _ line: Letters.Stroke) -> Float {
        let (dx, dy) = (line.x1 - line.x0, line.y1 - line.y0)
        let length = dx * dx + dy * dy
        let along = length == 0 ? 0 : max(0, min(1, ((x - line.x0) * dx + (y - line.y0) * dy) / length))
        let (ex, ey) = (x - line.x0 - along * dx, y - line.y0 - along * dy)
        return (ex * ex + ey * ey).squareRoot()
    }

    private static func byte(_ cover: Float) -> UInt8 { UInt8(max(0, min(1, cover)) * 255) }

    private mutating func blend(_ x: Int, _ y: Int, _ colour: UInt32, _ cover: UInt8) {
        guard cover > 0, x >= 0, y >= 0, x < width, y < height else { return }
        pixels[y * width + x] = Self.mix(pixels[y * width + x], colour, UInt32(cover))
    }

    /// `share` of 255 parts of `new` over `old`.
    static func mix(_ old: UInt32, _ new: UInt32, _ share: UInt32) -> UInt32 {
        func part(_ shift: UInt32) -> UInt32 {
            let (below, above) = (old >> shift & 255, new >> shift & 255)
            return ((below * (255 - share) + above * share + 127) / 255) << shift
        }
        return part(16) | part(8) | part(0)
    }
}
