/// What a test client shows: pixels in its own format, row by row.
public struct Picture: Hashable, Sendable {
    public private(set) var width: Int
    public private(set) var height: Int
    public private(set) var pixels: [UInt32]

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = Array(repeating: 0, count: width * height)
    }

    public subscript(x: Int, y: Int) -> UInt32 { pixels[y * width + x] }

    func holds(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Bool {
        x >= 0 && y >= 0 && width >= 0 && height >= 0 && x + width <= self.width && y + height <= self.height
    }

    mutating func fill(_ x: Int, _ y: Int, _ width: Int, _ height: Int, _ pixel: UInt32) {
        for row in y..<y + height {
            for place in row * self.width + x..<row * self.width + x + width { pixels[place] = pixel }
        }
    }

    mutating func set(_ x: Int, _ y: Int, _ pixel: UInt32) { pixels[y * width + x] = pixel }

    /// Gives a rectangle the pixels `pixel(0)`, `pixel(1)` …, row by row.
    mutating func draw(_ x: Int, _ y: Int, _ width: Int, _ height: Int, _ pixel: (Int) -> UInt32) {
        let stride = self.width
        pixels.withUnsafeMutableBufferPointer { pixels in
            var place = 0
            for row in y..<y + height {
                let start = row * stride + x
                for target in start..<start + width {
                    pixels[target] = pixel(place)
                    place += 1
                }
            }
        }
    }

    mutating func copy(fromX: Int, fromY: Int, toX: Int, toY: Int, _ width: Int, _ height: Int) {
        let old = pixels
        for row in 0..<height {
            for column in 0..<width {
                pixels[(toY + row) * self.width + toX + column] = old[(fromY + row) * self.width + fromX + column]
            }
        }
    }

    /// The size changes; what is in both stays, the rest is black.
    mutating func resize(width: Int, height: Int) {
        var other = Picture(width: width, height: height)
        for y in 0..<min(height, self.height) {
            for x in 0..<min(width, self.width) { other.pixels[y * width + x] = self[x, y] }
        }
        self = other
    }
}
