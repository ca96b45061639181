import CXCB
import Glibc

/// An X client that draws on the root window, over all others: what tests and benchmarks put on a screen. 24 bits in 32 alone.
///
/// One thread at a time.
public final class XPainter {
    private let raw: OpaquePointer
    private let root: xcb_window_t
    private let depth: UInt8
    private let context: xcb_gcontext_t
    public let width: Int
    public let height: Int

    /// Nil where there is no such X server, or its pixels are of another kind.
    public init?(_ display: String) {
        guard let raw = xcb_connect(display, nil), xcb_connection_has_error(raw) == 0, let setup = xcb_get_setup(raw)
        else { return nil }
        let screen = xcb_setup_roots_iterator(setup).data.pointee
        guard screen.root_depth == 24 else { return nil }
        self.raw = raw
        (root, depth) = (screen.root, screen.root_depth)
        (width, height) = (Int(screen.width_in_pixels), Int(screen.height_in_pixels))
        context = xcb_generate_id(raw)
        // In the order of their bits: windows on the root are drawn over, and no event tells of what a copy did not find.
        let values = XCB_GC_SUBWINDOW_MODE.rawValue | XCB_GC_GRAPHICS_EXPOSURES.rawValue
        xcb_create_gc(raw, context, root, values, [1, 0])
        // Asked for once, before anything is timed.
        _ = xcb_get_maximum_request_length(raw)
        synchronise()
    }

    deinit { xcb_disconnect(raw) }

    /// `colour` as 0xRRGGBB. Nothing is sent before `flush`.
    public func fill(x: Int, y: Int, width: Int, height: Int, _ colour: UInt32) {
        xcb_change_gc(raw, context, XCB_GC_FOREGROUND.rawValue, [colour])
        var one = xcb_rectangle_t(x: Int16(x), y: Int16(y), width: UInt16(width), height: UInt16(height))
        xcb_poly_fill_rectangle(raw, root, context, 1, &one)
    }

    /// Puts a picture, 0xRRGGBB row by row.
    public func put(_ pixels: [UInt32], x: Int, y: Int, width: Int) {
        guard width > 0, pixels.count >= width else { return }
        let rows = max(1, (Int(xcb_get_maximum_request_length(raw)) * 4 - 64) / (width * 4))
        let height = pixels.count / width
        pixels.withUnsafeBytes { bytes in
            for top in stride(from: 0, to: height, by: rows) {
                let count = min(rows, height - top)
                let start = bytes.baseAddress.map { ($0 + top * width * 4).assumingMemoryBound(to: UInt8.self) }
                xcb_put_image(
                    raw, UInt8(XCB_IMAGE_FORMAT_Z_PIXMAP.rawValue), root, context, UInt16(width), UInt16(count),
                    Int16(x), Int16(y + top), 0, depth, UInt32(count * width * 4), start)
            }
        }
    }

    /// Moves a part of the screen.
    public func copy(x: Int, y: Int, width: Int, height: Int, toX: Int, toY: Int) {
        xcb_copy_area(
            raw, root, root, context, Int16(x), Int16(y), Int16(toX), Int16(toY), UInt16(width), UInt16(height))
    }

    public func flush() { _ = xcb_flush(raw) }

    /// Returns when the server has drawn all.
    public func synchronise() { free(xcb_get_input_focus_reply(raw, xcb_get_input_focus(raw), nil)) }

    /// Asks to be told of presses on the root window. One client of a server can.
    public func listenForPresses() {
        xcb_change_window_attributes(raw, root, XCB_CW_EVENT_MASK.rawValue, [XCB_EVENT_MASK_BUTTON_PRESS.rawValue])
        synchronise()
    }

    /// Waits for a press, at most so long.
    public func hearPress(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: xcb_get_file_descriptor(raw), events: Int16(POLLIN), revents: 0)
        var isFirst = true
        while true {
            while let event = xcb_poll_for_event(raw) {
                defer { free(event) }
                if Int32(event.pointee.response_type & 0x7f) == XCB_BUTTON_PRESS { return true }
            }
            guard isFirst, poll(&entry, 1, milliseconds) > 0 else { return false }
            isFirst = false
        }
    }
}
