/// Hextile and ZRLE: the two encodings of tiles. Source: RFC 6143, 7.7.4 and 7.7.6.
extension RFBClient {
    func readHextile(_ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        var (background, foreground): (UInt32, UInt32) = (0, 0)
        for top in stride(from: y, to: y + height, by: 16) {
            for left in stride(from: x, to: x + width, by: 16) {
                let (w, h) = (min(16, x + width - left), min(16, y + height - top))
                let flags = try reader.one()
                if flags & 1 != 0 {
                    set(try reader.bytes(w * h * format.bytesPerPixel), left, top, w, h)
                    continue
                }
                if flags & 2 != 0 { background = try pixel() }
                if flags & 4 != 0 { foreground = try pixel() }
                picture.fill(left, top, w, h, background)
                guard flags & 8 != 0 else { continue }
                for _ in 0..<(try reader.one()) {
                    let colour = flags & 16 != 0 ? try pixel() : foreground
                    let (place, size) = (try reader.one(), try reader.one())
                    let (dx, dy) = (place >> 4, place & 15)
                    let (partWidth, partHeight) = ((size >> 4) + 1, (size & 15) + 1)
                    guard dx + partWidth <= w, dy + partHeight <= h else {
                        throw RFBClientError.wrong("a part of a tile lies outside of it")
                    }
                    picture.fill(left + dx, top + dy, partWidth, partHeight, colour)
                }
            }
        }
    }

    private func pixel() throws -> UInt32 { format.pixel(in: try reader.bytes(format.bytesPerPixel), at: 0) }

    func readZRLE(_ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        // A tile is at most its pixels as they are, and some bytes; plain runs may be a byte longer a pixel.
        let most = (width + 64) * (height + 64) * (format.bytesPerPixel + 1) + 4096
        var tiles = Tiles(bytes: try zrleStream.unpack(try reader.bytes(try reader.four()), most: most))
        for top in stride(from: y, to: y + height, by: 64) {
            for left in stride(from: x, to: x + width, by: 64) {
                let (w, h) = (min(64, x + width - left), min(64, y + height - top))
                let pixels = try readTile(&tiles, w, h)
                pixels.withUnsafeBufferPointer { pixels in picture.draw(left, top, w, h) { pixels[$0] } }
            }
        }
        guard tiles.isEmpty else { throw RFBClientError.wrong("ZRLE has more than its tiles") }
    }

    /// Unpacked bytes, read from their beginning.
    private struct Tiles {
        let bytes: [UInt8]
        var place = 0
        var isEmpty: Bool { place == bytes.count }

        mutating func take(_ count: Int) throws -> Int {
            guard place + count <= bytes.count else { throw RFBClientError.wrong("ZRLE is short") }
            defer { place += count }
            return place
        }

        mutating func one() throws -> Int { Int(bytes[try take(1)]) }

        mutating func run() throws -> Int {
            var length = 1
            while true {
                let byte = try one()
                length += byte
                if byte != 255 { return length }
            }
        }
    }

    private func readTile(_ tiles: inout Tiles, _ width: Int, _ height: Int) throws -> [UInt32] {
        func colour() throws -> UInt32 { format.compactPixel(in: tiles.bytes, at: try tiles.take(format.compactBytes)) }
        let kind = try tiles.one()
        let count = width * height
        var pixels: [UInt32] = []
        pixels.reserveCapacity(count)
        switch kind {
        case 0 where format.isPlain:
            let start = try tiles.take(count * 3)
            tiles.bytes.withUnsafeBufferPointer { bytes in
                for place in 0..<count {
                    let at = start + place * 3
                    pixels.append(UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16)
                }
            }
        case 0: for _ in 0..<count { pixels.append(try colour()) }
        case 1: pixels = Array(repeating: try colour(), count: count)
        case 2...16:
            let palette = try (0..<kind).map { _ in try colour() }
            let bits = kind == 2 ? 1 : kind <= 4 ? 2 : 4
            for _ in 0..<height {
                let start = try tiles.take((width * bits + 7) / 8)
                for column in 0..<width {
                    let byte = Int(tiles.bytes[start + column * bits / 8])
                    let index = byte >> (8 - bits - column * bits % 8) & ((1 << bits) - 1)
                    guard index < palette.count else { throw RFBClientError.wrong("a colour beyond the palette") }
                    pixels.append(palette[index])
                }
            }
        case 128:
            while pixels.count < count {
                let one = try colour()
                pixels += repeatElement(one, count: try tiles.run())
            }
        case 130...255:
            let palette = try (0..<kind - 128).map { _ in try colour() }
            while pixels.count < count {
                let index = try tiles.one()
                guard index & 127 < palette.count else { throw RFBClientError.wrong("a colour beyond the palette") }
                pixels += repeatElement(palette[index & 127], count: index & 128 != 0 ? try tiles.run() : 1)
            }
        default: throw RFBClientError.wrong("ZRLE tile of kind \(kind)")
        }
        guard pixels.count == count else { throw RFBClientError.wrong("a run beyond its tile") }
        return pixels
    }
}
