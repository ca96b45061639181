/// Tight, lossless. Source: the community's rfbproto, "Tight encoding".
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
        case 9: throw RFBClientError.wrong("Tight sends JPEG, which was not asked for")
        default: throw RFBClientError.wrong("Tight control byte \(control)")
        }
    }

    private func readBasic(stream: Int, hasFilter: Bool, _ x: Int, _ y: Int, _ width: Int, _ height: Int) throws {
        switch hasFilter ? try reader.one() : 0 {
        case 0:
            let bytes = try unpack(width * height * format.tightBytes, stream)
            for place in 0..<width * height {
                let pixel = format.tightPixel(in: bytes, at: place * format.tightBytes)
                picture.set(x + place % width, y + place / width, pixel)
            }
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

    /// `count` bytes: as they are where they are few, else packed behind a length of one to three bytes.
    private func unpack(_ count: Int, _ stream: Int) throws -> [UInt8] {
        if count < 12 { return try reader.bytes(count) }
        var length = 0
        for part in 0..<3 {
            let byte = try reader.one()
            length |= (part == 2 ? byte : byte & 127) << (7 * part)
            if byte & 128 == 0 { break }
        }
        let bytes = try tightStreams[stream].unpack(try reader.bytes(length), most: count)
        guard bytes.count == count else { throw RFBClientError.wrong("Tight has \(bytes.count) bytes for \(count)") }
        return bytes
    }
}
