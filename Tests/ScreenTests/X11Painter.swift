import CXCB
import Foundation
import Testing

@testable import Screen

/// An X client that draws, and reads the screen back by the core protocol alone: what the tests hold a source against.
final class X11Painter {
    let raw: OpaquePointer
    let root: xcb_window_t
    let depth: UInt8
    private let context: xcb_gcontext_t

    init(_ display: String) throws {
        guard let raw = xcb_connect(display, nil), xcb_connection_has_error(raw) == 0,
            let setup = xcb_get_setup(raw)
        else { throw X11Bed.Failed(description: "the painter cannot connect") }
        self.raw = raw
        let screen = xcb_setup_roots_iterator(setup).data.pointee
        root = screen.root
        depth = screen.root_depth
        context = xcb_generate_id(raw)
        // Draws over all windows on the root.
        xcb_create_gc(raw, context, root, XCB_GC_SUBWINDOW_MODE.rawValue, [1])
    }

    deinit { xcb_disconnect(raw) }

    /// `colour` as 0xRRGGBB.
    func fill(_ rect: PixelRect, _ colour: UInt32) {
        xcb_change_gc(raw, context, XCB_GC_FOREGROUND.rawValue, [native(colour)])
        var one = xcb_rectangle_t(
            x: Int16(rect.x), y: Int16(rect.y), width: UInt16(rect.width), height: UInt16(rect.height))
        xcb_poly_fill_rectangle(raw, root, context, 1, &one)
        flush()
    }

    func line(from: (Int, Int), to: (Int, Int), _ colour: UInt32) {
        xcb_change_gc(raw, context, XCB_GC_FOREGROUND.rawValue, [native(colour)])
        let points = [
            xcb_point_t(x: Int16(from.0), y: Int16(from.1)), xcb_point_t(x: Int16(to.0), y: Int16(to.1)),
        ]
        xcb_poly_line(raw, 0, root, context, 2, points)
        flush()
    }

    func copy(_ from: PixelRect, toX: Int, toY: Int) {
        xcb_copy_area(
            raw, root, root, context, Int16(from.x), Int16(from.y), Int16(toX), Int16(toY), UInt16(from.width),
            UInt16(from.height))
        flush()
    }

    /// Rows of pixels as 0xRRGGBB, on a screen of depth 24; no more than one request holds.
    func put(_ pixels: [UInt32], _ rect: PixelRect) {
        pixels.withUnsafeBytes { bytes in
            _ = xcb_put_image(
                raw, UInt8(XCB_IMAGE_FORMAT_Z_PIXMAP.rawValue), root, context, UInt16(rect.width), UInt16(rect.height),
                Int16(rect.x), Int16(rect.y), 0, depth, UInt32(bytes.count),
                bytes.bindMemory(to: UInt8.self).baseAddress)
        }
        flush()
    }

    func flush() { _ = xcb_flush(raw) }

    /// Returns when the server has drawn all.
    func synchronise() { free(xcb_get_input_focus_reply(raw, xcb_get_input_focus(raw), nil)) }

    /// Waits until `isSo`, at most some seconds: what another client asked for is done when the server comes to it.
    func settle(_ isSo: () -> Bool, _ place: SourceLocation = #_sourceLocation) {
        for _ in 0..<500 where !isSo() { usleep(10_000) }
        #expect(isSo(), sourceLocation: place)
    }

    /// The screen as the core protocol has it: 0xRRGGBB, row by row.
    func pixels(_ size: PixelSize) -> [UInt32] {
        let cookie = xcb_get_image(
            raw, UInt8(XCB_IMAGE_FORMAT_Z_PIXMAP.rawValue), root, 0, 0, UInt16(size.width), UInt16(size.height), ~0)
        guard let reply = xcb_get_image_reply(raw, cookie, nil), let bytes = xcb_get_image_data(reply) else {
            return []
        }
        defer { free(reply) }
        var pixels: [UInt32] = []
        pixels.reserveCapacity(size.width * size.height)
        let stride = depth == 16 ? (size.width * 2 + 3) / 4 * 4 : size.width * 4
        for y in 0..<size.height {
            let row = UnsafeRawPointer(bytes) + y * stride
            for x in 0..<size.width {
                if depth == 16 {
                    pixels.append(Self.expanded(row.load(fromByteOffset: x * 2, as: UInt16.self)))
                } else {
                    pixels.append(row.load(fromByteOffset: x * 4, as: UInt32.self) & 0xffffff)
                }
            }
        }
        return pixels
    }

    /// A pointer of `width` x 16 pixels, all opaque, on the root window.
    func setCursor(width: Int, hotX: Int, hotY: Int) {
        let pixmap: xcb_pixmap_t = xcb_generate_id(raw)
        let bits: xcb_gcontext_t = xcb_generate_id(raw)
        let cursor: xcb_cursor_t = xcb_generate_id(raw)
        xcb_create_pixmap(raw, 1, pixmap, root, UInt16(width), 16)
        xcb_create_gc(raw, bits, pixmap, XCB_GC_FOREGROUND.rawValue, [1])
        var all = xcb_rectangle_t(x: 0, y: 0, width: UInt16(width), height: 16)
        xcb_poly_fill_rectangle(raw, pixmap, bits, 1, &all)
        xcb_create_cursor(
            raw, cursor, pixmap, pixmap, 0xffff, 0, 0, 0, 0, 0, UInt16(hotX), UInt16(hotY))
        xcb_change_window_attributes(raw, root, XCB_CW_CURSOR.rawValue, [cursor])
        xcb_free_pixmap(raw, pixmap)
        xcb_free_gc(raw, bits)
        flush()
    }

    private func native(_ colour: UInt32) -> UInt32 {
        guard depth == 16 else { return colour }
        return (colour >> 19 & 31) << 11 | (colour >> 10 & 63) << 5 | (colour >> 3 & 31)
    }

    /// By division, unlike the source's way by shifts.
    private static func expanded(_ word: UInt16) -> UInt32 {
        let (red, green, blue) = (UInt32(word / 2048), UInt32(word / 32 % 64), UInt32(word % 32))
        return red * 33 / 4 * 65536 + green * 65 / 16 * 256 + blue * 33 / 4
    }
}
