import Screen

/// Whether a rectangle has few colours.
enum ColourCount {
    /// libvncserver sends what has at most so many colours by a palette, thus exactly, whatever JPEG quality was asked for; with more,
    /// by JPEG. It counts in parts of a rectangle: what has few colours as a whole has few in each part. Source: libvncserver 0.9.14,
    /// tight.c, palMaxColorsWithJPEG at its lowest.
    static let fewest = 24

    private static let places = 256

    /// Whether `rect` of `pixels`, four bytes each in rows of `stride` bytes, has more than `most` colours. The fourth byte, which
    /// means nothing, counts.
    static func isMore(
        than most: Int, in rect: PixelRect, of pixels: UnsafeRawPointer, stride: Int
    ) -> Bool {
        // A colour at the place that its bits say, and all that were found; mostly the first look finds it.
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: places + most) { memory in
            let known = UnsafeMutableBufferPointer(rebasing: memory[places...])
            let quick = UnsafeMutableBufferPointer(rebasing: memory[..<places])
            // Nothing at first: a colour whose place is another.
            quick.initialize(repeating: 0)
            quick[0] = 1
            var count = 0
            for y in rect.y..<rect.bottom {
                let row = (pixels + y * stride).assumingMemoryBound(to: UInt32.self)
                for x in rect.x..<rect.right {
                    let colour = row[x]
                    let place = Int(truncatingIfNeeded: (colour ^ colour >> 9 ^ colour >> 19) & UInt32(places - 1))
                    if quick[place] == colour { continue }
                    quick[place] = colour
                    if known[..<count].contains(colour) { continue }
                    if count == most { return true }
                    known.initializeElement(at: count, to: colour)
                    count += 1
                }
            }
            return false
        }
    }
}
