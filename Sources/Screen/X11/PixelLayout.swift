import CXCB
import Glibc

/// How an X server lays out the pixels of its root window, and how they become blue, green, red, unused.
struct PixelLayout: Hashable {
    enum Kind: Hashable {
        /// Four bytes a pixel in memory order blue, green, red, unused: taken as they are.
        case direct
        /// Two bytes a pixel, low byte first: five bits of red, six of green, five of blue.
        case rgb565
    }

    struct Refusal: Error, Hashable {
        var reason: String
    }

    let kind: Kind
    /// Bytes that a row is filled up to, a power of 2.
    let padding: Int

    static func of(_ setup: UnsafePointer<xcb_setup_t>, _ screen: xcb_screen_t) -> Result<PixelLayout, Refusal> {
        let depth = screen.root_depth
        let formats = UnsafeBufferPointer(
            start: xcb_setup_pixmap_formats(setup), count: Int(xcb_setup_pixmap_formats_length(setup)))
        guard let format = formats.first(where: { $0.depth == depth }), let visual = visual(setup, screen) else {
            return .failure(Refusal(reason: "it does not say how its pixels of depth \(depth) lie in memory"))
        }
        guard setup.pointee.image_byte_order == UInt8(XCB_IMAGE_ORDER_LSB_FIRST.rawValue) else {
            return .failure(Refusal(reason: "its pixels have their high byte first"))
        }
        return of(
            depth: depth, bits: format.bits_per_pixel, padding: format.scanline_pad, isTrueColor: visual._class == 4,
            masks: (visual.red_mask, visual.green_mask, visual.blue_mask))
    }

    /// `bits` and `padding` in bits; the class of a visual is 4 where it is TrueColor.
    static func of(
        depth: UInt8, bits: UInt8, padding: UInt8, isTrueColor: Bool, masks: (red: UInt32, green: UInt32, blue: UInt32)
    ) -> Result<PixelLayout, Refusal> {
        guard isTrueColor, [8, 16, 32].contains(padding) else {
            return .failure(Refusal(reason: "its pixels of depth \(depth) are no TrueColor"))
        }
        let bytes = Int(padding) / 8
        switch (depth, bits) {
        case (24, 32), (32, 32):
            if masks == (0xff0000, 0xff00, 0xff) { return .success(PixelLayout(kind: .direct, padding: bytes)) }
        case (16, 16):
            if masks == (0xf800, 0x7e0, 0x1f) { return .success(PixelLayout(kind: .rgb565, padding: bytes)) }
        default: break
        }
        return .failure(
            Refusal(
                reason:
                    "its pixels have depth \(depth) in \(bits) bits: only 24 and 32 in 32, and 16 in 16 as 5-6-5, can be shown"
            ))
    }

    /// Bytes from one row to the next in a picture of `width` pixels.
    func stride(width: Int) -> Int {
        let bytes = width * (kind == .direct ? 4 : 2)
        return (bytes + padding - 1) / padding * padding
    }

    /// Makes a row of `width` pixels at `source` one of four bytes a pixel at `target`, for layouts that are not direct.
    func convert(_ source: UnsafeRawPointer, width: Int, to target: UnsafeMutableRawPointer) {
        let words = source.assumingMemoryBound(to: UInt16.self)
        let pixels = target.assumingMemoryBound(to: UInt32.self)
        for x in 0..<width { pixels[x] = Self.expanded(words[x]) }
    }

    /// The high bits fill the low ones, so that white is white.
    static func expanded(_ word: UInt16) -> UInt32 {
        let (red, green, blue) = (UInt32(word >> 11), UInt32(word >> 5 & 63), UInt32(word & 31))
        return (red << 3 | red >> 2) << 16 | (green << 2 | green >> 4) << 8 | (blue << 3 | blue >> 2)
    }

    private static func visual(_ setup: UnsafePointer<xcb_setup_t>, _ screen: xcb_screen_t) -> xcb_visualtype_t? {
        var roots = xcb_setup_roots_iterator(setup)
        while roots.rem > 0, roots.data.pointee.root != screen.root { xcb_screen_next(&roots) }
        guard roots.rem > 0 else { return nil }
        var depths = xcb_screen_allowed_depths_iterator(roots.data)
        while depths.rem > 0 {
            var visuals = xcb_depth_visuals_iterator(depths.data)
            while visuals.rem > 0 {
                if visuals.data.pointee.visual_id == screen.root_visual { return visuals.data.pointee }
                xcb_visualtype_next(&visuals)
            }
            xcb_depth_next(&depths)
        }
        return nil
    }
}
