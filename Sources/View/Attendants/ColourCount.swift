import Screen

/// Whether a rectangle has few colours.
enum ColourCount {
    /// libvncserver sends what has at most so many colours by a palette, thus exactly, whatever JPEG quality was asked for; with more,
    /// by JPEG. It counts in parts of a rectangle: what has few colours as a whole has few in each part. Source: libvncserver 0.9.14,
    /// tight.c, palMaxColorsWithJPEG at its lowest.
    static let fewest = 24

    /// Whether `rect` of `pixels`, four bytes each in rows of `stride` bytes, has more than `most` colours. The fourth byte, which
    /// means nothing, counts.
    static func isMore(
        than most: Int, in rect: PixelRect, of pixels: UnsafeRawPointer, stride: Int
    ) -> Bool {
        var known: [UInt32] = []
        known.reserveCapacity(most + 1)
        var last: UInt32?
        for y in rect.y..<rect.bottom {
            let row = pixels + y * stride
            for x in rect.x..<rect.right {
                let colour = row.load(fromByteOffset: x * 4, as: UInt32.self)
                // Mostly the same as its neighbour.
                if colour == last { continue }
                last = colour
                if known.contains(colour) { continue }
                if known.count == most { return true }
                known.append(colour)
            }
        }
        return false
    }
}
