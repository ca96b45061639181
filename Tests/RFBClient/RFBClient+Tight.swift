import CJPEG

/// Tight, with JPEG where a quality was asked for. Source: the community's rfbproto, "Tight encoding".
extension RFBClient {
    func readTight(_ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        let control = try reader.one()
        for stream in 0..<4 where control & 1 << stream != 0 { tightStreams[stream].reset() }
        switch control >> 4 {
        case 8:
            let colour = format.tightPixel(in: try reader.bytes(format.tightBytes), at: 0)
            picture.fill(x, y, width, height, colour)
        case 0...7:
            try readBasic(stream: control >> 4 & 3, hasFilter: control & 0x40 != 0, x, y, width, height)
        case 9: try readJPEG(x, y, width, height)
        default: throw RFBClientError.wrong("Tight control byte \(control)")
        }
    }

    private func readBasic(stream: Int, hasFilter: Bool, _ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        switch hasFilter ? try reader.one() : 0 {
        case 0:
            let bytes = try unpack(width * height * format.tightBytes, stream)
            drawColours(bytes, x, y, width, height)
        case 1: try readPalette(stream, x, y, width, height)
        case 2: try readGradient(stream, x, y, width, height)
        case let filter: throw RFBClientError.wrong("Tight filter \(filter)")
        }
    }

    private func readPalette(_ stream: Int, _ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        let count = try reader.one() + 1
        let colours = try reader.bytes(count * format.tightBytes)
        let palette = (0..<count).map { format.tightPixel(in: colours, at: $0 * format.tightBytes) }
        let rowBytes = count == 2 ? (width + 7) / 8 : width
        let bytes = try unpack(rowBytes * height, stream)
        for row in 0..<height {
            for column in 0..<width {
                let index =
                    count == 2
                    ? Int(bytes[row * rowBytes + column / 8] >> UInt8(7 - column % 8) & 1)
                    : Int(bytes[row * rowBytes + column])
                guard index < count else { throw RFBClientError.wrong("a colour beyond the palette") }
                picture.set(x + column, y + row, palette[index])
            }
        }
    }

    /// Each colour is what its neighbours to the left, above and upper left make expect, and a difference.
    private func readGradient(_ stream: Int, _ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        let bytes = try unpack(width * height * format.tightBytes, stream)
        let most = [format.mostRed, format.mostGreen, format.mostBlue].map { Int($0) }
        let shift = [format.shiftRed, format.shiftGreen, format.shiftBlue]
        var above = [[Int]](repeating: [0, 0, 0], count: width + 1)
        for row in 0..<height {
            var line = [[Int]](repeating: [0, 0, 0], count: width + 1)
            for column in 0..<width {
                let coded = format.tightPixel(in: bytes, at: (row * width + column) * format.tightBytes)
                var pixel: UInt32 = 0
                for colour in 0..<3 {
                    let expected = line[column][colour] + above[column + 1][colour] - above[column][colour]
                    let difference = Int(coded >> shift[colour]) & most[colour]
                    let value = (min(max(0, expected), most[colour]) + difference) & most[colour]
                    line[column + 1][colour] = value
                    pixel |= UInt32(value) << shift[colour]
                }
                picture.set(x + column, y + row, pixel)
            }
            above = line
        }
    }

    private func readJPEG(_ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        guard allowsJPEG, format.bits > 8 else {
            throw RFBClientError.wrong("Tight sends JPEG, which was not asked for")
        }
        let bytes = try reader.bytes(try length())
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        let code = lw_jpeg_decode(bytes, UInt(bytes.count), Int32(width), Int32(height), &pixels)
        guard code == 0 else { throw RFBClientError.wrong("no JPEG of \(width)x\(height)") }
        if format.isPlain {
            drawColours(pixels, x, y, width, height)
        } else {
            let format = format
            picture.draw(x, y, width, height) { place in
                let (red, green, blue) = (pixels[place * 3], pixels[place * 3 + 1], pixels[place * 3 + 2])
                return format.pixel(of: UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue))
            }
        }
        jpegs += 1
    }

    /// Pixels as Tight packs them.
    private func drawColours(_ bytes: [UInt8], _ x: Int, _ y: Int, _ width: Int, _ height: Int) {
        let (format, step) = (format, format.tightBytes)
        guard format.isPlain else {
            picture.draw(x, y, width, height) { format.tightPixel(in: bytes, at: $0 * step) }
            return
        }
        bytes.withUnsafeBufferPointer { bytes in
            picture.draw(x, y, width, height) { place in
                UInt32(bytes[place * 3]) << 16 | UInt32(bytes[place * 3 + 1]) << 8 | UInt32(bytes[place * 3 + 2])
            }
        }
    }

    /// A length of one to three bytes.
    private func length() throws -> Int {
        var length = 0
        for part in 0..<3 {
            let byte = try reader.one()
            length |= (part == 2 ? byte : byte & 127) << (7 * part)
            if byte & 128 == 0 { break }
        }
        return length
    }

    /// `count` bytes: as they are where they are few, else packed behind a length.
    private func unpack(_ count: Int, _ stream: Int) throws -> [UInt8] {
        if count < 12 { return try reader.bytes(count) }
        let bytes = try tightStreams[stream].unpack(try reader.bytes(try length()), most: count)
        guard bytes.count == count else { throw RFBClientError.wrong("Tight has \(bytes.count) bytes for \(count)") }
        return bytes
    }
}
