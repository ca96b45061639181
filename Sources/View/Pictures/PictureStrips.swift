import Screen

/// What of an update is a picture: many colours nearly everywhere, as of a photo or a video. It is cut into strips that stand alone, so that who else
/// wants the same gets the same bytes.
struct PictureStrips: Hashable {
    /// Source: the community's rfbproto, "Tight Encoding": rectangles are no wider.
    static let mostColumns = 2048
    /// Smaller ones go as forms do: text and buttons are exact, and small, by a palette.
    static let fewestPixels = 16 << 10
    /// A strip has whole blocks of JPEG's, whatever its subsampling. Pixels.
    static let step = 16
    /// Of so many pixels square it is asked whether they have many colours; of four, three must.
    static let block = 64

    /// By JPEG. None overlaps another or one of `rest`.
    private(set) var pictures: [PixelRect] = []
    /// Forms, as the encoder likes it.
    private(set) var rest: [PixelRect] = []

    /// - Parameter pixels: a picture with all of `rects`, four bytes a pixel in rows of `stride` bytes.
    init(of rects: [PixelRect], in pixels: UnsafeRawPointer, stride: Int) {
        for rect in rects {
            guard rect.area >= Self.fewestPixels, min(rect.width, rect.height) >= Self.block else {
                rest.append(rect)
                continue
            }
            for strip in Self.strips(of: rect) {
                if Self.isPicture(strip, in: pixels, stride: stride) {
                    pictures.append(strip)
                } else if let last = rest.last, last.x == strip.x, last.width == strip.width, last.bottom == strip.y {
                    rest[rest.count - 1] = last.union(strip)
                } else {
                    rest.append(strip)
                }
            }
        }
    }

    /// All of `rect`, in strips of the same height but for the last of a column, each as small as a JPEG may be.
    static func strips(of rect: PixelRect) -> [PixelRect] {
        var found: [PixelRect] = []
        let columns = even(rect.width, most: mostColumns)
        for x in stride(from: rect.x, to: rect.right, by: columns) {
            let width = min(columns, rect.right - x)
            let most = max(step, JPEGCompressor.mostPixels / width / step * step)
            let height = even(rect.height, most: most)
            for y in stride(from: rect.y, to: rect.bottom, by: height) {
                found.append(PixelRect(x: x, y: y, width: width, height: min(height, rect.bottom - y)))
            }
        }
        return found
    }

    /// `length` in as few parts as there can be with at most `most` each, all but the last of one size, in whole steps.
    private static func even(_ length: Int, most: Int) -> Int {
        let count = (length + most - 1) / most
        return ((length + count - 1) / count + step - 1) / step * step
    }

    private static func isPicture(_ strip: PixelRect, in pixels: UnsafeRawPointer, stride: Int) -> Bool {
        var blocks: [PixelRect] = []
        for y in Swift.stride(from: strip.y, to: strip.bottom, by: block) {
            for x in Swift.stride(from: strip.x, to: strip.right, by: block) {
                blocks.append(
                    PixelRect(x: x, y: y, width: block, height: block).intersection(strip))
            }
        }
        var plain = 0
        for block in blocks
        where !ColourCount.isMore(than: ColourCount.fewest, in: block, of: pixels, stride: stride) {
            plain += 1
            if plain * 4 > blocks.count { return false }
        }
        return true
    }
}
